import { operator } from './operator.ts';
import type { Tensor } from './tensor-class.ts';

type Maybe = Tensor | null | undefined;
type Reduction = 'none' | 'mean' | 'sum';
const reductions = { none: 0, mean: 1, sum: 2 };
const mse = operator<(x: Tensor, target: Tensor, reduction: number) => Tensor>(
  'mse_loss(self, target, reduction)',
);
const l1 = operator<(x: Tensor, target: Tensor, reduction: number) => Tensor>(
  'l1_loss(self, target, reduction)',
);
const huber = operator<(x: Tensor, target: Tensor, reduction: number, beta: number) => Tensor>(
  'smooth_l1_loss(self, target, reduction, beta)',
);
const entropy = operator<
  (
    x: Tensor,
    target: Tensor,
    weight: Maybe,
    reduction: number,
    ignore: number,
    smoothing: number,
  ) => Tensor
>('cross_entropy_loss(self, target, weight, reduction, ignore_index, label_smoothing)');
const binaryEntropy = operator<
  (x: Tensor, target: Tensor, weight: Maybe, positive: Maybe, reduction: number) => Tensor
>('binary_cross_entropy_with_logits(self, target, weight, pos_weight, reduction)');
export function mseLoss(x: Tensor, target: Tensor, reduction: Reduction = 'mean'): Tensor {
  return mse(x, target, reductions[reduction]);
}
export function l1Loss(x: Tensor, target: Tensor, reduction: Reduction = 'mean'): Tensor {
  return l1(x, target, reductions[reduction]);
}
export function smoothL1Loss(
  x: Tensor,
  target: Tensor,
  beta = 1,
  reduction: Reduction = 'mean',
): Tensor {
  return huber(x, target, reductions[reduction], beta);
}
/** Logits (n, c, ...) against int64 classes (n, ...) or probabilities (n, c, ...). */
export function crossEntropy(
  logits: Tensor,
  target: Tensor,
  options: {
    weight?: Tensor;
    reduction?: Reduction;
    ignoreIndex?: number;
    labelSmoothing?: number;
  } = {},
): Tensor {
  const { weight = null, reduction = 'mean', ignoreIndex = -100, labelSmoothing = 0 } = options;
  return entropy(logits, target, weight, reductions[reduction], ignoreIndex, labelSmoothing);
}
/** Logits against probabilities of the same shape. */
export function binaryCrossEntropy(
  logits: Tensor,
  target: Tensor,
  reduction: Reduction = 'mean',
): Tensor {
  return binaryEntropy(logits, target, null, null, reductions[reduction]);
}
