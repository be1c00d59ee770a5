import type { Point } from './frames.ts';

/** Corners of the convex hull by monotone chain (Andrew, 1979), clockwise on the screen. */
export function convexHull(points: readonly Point[]): Point[] {
  const sorted = [...points].sort((a, b) => a.x - b.x || a.y - b.y);
  const chain = (order: readonly Point[]) => {
    const hull: Point[] = [];
    for (const point of order) {
      while (hull.length > 1 && turn(hull[hull.length - 2], hull[hull.length - 1], point) <= 0) {
        hull.pop();
      }
      hull.push(point);
    }
    return hull.slice(0, -1);
  };
  if (sorted.length < 3) return sorted;
  return [...chain(sorted), ...chain(sorted.reverse())];
}

function turn(a: Point, b: Point, c: Point): number {
  return (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
}

/** 1 inside the hull, its edge included, 0 outside, [height][width]. Without corners all is outside. */
export function fillHull(hull: readonly Point[], height: number, width: number): Uint8Array {
  const inside = new Uint8Array(height * width);
  for (let y = 0; y < height; y++) {
    let [from, to] = [Infinity, -Infinity];
    hull.forEach((a, i) => {
      const b = hull[(i + 1) % hull.length];
      if (Math.min(a.y, b.y) > y || Math.max(a.y, b.y) < y) return;
      const xs = a.y === b.y ? [a.x, b.x] : [a.x + ((y - a.y) / (b.y - a.y)) * (b.x - a.x)];
      from = Math.min(from, ...xs);
      to = Math.max(to, ...xs);
    });
    for (let x = Math.ceil(from - 1e-6); x <= to + 1e-6; x++) inside[y * width + x] = 1;
  }
  return inside;
}
