import { bmm, cat, maskedFill, triu } from './aten.ts';
import { ones } from './creation.ts';
import { hasOperator } from './device.ts';
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
const scoresAtOnce = 1 << 18;

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
  return fused(q, k, v, options.mask ?? null, 0, options.causal ?? false, scale);
}

/** 2.0 had the operator without its scale. */
function fusedTakesScale(): boolean {
  return (native().schema('aten::scaled_dot_product_attention', '') ?? '').includes('scale');
}

/** The same in plain operators, `rows` queries at a time. */
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
  const step = rows ?? Math.max(16, Math.floor(scoresAtOnce / Math.max(1, batch * heads * m)));
  // Scaled once, before the scores: they are the large part.
  const [queries, keys, values] = [q.mul(scale), k, v].map((x) =>
    x.reshape([batch * heads, x.shape[2], x.shape[3]]),
  );
  const keysT = keys.transpose(1, 2); // bh d m
  const blocks: Tensor[] = [];
  for (let start = 0; start === 0 || start < n; start += step) {
    const length = Math.min(step, n - start);
    const block = length === n ? queries : queries.narrow(1, start, length);
    let scores = bmm(block, keysT); // bh length m
    if (mask) {
      const perQuery = mask.rank >= 2 && mask.shape[mask.rank - 2] === n && n > 1;
      const part = perQuery ? mask.narrow(-2, start, length) : mask;
      scores = masked(scores.reshape([batch, heads, length, m]), part).reshape([
        batch * heads,
        length,
        m,
      ]);
    }
    if (causal) {
      const hidden = triu(ones([length, m], { dtype: 'uint8', device: q.device }), start + 1).to(
        'bool',
      );
      scores = maskedFill(scores, hidden, -Infinity);
    }
    blocks.push(bmm(scores.softmax(-1), values));
  }
  const mixed = blocks.length === 1 ? blocks[0] : cat(blocks, 1);
  return mixed.reshape([batch, heads, n, v.shape[3]]);
}

function masked(scores: Tensor, mask: Tensor): Tensor {
  return mask.dtype === 'bool'
    ? maskedFill(scores, mask.logicalNot(), -Infinity)
    : scores.add(mask.to(scores.dtype));
}
