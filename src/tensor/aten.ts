import { operator } from './operator.ts';
import type { Tensor } from './tensor-class.ts';

type Unary = (self: Tensor) => Tensor;
type Binary = (self: Tensor, other: Tensor) => Tensor;
type WithNumber = (self: Tensor, other: number) => Tensor;
type Reduce = (self: Tensor, dims: readonly number[] | null, keepdim?: boolean) => Tensor;
type Extreme = (self: Tensor, dims: readonly number[], keepdim?: boolean) => Tensor;
type Arg = (self: Tensor, dim: number | null, keepdim?: boolean) => Tensor;
type Void<A extends unknown[]> = (self: Tensor, ...rest: A) => void;

/** The operators behind the methods of Tensor, one line each; others are in ops.ts. */
export const add = operator<(self: Tensor, other: Tensor, alpha?: number) => Tensor>(
  'add.Tensor(self, other, alpha)',
);
export const addNumber = operator<(self: Tensor, other: number, alpha?: number) => Tensor>(
  'add.Scalar(self, other, alpha)',
);
export const sub = operator<(self: Tensor, other: Tensor, alpha?: number) => Tensor>(
  'sub.Tensor(self, other, alpha)',
);
export const subNumber = operator<(self: Tensor, other: number, alpha?: number) => Tensor>(
  'sub.Scalar(self, other, alpha)',
);
export const mul = operator<Binary>('mul.Tensor(self, other)');
export const mulNumber = operator<WithNumber>('mul.Scalar(self, other)');
export const div = operator<Binary>('div.Tensor(self, other)');
export const divNumber = operator<WithNumber>('div.Scalar(self, other)');
export const floorDivide = operator<Binary>('floor_divide(self, other)');
export const remainder = operator<Binary>('remainder.Tensor(self, other)');
export const remainderNumber = operator<WithNumber>('remainder.Scalar(self, other)');
export const pow = operator<Binary>('pow.Tensor_Tensor(self, exponent)');
export const powNumber = operator<WithNumber>('pow.Tensor_Scalar(self, exponent)');
export const maximum = operator<Binary>('maximum(self, other)');
export const minimum = operator<Binary>('minimum(self, other)');
export const lerp = operator<(self: Tensor, end: Tensor, weight: Tensor) => Tensor>(
  'lerp.Tensor(self, end, weight)',
);
export const lerpNumber = operator<(self: Tensor, end: Tensor, weight: number) => Tensor>(
  'lerp.Scalar(self, end, weight)',
);
export const matmul = operator<Binary>('matmul(self, other)');

export const neg = operator<Unary>('neg(self)');
export const abs = operator<Unary>('abs(self)');
export const sign = operator<Unary>('sign(self)');
export const sqrt = operator<Unary>('sqrt(self)');
export const rsqrt = operator<Unary>('rsqrt(self)');
export const reciprocal = operator<Unary>('reciprocal(self)');
export const square = operator<Unary>('square(self)');
export const exp = operator<Unary>('exp(self)');
export const expm1 = operator<Unary>('expm1(self)');
export const log = operator<Unary>('log(self)');
export const log1p = operator<Unary>('log1p(self)');
export const log2 = operator<Unary>('log2(self)');
export const sin = operator<Unary>('sin(self)');
export const cos = operator<Unary>('cos(self)');
export const atan2 = operator<Binary>('atan2(self, other)');
export const erf = operator<Unary>('erf(self)');
export const floor = operator<Unary>('floor(self)');
export const ceil = operator<Unary>('ceil(self)');
export const round = operator<Unary>('round(self)');
export const sigmoid = operator<Unary>('sigmoid(self)');
export const tanh = operator<Unary>('tanh(self)');
export const relu = operator<Unary>('relu(self)');
export const silu = operator<Unary>('silu(self)');
export const gelu =
  operator<(self: Tensor, approximate?: 'none' | 'tanh') => Tensor>('gelu(self, approximate)');
export const softplus = operator<(self: Tensor, beta?: number, threshold?: number) => Tensor>(
  'softplus(self, beta, threshold)',
);
export const leakyRelu = operator<(self: Tensor, slope?: number) => Tensor>(
  'leaky_relu(self, negative_slope)',
);
export const softmax = operator<(self: Tensor, dim: number) => Tensor>('softmax.int(self, dim)');
export const logSoftmax = operator<(self: Tensor, dim: number) => Tensor>(
  'log_softmax.int(self, dim)',
);
export const logSumExp = operator<Extreme>('logsumexp(self, dim, keepdim)');
export const clamp =
  operator<(self: Tensor, min: number | null, max: number | null) => Tensor>(
    'clamp(self, min, max)',
  );
