import { conv2d, conv3d } from '../tensor/ops.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { castLike } from './cast.ts';
import { kaimingUniform, type Init } from './init.ts';
import { Module } from './module.ts';
import type { Path } from './path.ts';

type Pair = readonly [number, number];
type Triple = readonly [number, number, number];

export interface ConvolutionOptions<Size> {
  readonly stride?: number | Size;
  readonly padding?: number | Size;
  readonly bias?: boolean;
  /** Of weight and bias; the default is torch's: uniform in +-1/sqrt(fan in). */
  readonly init?: Init;
}

export interface Convolution2dOptions extends ConvolutionOptions<Pair> {
  /** Pixels from one tap of the kernel to the next; 1 by default. */
  readonly dilation?: number;
  /** Channels are convolved in so many groups apart; 1 by default. */
  readonly groups?: number;
}

/** (n, in, h, w) -> (n, out, h', w'). Keys `weight` (out, in / groups, kh, kw) and `bias`. */
export class Conv2d extends Module<[Tensor], Tensor> {
  readonly weight: Tensor;
  readonly bias: Tensor | null;
  private readonly stride: Pair;
  private readonly padding: Pair;
  private readonly dilation: number;
  private readonly groups: number;
  private readonly at: string;

  constructor(
    path: Path,
    inChannels: number,
    outChannels: number,
    kernel: number | Pair,
    options: Convolution2dOptions = {},
  ) {
    super();
    this.at = path.fullName;
    const [height, width] = pair(kernel);
    this.stride = pair(options.stride ?? 1);
    this.padding = pair(options.padding ?? 0);
    this.dilation = options.dilation ?? 1;
    this.groups = options.groups ?? 1;
    const members = inChannels / this.groups;
    const { bias = true, init = kaimingUniform(members * height * width) } = options;
    this.weight = path.parameter('weight', [outChannels, members, height, width], init);
    this.bias = bias ? path.parameter('bias', [outChannels], init) : null;
  }

  forward(x: Tensor): Tensor {
    expectChannels('conv2d', x, this.weight, this.at, this.groups);
    const bias = this.bias && castLike(this.bias, x);
    const { stride, padding, dilation, groups } = this;
    return conv2d(x, castLike(this.weight, x), bias, stride, padding, dilation, groups);
  }
}

/** (n, in, f, h, w) -> (n, out, f', h', w'). Keys `weight` (out, in, kf, kh, kw) and `bias`. */
export class Conv3d extends Module<[Tensor], Tensor> {
  readonly weight: Tensor;
  readonly bias: Tensor | null;
  private readonly stride: Triple;
  private readonly padding: Triple;
  private readonly at: string;

  constructor(
    path: Path,
    inChannels: number,
    outChannels: number,
    kernel: number | Triple,
    options: ConvolutionOptions<Triple> = {},
  ) {
    super();
    this.at = path.fullName;
    const [frames, height, width] = triple(kernel);
    const { bias = true, init = kaimingUniform(inChannels * frames * height * width) } = options;
    this.stride = triple(options.stride ?? 1);
    this.padding = triple(options.padding ?? 0);
    this.weight = path.parameter('weight', [outChannels, inChannels, frames, height, width], init);
    this.bias = bias ? path.parameter('bias', [outChannels], init) : null;
  }

  forward(x: Tensor): Tensor {
    expectChannels('conv3d', x, this.weight, this.at);
    const bias = this.bias && castLike(this.bias, x);
    return conv3d(x, castLike(this.weight, x), bias, this.stride, this.padding);
  }
}

function expectChannels(operator: string, x: Tensor, weight: Tensor, at: string, groups = 1): void {
  const wanted = groups * weight.shape[1];
  if (x.shape.length === weight.shape.length && x.shape[1] === wanted) return;
  throw new Error(
    `${operator}: expected ${wanted} input channels, got ${x.shape[1]} ` +
      `(input ${x.shape.join('x')}, weight ${weight.shape.join('x')}) at ${at}`,
  );
}

function pair(size: number | Pair): Pair {
  return typeof size === 'number' ? [size, size] : size;
}

function triple(size: number | Triple): Triple {
  return typeof size === 'number' ? [size, size, size] : size;
}
