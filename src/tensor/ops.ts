import { cat as joined } from './aten.ts';
import { enableGrad, scope } from './memory.ts';
import { libtorch } from './native.ts';
import { operator } from './operator.ts';
import type { Tensor } from './tensor-class.ts';

export * from './creation.ts';
export * from './foreach.ts';
export * from './fourier.ts';
export * from './losses.ts';
export * from './resampling.ts';
export { attention } from './attention.ts';
export type { AttentionOptions } from './attention.ts';
export {
  abs,
  amax,
  amin,
  argmax,
  argmin,
  baddbmm,
  bmm,
  clamp,
  cos,
  cumsum,
  erf,
  exp,
  flip,
  floor,
  gather,
  gelu,
  indexSelect,
  leakyRelu,
  lerp,
  log,
  logSoftmax,
  logSumExp,
  matmul,
  maximum,
  minimum,
  permute,
  relu,
  repeat,
  repeatInterleave,
  reshape,
  roll,
  sigmoid,
  silu,
  sin,
  softmax,
  softplus,
  sqrt,
  square,
  tanh,
  topk,
  transpose,
  tril,
  triu,
} from './aten.ts';

type Maybe = Tensor | null | undefined;
/** One number for all axes, or one for each. */
type Sizes = number | readonly number[];

type Convolution = (
  x: Tensor,
  weight: Tensor,
  bias?: Maybe,
  stride?: Sizes,
  padding?: Sizes,
  dilation?: Sizes,
  groups?: number,
) => Tensor;
type ConvolutionTransposed = (
  x: Tensor,
  weight: Tensor,
  bias?: Maybe,
  stride?: Sizes,
  padding?: Sizes,
  outputPadding?: Sizes,
  groups?: number,
  dilation?: Sizes,
) => Tensor;

/** x (n, c, l), weight (o, c / groups, k). */
export const conv1d = operator<Convolution>(
  'conv1d(input, weight, bias, stride, padding, dilation, groups)',
);
/** x (n, c, h, w), weight (o, c / groups, kh, kw). */
export const conv2d = operator<Convolution>(
  'conv2d(input, weight, bias, stride, padding, dilation, groups)',
);
/** x (n, c, d, h, w), weight (o, c / groups, kd, kh, kw). */
export const conv3d = operator<Convolution>(
  'conv3d(input, weight, bias, stride, padding, dilation, groups)',
);
const transposed = operator<ConvolutionTransposed>(
  'conv_transpose2d.input(input, weight, bias, stride, padding, output_padding, groups, dilation)',
);
/**
 * x (n, c, h, w), weight (c, o / groups, kh, kw).
 * 1.13 takes a bfloat16 one on the CPU for an ordinary convolution: there it runs in float32.
 */
export const convTranspose2d: ConvolutionTransposed = (x, weight, bias, ...rest) => {
  const old = libtorch().version.startsWith('1.');
  const broken = old && x.dtype === 'bfloat16' && x.device === 'cpu';
  if (!broken) return transposed(x, weight, bias, ...rest);
  const wide = bias && bias.to('float32');
  return transposed(x.to('float32'), weight.to('float32'), wide, ...rest).to('bfloat16');
};
/** x W^T + b: x (..., i), weight (o, i). */
export const linear = operator<(x: Tensor, weight: Tensor, bias?: Maybe) => Tensor>(
  'linear(input, weight, bias)',
);
export const addmm = operator<
  (self: Tensor, a: Tensor, b: Tensor, beta?: number, alpha?: number) => Tensor
>('addmm(self, mat1, mat2, beta, alpha)');
const einsumOperator = operator<(equation: string, tensors: readonly Tensor[]) => Tensor>(
  'einsum(equation, tensors)',
);
export function einsum(equation: string, ...tensors: Tensor[]): Tensor {
  return einsumOperator(equation, tensors);
}

/** x (n, c, ...), statistics over each of `groups` groups of channels. */
export const groupNorm = operator<
  (x: Tensor, groups: number, weight?: Maybe, bias?: Maybe, eps?: number) => Tensor
>('group_norm(input, num_groups, weight, bias, eps)');
/** Statistics over the last axes, whose sizes are `shape`. */
export const layerNorm = operator<
  (x: Tensor, shape: readonly number[], weight?: Maybe, bias?: Maybe, eps?: number) => Tensor
>('layer_norm(input, normalized_shape, weight, bias, eps)');
const batchNormOperator = operator<
  (
    x: Tensor,
    weight: Maybe,
    bias: Maybe,
    mean: Maybe,
    variance: Maybe,
    training: boolean,
    momentum: number,
    eps: number,
    cudnn: boolean,
  ) => Tensor
