import { scope } from '../tensor/memory.ts';
import { batchNorm, groupNorm, layerNorm } from '../tensor/ops.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { castLike, toFloat } from './cast.ts';
import { ones, zeros } from './init.ts';
import { Module } from './module.ts';
import type { Path } from './path.ts';

/**
 * Over the channels of each group and all positions: (n, c, ...) -> same. Keys `weight`, `bias`.
 */
export class GroupNorm extends Module<[Tensor], Tensor> {
  readonly weight: Tensor;
  readonly bias: Tensor;
  readonly groups: number;
  readonly eps: number;

  constructor(path: Path, groups: number, channels: number, eps = 1e-5) {
    super();
    if (channels % groups !== 0) {
      throw new Error(
        `group norm: expected channels divisible by ${groups} groups, got ${channels} ` +
          `at ${path.fullName}`,
      );
    }
    this.groups = groups;
    this.eps = eps;
    this.weight = path.parameter('weight', [channels], ones);
    this.bias = path.parameter('bias', [channels], zeros);
  }

  forward(x: Tensor): Tensor {
    if (x.device !== 'cpu') {
      return groupNorm(x, this.groups, castLike(this.weight, x), castLike(this.bias, x), this.eps);
    }
    // libtorch's kernel takes ten times as long on channels-last pictures, and lacks a fast
    // bfloat16 one.
    if (x.rank === 4 && x.strides[1] === 1) return this.channelsLast(x);
    const y = groupNorm(
      toFloat(x),
      this.groups,
      toFloat(this.weight),
      toFloat(this.bias),
      this.eps,
    );
    return castLike(y, x);
  }

  /** In plain operators over `pixels` (n, hw, c), which is how a channels-last picture lies in memory. */
  private channelsLast(x: Tensor): Tensor {
    const [n, channels, height, width] = x.shape;
    const members = channels / this.groups;
    const share = 1 / (height * width * members);
    const overGroup = (sums: Tensor) =>
      sums.reshape([n, this.groups, members]).sum(2, true).mul(share);
    // Each line releases its own temporaries, which are as large as the picture.
    const centred = scope(() => {
      const pixels = toFloat(x.permute([0, 2, 3, 1])).reshape([n, height * width, channels]);
      const mean = overGroup(pixels.sum(1)).expand([n, this.groups, members]);
      return pixels.sub(mean.reshape([n, 1, channels]));
    });
    const variance = scope(() => overGroup(centred.square().sum(1))); // n groups 1
    const weight = toFloat(this.weight).reshape([1, this.groups, members]);
    const scale = variance.add(this.eps).rsqrt().mul(weight).reshape([n, 1, channels]);
    const y = centred.mul(scale).add_(toFloat(this.bias)); // n hw c
    return castLike(y, x).reshape([n, height, width, channels]).permute([0, 3, 1, 2]);
  }
}

/** Over the last axis: (..., dim) -> same. Keys `weight`, `bias`. */
export class LayerNorm extends Module<[Tensor], Tensor> {
  readonly weight: Tensor;
  readonly bias: Tensor;
  readonly eps: number;

  constructor(path: Path, dim: number, eps = 1e-5) {
    super();
    this.eps = eps;
    this.weight = path.parameter('weight', [dim], ones);
    this.bias = path.parameter('bias', [dim], zeros);
  }

  forward(x: Tensor): Tensor {
    const { shape } = this.weight;
    if (x.device !== 'cpu') {
      return layerNorm(x, shape, castLike(this.weight, x), castLike(this.bias, x), this.eps);
    }
    // The bfloat16 kernel of libtorch 1.13 is the slower one, casts included.
    const y = layerNorm(toFloat(x), shape, toFloat(this.weight), toFloat(this.bias), this.eps);
    return castLike(y, x);
  }
}

/**
 * Over the batch and all positions of each channel: (n, c, ...) -> same. While training it
 * uses the batch's own statistics and moves the running ones towards them (momentum 0.1, as
 * torch); otherwise it uses the running ones. Keys `weight`, `bias`, buffers `running_mean`,
 * `running_var`.
 */
class BatchNorm extends Module<[Tensor, boolean?], Tensor> {
  readonly weight: Tensor;
  readonly bias: Tensor;
  readonly runningMean: Tensor;
  readonly runningVariance: Tensor;
  readonly eps: number;

  constructor(path: Path, channels: number, eps = 1e-5) {
    super();
    this.eps = eps;
    this.weight = path.parameter('weight', [channels], ones);
    this.bias = path.parameter('bias', [channels], zeros);
    this.runningMean = path.buffer('running_mean', [channels], 0);
    this.runningVariance = path.buffer('running_var', [channels], 1);
  }

  /** In float32 inside: statistics over a whole volume lose too much in 8 bits of mantissa. */
  forward(x: Tensor, training = false): Tensor {
    const y = batchNorm(
      toFloat(x),
      toFloat(this.weight),
      toFloat(this.bias),
      this.runningMean,
      this.runningVariance,
      training,
      0.1,
      this.eps,
    );
    return castLike(y, x);
  }
}

/** Batch norm of pictures: (n, c, h, w) -> same. */
export class BatchNorm2d extends BatchNorm {}

/** Batch norm of volumes: (n, c, f, h, w) -> same. */
export class BatchNorm3d extends BatchNorm {}
