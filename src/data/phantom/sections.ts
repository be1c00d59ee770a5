/**
 * The heart as cross-sections of the LV axis. At each height z (mm from the endocardial apex toward
 * the base) each side has five knots of distance from the axis: the axis itself, endocardium,
 * epicardium, the outer edge of the right heart (or of a layer of fat), and tissue that rests.
 * Motion moves knots and heights; between knots it is linear, so that it is inverted exactly.
 */
import type { Anatomy, Side } from './patient.ts';

export const knots = 5;
export const lowest = -60;         // mm, first height of the tables
export const step = 0.75;          // mm between heights
export const heights = 384;        // so the tables end at 227 mm

/** [side][knot][height], mm. */
export type SectionTable = readonly (readonly Float64Array[])[];

/** Knots of the reference (end-diastolic) anatomy. */
export function referenceSections(anatomy: Anatomy): SectionTable {
  return ([0, 1] as const).map((side) => {
    const table = Array.from({ length: knots }, () => new Float64Array(heights));
    for (let i = 0; i < heights; i++) {
      const z = lowest + i * step;
      const endocardium = cavityHalfWidth(anatomy, side, z);
      const epicardium = Math.max(outerHalfWidth(anatomy, side, z), endocardium + 0.05);
      const right = side === 0 ? rightHeartWidth(anatomy, z) : 0;
      table[1][i] = endocardium;
      table[2][i] = epicardium;
      table[3][i] = epicardium + Math.max(right, 8);
      table[4][i] = table[3][i] + 45;
    }
    return table;
  });
}

/** Half-width of the LV cavity (0 <= z <= length) or left atrium (beyond), mm; 0 elsewhere. */
export function cavityHalfWidth(anatomy: Anatomy, side: Side, z: number): number {
  const { length, bluntness, annulusRatio, atriumLength, atriumHalfWidth } = anatomy;
  const widest = anatomy.halfWidth[side];
  const equator = anatomy.equator * length;
  const annulus = annulusRatio * widest;
  if (z <= 0) return 0;
  if (z <= equator) return widest * (1 - ((equator - z) / equator) ** bluntness) ** (1 / bluntness);
  if (z <= length) return widest + (annulus - widest) * ((z - equator) / (length - equator)) ** 2;
  const u = (z - length) / atriumLength;
  if (u >= 1) return 0;
  const belly = Math.max(atriumHalfWidth, annulus * 1.04);
  if (u < 0.45) {
    const pinch = 1 - 0.06 * Math.exp(-(((z - length - 2) / 4) ** 2));
    return pinch * (annulus + (belly - annulus) * Math.sin((Math.PI / 2) * (u / 0.45)));
  }
  return belly * (1 - ((u - 0.45) / 0.55) ** 2.3) ** (1 / 2.3);
}

function outerHalfWidth(anatomy: Anatomy, side: Side, z: number): number {
  const { length, bluntness, apexWall } = anatomy;
  const wall = anatomy.wall[side];
  const equator = anatomy.equator * length;
  if (z <= -apexWall) return 0;
  if (z <= equator) {
    const u = (equator - z) / (equator + apexWall);
    return (anatomy.halfWidth[side] + wall) * (1 - u ** bluntness) ** (1 / bluntness);
  }
  // Below the equator the wall keeps its thickness to the annulus and thins into the atrial wall.
  const thin = 2.4;
  const u = Math.min(1, Math.max(0, (z - length + 2) / 7));
  const thickness = wall * 0.94 + (thin - wall * 0.94) * u * u * (3 - 2 * u);
  const blend = Math.min(1, (z - equator) / 10);
  return cavityHalfWidth(anatomy, side, z) + wall + (thickness - wall) * blend;
}

/** Height of the tricuspid annulus: a little nearer to the apex than the mitral one. */
export function tricuspidHeight(anatomy: Anatomy): number {
  return anatomy.length - 5;
}

/** Width of RV and right atrium beside the septum, mm. */
export function rightHeartWidth(anatomy: Anatomy, z: number): number {
  if (anatomy.rightWidth === 0) return 0;
  const top = 0.22 * anatomy.length;
  const valve = tricuspidHeight(anatomy);
  const annulus = 0.85 * anatomy.rightWidth;
  if (z <= top) return 0;
  if (z <= valve) {
    const u = (z - top) / (valve - top);
    return u < 0.75
      ? anatomy.rightWidth * Math.sin((Math.PI / 2) * (u / 0.75)) ** 0.9
      : anatomy.rightWidth + (annulus - anatomy.rightWidth) * ((u - 0.75) / 0.25) ** 2;
  }
  const v = (z - valve) / anatomy.rightAtriumLength;
  if (v >= 1) return 0;
  return v < 0.4 ? annulus + 0.25 * annulus * Math.sin((Math.PI / 2) * (v / 0.4))
    : 1.25 * annulus * (1 - ((v - 0.4) / 0.6) ** 2.2) ** (1 / 2.2);
}

/** Height of the border between LV and LA at the fraction eta (-1 .. 1) of the annulus. */
export function valveBorder(anatomy: Anatomy, eta: number): number {
  return anatomy.length - anatomy.tent * Math.max(0, 1 - eta * eta);
}
