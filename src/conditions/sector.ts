/** Where the ultrasound picture is: the convex fan of pixels that are not black. */
import { convexHull, fillHull } from '../frames/convex-hull.ts';
import type { Point } from '../frames/frames.ts';
import { smoothPlane } from './smoothing.ts';

/** Darker than this (of 1) is no echo: rounding and compression leave such greys outside. */
const BLACK = 0.02;

/**
 * 1 inside the sector, 0 outside, [height][width]: the convex hull of what is not black after a
 * light smoothing. A picture without black margins is all sector; a black one has none.
 */
export function findSector(values: Float32Array, height: number, width: number): Uint8Array {
  const smooth = smoothPlane(values, height, width, 0.7);
  const ends: Point[] = [];
  for (let y = 0; y < height; y++) {
    let first = -1;
    let last = -1;
    for (let x = 0; x < width; x++) {
      if (smooth[y * width + x] <= BLACK || values[y * width + x] <= BLACK / 2) continue;
      if (first < 0) first = x;
      last = x;
    }
    if (first >= 0) ends.push({ x: first, y }, { x: last, y });
  }
  return fillHull(convexHull(ends), height, width);
}
