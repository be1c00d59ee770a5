import type { RandomStream } from '../frames/random.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';

/** 0..n-1 in random order (Fisher and Yates), its first `count`. */
export function shuffled(n: number, stream: RandomStream, count = n): number[] {
  const order = Array.from({ length: n }, (_, i) => i);
  for (let i = 0; i < count; i++) {
    const j = i + stream.integer(n - i);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order.slice(0, count);
}

/** Row numbers as a tensor for `indexSelect`. */
export function rowIndex(rows: readonly number[]): Tensor {
  return tensor(BigInt64Array.from(rows, BigInt));
}
