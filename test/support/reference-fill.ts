import assert from 'node:assert/strict';
import { noGrad, scope } from '../../src/tensor/memory.ts';
import { tensor, type Tensor } from '../../src/tensor/tensor.ts';

/**
 * Numbers that a Python program and a test make alike, so that a golden file need not hold
 * weights; the other side is test/golden/reference_fill.py. The i-th number of a key is a hash of
 * (key, i), uniform in [-1, 1).
 */
export function uniform(key: string, shape: readonly number[]): Float64Array {
  let h = 2166136261;
  for (const byte of new TextEncoder().encode(key)) h = Math.imul(h ^ byte, 16777619);
  const values = new Float64Array(shape.reduce((a, b) => a * b, 1));
  for (let i = 0; i < values.length; i++) {
    let x = (h + Math.imul(i, 0x9e3779b9)) | 0;
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    values[i] = Math.fround(((x ^ (x >>> 16)) >>> 0) / 2 ** 31 - 1);
  }
  return values;
}

/** Input data of unit variance. */
export function data(key: string, ...shape: number[]): Tensor {
  return scaled(uniform(key, shape), shape, 0, Math.fround(Math.sqrt(3)));
}

/** Weights of variance 1/fan-in, norms near 1, biases near 0. */
export function parameter(key: string, shape: readonly number[]): Tensor {
  const values = uniform(key, shape);
  if (shape.length >= 2) {
    const fanIn = shape.slice(1).reduce((a, b) => a * b, 1);
    return scaled(values, shape, 0, Math.fround(Math.sqrt(3 / fanIn)));
  }
  const isScale = key.endsWith('weight') || key.endsWith('running_var');
  return isScale ? scaled(values, shape, 1, 0.25) : scaled(values, shape, 0, 0.125);
}

function scaled(
  values: Float64Array,
  shape: readonly number[],
  offset: number,
  by: number,
): Tensor {
  // a plain loop: tens of millions of weights are filled
  const numbers = new Float32Array(values.length);
  for (let i = 0; i < numbers.length; i++) numbers[i] = offset + values[i] * by;
  return tensor(numbers, [...shape]);
}

/** Puts the reference numbers into every tensor of a network's state, by key. */
export function fill(state: ReadonlyMap<string, Tensor>): void {
  noGrad(() => {
    for (const [key, value] of state) scope(() => void value.copy_(parameter(key, value.shape)));
  });
}

/** What `summary()` of reference_fill.py writes of a tensor. */
export interface Summary {
  readonly shape: number[];
  readonly sum: number;
  readonly magnitude: number;
  readonly at: number[];
  readonly values: number[];
}

/**
 * The largest deviation of a tensor from its golden summary, relative to the largest sampled
 * magnitude, and of its sums relative to the sum of magnitudes; infinite for another shape or a
 * value that is not finite.
 */
export function deviation(actual: Tensor, golden: Summary): number {
  if (actual.shape.join() !== golden.shape.join()) return Infinity;
  const numbers = actual.toFloat32();
  const largest = Math.max(
    ...golden.values.map(Math.abs),
    golden.magnitude / numbers.length,
    1e-12,
  );
  const worst = Math.max(
    ...golden.at.map((index, i) => Math.abs(numbers[index] - golden.values[i]) / largest),
  );
  const sum = numbers.reduce((a, b) => a + b, 0);
  const magnitude = numbers.reduce((a, b) => a + Math.abs(b), 0);
  const whole = Math.max(golden.magnitude, 1e-12);
  const sums = Math.max(Math.abs(sum - golden.sum), Math.abs(magnitude - golden.magnitude)) / whole;
  const result = Math.max(worst, sums);
  return Number.isFinite(result) ? result : Infinity;
}

/** Asserts a deviation below `tolerance`. */
export function expectClose(
  actual: Tensor,
  golden: Summary,
  tolerance: number,
  what: string,
): void {
  const off = deviation(actual, golden);
  assert.ok(off < tolerance, `${what} is off by ${off}, expected less than ${tolerance}`);
}
