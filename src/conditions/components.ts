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

/** A piece smaller than this share of its structure is a speck, not a part of the shape. */
const SPECK = 0.05;

/**
 * Removes from `labels` (in place) what neither of `models` has: specks of a structure beside its
 * main pieces, and holes. Each takes the commonest label around it.
 */
export function tidyComponents(
  labels: Uint8Array,
  height: number,
  width: number,
  models: readonly Uint8Array[],
): void {
  for (const structure of [[1], [2], [3], [1, 2]]) {
    const select = (from: Uint8Array) => from.map((label) => (structure.includes(label) ? 1 : 0));
    const allowed = Math.max(
      ...models.map((model) => findComponents(select(model), height, width).sizes.length - 1),
    );
    const { piece, sizes } = findComponents(select(labels), height, width);
    const total = sizes.reduce((a, b) => a + b, 0);
    const order = sizes.map((_, name) => name).slice(1).sort((a, b) => sizes[b] - sizes[a]);
    const specks = order.slice(allowed).filter((name) => sizes[name] < SPECK * total);
    for (const name of specks) repaint(labels, piece, name, width);
  }
  const holes = findHoles(labels, height, width);
  if (holes.names.length === 0) return;
  if (models.some((model) => findHoles(model, height, width).names.length > 0)) return;
  for (const name of holes.names) repaint(labels, holes.piece, name, width);
}

/** Pieces of background that do not reach the picture's border. */
function findHoles(labels: Uint8Array, height: number, width: number) {
  const background = labels.map((label) => (label === 0 ? 1 : 0));
  const { piece, sizes } = findComponents(background, height, width);
  const open = new Set<number>();
  for (let i = 0; i < piece.length; i++) {
    const x = i % width;
    const y = (i - x) / width;
    if (x === 0 || y === 0 || x === width - 1 || y === height - 1) open.add(piece[i]);
  }
  return { piece, names: sizes.map((_, name) => name).slice(1).filter((name) => !open.has(name)) };
}

/** Gives a piece the commonest label of the pixels around it. */
function repaint(labels: Uint8Array, piece: Int32Array, name: number, width: number): void {
  const votes = new Float64Array(256);
  for (let i = 0; i < labels.length; i++) {
    if (piece[i] !== name) continue;
    const x = i % width;
    const around = [i - width, i + width];
    if (x > 0) around.push(i - 1);
    if (x + 1 < width) around.push(i + 1);
    for (const next of around) {
      if (next >= 0 && next < labels.length && piece[next] !== name) votes[labels[next]]++;
    }
  }
  const winner = votes.indexOf(Math.max(...votes));
  for (let i = 0; i < labels.length; i++) if (piece[i] === name) labels[i] = winner;
}
