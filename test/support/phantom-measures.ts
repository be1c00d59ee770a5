/** Measurements of a phantom recording that use only its pictures, masks and stored flow. */
import { flowScale, type PhantomSequence } from '../../src/data/phantom/phantom.ts';

/** Area of a label in each frame, pixels. */
export function labelArea(sequence: PhantomSequence, label: number): number[] {
  const { frames, width, height, data } = sequence.masks;
  return Array.from({ length: frames }, (_, t) =>
    data.subarray(t * width * height, (t + 1) * width * height)
      .reduce((sum, value) => sum + (value === label ? 1 : 0), 0));
}

/** Mask of frame t + 1 read at p + flow(p, t), nearest pixel. */
export function warpLabels(sequence: PhantomSequence, t: number): Uint8Array {
  const { frames, width, height, data } = sequence.masks;
  const size = width * height;
  const next = data.subarray(((t + 1) % frames) * size, ((t + 1) % frames + 1) * size);
  const out = new Uint8Array(size);
  for (let i = 0; i < size; i++) {
    const x = Math.round((i % width) + sequence.flow[t * size + i] / flowScale);
    const down = sequence.flow[(frames + t) * size + i] / flowScale;
    const y = Math.round(Math.floor(i / width) + down);
    if (x >= 0 && y >= 0 && x < width && y < height) out[i] = next[y * width + x];
  }
  return out;
}

export function dice(sequence: PhantomSequence, t: number, other: Uint8Array,
  label: number): number {
  const size = other.length;
  let both = 0;
  let sum = 0;
  for (let i = 0; i < size; i++) {
    const a = sequence.masks.data[t * size + i] === label;
    const b = other[i] === label;
    if (a && b) both++;
    sum += Number(a) + Number(b);
  }
  return (2 * both) / sum;
}

/** Twenty diameters of the LV mask across its axis (annulus middle to farthest point), mm. */
export function discs(sequence: PhantomSequence,
  frame: number): { length: number; diameters: number[] } {
  const { width, height, data } = sequence.masks;
  const size = width * height;
  const [left, right] = sequence.leaflets[frame].map((line) => line[0]) as
    [{ x: number; y: number }, { x: number; y: number }];
  const base = { x: (left.x + right.x) / 2, y: (left.y + right.y) / 2 };
  let apex = base;
  let longest = 0;
  for (let i = 0; i < size; i++) {
    if (data[frame * size + i] !== 1) continue;
    const point = { x: i % width, y: Math.floor(i / width) };
    const distance = Math.hypot(point.x - base.x, point.y - base.y);
    if (distance > longest) {
      longest = distance;
      apex = point;
    }
  }
  const ux = (base.x - apex.x) / longest;
  const uy = (base.y - apex.y) / longest;
  const diameters = Array.from({ length: 20 }, (_, k) => {
    const along = ((k + 0.5) / 20) * longest;
    let count = 0;
    for (let s = -100; s <= 100; s += 0.25) {
      const x = Math.round(apex.x + ux * along - uy * s);
      const y = Math.round(apex.y + uy * along + ux * s);
      const inside = x >= 0 && y >= 0 && x < width && y < height;
      if (inside && data[frame * size + y * width + x] === 1) count++;
    }
    return count * 0.25 * sequence.pixel;
  });
  return { length: longest * sequence.pixel, diameters };
}

const reach = 5;

/** Centres of blocks of 11 x 11 pixels that lie wholly in the myocardium at frame t. */
export function muscleBlocks(sequence: PhantomSequence, t: number): { x: number; y: number }[] {
  const { width, height, data } = sequence.masks;
  const blocks: { x: number; y: number }[] = [];
  for (let y = reach; y < height - reach; y += reach) {
    for (let x = reach; x < width - reach; x += reach) {
      let inside = 0;
      for (let dy = -reach; dy <= reach; dy++) {
        for (let dx = -reach; dx <= reach; dx++) {
          if (data[(t * height + y + dy) * width + x + dx] === 2) inside++;
        }
      }
      if (inside >= 0.85 * (2 * reach + 1) ** 2) blocks.push({ x, y });
    }
  }
  return blocks;
}

/** Correlation of a block with itself `steps` frames on: where the flow leads, and in place. */
export function correlation(sequence: PhantomSequence, from: number, steps: number,
  block: { x: number; y: number }): { followed: number; stayed: number; moved: number } {
  const { frames, width, height } = sequence.video;
  const size = width * height;
  const grey = (t: number, x: number, y: number): number => {
    const i = Math.min(width - 2, Math.max(0, Math.floor(x)));
    const j = Math.min(height - 2, Math.max(0, Math.floor(y)));
    const u = x - i;
    const v = y - j;
    const o = t * size + j * width + i;
    const { data } = sequence.video;
    return (1 - v) * ((1 - u) * data[o] + u * data[o + 1])
      + v * ((1 - u) * data[o + width] + u * data[o + width + 1]);
  };
  const start: number[] = [];
  const led: number[] = [];
  const same: number[] = [];
  let moved = 0;
  for (let dy = -reach; dy <= reach; dy++) {
    for (let dx = -reach; dx <= reach; dx++) {
      let x = block.x + dx;
      let y = block.y + dy;
      for (let t = from; t < from + steps; t++) {
        const o = Math.round(y) * width + Math.round(x);
        x += sequence.flow[t * size + o] / flowScale;
        y += sequence.flow[(frames + t) * size + o] / flowScale;
      }
      start.push(grey(from, block.x + dx, block.y + dy));
      led.push(grey(from + steps, x, y));
      same.push(grey(from + steps, block.x + dx, block.y + dy));
      moved = Math.max(moved, Math.hypot(x - block.x - dx, y - block.y - dy));
    }
  }
  return { followed: pearson(start, led), stayed: pearson(start, same), moved };
}

function pearson(a: readonly number[], b: readonly number[]): number {
  const n = a.length;
  const ma = a.reduce((s, v) => s + v, 0) / n;
  const mb = b.reduce((s, v) => s + v, 0) / n;
  let ab = 0;
  let aa = 0;
  let bb = 0;
  for (let i = 0; i < n; i++) {
    ab += (a[i] - ma) * (b[i] - mb);
    aa += (a[i] - ma) ** 2;
    bb += (b[i] - mb) ** 2;
  }
  return ab / Math.sqrt(aa * bb + 1e-12);
}