export const nanToNum = operator<
  (self: Tensor, nan?: number, posinf?: number, neginf?: number) => Tensor
>('nan_to_num(self, nan, posinf, neginf)');

export const eq = operator<Binary>('eq.Tensor(self, other)');
export const eqNumber = operator<WithNumber>('eq.Scalar(self, other)');
export const ne = operator<Binary>('ne.Tensor(self, other)');
export const neNumber = operator<WithNumber>('ne.Scalar(self, other)');
export const gt = operator<Binary>('gt.Tensor(self, other)');
export const gtNumber = operator<WithNumber>('gt.Scalar(self, other)');
export const ge = operator<Binary>('ge.Tensor(self, other)');
export const geNumber = operator<WithNumber>('ge.Scalar(self, other)');
export const lt = operator<Binary>('lt.Tensor(self, other)');
export const ltNumber = operator<WithNumber>('lt.Scalar(self, other)');
export const le = operator<Binary>('le.Tensor(self, other)');
export const leNumber = operator<WithNumber>('le.Scalar(self, other)');
export const logicalNot = operator<Unary>('logical_not(self)');
export const logicalAnd = operator<Binary>('logical_and(self, other)');
export const logicalOr = operator<Binary>('logical_or(self, other)');
export const isNan = operator<Unary>('isnan(self)');
export const isFinite = operator<Unary>('isfinite(self)');
export const allTrue = operator<Unary>('all(self)');
export const anyTrue = operator<Unary>('any(self)');
export const maskedFill = operator<(self: Tensor, mask: Tensor, value: number) => Tensor>(
  'masked_fill.Scalar(self, mask, value)',
);

export const sum = operator<Reduce>('sum.dim_IntList(self, dim, keepdim)');
export const mean = operator<Reduce>('mean.dim(self, dim, keepdim)');
export const variance = operator<
  (self: Tensor, dims: readonly number[] | null, correction: number, keepdim?: boolean) => Tensor
>('var.correction(self, dim, correction, keepdim)');
export const deviation = operator<
  (self: Tensor, dims: readonly number[] | null, correction: number, keepdim?: boolean) => Tensor
>('std.correction(self, dim, correction, keepdim)');
export const amax = operator<Extreme>('amax(self, dim, keepdim)');
export const amin = operator<Extreme>('amin(self, dim, keepdim)');
export const argmax = operator<Arg>('argmax(self, dim, keepdim)');
export const argmin = operator<Arg>('argmin(self, dim, keepdim)');
export const cumsum = operator<(self: Tensor, dim: number) => Tensor>('cumsum(self, dim)');
export const cumprod = operator<(self: Tensor, dim: number) => Tensor>('cumprod(self, dim)');
export const norm = operator<
  (self: Tensor, p: number, dims: readonly number[], keepdim?: boolean) => Tensor
>('norm.ScalarOpt_dim(self, p, dim, keepdim)');
export const prod = operator<(self: Tensor, dim: number, keepdim?: boolean) => Tensor>(
  'prod.dim_int(self, dim, keepdim)',
);
export const sort = operator<
  (self: Tensor, dim?: number, descending?: boolean) => [Tensor, Tensor]
>('sort(self, dim, descending)');
export const topk = operator<
  (self: Tensor, k: number, dim?: number, largest?: boolean, sorted?: boolean) => [Tensor, Tensor]
>('topk(self, k, dim, largest, sorted)');
export const item = operator<(self: Tensor) => number | bigint | boolean>('item(self)');

export const reshape =
  operator<(self: Tensor, shape: readonly number[]) => Tensor>('reshape(self, shape)');
export const flatten = operator<(self: Tensor, start?: number, end?: number) => Tensor>(
  'flatten.using_ints(self, start_dim, end_dim)',
);
export const permute =
  operator<(self: Tensor, dims: readonly number[]) => Tensor>('permute(self, dims)');
export const transpose = operator<(self: Tensor, a: number, b: number) => Tensor>(
  'transpose.int(self, dim0, dim1)',
);
export const unsqueeze = operator<(self: Tensor, dim: number) => Tensor>('unsqueeze(self, dim)');
export const squeeze = operator<Unary>('squeeze(self)');
export const squeezeDim = operator<(self: Tensor, dim: number) => Tensor>('squeeze.dim(self, dim)');
export const expand =
  operator<(self: Tensor, size: readonly number[]) => Tensor>('expand(self, size)');
export const repeat =
  operator<(self: Tensor, times: readonly number[]) => Tensor>('repeat(self, repeats)');
export const repeatInterleave = operator<
  (self: Tensor, times: number, dim?: number | null) => Tensor
