import { gelu } from '../nn/activation.ts';
import { castLike } from '../nn/cast.ts';
import { Conv2d } from '../nn/convolution.ts';
import { Linear } from '../nn/linear.ts';
import { Module } from '../nn/module.ts';
import { GroupNorm, LayerNorm } from '../nn/normalization.ts';
import type { Path } from '../nn/path.ts';
import { linear } from '../tensor/ops.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { CrossAttention, SelfAttention, type Context, type ImageQuery } from './cross-attention.ts';

export interface TransformerConfig {
  readonly heads: number;
  readonly groups: number;
  readonly contextWidth: number;
  readonly imageQuery: ImageQuery;
  /**
   * Whether `proj_in` and `proj_out` are stored as matrices (SD 2) or as 1x1 convolutions (SD 1).
   */
  readonly linearProjection: boolean;
}

/**
 * diffusers' Transformer2DModel with one block: `norm proj_in transformer_blocks.0 proj_out`, and
 * the residual. (b * frames, c, h, w) -> same. In the channels-last format the tokens are a view
 * of the picture.
 */
export class SpatialTransformer extends Module<[Tensor, Context], Tensor> {
  private readonly norm: GroupNorm;
  private readonly projectIn: Linear | Conv2d;
  private readonly block: TransformerBlock;
  private readonly projectOut: Linear | Conv2d;

  constructor(path: Path, channels: number, config: TransformerConfig) {
    super();
    const projection = (at: Path) =>
      config.linearProjection
        ? new Linear(at, channels, channels)
        : new Conv2d(at, channels, channels, 1);
    // diffusers fixes this eps, whatever the U-Net's norm_eps is.
    this.norm = new GroupNorm(path.sub('norm'), config.groups, channels, 1e-6);
    this.projectIn = projection(path.sub('proj_in'));
    this.block = new TransformerBlock(path.sub('transformer_blocks.0'), channels, config);
    this.projectOut = projection(path.sub('proj_out'));
  }

  forward(x: Tensor, context: Context): Tensor {
    const [n, channels, height, width] = x.shape;
    let tokens = this.norm
      .call(x)
      .permute([0, 2, 3, 1])
      .reshape([n, height * width, channels]);
    tokens = project(this.projectIn, tokens); // n hw c
    tokens = this.block.call(tokens, context);
    tokens = project(this.projectOut, tokens);
    return x.add(tokens.reshape([n, height, width, channels]).permute([0, 3, 1, 2]));
  }
}

/**
 * A 1x1 convolution is a matrix product over the channels; on tokens it needs no change of layout.
 */
function project(layer: Linear | Conv2d, tokens: Tensor): Tensor {
  const [out, inside] = layer.weight.shape;
  const weight = castLike(layer.weight, tokens).reshape([out, inside]);
  return linear(tokens, weight, layer.bias && castLike(layer.bias, tokens));
}

/**
 * Self-attention, cross-attention, feed-forward, each with its norm before and its residual after.
 */
class TransformerBlock extends Module<[Tensor, Context], Tensor> {
  private readonly norm1: LayerNorm;
  private readonly attention1: SelfAttention;
  private readonly norm2: LayerNorm;
  private readonly attention2: CrossAttention;
  private readonly norm3: LayerNorm;
  private readonly feedForward: FeedForward;

  constructor(path: Path, channels: number, config: TransformerConfig) {
    super();
    const { heads, contextWidth, imageQuery } = config;
    this.norm1 = new LayerNorm(path.sub('norm1'), channels);
    this.attention1 = new SelfAttention(path.sub('attn1'), channels, heads);
    this.norm2 = new LayerNorm(path.sub('norm2'), channels);
    this.attention2 = new CrossAttention(
      path.sub('attn2'),
      channels,
      contextWidth,
      heads,
      imageQuery,
    );
    this.norm3 = new LayerNorm(path.sub('norm3'), channels);
    this.feedForward = new FeedForward(path.sub('ff'), channels);
  }

  forward(x: Tensor, context: Context): Tensor {
    const h1 = x.add(this.attention1.call(this.norm1.call(x)));
    const h2 = h1.add(this.attention2.call(this.norm2.call(h1), context));
    return h2.add(this.feedForward.call(this.norm3.call(h2)));
  }
}

/**
 * Linear, GEGLU, Linear with an inner width of four times the channels. Keys `net.0.proj`,
 * `net.2`. The first matrix is used in its two halves, values and gates: GELU of a half of a
 * tensor takes four times as long as of a whole.
 */
class FeedForward extends Module<[Tensor], Tensor> {
  private readonly inner: Linear;
  private readonly outer: Linear;
  private readonly width: number;

  constructor(path: Path, channels: number) {
    super();
    this.width = channels * 4;
    this.inner = new Linear(path.sub('net.0.proj'), channels, this.width * 2);
    this.outer = new Linear(path.sub('net.2'), this.width, channels);
  }

  forward(x: Tensor): Tensor {
    const [weight, bias] = [castLike(this.inner.weight, x), castLike(this.inner.bias!, x)];
    const half = (index: number) =>
      linear(
        x,
        weight.narrow(0, index * this.width, this.width),
        bias.narrow(0, index * this.width, this.width),
      );
    return this.outer.call(half(0).mul(gelu(half(1)))); // n tokens c
  }
}
