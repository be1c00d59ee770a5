/** Lines through points: lengths, even spacing, smoothing. Pixel coordinates. */
import type { Point, Polyline } from '../frames/frames.ts';

/** Length in pixels. */
export function lineLength(line: Polyline): number {
  let sum = 0;
  for (let i = 1; i < line.length; i++) {
    sum += Math.hypot(line[i].x - line[i - 1].x, line[i].y - line[i - 1].y);
  }
  return sum;
}

/** `count` points at even distances along the line, its ends kept. One point is repeated. */
export function resampleLine(line: Polyline, count: number): Point[] {
  if (line.length === 0) return [];
  const total = lineLength(line);
  const result: Point[] = [];
  let segment = 1;
  let passed = 0;
  for (let i = 0; i < count; i++) {
    const target = count === 1 ? 0 : (total * i) / (count - 1);
    while (segment < line.length - 1 && passed + span(line, segment) < target) {
      passed += span(line, segment);
      segment++;
    }
    if (line.length === 1) {
      result.push({ ...line[0] });
      continue;
    }
    const length = span(line, segment);
    const share = length > 0 ? Math.min(Math.max((target - passed) / length, 0), 1) : 0;
    result.push(blendPoints(line[segment - 1], line[segment], share));
  }
  return result;
}

function span(line: Polyline, segment: number): number {
  return Math.hypot(
    line[segment].x - line[segment - 1].x,
    line[segment].y - line[segment - 1].y,
  );
}

/** (1 - share) a + share b. */
export function blendPoints(a: Point, b: Point, share: number): Point {
  return { x: a.x + (b.x - a.x) * share, y: a.y + (b.y - a.y) * share };
}

/** Binomial 1-2-1 smoothing, `passes` times; the ends stay. */
export function smoothLine(line: Polyline, passes: number): Point[] {
  let points: Point[] = line.map((point) => ({ ...point }));
  for (let pass = 0; pass < passes; pass++) {
    points = points.map((point, i) => {
      if (i === 0 || i === points.length - 1) return point;
      const [before, after] = [points[i - 1], points[i + 1]];
      return {
        x: (before.x + 2 * point.x + after.x) / 4,
        y: (before.y + 2 * point.y + after.y) / 4,
      };
    });
  }
  return points;
}
