import { gelu } from '../nn/activation.ts';
import { multiHeadAttention } from '../nn/attention.ts';
import { castLike } from '../nn/cast.ts';
import { sinusoidalPositions } from '../nn/embedding.ts';
import { kaimingUniform, zeros } from '../nn/init.ts';
import { Linear } from '../nn/linear.ts';
import { Module } from '../nn/module.ts';
import { LayerNorm } from '../nn/normalization.ts';
import type { Path } from '../nn/path.ts';
import { linear } from '../tensor/ops.ts';
import type { Tensor } from '../tensor/tensor.ts';

/**
 * One transformer layer over the frames of a clip, at each position of a condition's features (VideoComposer's
 * spatio-temporal condition encoder, PAPER section 3): self-attention and a feed-forward network as wide as the
 * features, each with its norm before and its residual after. Keys as in PyTorch's TransformerEncoderLayer.
 * The attention sees sinusoidal frame positions, as the U-Net's temporal attention does.
 *
 * (b, frames, c, h, w) -> same.
 */
export class TemporalTransformerLayer extends Module<[Tensor], Tensor> {
  private readonly heads: number;
  private readonly norm1: LayerNorm;
  private readonly inWeight: Tensor;
  private readonly inBias: Tensor;
  private readonly out: Linear;
  private readonly norm2: LayerNorm;
  private readonly inner: Linear;
  private readonly outer: Linear;

  constructor(path: Path, channels: number, heads: number) {
    super();
    this.heads = heads;
    this.norm1 = new LayerNorm(path.sub('norm1'), channels);
    const at = path.sub('self_attn');
    this.inWeight = at.parameter('in_proj_weight', [3 * channels, channels], kaimingUniform());
    this.inBias = at.parameter('in_proj_bias', [3 * channels], zeros);
    this.out = new Linear(at.sub('out_proj'), channels, channels);
    this.norm2 = new LayerNorm(path.sub('norm2'), channels);
    this.inner = new Linear(path.sub('linear1'), channels, channels);
    this.outer = new Linear(path.sub('linear2'), channels, channels);
  }

  forward(x: Tensor): Tensor {
    const [clips, frames, channels, height, width] = x.shape;
    const tokens = x.permute([0, 3, 4, 1, 2]).reshape([clips * height * width, frames, channels]); // b*hw f c
    const positions = castLike(sinusoidalPositions(frames, channels, x.device), x); // f c
    const h = this.norm1.call(tokens).add(positions);
    const [q, k, v] = linear(h, castLike(this.inWeight, x), castLike(this.inBias, x)).chunk(3, 2);
    const seen = tokens.add(this.out.call(multiHeadAttention(q, k, v, this.heads)));
    const done = seen.add(this.outer.call(gelu(this.inner.call(this.norm2.call(seen)))));
    return done.reshape([clips, height, width, frames, channels]).permute([0, 3, 4, 1, 2]);
  }
}
