import { attention, cat, pad } from '../tensor/ops.ts';
import { Linear } from '../nn/linear.ts';
import { normal } from '../nn/init.ts';
import { Module } from '../nn/module.ts';
import type { Path } from '../nn/path.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';

// Scores of so many elements at most are alive at once; a 64x64 grid in 12 heads would be 0.8 GB.
const LARGEST_SCORES = 1 << 25;

export interface GridAttentionOptions {
  readonly heads: number;
  /** Side of the square grid of tokens that it sees. */
  readonly side: number;
  readonly qkvBias: boolean;
  readonly relativePositions: boolean;
}

/**
 * Self-attention over a square grid with decomposed relative positions (Li et al. 2022, MViTv2):
 * score(q, k) = q.k / sqrt(d) + q.R^h[y_q - y_k] + q.R^w[x_q - x_k].
 * Keys `qkv`, `proj`, `rel_pos_h`, `rel_pos_w` as in segment_anything.
 */
export class GridAttention extends Module<[Tensor], Tensor> {
  private readonly heads: number;
  private readonly side: number;
  private readonly qkv: Linear;
  private readonly proj: Linear;
  private readonly relative: { readonly rows: Tensor; readonly columns: Tensor } | null;

  constructor(path: Path, width: number, options: GridAttentionOptions) {
    super();
    const shape = [2 * options.side - 1, width / options.heads];
    this.heads = options.heads;
    this.side = options.side;
    this.qkv = new Linear(path.sub('qkv'), width, 3 * width, { bias: options.qkvBias });
    this.proj = new Linear(path.sub('proj'), width, width);
    this.relative = options.relativePositions ? {
      rows: path.parameter('rel_pos_h', shape, normal(0.02)),
      columns: path.parameter('rel_pos_w', shape, normal(0.02)),
    } : null;
  }

  /** (b, side, side, c) -> same. */
  forward(x: Tensor): Tensor {
    const { heads, side } = this;
    const [batch, , , width] = x.shape;
    const count = side * side;
    const [q, k, v] = this.qkv.call(x)
      .reshape([batch, count, 3, heads, width / heads]).permute([2, 0, 3, 1, 4])
      .chunk(3, 0).map((part) => part.squeeze(0)); // b heads n d
    const positions = this.relative === null ? null : {
      rows: relativeTable(this.relative.rows.to(x.dtype), side), // side side d
      columns: relativeTable(this.relative.columns.to(x.dtype), side),
    };
    const scoresOfRow = batch * heads * side * count;
    const rows = Math.max(1, Math.min(side, Math.floor(LARGEST_SCORES / scoresOfRow)));
    const parts: Tensor[] = [];
    for (let row = 0; row < side; row += rows) {
      const taken = Math.min(rows, side - row);
      const queries = q.narrow(2, row * side, taken * side);
      const bias = positions && positionScores(
        queries.reshape([batch, heads, taken, side, width / heads]),
        positions.rows.narrow(0, row, taken), positions.columns,
      );
      parts.push(attention(queries, k, v, bias ?? undefined));
    }
    const mixed = parts.length === 1 ? parts[0] : cat(parts, 2); // b heads n d
    return this.proj.call(mixed.transpose(1, 2).reshape([batch, side, side, width]));
  }
}

/** Entry (q, k) is the learnt vector of the offset q - k. (2 side - 1, d) -> (side, side, d) */
function relativeTable(vectors: Tensor, side: number): Tensor {
  const offsets = BigInt64Array.from({ length: side * side },
    (_, index) => BigInt(Math.floor(index / side) - (index % side) + side - 1));
  const index = tensor(offsets, [side * side], { device: vectors.device });
  return vectors.indexSelect(0, index).reshape([side, side, vectors.shape[1]]);
}

/**
 * @param queries (b, heads, r, w, d), r rows of the grid
 * @param rows (r, h, d)
 * @param columns (w, w, d)
 * @returns (b, heads, r * w, h * w)
 */
function positionScores(queries: Tensor, rows: Tensor, columns: Tensor): Tensor {
  const [batch, heads, r, w] = queries.shape;
  const h = rows.shape[1];
  const byRow = queries.matmul(rows.transpose(1, 2)); // b heads r w h
  const byColumn = queries.transpose(2, 3).matmul(columns.transpose(1, 2)); // b heads w r w
  return byRow.unsqueeze(5).add(byColumn.transpose(2, 3).unsqueeze(4))
    .reshape([batch, heads, r * w, h * w]);
}

/** Cuts a grid into windows, zeros added at the lower right: (b, g, g, c) -> (b k k, s, s, c). */
export function partitionWindows(x: Tensor, size: number): Tensor {
  const [batch, height, width, channels] = x.shape;
  const [down, across] = [Math.ceil(height / size), Math.ceil(width / size)];
  const padded = pad(x, [0, 0, 0, across * size - width, 0, down * size - height]);
  return padded.reshape([batch, down, size, across, size, channels])
    .permute([0, 1, 3, 2, 4, 5]).reshape([batch * down * across, size, size, channels]);
}

/** Undoes `partitionWindows` and drops the padding: (b k k, s, s, c) -> (b, height, width, c). */
export function joinWindows(windows: Tensor, height: number, width: number): Tensor {
  const [count, size, , channels] = windows.shape;
  const [down, across] = [Math.ceil(height / size), Math.ceil(width / size)];
  return windows.reshape([count / (down * across), down, across, size, size, channels])
    .permute([0, 1, 3, 2, 4, 5]).reshape([-1, down * size, across * size, channels])
    .narrow(1, 0, height).narrow(2, 0, width);
}
