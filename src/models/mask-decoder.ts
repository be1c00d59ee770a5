import { z } from 'zod';
import { silu } from '../nn/activation.ts';
import { Conv2d } from '../nn/convolution.ts';
import { Module } from '../nn/module.ts';
import { GroupNorm } from '../nn/normalization.ts';
import type { Path } from '../nn/path.ts';
import { upsampleNearest2d } from '../tensor/ops.ts';
import type { Tensor } from '../tensor/tensor.ts';

export const maskDecoderConfig = z.strictObject({
  /** Channels of the embedding: the image encoder's `out_chans`. */
  in_channels: z.int().positive(),
  /** One entry for each doubling; 2^entries is the image encoder's `patch_size`. */
  block_out_channels: z.array(z.int().positive()).min(1).readonly().default([64, 32, 16, 16]),
  num_classes: z.int().min(2).default(4),
  norm_num_groups: z.int().positive().default(8),
});
export type MaskDecoderConfig = z.infer<typeof maskDecoderConfig>;

/**
 * Class logits at the picture's size from an image embedding: doublings of nearest neighbour,
 * Conv3x3, GroupNorm, SiLU, then Conv1x1. With it the small image encoder is trained to be what
 * MedSAM's is, the encoder of a mask predictor; afterwards it is thrown away.
 */
export class MaskDecoder extends Module<[Tensor], Tensor> {
  private readonly convolutions: readonly Conv2d[];
  private readonly norms: readonly GroupNorm[];
  private readonly logits: Conv2d;

  constructor(path: Path, config: MaskDecoderConfig) {
    super();
    const widths = [config.in_channels, ...config.block_out_channels];
    const up = path.sub('up');
    this.convolutions = config.block_out_channels.map((width, index) =>
      new Conv2d(up.sub(index).sub('conv'), widths[index], width, 3, { padding: 1 }));
    this.norms = config.block_out_channels.map((width, index) =>
      new GroupNorm(up.sub(index).sub('norm'), config.norm_num_groups, width));
    this.logits = new Conv2d(path.sub('logits'), widths.at(-1)!, config.num_classes, 1);
  }

  /** (b, in_channels, g, g) -> (b, num_classes, g 2^entries, g 2^entries) */
  forward(embedding: Tensor): Tensor {
    let x = embedding;
    for (const [index, convolution] of this.convolutions.entries()) {
      const [, , height, width] = x.shape;
      const doubled = upsampleNearest2d(x, [2 * height, 2 * width]);
      x = silu(this.norms[index].call(convolution.call(doubled)));
    }
    return this.logits.call(x);
  }
}
