import { operator } from './operator.ts';
import type { Tensor } from './tensor-class.ts';

/**
 * Operators over a list of tensors in one call, for optimizers and averages: a network has hundreds
 * of parameters, and a call for each would cost more than its arithmetic. Those ending in `_` write
 * into the first list.
 */
type List = readonly Tensor[];
type Made = (self: List) => Tensor[];
type Pair<A extends unknown[] = []> = (self: List, other: List, ...rest: A) => void;
type WithNumber<R> = (self: List, scalar: number) => R;
type Triple = (self: List, a: List, b: List, value?: number) => void;

const declared = {
  mul: operator<Pair>('_foreach_mul_.List(self, other)'),
  mulNumber: operator<WithNumber<void>>('_foreach_mul_.Scalar(self, scalar)'),
  norm: operator<(self: List, order: number) => Tensor[]>('_foreach_norm.Scalar(self, ord)'),
  zero: operator<(self: List) => void>('_foreach_zero_(self)'),
};

/** self += alpha other. */
export const foreachAdd_ = operator<Pair<[alpha?: number]>>(
  '_foreach_add_.List(self, other, alpha)',
);
export const foreachAddScalar_ = operator<WithNumber<void>>('_foreach_add_.Scalar(self, scalar)');
export const foreachSub_ = operator<Pair<[alpha?: number]>>(
  '_foreach_sub_.List(self, other, alpha)',
);
export const foreachDiv_ = operator<Pair>('_foreach_div_.List(self, other)');
export const foreachDivScalar_ = operator<WithNumber<void>>('_foreach_div_.Scalar(self, scalar)');
export const foreachSqrt_ = operator<(self: List) => void>('_foreach_sqrt_(self)');
/** self += value a b. */
export const foreachAddcmul_ = operator<Triple>(
  '_foreach_addcmul_.Scalar(self, tensor1, tensor2, value)',
);
/** self += value a / b. */
export const foreachAddcdiv_ = operator<Triple>(
  '_foreach_addcdiv_.Scalar(self, tensor1, tensor2, value)',
);

export const foreachAdd = operator<(self: List, other: List, alpha?: number) => Tensor[]>(
  '_foreach_add.List(self, other, alpha)',
);
export const foreachMul = operator<WithNumber<Tensor[]>>('_foreach_mul.Scalar(self, scalar)');
export const foreachDiv = operator<(self: List, other: List) => Tensor[]>(
  '_foreach_div.List(self, other)',
);
export const foreachSqrt = operator<Made>('_foreach_sqrt(self)');
/** self += weight (end - self); 2.x only, ask `hasOperator('_foreach_lerp_.Scalar')`. */
export const foreachLerp_ = operator<(self: List, end: List, weight: number) => void>(
  '_foreach_lerp_.Scalar(self, tensors1, weight)',
  { optional: true },
);

/** self *= other, a list or one number. */
export function foreachMul_(self: List, other: List | number): void {
  if (typeof other === 'number') declared.mulNumber(self, other);
  else declared.mul(self, other);
}

/** The Euclidean norm of each tensor (or the p-norm), as scalars. */
export function foreachNorm(self: List, p = 2): Tensor[] {
  return declared.norm(self, p);
}

export function foreachZero_(self: List): void {
  declared.zero(self);
}
