/**
 * Flow from masks alone: the dense motion that carries the mask of each frame onto the next one.
 * Landmarks give the motion along the walls, signed distances correct it across them, and between
 * and beyond the borders it is as smooth as can be and dies away (a screened Laplace equation).
 */
import { checkLabels, floatFrames, plane } from '../frames/frames.ts';
import type { Frames, Labels, Point } from '../frames/frames.ts';
import { samplePlane } from '../frames/sample-plane.ts';
import { framePairs, holdLast } from './flow.ts';
import type { LastFlow } from './flow.ts';
import { findLandmarks, measureStructures } from './landmarks.ts';
import type { Structures } from './landmarks.ts';
import { slopePlanes, smoothPlane } from './smoothing.ts';
import { thinPlateWarp } from './thin-plate.ts';

export interface MaskFlowOptions {
  /** 1 frame: flow is zero outside of it. */
  readonly sector?: Labels | null;
  readonly last?: LastFlow;
}

/**
 * Forward flow (2 f h w: dx, dy over the longer side) of label masks 1 f h w. Frames without any
 * structure stand still.
 */
export function flowFromMasks(masks: Labels, options: MaskFlowOptions = {}): Frames {
  const { sector = null, last = 'hold' } = options;
  checkLabels(masks, [0, 1, 2, 3], 'flow from masks');
  const { frames, height, width } = masks;
  const flow = floatFrames({ channels: 2, frames, height, width });
  const all = Array.from({ length: frames }, (_, t) => measureStructures(masks, t));
  const soft = all.map((structures) => softBorders(structures));
  const tracks = smoothTracks(findLandmarks(all), last);
  const inside = sector ? plane(sector, 0, 0) : null;
  const side = Math.max(height, width);
  for (const [from, to] of framePairs(frames, last)) {
    const known = borderMotion(soft[from], soft[to], tracks[from], tracks[to], height, width);
    for (const [c, values] of [known.x, known.y].entries()) {
      const spread = spreadMotion(values, known.weight, all[from].heart, height, width);
      const dense = smoothPlane(spread, height, width, EVENNESS * side);
      const target = plane(flow, c, from);
      for (let i = 0; i < target.length; i++) {
        target[i] = inside && !inside[i] ? 0 : dense[i] / side;
      }
    }
  }
  holdLast(flow, last);
  return flow;
}

interface Border {
  readonly field: Float32Array;
  readonly slopes: { x: Float32Array; y: Float32Array };
}

/** Distances without the pixel steps of a binary mask. Structures that are absent are left out. */
function softBorders(structures: Structures): (Border | null)[] {
  const { height, width, cavity, muscle, neighbour } = structures;
  return [cavity, muscle, neighbour].map((distances) => {
    if (!distances.some((d) => d > 0) || !distances.some((d) => d < 0)) return null;
    const field = smoothPlane(distances, height, width, 1.2);
    return { field, slopes: slopePlanes(field, height, width) };
  });
}

/**
 * Landmarks jump by pixels where the heart moves by fractions: 1-2-1 in time, twice. The ends of a
 * sequence that does not close stay.
 */
function smoothTracks(tracks: readonly Point[][], last: LastFlow): Point[][] {
  const count = tracks.length;
  let smooth = tracks.map((points) => [...points]);
  for (let pass = 0; pass < 2; pass++) {
    smooth = smooth.map((points, t) => {
      if (last === 'hold' && (t === 0 || t === count - 1)) return points;
      const before = smooth[(t - 1 + count) % count];
      const after = smooth[(t + 1) % count];
      return points.map((point, i) => ({
        x: (before[i].x + 2 * point.x + after[i].x) / 4,
        y: (before[i].y + 2 * point.y + after[i].y) / 4,
      }));
    });
  }
  return smooth;
}

interface Motion {
  readonly x: Float32Array;
  readonly y: Float32Array;
  /** How surely the motion is known here: 1 on a border, 0 where it is to be filled in. */
  readonly weight: Float32Array;
}

