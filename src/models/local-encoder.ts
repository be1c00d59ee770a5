import { z } from 'zod';
import { silu } from '../nn/activation.ts';
import { Conv2d } from '../nn/convolution.ts';
import { Module } from '../nn/module.ts';
import type { Path } from '../nn/path.ts';
import { adaptiveAvgPool2d } from '../tensor/ops.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { TemporalTransformerLayer } from './temporal-transformer.ts';

export const LocalEncoderConfig = z.strictObject({
  /** Features given to the U-Net, which adds those of all local conditions. */
  featureChannels: z.int().positive().default(8),
  hiddenChannels: z.int().positive().default(32),
  /** Heads of a transformer layer over the frames of a clip (VideoComposer: 2); null for none. */
  temporalHeads: z.int().positive().nullable().default(null),
}).refine(({ featureChannels, temporalHeads }) => featureChannels % (temporalHeads ?? 1) === 0, {
  error: 'temporalHeads: expected a divisor of featureChannels',
});
export type LocalEncoderConfig = z.input<typeof LocalEncoderConfig>;

/**
 * VideoComposer's spatial condition encoder (PAPER section 1), keys as in its Sequential (0, 3,
 * 5): Conv3x3(c -> 32) SiLU AvgPool to 4x the latent grid, Conv3x3 stride 2 (32 -> 32) SiLU,
 * Conv3x3 stride 2 (32 -> 8). (b * frames, c, h, w) -> (b * frames, 8, latentSize, latentSize),
 * whatever h and w are. With `temporalHeads` a transformer layer over the frames comes last, key
 * `temporal`; what is given once for a clip is then repeated over its frames before it.
 */
export class LocalEncoder extends Module<[Tensor, number?, number?], Tensor> {
  private readonly conv0: Conv2d;
  private readonly conv3: Conv2d;
  private readonly conv5: Conv2d;
  private readonly temporal: TemporalTransformerLayer | null;
  private readonly grid: number;

  constructor(path: Path, channels: number, latentSize: number, config: LocalEncoderConfig = {}) {
    super();
    const { featureChannels, hiddenChannels, temporalHeads } = LocalEncoderConfig.parse(config);
    const halving = { stride: 2, padding: 1 };
    this.conv0 = new Conv2d(path.sub(0), channels, hiddenChannels, 3, { padding: 1 });
    this.conv3 = new Conv2d(path.sub(3), hiddenChannels, hiddenChannels, 3, halving);
    this.conv5 = new Conv2d(path.sub(5), hiddenChannels, featureChannels, 3, halving);
    this.temporal = temporalHeads === null ? null
      : new TemporalTransformerLayer(path.sub('temporal'), featureChannels, temporalHeads);
    this.grid = latentSize * 4;
  }

  /**
   * @param x planes of each clip, one after the other: of every frame, or of one that stands for all
   * @param clips how many clips they are of
   * @param frames of a clip
   */
  forward(x: Tensor, clips = 1, frames = x.shape[0] / clips): Tensor {
    const fine = silu(this.conv0.call(x.channelsLast())); // n 32 h w
    const pooled = adaptiveAvgPool2d(fine, [this.grid, this.grid]); // n 32 4l 4l
    const features = this.conv5.call(silu(this.conv3.call(pooled))); // n 8 l l
    if (this.temporal === null) return features;
    const shape = features.shape.slice(1);
    const everywhere = features.reshape([clips, -1, ...shape]).expand([clips, frames, ...shape]);
    return this.temporal.call(everywhere).reshape([clips * frames, ...shape]); // (b frames) 8 l l
  }
}
