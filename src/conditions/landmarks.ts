/**
 * Corresponding points on the structures of two label maps of one heart: what the warps between
 * end-diastole and end-systole, and between neighbouring frames, are hung on.
 */
import { plane } from '../frames/frames.ts';
import type { Labels, Point } from '../frames/frames.ts';
import { samplePlane } from '../frames/sample-plane.ts';
import { signedDistance } from './distance.ts';
import { interfaceLine } from './interface.ts';
import { blendPoints } from './polyline.ts';

/** Signed distances (pixels, positive inside) of the nested structures of one label plane. */
export interface Structures {
  readonly height: number;
  readonly width: number;
  readonly labels: Uint8Array;
  /** Label 1: the cavity. */
  readonly cavity: Float32Array;
  /** Labels 1 and 2: the cavity with its muscle. */
  readonly muscle: Float32Array;
  /** Label 3: the neighbour (left atrium; right ventricle in short-axis sets). */
  readonly neighbour: Float32Array;
  /** Labels 1, 2 and 3. */
  readonly heart: Float32Array;
}

/** Distances of one frame of a label map. */
export function measureStructures(masks: Labels, frame: number): Structures {
  const { height, width } = masks;
  const labels = plane(masks, 0, frame);
  const field = (of: (label: number) => boolean) => {
    return signedDistance(labels.map((label) => (of(label) ? 1 : 0)), height, width);
  };
  return {
    height,
    width,
    labels,
    cavity: field((label) => label === 1),
    muscle: field((label) => label === 1 || label === 2),
    neighbour: field((label) => label === 3),
    heart: field((label) => label > 0),
  };
}

/**
 * Landmarks for each of several frames of one heart, in the same order in every frame; as many as
 * all the frames have in common. Long-axis views hang on the mitral hinges, the apex, wall points
 * at three levels and the atrium; others on eight directions from each structure's centre.
 */
export function findLandmarks(sequence: readonly Structures[]): Point[][] {
  const longAxis = sequence.map(longAxisLandmarks);
  const found = longAxis.every((points) => points !== null)
    ? longAxis
    : sequence.map(radialLandmarks);
  const common = found[0].map((_, i) => found.every((points) => points[i] !== null));
  return found.map((points) => points.filter((_, i) => common[i]) as Point[]);
}

type Sites = (Point | null)[];

function longAxisLandmarks(structures: Structures): Sites | null {
  const { labels, height, width } = structures;
  const valve = interfaceLine(labels, height, width, 1, 3);
  if (valve === null) return null;
  const [left, right] = [valve[0], valve[valve.length - 1]];
  const annulus = blendPoints(left, right, 0.5);
  const apex = farthest(structures.muscle, height, width, annulus);
  const tip = farthest(structures.cavity, height, width, annulus);
  const roof = farthest(structures.neighbour, height, width, annulus);
  if (!apex || !tip || !roof) return null;
  const sites: Sites = [left, right, valve[valve.length >> 1], apex, tip, roof];
  for (const level of [0.3, 0.55, 0.8]) {
    const place = blendPoints(annulus, tip, level);
    sites.push(...wallPoints(structures, structures.cavity, place, annulus, tip));
    sites.push(...wallPoints(structures, structures.muscle, place, annulus, tip));
  }
  for (const level of [0.35, 0.7]) {
    const place = blendPoints(annulus, roof, level);
    sites.push(...wallPoints(structures, structures.neighbour, place, annulus, roof));
  }
  return sites;
}

/** Both crossings of the line through `place`, at right angles to base -> end, with the border. */
function wallPoints(
  { height, width }: Structures,
  field: Float32Array,
  place: Point,
  base: Point,
  end: Point,
): Sites {
  const length = Math.hypot(end.x - base.x, end.y - base.y);
  if (length < 2) return [null, null];
  const across = { x: -(end.y - base.y) / length, y: (end.x - base.x) / length };
  return [1, -1].map((side) => {
    return borderAlong(field, height, width, place, side * across.x, side * across.y);
  });
}

/** The outermost border point on the ray from `origin`; null where the ray misses the structure. */
function borderAlong(
  field: Float32Array,
  height: number,
  width: number,
  origin: Point,
  dx: number,
  dy: number,
): Point | null {
  const step = 0.5;
  const reach = Math.hypot(height, width);
  let border = Number.NaN;
  let before = samplePlane(field, height, width, origin.x, origin.y);
  for (let r = step; r < reach; r += step) {
    const x = origin.x + r * dx;
    const y = origin.y + r * dy;
    if (x < -0.5 || y < -0.5 || x > width - 0.5 || y > height - 0.5) {
      if (before > 0) border = r - step;
      break;
    }
    const here = samplePlane(field, height, width, x, y);
    if (before > 0 && here <= 0) border = r - step + (step * before) / (before - here);
    before = here;
  }
  if (Number.isNaN(border)) return null;
  return { x: origin.x + border * dx, y: origin.y + border * dy };
}

/**
 * The structure's far end: the mean of its points within 4 % of the largest distance from
 * `origin`, so that one stray pixel does not turn the axis.
 */
function farthest(field: Float32Array, height: number, width: number, origin: Point): Point | null {
  let most = 0;
  for (let i = 0; i < field.length; i++) {
    if (field[i] > 0) most = Math.max(most, distanceTo(i, width, origin));
  }
  if (most < 2) return null;
  let [sumX, sumY, count] = [0, 0, 0];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const i = y * width + x;
      if (field[i] <= 0 || distanceTo(i, width, origin) < 0.96 * most) continue;
      sumX += x;
      sumY += y;
      count++;
    }
  }
  const mean = { x: sumX / count, y: sumY / count };
  const length = Math.hypot(mean.x - origin.x, mean.y - origin.y) || 1;
  const direction = { x: (mean.x - origin.x) / length, y: (mean.y - origin.y) / length };
  return borderAlong(field, height, width, origin, direction.x, direction.y) ?? mean;
}

function distanceTo(index: number, width: number, origin: Point): number {
  return Math.hypot((index % width) - origin.x, Math.floor(index / width) - origin.y);
}

function radialLandmarks(structures: Structures): Sites {
  const { height, width } = structures;
  const sites: Sites = [];
  for (const field of [structures.cavity, structures.muscle, structures.neighbour]) {
    const centre = centroid(field, width);
    sites.push(centre);
    for (let k = 0; k < 8; k++) {
      const angle = (k * Math.PI) / 4;
      sites.push(
        centre &&
          borderAlong(field, height, width, centre, Math.cos(angle), Math.sin(angle)),
      );
    }
  }
  return sites;
}

function centroid(field: Float32Array, width: number): Point | null {
  let [sumX, sumY, count] = [0, 0, 0];
  for (let i = 0; i < field.length; i++) {
    if (field[i] <= 0) continue;
    sumX += i % width;
    sumY += Math.floor(i / width);
    count++;
  }
  return count === 0 ? null : { x: sumX / count, y: sumY / count };
}
