import { silu } from '../nn/activation.ts';
import { multiHeadAttention } from '../nn/attention.ts';
import { Conv2d } from '../nn/convolution.ts';
import { Linear } from '../nn/linear.ts';
import { Module } from '../nn/module.ts';
import { GroupNorm } from '../nn/normalization.ts';
import type { Path } from '../nn/path.ts';
import { pad } from '../tensor/ops.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { Downsample2D, ResnetBlock2D, Upsample2D } from './blocks.ts';

const EPS = 1e-6;

/** One step of the encoder or the decoder: picture in, picture out. */
export type Layer = (x: Tensor) => Tensor;

/** Sizes that the encoder and the decoder share. */
export interface StackOptions {
  readonly widths: readonly number[];
  /** Residual blocks in a down block; an up block has one more. */
  readonly layers: number;
  readonly groups: number;
  /** Whether the middle has self-attention. */
  readonly attention: boolean;
}

/** Self-attention over all positions in one head, plus the input. (n, c, h, w) -> same */
export class SpatialAttention extends Module<[Tensor], Tensor> {
  private readonly norm: GroupNorm;
  private readonly query: Linear;
  private readonly key: Linear;
  private readonly value: Linear;
  private readonly output: Linear;

  constructor(path: Path, channels: number, groups: number) {
    super();
    this.norm = new GroupNorm(path.sub('group_norm'), groups, channels, EPS);
    this.query = new Linear(path.sub('to_q'), channels, channels);
    this.key = new Linear(path.sub('to_k'), channels, channels);
    this.value = new Linear(path.sub('to_v'), channels, channels);
    this.output = new Linear(path.sub('to_out.0'), channels, channels);
  }

  forward(x: Tensor): Tensor {
    const [batch, channels, height, width] = x.shape;
    const tokens = this.norm.call(x).flatten(2).transpose(1, 2); // n hw c
    const mixed = multiHeadAttention(
      this.query.call(tokens), this.key.call(tokens), this.value.call(tokens), 1,
    );
    return this.output.call(mixed).transpose(1, 2).reshape([batch, channels, height, width]).add(x);
  }
}

/** The down blocks: residual blocks, then a halving unless the block is the last. */
export function downLayers(path: Path, { widths, layers, groups }: StackOptions): Layer[] {
  return widths.flatMap((width, block) => {
    const place = path.sub(block);
    const from = widths[Math.max(block - 1, 0)];
    return [
      ...residuals(place, from, width, layers, groups),
      ...(block + 1 < widths.length ? [halving(place.sub('downsamplers.0'), width)] : []),
    ];
  });
}

/** The up blocks, widest first: residual blocks, then a doubling unless the block is the last. */
export function upLayers(path: Path, { widths, layers, groups }: StackOptions): Layer[] {
  const descending = [...widths].reverse();
  return descending.flatMap((width, block) => {
    const place = path.sub(block);
    const from = descending[Math.max(block - 1, 0)];
    return [
      ...residuals(place, from, width, layers + 1, groups),
      ...(block + 1 < widths.length ? [doubling(place.sub('upsamplers.0'), width)] : []),
    ];
  });
}

/** Residual, self-attention where asked for, residual, at the lowest resolution. */
export function middleLayers(path: Path, { widths, groups, attention }: StackOptions): Layer[] {
  const width = widths.at(-1)!;
  const [before, after] = residuals(path, width, width, 2, groups);
  if (!attention) return [before, after];
  const mix = new SpatialAttention(path.sub('attentions.0'), width, groups);
  return [before, (x) => mix.call(x), after];
}

function residuals(
  path: Path, from: number, width: number, count: number, groups: number,
): Layer[] {
  return Array.from({ length: count }, (_, index) => {
    const place = path.sub('resnets').sub(index);
    const block = new ResnetBlock2D(place, index === 0 ? from : width, width, {
      groups, eps: EPS, timeChannels: null,
    });
    return (x: Tensor) => block.call(x, null);
  });
}

/** Stride 2 after one row and one column of zeros at the lower right only, as LDM has it. */
function halving(path: Path, channels: number): Layer {
  const down = new Downsample2D(path, channels, 0);
  return (x) => down.call(pad(x, [0, 1, 0, 1]));
}

function doubling(path: Path, channels: number): Layer {
  const up = new Upsample2D(path, channels);
  return (x) => up.call(x);
}

/** GroupNorm SiLU Conv3x3 under the keys `conv_norm_out` and `conv_out` of `path`. */
export class OutputHead extends Module<[Tensor], Tensor> {
  private readonly norm: GroupNorm;
  readonly conv: Conv2d;

  constructor(path: Path, inChannels: number, outChannels: number, groups: number) {
    super();
    this.norm = new GroupNorm(path.sub('conv_norm_out'), groups, inChannels, EPS);
    this.conv = new Conv2d(path.sub('conv_out'), inChannels, outChannels, 3, { padding: 1 });
  }

  forward(x: Tensor): Tensor {
    return this.conv.call(silu(this.norm.call(x)));
  }
}
