import { full } from '../tensor/ops.ts';
import { noise } from '../tensor/random.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** What an initial value may depend on: never on the order in which layers are built. */
export interface Birth {
  readonly seed: number;
  /** The parameter's full key. */
  readonly key: string;
  readonly shape: readonly number[];
}

/** Makes a parameter's first value, float32 on the CPU. */
export type Init = (birth: Birth) => Tensor;

export function constant(value: number): Init {
  return ({ shape }) => full(shape, value);
}

export const zeros: Init = constant(0);
export const ones: Init = constant(1);

/** Gaussian, mean 0. */
export function normal(std: number): Init {
  return ({ seed, key, shape }) => noise(seed, ['init', key], shape).mul(std);
}

/** Uniform in +-bound, by the Gaussian's distribution function: 2 Phi(n) - 1 = erf(n / sqrt 2). */
export function uniform(bound: number): Init {
  return ({ seed, key, shape }) =>
    noise(seed, ['init', key], shape).mul(Math.SQRT1_2).erf().mul(bound);
}

/**
 * torch's default for Linear and Conv, weight and bias: kaiming-uniform with a = sqrt 5, which is
 * uniform in +-1/sqrt(fanIn). Without `fanIn` it is read off a weight's shape (out, in, ...kernel).
 */
export function kaimingUniform(fanIn?: number): Init {
  return (birth) => {
    const fan = fanIn ?? birth.shape.slice(1).reduce((a, b) => a * b, 1);
    return uniform(1 / Math.sqrt(fan))(birth);
  };
}
