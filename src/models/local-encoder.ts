import { z } from 'zod';
import { silu } from '../nn/activation.ts';
import { Conv2d } from '../nn/convolution.ts';
import { Module } from '../nn/module.ts';
import type { Path } from '../nn/path.ts';
import { adaptiveAvgPool2d } from '../tensor/ops.ts';
import type { Tensor } from '../tensor/tensor.ts';

export const LocalEncoderConfig = z.strictObject({
  /** Features given to the U-Net, which adds those of all local conditions. */
  featureChannels: z.int().positive().default(8),
  hiddenChannels: z.int().positive().default(32),
});
export type LocalEncoderConfig = z.input<typeof LocalEncoderConfig>;

/**
 * VideoComposer's spatial condition encoder (PAPER section 1), keys as in its Sequential (0, 3,
 * 5): Conv3x3(c -> 32) SiLU AvgPool to 4x the latent grid, Conv3x3 stride 2 (32 -> 32) SiLU,
 * Conv3x3 stride 2 (32 -> 8). (b * frames, c, h, w) -> (b * frames, 8, latentSize, latentSize),
 * whatever h and w are.
 */
export class LocalEncoder extends Module<[Tensor], Tensor> {
  private readonly conv0: Conv2d;
  private readonly conv3: Conv2d;
  private readonly conv5: Conv2d;
  private readonly grid: number;

  constructor(path: Path, channels: number, latentSize: number, config: LocalEncoderConfig = {}) {
    super();
    const { featureChannels, hiddenChannels } = LocalEncoderConfig.parse(config);
    const halving = { stride: 2, padding: 1 };
    this.conv0 = new Conv2d(path.sub(0), channels, hiddenChannels, 3, { padding: 1 });
    this.conv3 = new Conv2d(path.sub(3), hiddenChannels, hiddenChannels, 3, halving);
    this.conv5 = new Conv2d(path.sub(5), hiddenChannels, featureChannels, 3, halving);
    this.grid = latentSize * 4;
  }

  forward(x: Tensor): Tensor {
    const fine = silu(this.conv0.call(x.channelsLast())); // n 32 h w
    const pooled = adaptiveAvgPool2d(fine, [this.grid, this.grid]); // n 32 4l 4l
    return this.conv5.call(silu(this.conv3.call(pooled))); // n 8 l l
  }
}
