import type { Tensor } from '../tensor/tensor.ts';

/** x sigmoid(x). */
export function silu(x: Tensor): Tensor {
  return x.silu();
}

/** x Phi(x), exact. */
export function gelu(x: Tensor): Tensor {
  return x.gelu();
}

/** x sigmoid(1.702 x): the approximation of GELU that CLIP was trained with. */
export function quickGelu(x: Tensor): Tensor {
  return x.mul(x.mul(1.702).sigmoid());
}

/**
 * GEGLU (Shazeer 2020): the last axis is (values, gates); values times gelu(gates). (..., 2c) ->
 * (..., c)
 */
export function geglu(x: Tensor): Tensor {
  const [values, gates] = x.chunk(2, x.shape.length - 1);
  return values.mul(gates.gelu());
}
