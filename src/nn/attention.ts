import { attention } from '../tensor/ops.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** (b, n, heads * d) -> (b, heads, n, d), a view. */
export function splitHeads(x: Tensor, heads: number): Tensor {
  const [batch, count, channels] = x.shape;
  if (channels % heads !== 0) {
    throw new Error(`attention: expected channels divisible by ${heads} heads, got ${channels}`);
  }
  return x.reshape([batch, count, heads, channels / heads]).transpose(1, 2);
}

/** (b, heads, n, d) -> (b, n, heads * d). */
export function mergeHeads(x: Tensor): Tensor {
  const [batch, heads, count, dim] = x.shape;
  return x.transpose(1, 2).reshape([batch, count, heads * dim]);
}

/**
 * softmax(Q K^T / sqrt d) V in `heads` heads.
 *
 * @param q (b, n, heads * d)
 * @param k (b, m, heads * d)
 * @param v (b, m, heads * d)
 * @param mask added to the scores before the softmax, broadcast to (b, heads, n, m)
 * @returns (b, n, heads * d)
 */
export function multiHeadAttention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  heads: number,
  mask: Tensor | null = null,
): Tensor {
  const [qh, kh, vh] = [q, k, v].map((x) => splitHeads(x, heads)); // b heads n d
  return mergeHeads(attention(qh, kh, vh, mask ?? undefined));
}
