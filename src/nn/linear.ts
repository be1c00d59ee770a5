import { linear } from '../tensor/ops.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { castLike } from './cast.ts';
import { kaimingUniform, type Init } from './init.ts';
import { Module } from './module.ts';
import type { Path } from './path.ts';

export interface LinearOptions {
  readonly bias?: boolean;
  /** Of weight and bias; the default is torch's: uniform in +-1/sqrt(inFeatures). */
  readonly init?: Init;
}

/**
 * y = x W^T + b over the last axis: (..., inFeatures) -> (..., outFeatures). Keys `weight`,
 * `bias`.
 */
export class Linear extends Module<[Tensor], Tensor> {
  readonly weight: Tensor;
  readonly bias: Tensor | null;
  private readonly at: string;

  constructor(path: Path, inFeatures: number, outFeatures: number, options: LinearOptions = {}) {
    super();
    this.at = path.fullName;
    const { bias = true, init = kaimingUniform(inFeatures) } = options;
    this.weight = path.parameter('weight', [outFeatures, inFeatures], init);
    this.bias = bias ? path.parameter('bias', [outFeatures], init) : null;
  }

  forward(x: Tensor): Tensor {
    const [, wanted] = this.weight.shape;
    const got = x.shape[x.shape.length - 1];
    if (got !== wanted) {
      throw new Error(
        `linear: expected ${wanted} input features, got ${got} (input ${x.shape.join('x')}, ` +
          `weight ${this.weight.shape.join('x')}) at ${this.at}`,
      );
    }
    return linear(x, castLike(this.weight, x), this.bias && castLike(this.bias, x));
  }
}
