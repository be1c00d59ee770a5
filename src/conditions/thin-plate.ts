/**
 * Thin-plate splines: the smoothest map of the plane that takes given points to given points
 * (Bookstein, "Principal warps", 1989).
 */
import type { Point } from '../frames/frames.ts';

/** A map of the plane, in pixels. */
export type Warp = (x: number, y: number) => Point;

/**
 * The spline that takes `from[i]` to `to[i]`. `stiffness` (pixels squared, 0 = exact) lets points
 * be missed for a smoother map. Fewer than three points, or points on one line, give a mean
 * translation: nothing more can be told from them.
 */
export function thinPlateWarp(
  from: readonly Point[],
  to: readonly Point[],
  stiffness = 0,
): Warp {
  if (from.length !== to.length) {
    throw new Error(`thinPlateWarp: expected ${from.length} target points, got ${to.length}`);
  }
  const count = from.length;
  const size = count + 3;
  const matrix = Array.from({ length: size }, () => new Float64Array(size + 2));
  for (let i = 0; i < count; i++) {
    const row = matrix[i];
    for (let j = 0; j < count; j++) {
      row[j] = bend((from[i].x - from[j].x) ** 2 + (from[i].y - from[j].y) ** 2);
    }
    row[i] += stiffness;
    [row[count], row[count + 1], row[count + 2]] = [1, from[i].x, from[i].y];
    matrix[count][i] = 1;
    matrix[count + 1][i] = from[i].x;
    matrix[count + 2][i] = from[i].y;
    // The spline carries displacements: the affine part is then near zero and well conditioned.
    row[size] = to[i].x - from[i].x;
    row[size + 1] = to[i].y - from[i].y;
  }
  if (count < 3 || !eliminate(matrix, size)) return meanShift(from, to);
  const weightX = Float64Array.from(matrix, (row) => row[size]);
  const weightY = Float64Array.from(matrix, (row) => row[size + 1]);
  return (x, y) => {
    let dx = weightX[count] + weightX[count + 1] * x + weightX[count + 2] * y;
    let dy = weightY[count] + weightY[count + 1] * x + weightY[count + 2] * y;
    for (let i = 0; i < count; i++) {
      const value = bend((x - from[i].x) ** 2 + (y - from[i].y) ** 2);
      dx += weightX[i] * value;
      dy += weightY[i] * value;
    }
    return { x: x + dx, y: y + dy };
  };
}

/** r^2 ln r, of the squared radius. */
function bend(squared: number): number {
  return squared > 0 ? 0.5 * squared * Math.log(squared) : 0;
}

function meanShift(from: readonly Point[], to: readonly Point[]): Warp {
  let dx = 0;
  let dy = 0;
  for (let i = 0; i < from.length; i++) {
    dx += (to[i].x - from[i].x) / from.length;
    dy += (to[i].y - from[i].y) / from.length;
  }
  return (x, y) => ({ x: x + dx, y: y + dy });
}

/** Gauss-Jordan with row pivots; the right-hand columns become the solution. False = singular. */
function eliminate(matrix: Float64Array[], size: number): boolean {
  const scale = Math.max(...matrix.map((row) => Math.max(...row.map(Math.abs))));
  for (let column = 0; column < size; column++) {
    let pivot = column;
    for (let row = column + 1; row < size; row++) {
      if (Math.abs(matrix[row][column]) > Math.abs(matrix[pivot][column])) pivot = row;
    }
    if (Math.abs(matrix[pivot][column]) <= 1e-12 * scale) return false;
    [matrix[column], matrix[pivot]] = [matrix[pivot], matrix[column]];
    const lead = matrix[column];
    const inverse = 1 / lead[column];
    for (let k = column; k < lead.length; k++) lead[k] *= inverse;
    for (let row = 0; row < size; row++) {
      const factor = matrix[row][column];
      if (row === column || factor === 0) continue;
      for (let k = column; k < lead.length; k++) matrix[row][k] -= factor * lead[k];
    }
  }
  return true;
}
