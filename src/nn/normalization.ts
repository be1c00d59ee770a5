import { batchNorm, groupNorm, layerNorm } from '../tensor/ops.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { castLike } from './cast.ts';
import { ones, zeros } from './init.ts';
import { Module } from './module.ts';
import type { Path } from './path.ts';

/** Over the channels of each group and all positions: (n, c, ...) -> same. Keys `weight`, `bias`. */
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
    return groupNorm(x, this.groups, castLike(this.weight, x), castLike(this.bias, x), this.eps);
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
    return layerNorm(x, this.weight.shape, castLike(this.weight, x), castLike(this.bias, x), this.eps);
  }
}

/**
 * Over the batch and all positions of each channel: (n, c, f, h, w) -> same. While training it uses the batch's
 * own statistics and moves the running ones towards them (momentum 0.1, as torch); otherwise it uses the running
 * ones. Keys `weight`, `bias`, buffers `running_mean`, `running_var`.
 */
export class BatchNorm3d extends Module<[Tensor, boolean?], Tensor> {
  readonly weight: Tensor;
  readonly bias: Tensor;
  readonly runningMean: Tensor;
  readonly runningVariance: Tensor;

  constructor(path: Path, channels: number) {
    super();
    this.weight = path.parameter('weight', [channels], ones);
    this.bias = path.parameter('bias', [channels], zeros);
    this.runningMean = path.buffer('running_mean', [channels], 0);
    this.runningVariance = path.buffer('running_var', [channels], 1);
  }

  /** In float32 inside: statistics over a whole volume lose too much in 8 bits of mantissa. */
  forward(x: Tensor, training = false): Tensor {
    return batchNorm(
      x.to('float32'), this.weight.to('float32'), this.bias.to('float32'),
      this.runningMean, this.runningVariance, training, 0.1, 1e-5,
    ).to(x.dtype);
  }
}
