/** Connected pieces of label planes (4 neighbours). */

export interface Components {
  /** Piece of each pixel, from 1 on; 0 outside the structure. */
  readonly piece: Int32Array;
  /** Pixels of each piece; entry 0 is unused. */
  readonly sizes: readonly number[];
}

/** The connected pieces of the pixels where `inside` is non-zero, [height][width]. */
export function findComponents(inside: Uint8Array, height: number, width: number): Components {
  const piece = new Int32Array(inside.length);
  const sizes = [0];
  const queue = new Int32Array(inside.length);
  for (let seed = 0; seed < inside.length; seed++) {
    if (!inside[seed] || piece[seed] !== 0) continue;
    const name = sizes.length;
    let end = 0;
    queue[end++] = seed;
    piece[seed] = name;
    for (let i = 0; i < end; i++) {
      const at = queue[i];
      const x = at % width;
      const y = (at - x) / width;
      const visit = (next: number) => {
        if (!inside[next] || piece[next] !== 0) return;
        piece[next] = name;
        queue[end++] = next;
      };
      if (x > 0) visit(at - 1);
      if (x + 1 < width) visit(at + 1);
      if (y > 0) visit(at - width);
      if (y + 1 < height) visit(at + width);
    }
    sizes.push(end);
  }
  return { piece, sizes };
}

/**
 * Removes from `labels` what neither of `models` has more of: pieces of a structure beside its
 * largest ones, and holes. Cavity pieces become muscle, other stray pieces background; a hole takes
 * the commonest label around it. In place.
 */
export function tidyComponents(
  labels: Uint8Array,
  height: number,
  width: number,
  models: readonly Uint8Array[],
): void {
  const structures: { of: (label: number) => boolean; becomes: number }[] = [
    { of: (label) => label === 1, becomes: 2 },
    { of: (label) => label === 1 || label === 2, becomes: 0 },
    { of: (label) => label === 3, becomes: 0 },
  ];
  for (const { of, becomes } of structures) {
    const select = (from: Uint8Array) => from.map((label) => (of(label) ? 1 : 0));
    const allowed = Math.max(
      ...models.map((model) => largePieces(findComponents(select(model), height, width))),
    );
    keepLargest(labels, select(labels), height, width, allowed, becomes);
  }
  fillHoles(labels, height, width, models);
}

/** Pieces with at least 2 % of the pixels: a speck is no piece. */
function largePieces({ sizes }: Components): number {
  const total = sizes.reduce((a, b) => a + b, 0);
  return sizes.filter((size) => size >= 0.02 * total && size > 0).length;
}

function keepLargest(
  labels: Uint8Array,
  inside: Uint8Array,
  height: number,
  width: number,
  allowed: number,
  becomes: number,
): void {
  const { piece, sizes } = findComponents(inside, height, width);
  if (sizes.length - 1 <= allowed) return;
  const order = sizes.map((_, name) => name).slice(1).sort((a, b) => sizes[b] - sizes[a]);
  const kept = new Set(order.slice(0, allowed));
  for (let i = 0; i < labels.length; i++) {
    if (piece[i] !== 0 && !kept.has(piece[i])) labels[i] = becomes;
  }
}

function fillHoles(
  labels: Uint8Array,
  height: number,
  width: number,
  models: readonly Uint8Array[],
): void {
  const holes = (from: Uint8Array) => {
    const outside = findComponents(from.map((label) => (label === 0 ? 1 : 0)), height, width);
    const open = new Set<number>();
    for (let i = 0; i < from.length; i++) {
      const x = i % width;
      const y = (i - x) / width;
      if (x === 0 || y === 0 || x === width - 1 || y === height - 1) open.add(outside.piece[i]);
    }
    return { outside, open, count: outside.sizes.length - 1 - [...open].filter((p) => p > 0).length };
  };
  const { outside, open, count } = holes(labels);
  if (count === 0 || models.some((model) => holes(model).count > 0)) return;
  for (let name = 1; name < outside.sizes.length; name++) {
    if (open.has(name)) continue;
    const votes = new Float64Array(256);
    for (let i = 0; i < labels.length; i++) {
      if (outside.piece[i] !== name) continue;
      for (const next of [i - 1, i + 1, i - width, i + width]) {
        if (labels[next] !== 0 && outside.piece[next] === 0) votes[labels[next]]++;
      }
    }
    const winner = votes.indexOf(Math.max(...votes));
    for (let i = 0; i < labels.length; i++) if (outside.piece[i] === name) labels[i] = winner;
  }
}