/** Motion in pixels on the borders of frame `from`. */
function borderMotion(
  from: readonly (Border | null)[],
  to: readonly (Border | null)[],
  pointsFrom: readonly Point[],
  pointsTo: readonly Point[],
  height: number,
  width: number,
): Motion {
  const size = height * width;
  const motion = {
    x: new Float32Array(size),
    y: new Float32Array(size),
    weight: new Float32Array(size),
  };
  const warp = thinPlateWarp(pointsFrom, pointsTo, 4);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = y * width + x;
      let [sumX, sumY, sum] = [0, 0, 0];
      for (let k = 0; k < from.length; k++) {
        const [here, there] = [from[k], to[k]];
        if (!here || !there || Math.abs(here.field[at]) > 1) continue;
        const target = follow(here.field[at], there, warp(x, y), height, width);
        const weight = 1 - 0.5 * Math.abs(here.field[at]);
        sumX += weight * (target.x - x);
        sumY += weight * (target.y - y);
        sum += weight;
      }
      if (sum === 0) continue;
      motion.x[at] = sumX / sum;
      motion.y[at] = sumY / sum;
      motion.weight[at] = 1;
    }
  }
  return motion;
}

/** Moves a guess across the border until it lies as deep in the next frame as it did before. */
function follow(depth: number, there: Border, guess: Point, height: number, width: number): Point {
  let { x, y } = guess;
  for (let step = 0; step < 3; step++) {
    const slopeX = samplePlane(there.slopes.x, height, width, x, y);
    const slopeY = samplePlane(there.slopes.y, height, width, x, y);
    const steepness = slopeX * slopeX + slopeY * slopeY;
    if (steepness < 0.05) break;
    const rest = (depth - samplePlane(there.field, height, width, x, y)) / steepness;
    x += rest * slopeX;
    y += rest * slopeY;
  }
  return { x, y };
}

/** Length in shares of the longer side over which motion dies away outside of the heart. */
const DECAY = 0.12;

/** Standard deviation (share of the longer side) of what evens out the borders' pixel steps. */
const EVENNESS = 0.015;

/**
 * Fills a plane known where `weight` is 1: the solution of lap(u) = 0 inside the heart (distances
 * `depth` above 0) and lap(u) = u / decay^2 outside, from coarse to fine by over-relaxation.
 */
function spreadMotion(
  values: Float32Array,
  weight: Float32Array,
  depth: Float32Array,
  height: number,
  width: number,
): Float32Array {
  const decay = 1 / (DECAY * Math.max(height, width)) ** 2;
  const screen = depth.map((distance) => (distance > 0 ? 0 : decay));
  const result = new Float32Array(values.length);
  if (Math.min(height, width) >= 16) {
    const half = halve(values, weight, depth, height, width);
    const coarse = spreadMotion(half.values, half.weight, half.depth, half.height, half.width);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        result[y * width + x] = samplePlane(
          coarse, half.height, half.width, (x - 0.5) / 2, (y - 0.5) / 2,
        );
      }
    }
  }
  for (let i = 0; i < values.length; i++) if (weight[i] > 0) result[i] = values[i];
  const sweeps = Math.min(height, width) >= 16 ? 12 : 60;
  for (let sweep = 0; sweep < sweeps; sweep++) {
    relax(result, weight, screen, height, width);
  }
  return result;
}

function relax(
  result: Float32Array,
  weight: Float32Array,
  screen: Float32Array,
  height: number,
  width: number,
): void {
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = y * width + x;
      if (weight[at] > 0) continue;
      const left = result[x > 0 ? at - 1 : at];
      const right = result[x + 1 < width ? at + 1 : at];
      const up = result[y > 0 ? at - width : at];
      const down = result[y + 1 < height ? at + width : at];
      const target = (left + right + up + down) / (4 + screen[at]);
      result[at] += 1.5 * (target - result[at]);
    }
  }
}

/** Half the size: means of the known values, and of the depths, of each 2 x 2. */
function halve(
  values: Float32Array,
  weight: Float32Array,
  depth: Float32Array,
  height: number,
  width: number,
) {
  const half = { height: Math.ceil(height / 2), width: Math.ceil(width / 2) };
  const size = half.height * half.width;
  const [sums, hits, depths] = [0, 1, 2].map(() => new Float32Array(size));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = y * width + x;
      const to = (y >> 1) * half.width + (x >> 1);
      depths[to] += depth[at];
      if (weight[at] === 0) continue;
      sums[to] += values[at];
      hits[to]++;
    }
  }
  return {
    ...half,
    values: sums.map((sum, i) => (hits[i] > 0 ? sum / hits[i] : 0)),
    weight: hits.map((count) => (count > 0 ? 1 : 0)),
    depth: depths,
  };
}
