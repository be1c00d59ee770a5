/**
 * Whether the mitral valve lies where it was asked: three measures of a stroke against a video. All
 * of them are also taken of the real video, which says what a perfect generator would reach.
 */
import { signedDistance } from '../conditions/distance.ts';
import { lineLength, resampleLine } from '../conditions/polyline.ts';
import { smoothPlane } from '../conditions/smoothing.ts';
import { samplePlane } from '../frames/sample-plane.ts';
import { plane, shapeText } from '../frames/frames.ts';
import type { Frames, Point, Polyline } from '../frames/frames.ts';

/** Lengths as shares of the picture's longer side, in pixels of a picture 128 wide in brackets. */
const GAP = 0.016;      // (2) between the stroke and what counts as its surroundings
const AROUND = 0.05;    // (6.4) how far these reach
const REACH = 0.055;    // (7) how far off its place a valve is still looked for

/** Reach in pixels within which `findRidge` and `strokeOffset` look. */
export function searchReach(height: number, width: number): number {
  return REACH * Math.max(height, width);
}

interface Surroundings {
  readonly stroke: Int32Array;
  readonly around: Int32Array;
}

/** Pixels of a stroke (at least half covered) and of the ring around it; null without a stroke. */
function surroundings(
  stroke: Float32Array, height: number, width: number, inside: Uint8Array,
): Surroundings | null {
  const side = Math.max(height, width);
  const covered = Uint8Array.from(stroke, (value, i) => (value >= 0.5 && inside[i] ? 1 : 0));
  const depth = signedDistance(covered, height, width);
  const [on, around]: [number[], number[]] = [[], []];
  for (let i = 0; i < depth.length; i++) {
    if (covered[i]) on.push(i);
    else if (inside[i] && -depth[i] > GAP * side && -depth[i] <= AROUND * side) around.push(i);
  }
  if (on.length === 0 || around.length === 0) return null;
  return { stroke: Int32Array.from(on), around: Int32Array.from(around) };
}

/** Mean of a plane over pixels moved by (dx, dy); pixels that leave the plane do not count. */
function meanAt(
  grey: Float32Array, width: number, height: number, pixels: Int32Array, dx: number, dy: number,
): number {
  let [sum, count] = [0, 0];
  for (const index of pixels) {
    const x = (index % width) + dx;
    const y = Math.floor(index / width) + dy;
    if (x < 0 || y < 0 || x >= width || y >= height) continue;
    sum += grey[y * width + x];
    count++;
  }
  return count === 0 ? 0 : sum / count;
}

export interface StrokeAgreement {
  /** Mean grey of the stroke minus its surroundings', 0..255, over the frames with a stroke. */
  readonly contrast: number;
  /**
   * Mean length in pixels of the shift (whole pixels, at most `searchReach`) at which the stroke is
   * brightest against its surroundings: 0 when the valve lies exactly where it was asked.
   */
  readonly offset: number;
  /** Frames with a stroke. */
  readonly frames: number;
}

/**
 * @param video 1 f h w in [0, 1]
 * @param strokes the asked skeleton, 1 f h w in [0, 1] (`drawSkeleton`)
 * @param inside h w, not 0 inside the sector
 * @returns null where no frame has a stroke
 * @throws when the shapes differ or a pixel near a stroke is not finite
 */
export function compareStrokes(
  video: Frames, strokes: Frames, inside: Uint8Array,
): StrokeAgreement | null {
  const { frames, height, width } = video;
  if (shapeText(video) !== shapeText(strokes) || inside.length !== height * width) {
    throw new Error(
      `skeleton: expected a grey video, strokes and a sector of one shape, got ` +
        `${shapeText(video)}, ${shapeText(strokes)} and ${inside.length} values`,
    );
  }
  const reach = searchReach(height, width);
  let [contrast, offset, count] = [0, 0, 0];
  for (let t = 0; t < frames; t++) {
    const places = surroundings(plane(strokes, 0, t), height, width, inside);
    if (places === null) continue;
    const grey = plane(video, 0, t);
    const at = (dx: number, dy: number) => meanAt(grey, width, height, places.stroke, dx, dy)
      - meanAt(grey, width, height, places.around, dx, dy);
    const here = at(0, 0);
    if (!Number.isFinite(here)) throw new Error(`skeleton: expected finite pixels in frame ${t}`);
    contrast += here;
    offset += brightestShift(at, here, reach);
    count++;
  }
  return count === 0 ? null
    : { contrast: (255 * contrast) / count, offset: offset / count, frames: count };
}

