import { bmm, cat, chunk, maskedFill, triu } from './aten.ts';
import { ones } from './creation.ts';
import { hasOperator } from './device.ts';
import { scope } from './memory.ts';
import { native } from './native.ts';
import { operator } from './operator.ts';
import { Tensor } from './tensor-class.ts';

export interface AttentionOptions {
  /** Factor of the scores; 1 / sqrt(d) unless given. */
  readonly scale?: number;
  /** Added to the scores, or (bool) true where a query may look; broadcast to (b, heads, n, m). */
  readonly mask?: Tensor;
  /** Query i sees keys 0..i only. */
  readonly causal?: boolean;
}

const fused = operator<
  (
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Tensor | null,
    dropout: number,
    causal: boolean,
    scale: number,
  ) => Tensor
>('scaled_dot_product_attention(query, key, value, attn_mask, dropout_p, is_causal, scale)', {
  optional: true,
});
/** Scores held at once, in elements: they stay in cache, and softmax(QK)V is bound by memory. */
const scoresAtOnce = 1 << 20;

let present: boolean | null = null;

/**
 * softmax(scale Q K^T + mask) V of q (b, heads, n, d), k and v (b, heads, m, d): (b, heads, n, d).
 * Fused where the loaded libtorch has that; else query block by query block.
 */
export function attention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  given: AttentionOptions | Tensor = {},
): Tensor {
  const options = given instanceof Tensor ? { mask: given } : given;
  present ??= hasOperator('scaled_dot_product_attention') && fusedTakesScale();
  if (q.rank !== 4 || k.rank !== 4 || v.rank !== 4) {
    throw new Error(
      `attention: expected q, k and v of shape b x heads x n x d, got ${q}, ${k}, ${v}`,
    );
  }
  const scale = options.scale ?? 1 / Math.sqrt(q.shape[3]);
  if (!present || (options.causal && options.mask))
    return plainAttention(q, k, v, { ...options, scale });
  return fusedAttention(q, k, v, { ...options, scale });
}

/** CUDA's fused kernels have a row of blocks for each element of the batch, and a grid has so many rows. */
const mostFused = 65535;

/** The fused operator, on at most `most` elements of the batch at a time. */
export function fusedAttention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  { mask, causal = false, scale = 1 / Math.sqrt(q.shape[3]) }: AttentionOptions,
  most = q.device === 'cpu' ? Infinity : mostFused,
): Tensor {
  const [batch] = q.shape;
  if (batch <= most) return fused(q, k, v, mask ?? null, 0, causal, scale);
  return scope(() => {
    const parts = (x: Tensor) => chunk(x, Math.ceil(batch / most), 0);
    const [queries, keys, values] = [q, k, v].map(parts);
    const masks = mask?.rank === 4 && mask.shape[0] === batch ? parts(mask) : [];
    return cat(
      queries.map((query, i) =>
        fused(query, keys[i], values[i], masks[i] ?? mask ?? null, 0, causal, scale),
      ),
      0,
    );
  });
}

/** 2.0 had the operator without its scale. */
function fusedTakesScale(): boolean {
  return (native().schema('aten::scaled_dot_product_attention', '') ?? '').includes('scale');
}

/**
 * The same in plain operators: as many elements of the batch at a time as their scores fit in
 * `scoresAtOnce`, and of one element that does not fit, `rows` queries at a time. The products of
 * whole heads come first because libtorch multiplies a batch of matrices one by one.
 */
export function plainAttention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  options: AttentionOptions = {},
  rows?: number,
): Tensor {
  const [batch, heads, n, d] = q.shape;
  const m = k.shape[2];
  const { mask, causal = false, scale = 1 / Math.sqrt(d) } = options;
  const scores = Math.max(1, heads * n * m);
  const groups = Math.ceil(batch / Math.max(1, Math.floor(scoresAtOnce / scores)));
  const fitting = Math.max(16, Math.floor(scoresAtOnce / Math.max(1, heads * m)));
  const step = rows ?? (scores <= scoresAtOnce ? n : fitting);
  // Not narrow: the gradient of a part of a tensor is a whole one of zeros around it.
  const parts = (x: Tensor) => (groups <= 1 ? [x] : chunk(x, groups, 0));
  return scope(() => {
    // Scaled once, before the scores: they are the large part.
    const [queries, keys, values] = [q.mul(scale), k, v].map(parts);
    const masks = mask?.rank === 4 && mask.shape[0] === batch ? parts(mask) : [];
    const mixed = queries.map((query, i) =>
      attendInRows(query, keys[i], values[i], { mask: masks[i] ?? mask, causal }, step),
    );
    return mixed.length === 1 ? mixed[0] : cat(mixed, 0);
  });
}

/** softmax(Q K^T + mask) V, `step` queries at a time; each block's scores are released with it. */
function attendInRows(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  { mask, causal }: AttentionOptions,
  step: number,
): Tensor {
  const [batch, heads, n] = q.shape;
  const m = k.shape[2];
  return scope(() => {
    const [queries, keys, values] = [q, k, v].map((x) =>
      x.reshape([batch * heads, x.shape[2], x.shape[3]]),
    );
    const keysT = keys.transpose(1, 2); // bh d m
    const attend = (block: Tensor, start: number): Tensor => {
      const length = block.shape[1];
      let scores = bmm(block, keysT); // bh length m
      if (mask) {
        const perQuery = mask.rank >= 2 && mask.shape[mask.rank - 2] === n && n > 1;
        const part = perQuery ? mask.narrow(-2, start, length) : mask;
        const apart = scores.reshape([batch, heads, length, m]);
        scores = masked(apart, part).reshape([batch * heads, length, m]);
      }
      if (causal) {
        const all = ones([length, m], { dtype: 'uint8', device: q.device });
        scores = maskedFill(scores, triu(all, start + 1).to('bool'), -Infinity);
      }
      return bmm(scores.softmax(-1), values);
    };
    const blocks = step >= n ? [queries] : chunk(queries, Math.ceil(n / step), 1);
    const mixed = blocks.map((block, i) => scope(() => attend(block, i * blocks[0].shape[1])));
    const whole = mixed.length === 1 ? mixed[0] : cat(mixed, 1);
    return whole.reshape([batch, heads, n, v.shape[3]]);
  });
}

function masked(scores: Tensor, mask: Tensor): Tensor {
  return mask.dtype === 'bool'
    ? maskedFill(scores, mask.logicalNot(), -Infinity)
    : scores.add(mask.to(scores.dtype));
}