>(
  'batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps, ' +
    'cudnn_enabled)',
);
/** x (n, c, ...); in training the running statistics are updated in place. */
export function batchNorm(
  x: Tensor,
  weight: Maybe,
  bias: Maybe,
  runningMean: Maybe,
  runningVariance: Maybe,
  training: boolean,
  momentum = 0.1,
  eps = 1e-5,
): Tensor {
  return batchNormOperator(
    x,
    weight,
    bias,
    runningMean,
    runningVariance,
    training,
    momentum,
    eps,
    true,
  );
}
/** Rows of weight (count, dim) at int64 indices (...) -> (..., dim). */
export const embedding = operator<(weight: Tensor, indices: Tensor) => Tensor>(
  'embedding(weight, indices)',
);
export const dropout = operator<(x: Tensor, p: number, training: boolean) => Tensor>(
  'dropout(input, p, train)',
);

const stackOperator =
  operator<(tensors: readonly Tensor[], dim: number) => Tensor>('stack(tensors, dim)');
export function cat(tensors: readonly Tensor[], dim = 0): Tensor {
  return joined(tensors, dim);
}
export function stack(tensors: readonly Tensor[], dim = 0): Tensor {
  return stackOperator(tensors, dim);
}
const splitOperator = operator<(x: Tensor, size: number, dim: number) => Tensor[]>(
  'split.Tensor(self, split_size, dim)',
);
const splitSizes = operator<(x: Tensor, sizes: readonly number[], dim: number) => Tensor[]>(
  'split_with_sizes(self, split_sizes, dim)',
);
/** Views of `size` along dim (the last may be smaller), or of the sizes given. */
export function split(x: Tensor, size: Sizes, dim = 0): Tensor[] {
  return typeof size === 'number' ? splitOperator(x, size, dim) : splitSizes(x, size, dim);
}
export const unbind = operator<(x: Tensor, dim?: number) => Tensor[]>('unbind.int(self, dim)');
export const diff = operator<(x: Tensor, n?: number, dim?: number) => Tensor>('diff(self, n, dim)');

export const where = operator<(condition: Tensor, a: Tensor, b: Tensor) => Tensor>(
  'where.self(condition, self, other)',
);
/** int64 (...) -> int64 (..., classes). */
export const oneHot = operator<(x: Tensor, classes?: number) => Tensor>(
  'one_hot(self, num_classes)',
);
export const scatterAdd = operator<
  (x: Tensor, dim: number, index: Tensor, source: Tensor) => Tensor
>('scatter_add(self, dim, index, src)');
export const indexAdd = operator<(x: Tensor, dim: number, index: Tensor, source: Tensor) => Tensor>(
  'index_add(self, dim, index, source)',
);
export const bincount = operator<(x: Tensor, weights?: Maybe, least?: number) => Tensor>(
  'bincount(self, weights, minlength)',
);
/** Eigenvalues (ascending) and eigenvectors of a symmetric matrix. */
export const eigh =
  operator<(x: Tensor, triangle?: 'L' | 'U') => [Tensor, Tensor]>('linalg_eigh(self, UPLO)');
/** Singular value decomposition x = U diag(S) V^H: U, S, V^H. */
export const svd = operator<(x: Tensor, full?: boolean) => [Tensor, Tensor, Tensor]>(
  'linalg_svd(A, full_matrices)',
);
/** The singular values alone, falling. */
export const singularValues = operator<(x: Tensor) => Tensor>('linalg_svdvals(A)');
/** x = Q R with R upper triangular: Q, R; with mode `r` Q is empty. */
export const qr = operator<(x: Tensor, mode?: 'reduced' | 'complete' | 'r') => [Tensor, Tensor]>(
  'linalg_qr(A, mode)',
);

/**
 * d(loss)/d(input) for each leaf, without touching their `grad`.
 * Throws when the loss does not depend on one of them.
 */
export function gradientsOf(
  loss: Tensor,
  inputs: readonly Tensor[],
  options: { retainGraph?: boolean; gradient?: Tensor } = {},
): Tensor[] {
  return scope(() => {
    const before = inputs.map((input) => input.grad);
    for (const input of inputs) input.grad = null;
    try {
      enableGrad(() => loss.backward({ ...options, inputs }));
      return inputs.map((input) => {
        const { grad } = input;
        if (!grad) throw new Error(`gradientsOf: the loss does not depend on ${input}`);
        return grad;
      });
    } finally {
      inputs.forEach((input, i) => {
        input.grad = before[i];
      });
    }
  });
}
