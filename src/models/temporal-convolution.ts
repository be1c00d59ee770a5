import { silu } from '../nn/activation.ts';
import { castLike } from '../nn/cast.ts';
import { Conv3d } from '../nn/convolution.ts';
import { zeros } from '../nn/init.ts';
import { Module } from '../nn/module.ts';
import { GroupNorm } from '../nn/normalization.ts';
import type { Path } from '../nn/path.ts';
import { conv2d } from '../tensor/ops.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** Index of the convolution in each Sequential of diffusers, whose later ones have a dropout before it. */
const convolutionAt = [2, 3, 3, 3] as const;

/**
 * VideoComposer's temporal convolution (PAPER section 3): four times [GroupNorm, SiLU, Conv3d (3, 1, 1)], the
 * last one zero at birth, and the residual, so that a new one changes nothing. Norms see a whole clip. Keys as
 * diffusers' TemporalConvLayer has them, `conv1.{0,2} conv<2..4>.{0,3}`; its dropout is left out.
 *
 * (b * frames, c, h, w) -> same. A picture in channels-last lies in memory as (b, c, frames, h w) does in the
 * same format, so that each convolution is a 2-D one of kernel (3, 1) on a view.
 */
export class TemporalConvolution extends Module<[Tensor, number], Tensor> {
  private readonly steps: readonly { readonly norm: GroupNorm; readonly conv: Conv3d }[];

  constructor(path: Path, channels: number, groups: number) {
    super();
    this.steps = convolutionAt.map((place, index) => {
      const at = path.sub(`conv${index + 1}`);
      const init = index === convolutionAt.length - 1 ? zeros : undefined;
      return {
        norm: new GroupNorm(at.sub(0), groups, channels),
        conv: new Conv3d(at.sub(place), channels, channels, [3, 1, 1], { init }),
      };
    });
  }

  forward(x: Tensor, frames: number): Tensor {
    const [n, channels, height, width] = x.shape;
    const clips = x.permute([0, 2, 3, 1])
      .reshape([n / frames, frames, height * width, channels])
      .permute([0, 3, 1, 2]); // b c f hw
    const h = this.steps.reduce((h, { norm, conv }) => {
      const kernel = castLike(conv.weight, x).reshape([channels, channels, 3, 1]);
      return conv2d(silu(norm.call(h)), kernel, castLike(conv.bias!, x), [1, 1], [1, 0]);
    }, clips);
    return x.add(h.permute([0, 2, 3, 1]).reshape([n, height, width, channels]).permute([0, 3, 1, 2]));
  }
}
