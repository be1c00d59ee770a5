/** Volumes of the left ventricle and the ejection fraction, from the masks of one apical view. */
import { findComponents } from '../conditions/components.ts';
import { interfaceLine } from '../conditions/interface.ts';
import { plane } from '../frames/frames.ts';
import type { Labels, Point } from '../frames/frames.ts';

/** Both in cubes of the pixel's unit: mm^3 where a pixel is in mm. */
export interface VentricularVolume {
  /** 8 A^2 / (3 pi L). */
  readonly areaLength: number;
  /** pi / 4 x the sum of diameter^2 x height over 20 discs (Simpson's rule, single plane). */
  readonly discs: number;
}

export interface EjectionFraction {
  /** Percent. */
  readonly areaLength: number;
  readonly discs: number;
}

const DISCS = 20;
/** Each pixel stands for so many squared, so that thin discs are not counted in whole pixels. */
const PARTS = 4;

/**
 * Volume of the cavity (label 1) in one plane. Its long axis runs from the middle of the mitral
 * annulus (halfway between the ends of the border with label 3) to the farthest point of the cavity;
 * the area is that of the cavity's largest piece; a disc's diameter is the area of its slice of the
 * cavity over its height.
 *
 * @param labels [height][width]
 * @param pixel side of a pixel
 * @returns null where there is no cavity, or it does not meet the atrium
 */
export function ventricularVolume(
  labels: Uint8Array, height: number, width: number, pixel = 1,
): VentricularVolume | null {
  const cavity = largestPiece(labels.map((label) => (label === 1 ? 1 : 0)), height, width);
  const annulus = interfaceLine(labels, height, width, 1, 3);
  if (cavity.length === 0 || annulus === null) return null;
  const [from, to] = [annulus[0], annulus.at(-1)!];
  const base = { x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 };
  const apex = farthest(cavity, base);
  const length = Math.hypot(apex.x - base.x, apex.y - base.y);
  if (length < 1) return null;
  const [ux, uy] = [(apex.x - base.x) / length, (apex.y - base.y) / length];
  const slices = new Float64Array(DISCS);
  for (const { x, y } of cavity) {
    for (let part = 0; part < PARTS * PARTS; part++) {
      const px = x + ((part % PARTS) + 0.5) / PARTS - 0.5;
      const py = y + (Math.floor(part / PARTS) + 0.5) / PARTS - 0.5;
      const along = ((px - base.x) * ux + (py - base.y) * uy) / length;
      slices[Math.min(DISCS - 1, Math.max(0, Math.floor(along * DISCS)))] += 1 / PARTS ** 2;
    }
  }
  const disc = length / DISCS;
  const squares = slices.reduce((sum, area) => sum + (area / disc) ** 2, 0);
  return {
    areaLength: (pixel ** 3 * 8 * cavity.length ** 2) / (3 * Math.PI * length),
    discs: (pixel ** 3 * Math.PI * squares * disc) / 4,
  };
}

/**
 * Ejection fraction, 1 - the volume at ES over that at ED, by both methods. The size of a pixel does
 * not matter.
 *
 * @param ed, es 0-based frames
 * @returns null where either frame has no volume
 */
export function ejectionFraction(labels: Labels, ed: number, es: number): EjectionFraction | null {
  const { height, width } = labels;
  const [full, empty] = [ed, es].map((t) => ventricularVolume(plane(labels, 0, t), height, width));
  if (full === null || empty === null) return null;
  return {
    areaLength: 100 * (1 - empty.areaLength / full.areaLength),
    discs: 100 * (1 - empty.discs / full.discs),
  };
}

function largestPiece(inside: Uint8Array, height: number, width: number): Point[] {
  const { piece, sizes } = findComponents(inside, height, width);
  if (sizes.length < 2) return [];
  const most = sizes.indexOf(Math.max(...sizes.slice(1)), 1);
  const points: Point[] = [];
  piece.forEach((name, at) => {
    if (name === most) points.push({ x: at % width, y: Math.floor(at / width) });
  });
  return points;
}

/** The farthest pixel's far side: half a pixel beyond its centre. */
function farthest(points: readonly Point[], from: Point): Point {
  let [best, length] = [from, 0];
  for (const point of points) {
    const away = Math.hypot(point.x - from.x, point.y - from.y);
    if (away > length) [best, length] = [point, away];
  }
  if (length === 0) return from;
  const scale = (length + 0.5) / length;
  return { x: from.x + scale * (best.x - from.x), y: from.y + scale * (best.y - from.y) };
}
