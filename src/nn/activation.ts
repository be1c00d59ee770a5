import { gelu, sigmoid, silu } from '../tensor/ops.ts';
import type { Tensor } from '../tensor/tensor.ts';

export { gelu, silu };

/** x sigmoid(1.702 x): the approximation of GELU that CLIP was trained with. */
export function quickGelu(x: Tensor): Tensor {
  return x.mul(sigmoid(x.mul(1.702)));
}

/** GEGLU (Shazeer 2020): the last axis is (values, gates); values times gelu(gates). (..., 2c) -> (..., c) */
export function geglu(x: Tensor): Tensor {
  const [values, gates] = x.chunk(2, x.shape.length - 1);
  return values.mul(gelu(gates));
}
