import type { Tensor } from '../tensor/tensor.ts';

/**
 * A parameter in the dtype that its layer computes in: itself where they agree, else a
 * differentiable copy, so that a float32 master gets a float32 gradient from a bfloat16 layer.
 */
export function castLike(parameter: Tensor, x: Tensor): Tensor {
  return parameter.dtype === x.dtype ? parameter : parameter.to(x.dtype);
}

/** At least float32, in which sums over many elements keep their digits. */
export function toFloat(x: Tensor): Tensor {
  return x.dtype === 'float32' || x.dtype === 'float64' ? x : x.to('float32');
}