>('repeat_interleave.self_int(self, repeats, dim)');
export const narrow = operator<
  (self: Tensor, dim: number, start: number, length: number) => Tensor
>('narrow(self, dim, start, length)');
export const slice = operator<
  (self: Tensor, dim: number, start: number | null, end: number | null, step?: number) => Tensor
>('slice.Tensor(self, dim, start, end, step)');
export const select = operator<(self: Tensor, dim: number, index: number) => Tensor>(
  'select.int(self, dim, index)',
);
export const chunk = operator<(self: Tensor, chunks: number, dim?: number) => Tensor[]>(
  'chunk(self, chunks, dim)',
);
export const flip = operator<(self: Tensor, dims: readonly number[]) => Tensor>('flip(self, dims)');
export const roll = operator<
  (self: Tensor, shifts: readonly number[], dims: readonly number[]) => Tensor
>('roll(self, shifts, dims)');
export const indexSelect = operator<(self: Tensor, dim: number, index: Tensor) => Tensor>(
  'index_select(self, dim, index)',
);
export const gather = operator<(self: Tensor, dim: number, index: Tensor) => Tensor>(
  'gather(self, dim, index)',
);
export const contiguous = operator<(self: Tensor, memoryFormat?: number) => Tensor>(
  'contiguous(self, memory_format)',
);
export const clone = operator<(self: Tensor, memoryFormat?: number) => Tensor>(
  'clone(self, memory_format)',
);
export const detach = operator<Unary>('detach(self)');
export const toDType = operator<(self: Tensor, dtype: number) => Tensor>('to.dtype(self, dtype)');
export const toLayout = operator<
  (self: Tensor, dtype?: number | null, layout?: null, device?: string | null) => Tensor
>('to.dtype_layout(self, dtype, layout, device)');

export const copyInto = operator<Void<[source: Tensor, nonBlocking?: boolean]>>(
  'copy_(self, src, non_blocking)',
);
export const addInto = operator<Void<[other: Tensor, alpha?: number]>>(
  'add_.Tensor(self, other, alpha)',
);
export const addNumberInto = operator<Void<[other: number]>>('add_.Scalar(self, other)');
export const subInto = operator<Void<[other: Tensor, alpha?: number]>>(
  'sub_.Tensor(self, other, alpha)',
);
export const subNumberInto = operator<Void<[other: number]>>('sub_.Scalar(self, other)');
export const mulInto = operator<Void<[other: Tensor]>>('mul_.Tensor(self, other)');
export const mulNumberInto = operator<Void<[other: number]>>('mul_.Scalar(self, other)');
export const divInto = operator<Void<[other: Tensor]>>('div_.Tensor(self, other)');
export const divNumberInto = operator<Void<[other: number]>>('div_.Scalar(self, other)');
export const lerpInto = operator<Void<[end: Tensor, weight: number]>>(
  'lerp_.Scalar(self, end, weight)',
);
export const clampInto =
  operator<Void<[min: number | null, max: number | null]>>('clamp_(self, min, max)');
export const fillInto = operator<Void<[value: number]>>('fill_.Scalar(self, value)');
export const zeroInto = operator<Void<[]>>('zero_(self)');
export const normalInto = operator<Void<[mean?: number, std?: number, generator?: unknown]>>(
  'normal_(self, mean, std, generator)',
);
export const uniformInto = operator<Void<[from?: number, to?: number, generator?: unknown]>>(
  'uniform_(self, from, to, generator)',
);
export const sqrtInto = operator<Void<[]>>('sqrt_(self)');
export const addcmulInto = operator<Void<[a: Tensor, b: Tensor, value?: number]>>(
  'addcmul_(self, tensor1, tensor2, value)',
);
export const addcdivInto = operator<Void<[a: Tensor, b: Tensor, value?: number]>>(
  'addcdiv_(self, tensor1, tensor2, value)',
);

export const bmm = operator<(a: Tensor, b: Tensor) => Tensor>('bmm(self, mat2)');
/** beta self + alpha a b. In 1.13, beta 0 does not silence NaN in memory: `bmm` instead. */
export const baddbmm = operator<
  (self: Tensor, a: Tensor, b: Tensor, beta?: number, alpha?: number) => Tensor
>('baddbmm(self, batch1, batch2, beta, alpha)');
export const cat =
  operator<(tensors: readonly Tensor[], dim: number) => Tensor>('cat(tensors, dim)');
export const tril = operator<(x: Tensor, diagonal?: number) => Tensor>('tril(self, diagonal)');
export const triu = operator<(x: Tensor, diagonal?: number) => Tensor>('triu(self, diagonal)');
