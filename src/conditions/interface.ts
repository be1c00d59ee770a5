/**
 * The border between two structures of a label map as a smooth line from end to end; between LV
 * cavity and left atrium it runs from mitral hinge to mitral hinge.
 */
import type { Point } from '../frames/frames.ts';
import { signedDistance } from './distance.ts';
import { resampleLine, smoothLine } from './polyline.ts';

/** Points of an interface line. */
const LINE_POINTS = 24;

/**
 * The line where label `first` meets label `second` in one plane [height][width], ordered with
 * increasing x (or y, where it stands upright); null where they do not meet. Structures that are
 * up to 4 % of the longer side apart (false border labels, a drawn gap) still meet, half way.
 */
export function interfaceLine(
  labels: Uint8Array,
  height: number,
  width: number,
  first: number,
  second: number,
): Point[] | null {
  const gap = Math.max(3, 0.04 * Math.max(height, width));
  const a = signedDistance(labels.map((l) => (l === first ? 1 : 0)), height, width);
  const b = signedDistance(labels.map((l) => (l === second ? 1 : 0)), height, width);
  const crossings: Crossing[] = [];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = y * width + x;
      if (x + 1 < width) addCrossing(crossings, a, b, at, at + 1, x, y, 1, 0, gap);
      if (y + 1 < height) addCrossing(crossings, a, b, at, at + width, x, y, 0, 1, gap);
    }
  }
  const kept = mainCluster(crossings);
  if (kept.length < 4) return null;
  return fitLine(kept);
}

interface Crossing extends Point {
  /** How far the two structures are apart here, in pixels. */
  readonly apart: number;
}

/** Adds the place between two neighbouring pixels where the nearer structure changes. */
function addCrossing(
  crossings: Crossing[],
  a: Float32Array,
  b: Float32Array,
  here: number,
  next: number,
  x: number,
  y: number,
  dx: number,
  dy: number,
  gap: number,
): void {
  const before = a[here] - b[here];
  const after = a[next] - b[next];
  if (before > 0 === after > 0) return;
  const apart = -2 * Math.max(Math.min(a[here], b[here]), Math.min(a[next], b[next]));
  if (apart > gap) return;
  const share = before / (before - after);
  crossings.push({ x: x + share * dx, y: y + share * dy, apart });
}

/**
 * The touching part, with the gaps between its ends: the medial line runs on past the ends, where
 * the structures only come near each other, and that part is no interface.
 */
function mainCluster(crossings: readonly Crossing[]): Crossing[] {
  const touching = crossings.filter((point) => point.apart <= 1.01);
  const pieces = clusters(touching.length >= 4 ? touching : crossings);
  const main = pieces.sort((p, q) => q.length - p.length)[0] ?? [];
  if (touching.length < 4) return main;
  const widest = pieces.filter((piece) => piece.length >= Math.max(4, 0.15 * main.length)).flat();
  const axis = principalAxis(widest);
  const along = widest.map((point) => axis.along(point));
  const [from, to] = [Math.min(...along), Math.max(...along)];
  return crossings.filter((point) => {
    const place = axis.along(point);
    return place >= from && place <= to;
  });
}

/** Groups of points with steps of at most 2 pixels. */
function clusters(points: readonly Crossing[]): Crossing[][] {
  const left = new Set(points);
  const groups: Crossing[][] = [];
  for (const seed of points) {
    if (!left.delete(seed)) continue;
    const group = [seed];
    for (let i = 0; i < group.length; i++) {
      for (const other of left) {
        if (Math.abs(other.x - group[i].x) <= 2 && Math.abs(other.y - group[i].y) <= 2) {
          left.delete(other);
          group.push(other);
        }
      }
    }
    groups.push(group);
  }
  return groups;
}

interface Axis {
  along(point: Point): number;
  across(point: Point): number;
  at(along: number, across: number): Point;
}

/** Mean and first principal direction, pointing to the right (or down). */
function principalAxis(points: readonly Point[]): Axis {
  let [mx, my] = [0, 0];
  for (const point of points) {
    mx += point.x / points.length;
    my += point.y / points.length;
  }
  let [xx, xy, yy] = [0, 0, 0];
  for (const point of points) {
    xx += (point.x - mx) ** 2;
    xy += (point.x - mx) * (point.y - my);
    yy += (point.y - my) ** 2;
  }
  const angle = 0.5 * Math.atan2(2 * xy, xx - yy);
  const turn = Math.cos(angle) < -1e-9 || (Math.abs(Math.cos(angle)) <= 1e-9 && angle < 0) ? -1 : 1;
  const [ux, uy] = [turn * Math.cos(angle), turn * Math.sin(angle)];
  return {
    along: (point) => (point.x - mx) * ux + (point.y - my) * uy,
    across: (point) => (point.y - my) * ux - (point.x - mx) * uy,
    at: (along, across) => ({ x: mx + along * ux - across * uy, y: my + along * uy + across * ux }),
  };
}

/** Bins the points along their axis (a pixel a bin), fills empty bins, smooths, spaces evenly. */
function fitLine(points: readonly Point[]): Point[] {
  const axis = principalAxis(points);
  const places = points.map((point) => axis.along(point));
  const from = Math.min(...places);
  const to = Math.max(...places);
  const count = Math.max(2, Math.round(to - from) + 1);
  const sums = new Float64Array(count);
  const hits = new Float64Array(count);
  points.forEach((point, i) => {
    const bin = Math.round(((places[i] - from) / (to - from || 1)) * (count - 1));
    sums[bin] += axis.across(point);
    hits[bin]++;
  });
  const line: Point[] = [];
  for (let bin = 0; bin < count; bin++) {
    if (hits[bin] === 0) continue;
    line.push(axis.at(from + ((to - from) * bin) / (count - 1), sums[bin] / hits[bin]));
  }
  // About 5 % of the length at half weight: pixel steps go, the curve stays.
  const even = resampleLine(line, LINE_POINTS);
  const smooth = smoothLine(even, 6);
  return resampleLine(smooth, LINE_POINTS);
}
