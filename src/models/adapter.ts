import { z } from 'zod';
import { Conv3d } from '../nn/convolution.ts';
import { Linear } from '../nn/linear.ts';
import { Module } from '../nn/module.ts';
import { BatchNorm3d, LayerNorm } from '../nn/normalization.ts';
import type { Path } from '../nn/path.ts';
import type { Tensor } from '../tensor/tensor.ts';

export const GlobalAdapterConfig = z
  .strictObject({
    /** Channels of the image encoder's feature map (MedSAM: 256). */
    channels: z.int().positive().default(256),
    /** Side of that map (MedSAM: 64). */
    grid: z.int().positive().default(64),
    /** Side of the grid of tokens it becomes: 8 gives 64 tokens. */
    tokenGrid: z.int().positive().default(8),
    /** Whether the mean of the tokens stands for all of them, as the image is one token in VideoComposer. */
    oneToken: z.boolean().default(false),
    /** Width of the context tokens, the U-Net's `cross_attention_dim`. */
    contextWidth: z.int().positive().default(768),
  })
  .refine(({ grid, tokenGrid }) => grid % tokenGrid === 0, {
    error: 'grid: expected a multiple of tokenGrid',
  });
export type GlobalAdapterConfig = z.input<typeof GlobalAdapterConfig>;

/**
 * Makes context tokens of the image encoder's features: BatchNorm -> Conv3d -> Linear -> LayerNorm
 * (PAPER section 1). (b, channels, grid, grid) -> (b, tokenGrid^2, contextWidth), tokens row by
 * row; with `oneToken` (b, 1, contextWidth), of the mean that the Conv3d's tokens have.
 */
export class GlobalAdapter extends Module<[Tensor, boolean?], Tensor> {
  private readonly norm: BatchNorm3d;
  private readonly conv: Conv3d;
  private readonly linear: Linear;
  private readonly outNorm: LayerNorm;
  private readonly oneToken: boolean;

  constructor(path: Path, config: GlobalAdapterConfig = {}) {
    super();
    const { channels, grid, tokenGrid, contextWidth, oneToken } = GlobalAdapterConfig.parse(config);
    const patch = grid / tokenGrid;
    const kernel = [1, patch, patch] as const;
    this.norm = new BatchNorm3d(path.sub('batch_norm'), channels);
    this.conv = new Conv3d(path.sub('conv'), channels, channels, kernel, { stride: kernel });
    this.linear = new Linear(path.sub('linear'), channels, contextWidth);
    this.outNorm = new LayerNorm(path.sub('layer_norm'), contextWidth);
    this.oneToken = oneToken;
  }

  /** @param training whether the batch norm uses, and learns from, the statistics of this batch */
  forward(features: Tensor, training = false): Tensor {
    const normed = this.norm.call(features.unsqueeze(2), training); // b c 1 g g
    const tokens = this.conv.call(normed).flatten(2).transpose(1, 2); // b 64 c
    const kept = this.oneToken ? tokens.mean([1], true) : tokens; // b 64|1 c
    return this.outNorm.call(this.linear.call(kept)); // b 64|1 contextWidth
  }
}
