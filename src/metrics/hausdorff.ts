import { squaredDistance } from '../conditions/distance.ts';
import { plane, shapeText } from '../frames/frames.ts';
import type { Labels } from '../frames/frames.ts';
import { quantile } from './bootstrap.ts';

export interface HausdorffDistance {
  /** The farthest that any border pixel of either is from the other's border. */
  readonly most: number;
  /** The 95th percentile of the distances of all border pixels of both. */
  readonly percentile95: number;
}

/**
 * Hausdorff distance between the borders of one label, in units of `pixel`, mean over the frames
 * (medpy's `hd` and `hd95` frame by frame: a border pixel has a 4-neighbour of another label, or
 * lies at the picture's edge). A frame in which only one has the label counts as the diagonal of the
 * picture, the most that could be; one in which neither has it is left out.
 *
 * @param pixel side of a pixel, in mm for a distance in mm
 * @returns null where no frame has the label
 * @throws when the shapes differ
 */
export function hausdorffDistance(
  a: Labels, b: Labels, label: number, pixel = 1,
): HausdorffDistance | null {
  if (shapeText(a) !== shapeText(b) || a.channels !== 1) {
    throw new Error('hausdorff: expected labels of one shape and one channel, ' +
      `got ${shapeText(a)} and ${shapeText(b)}`);
  }
  const { frames, height, width } = a;
  let [most, percentile95, count] = [0, 0, 0];
  for (let t = 0; t < frames; t++) {
    const [p, q] = [a, b].map((labels) => border(plane(labels, 0, t), label, height, width));
    const [inA, inB] = [p.includes(1), q.includes(1)];
    if (!inA && !inB) continue;
    count++;
    if (inA !== inB) {
      most += Math.hypot(height, width);
      percentile95 += Math.hypot(height, width);
      continue;
    }
    const distances = [...distancesTo(p, q, height, width), ...distancesTo(q, p, height, width)]
      .sort((x, y) => x - y);
    most += distances.at(-1)!;
    percentile95 += quantile(distances, 0.95);
  }
  return count === 0 ? null
    : { most: (pixel * most) / count, percentile95: (pixel * percentile95) / count };
}

function border(labels: Uint8Array, label: number, height: number, width: number): Uint8Array {
  return labels.map((value, at) => {
    if (value !== label) return 0;
    const x = at % width;
    const edge = x === 0 || x === width - 1 || at < width || at >= (height - 1) * width;
    const inner = !edge && labels[at - 1] === label && labels[at + 1] === label
      && labels[at - width] === label && labels[at + width] === label;
    return inner ? 0 : 1;
  });
}

/** From each pixel of one border to the nearest of the other. */
function distancesTo(from: Uint8Array, to: Uint8Array, height: number, width: number): number[] {
  const squares = squaredDistance(to, height, width, 1);
  return Array.from(squares).filter((_, at) => from[at] === 1).map(Math.sqrt);
}