function brightestShift(
  at: (dx: number, dy: number) => number, here: number, reach: number,
): number {
  let [most, length] = [here, 0];
  const whole = Math.floor(reach);
  for (let dy = -whole; dy <= whole; dy++) {
    for (let dx = -whole; dx <= whole; dx++) {
      const shift = Math.hypot(dx, dy);
      if (shift > reach) continue;
      const value = at(dx, dy);
      // of equals the farthest: a flat picture must not pass for a valve in its place
      const equal = Math.abs(value - most) <= 1e-6;
      if (equal ? shift > length : value > most) [most, length] = [Math.max(value, most), shift];
    }
  }
  return length;
}

/**
 * The brightest connected path along a guide (the LV/LA interface that the segmenter found): one
 * place on each normal of the guide, a pixel apart, at most `reach` pixels off, neighbours at most
 * a pixel further off; the largest sum of the picture smoothed with sigma 1, by dynamic
 * programming.
 *
 * @param grey one plane, [height][width]
 */
export function findRidge(
  grey: Float32Array, height: number, width: number, guide: Polyline, reach: number,
): Point[] {
  const stations = resampleLine(guide, Math.max(3, Math.round(lineLength(guide)) + 1));
  const smooth = smoothPlane(grey, height, width, 1);
  const half = Math.round(2 * reach);
  const count = 2 * half + 1; // places half a pixel apart
  const place = (station: number, o: number): Point => {
    const before = stations[Math.max(0, station - 1)];
    const after = stations[Math.min(stations.length - 1, station + 1)];
    const [dx, dy] = [after.x - before.x, after.y - before.y];
    const length = Math.hypot(dx, dy) || 1;
    const off = (o - half) / 2;
    const { x, y } = stations[station];
    return { x: x - (off * dy) / length, y: y + (off * dx) / length };
  };
  const brightness = (station: number, o: number) => {
    const { x, y } = place(station, o);
    return samplePlane(smooth, height, width, x, y);
  };
  let best = Float64Array.from({ length: count }, (_, o) => brightness(0, o));
  const origins: Int32Array[] = [];
  for (let station = 1; station < stations.length; station++) {
    const from = new Int32Array(count);
    const next = new Float64Array(count);
    for (let o = 0; o < count; o++) {
      let chosen = o;
      for (let p = Math.max(0, o - 2); p <= Math.min(count - 1, o + 2); p++) {
        if (best[p] > best[chosen]) chosen = p;
      }
      from[o] = chosen;
      next[o] = best[chosen] + brightness(station, o);
    }
    origins.push(from);
    best = next;
  }
  let o = best.indexOf(Math.max(...best));
  const path = [place(stations.length - 1, o)];
  for (let station = stations.length - 2; station >= 0; station--) {
    o = origins[station][o];
    path.push(place(station, o));
  }
  return path.reverse();
}

/**
 * Distance in pixels between two sets of curves: mean over points a pixel apart of the distance to
 * the other set, both ways, averaged. Null where one set is empty.
 */
export function curveDistance(a: readonly Polyline[], b: readonly Polyline[]): number | null {
  const [pointsA, pointsB] = [a, b].map((lines) => lines.flatMap((line) =>
    resampleLine(line, Math.max(2, Math.round(lineLength(line)) + 1))));
  if (pointsA.length === 0 || pointsB.length === 0) return null;
  const oneWay = (points: readonly Point[], others: readonly Polyline[]) =>
    points.reduce((sum, point) => sum + distanceTo(point, others), 0) / points.length;
  return (oneWay(pointsA, b) + oneWay(pointsB, a)) / 2;
}

/** Largest distance in pixels from the curves' points to the others. */
export function farthestPoint(curves: readonly Polyline[], others: readonly Polyline[]): number {
  return Math.max(0, ...curves.flat().map((point) => distanceTo(point, others)));
}

function distanceTo(point: Point, lines: readonly Polyline[]): number {
  let least = Infinity;
  for (const line of lines) {
    for (let k = 0; k < line.length; k++) {
      const [a, b] = [line[k], line[Math.min(k + 1, line.length - 1)]];
      const [dx, dy] = [b.x - a.x, b.y - a.y];
      const square = dx * dx + dy * dy;
      const along = square === 0 ? 0 : ((point.x - a.x) * dx + (point.y - a.y) * dy) / square;
      const share = Math.min(1, Math.max(0, along));
      const distance = Math.hypot(point.x - a.x - share * dx, point.y - a.y - share * dy);
      least = Math.min(least, distance);
    }
  }
  return least;
}
