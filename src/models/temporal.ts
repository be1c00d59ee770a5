import { castLike } from '../nn/cast.ts';
import { sinusoidalPositions } from '../nn/embedding.ts';
import { zeros } from '../nn/init.ts';
import { Linear } from '../nn/linear.ts';
import { Module } from '../nn/module.ts';
import { LayerNorm } from '../nn/normalization.ts';
import type { Path } from '../nn/path.ts';
import { attention } from '../tensor/ops.ts';
import type { Tensor } from '../tensor/tensor.ts';

/**
 * Temporal self-attention: at each position of the picture the frames of one clip attend to each
 * other, the only place where frames meet (PAPER section 1). Pre-norm, sinusoidal frame positions,
 * residual; the output projection is zero at birth, so that a new layer changes nothing.
 *
 * (b * frames, c, h, w) -> same. The change from frames-of-pixels to pixels-of-frames costs
 * nothing extra: it happens in the copy that splits the heads, and back in the one that merges
 * them.
 */
export class TemporalAttention extends Module<[Tensor, number], Tensor> {
  private readonly heads: number;
  private readonly norm: LayerNorm;
  private readonly query: Linear;
  private readonly key: Linear;
  private readonly value: Linear;
  private readonly out: Linear;

  constructor(path: Path, channels: number, heads: number) {
    super();
    this.heads = heads;
    this.norm = new LayerNorm(path.sub('norm'), channels);
    this.query = new Linear(path.sub('to_q'), channels, channels, { bias: false });
    this.key = new Linear(path.sub('to_k'), channels, channels, { bias: false });
    this.value = new Linear(path.sub('to_v'), channels, channels, { bias: false });
    this.out = new Linear(path.sub('to_out.0'), channels, channels, { init: zeros });
  }

  forward(x: Tensor, frames: number): Tensor {
    const [n, channels, height, width] = x.shape;
    const [clips, pixels, heads] = [n / frames, height * width, this.heads];
    const tokens = x.permute([0, 2, 3, 1]).reshape([clips, frames, pixels, channels]); // b f hw c
    const table = sinusoidalPositions(frames, channels, x.device); // f c
    const positions = castLike(table, x).unsqueeze(1); // f 1 c
    const h = this.norm.call(tokens).add(positions);
    const [q, k, v] = [this.query, this.key, this.value].map((layer) =>
      layer
        .call(h)
        .reshape([clips, frames, pixels, heads, channels / heads])
        .permute([0, 2, 3, 1, 4])
        .reshape([clips * pixels, heads, frames, channels / heads]),
    );
    const mixed = attention(q, k, v) // b*hw heads f d
      .reshape([clips, pixels, heads, frames, channels / heads])
      .permute([0, 3, 1, 2, 4])
      .reshape([n, height, width, channels]);
    return x.add(this.out.call(mixed).permute([0, 3, 1, 2]));
  }
}
