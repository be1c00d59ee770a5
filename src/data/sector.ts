/** Where the ultrasound sector is in a recording that does not say. */
import { labelFrames, plane } from '../frames/frames.ts';
import type { Frames, Labels } from '../frames/frames.ts';

/** Grey level above which a pixel was lit by echo rather than by compression noise. */
const LIT = 4 / 255;

/**
 * 1 inside, 0 outside, one frame: the convex hull of what is not black in any frame of a grey
 * video. A fan below 180 degrees is convex but for the arc at the probe, which is a few pixels
 * deep. Islands smaller than a fiftieth of the largest lit region (letters, specks) do not count.
 */
export function estimateSector(video: Frames): Labels {
  const { height, width } = video;
  const lit = new Uint8Array(height * width);
  for (let t = 0; t < video.frames; t++) {
    const grey = plane(video, 0, t);
    for (let i = 0; i < lit.length; i++) if (grey[i] > LIT) lit[i] = 1;
  }
  dropIslands(lit, height, width);
  const sector = labelFrames(1, height, width);
  fillHull(sector.data, lit, height, width);
  return sector;
}

function dropIslands(lit: Uint8Array, height: number, width: number): void {
  const region = new Int32Array(lit.length);
  const sizes = [0];
  const queue: number[] = [];
  for (let start = 0; start < lit.length; start++) {
    if (!lit[start] || region[start]) continue;
    const id = sizes.length;
    sizes.push(0);
    region[start] = id;
    queue.push(start);
    while (queue.length > 0) {
      const index = queue.pop() as number;
      sizes[id] += 1;
      const x = index % width;
      const y = (index - x) / width;
      for (let dy = -1; dy <= 1; dy++) {
        for (let dx = -1; dx <= 1; dx++) {
          const inside = y + dy >= 0 && y + dy < height && x + dx >= 0 && x + dx < width;
          const other = index + dy * width + dx;
          if (inside && lit[other] && !region[other]) {
            region[other] = id;
            queue.push(other);
          }
        }
      }
    }
  }
  const least = Math.max(...sizes) / 50;
  for (let i = 0; i < lit.length; i++) if (sizes[region[i]] < least) lit[i] = 0;
}

type Corner = readonly [x: number, y: number];

/** Fills the convex hull (Andrew's monotone chain) of the lit pixel centres. */
function fillHull(to: Uint8Array, lit: Uint8Array, height: number, width: number): void {
  // Only the ends of each row can be corners.
  const ends: Corner[] = [];
  for (let y = 0; y < height; y++) {
    const row = lit.subarray(y * width, (y + 1) * width);
    const left = row.indexOf(1);
    if (left >= 0) ends.push([left, y], [row.lastIndexOf(1), y]);
  }
  if (ends.length === 0) return;
  ends.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const upper = chain(ends);
  const lower = chain([...ends].reverse());
  const spans = Array.from({ length: height }, () => [Infinity, -Infinity]);
  const hull = [...upper, ...lower];
  hull.forEach((from, index) => widen(spans, from, hull[(index + 1) % hull.length]));
  spans.forEach(([left, right], y) => {
    if (left <= right) to.fill(1, y * width + Math.ceil(left), y * width + Math.floor(right) + 1);
  });
}

function chain(points: readonly Corner[]): Corner[] {
  const corners: Corner[] = [];
  for (const point of points) {
    while (corners.length >= 2) {
      const [a, b] = corners.slice(-2);
      const turn = (b[0] - a[0]) * (point[1] - a[1]) - (b[1] - a[1]) * (point[0] - a[0]);
      if (turn > 0) break;
      corners.pop();
    }
    corners.push(point);
  }
  return corners;
}

function widen(spans: number[][], from: Corner, to: Corner): void {
  const steps = Math.max(1, Math.abs(to[1] - from[1]));
  for (let step = 0; step <= steps; step++) {
    const share = step / steps;
    const y = Math.round(from[1] + share * (to[1] - from[1]));
    const x = from[0] + share * (to[0] - from[0]);
    spans[y][0] = Math.min(spans[y][0], x - 1e-9);
    spans[y][1] = Math.max(spans[y][1], x + 1e-9);
  }
}
