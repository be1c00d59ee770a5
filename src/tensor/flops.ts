import { observeCalls } from './operator.ts';
import { Tensor } from './tensor-class.ts';

/** Multiplications and additions of the operators that networks spend their time in, by ATen's name. */
const flopsOf: Record<string, (given: readonly Tensor[], result: Tensor) => number> = {
  conv2d: ([, weight], { numel }) => (2 * numel * weight.numel) / weight.shape[0],
  conv3d: ([, weight], { numel }) => (2 * numel * weight.numel) / weight.shape[0],
  linear: ([x], { numel }) => 2 * numel * x.shape.at(-1)!,
  matmul: ([a], { numel }) => 2 * numel * a.shape.at(-1)!,
  bmm: ([a], { numel }) => 2 * numel * a.shape[2],
  scaled_dot_product_attention: ([q, k], { numel }) => 2 * k.shape[2] * (q.numel + numel),
};

/**
 * Runs `body` and counts the floating-point operations of its convolutions, linear layers, matrix products
 * and attentions: of each forward pass that it makes, and of a backward pass that follows as many again for
 * every operand whose gradient it needs. What a network computes twice counts twice.
 */
export function countFlops<T>(body: () => T): { result: T; flops: number } {
  let flops = 0;
  const result = observeCalls(({ name }, given, made) => {
    const count = flopsOf[name];
    if (count === undefined || !(made instanceof Tensor)) return;
    const operands = given.filter((value): value is Tensor => value instanceof Tensor);
    const attention = name === 'scaled_dot_product_attention';
    const differentiated = made.requiresGrad
      ? attention ? 2 : operands.slice(0, 2).filter(({ requiresGrad }) => requiresGrad).length : 0;
    flops += count(operands, made) * (1 + differentiated);
  }, body);
  return { result, flops };
}
