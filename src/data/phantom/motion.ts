/**
 * Where every material point is at every phase: x = place(bend(move(X, phase))).
 * `move` shifts heights (the annulus descends, the apex stays) and the knots of each section (the
 * cavity narrows, the wall thickens by what shortening takes from it, so that its area is kept);
 * both are piecewise linear and monotone, so the inverse is exact. Source of the strains: the areas
 * and lengths of CAMUS masks at ED and ES.
 */
import { contraction, ease, turning, type Timing } from './cycle.ts';
import type { Anatomy, Motion, Placement, ViewParameters } from './patient.ts';
import { heights, knots, lowest, referenceSections, step, type SectionTable } from './sections.ts';

/** The moved anatomy at one phase, ready to map points. */
export interface Pose {
  readonly phase: number;
  readonly contraction: number;
  readonly turned: number;               // radians at the middle of the LV vortex
  readonly height: Float64Array;         // moved height of each reference height, increasing
  readonly sections: SectionTable;       // moved knots
  readonly cosine: number;
  readonly sine: number;
  readonly fromMoved: Int16Array;        // reference index below each moved height, same grid
}

/** A view's reference and how it moves. */
export interface Heart {
  readonly anatomy: Anatomy;
  readonly motion: Motion;
  readonly placement: Placement;
  readonly timing: Timing;
  readonly reference: SectionTable;
}

export function createHeart(view: ViewParameters, timing: Timing): Heart {
  return { anatomy: view.anatomy, motion: view.motion, placement: view.placement, timing,
    reference: referenceSections(view.anatomy) };
}

export function pose(heart: Heart, phase: number): Pose {
  const { motion, placement, timing } = heart;
  const a = contraction(phase, timing);
  const height = movedHeights(heart, a);
  const angle = placement.tilt + motion.rock * a;
  return {
    phase, contraction: a, turned: 2 * Math.PI * motion.swirl * turning(phase, timing),
    height, sections: movedSections(heart, a, height),
    cosine: Math.cos(angle), sine: Math.sin(angle), fromMoved: invertHeights(height),
  };
}

/** Part of the annulus' descent that height z takes: 0 at the apex, 1 at the base, then fading. */
function descentShare(anatomy: Anatomy, z: number): number {
  const { length, atriumLength } = anatomy;
  if (z <= 0) return 0;
  if (z <= length) {
    const u = z / length;
    return 0.55 * u + 0.45 * ease(u);
  }
  return 1 - ease((z - length) / (1.5 * atriumLength + 20)) ;
}

export function movedHeights(heart: Pick<Heart, 'anatomy' | 'motion'>, a: number): Float64Array {
  const height = new Float64Array(heights);
  for (let i = 0; i < heights; i++) {
    const z = lowest + i * step;
    height[i] = z - heart.motion.descent * a * descentShare(heart.anatomy, z);
  }
  return height;
}

/** Factor on the cavity's half-width at height z: below 1 in the LV, above 1 in the LA. */
export function widthFactor(anatomy: Anatomy, motion: Motion, side: 0 | 1, z: number,
  a: number): number {
  const u = z / anatomy.length;
  const { scar } = motion;
  const severity = scar.side === side ? scar.severity : 0;
  const weak = severity * Math.exp(-(((u - scar.centre) / scar.width) ** 2));
  const ventricle = (1 - weak) * (u < 0.75 ? 1 : 1 - 0.6 * ease((u - 0.75) / 0.35));
  const v = (z - anatomy.length) / anatomy.atriumLength;
  const atrium = ease(v / 0.4) * (1 - 0.5 * ease((v - 0.7) / 0.5));
  const fade = 1 - ease((u - 1) / 0.12);
  return 1 - motion.radial * a * ventricle * fade + motion.atrial * a * atrium;
}

function movedSections(heart: Heart, a: number, height: Float64Array): SectionTable {
  const { anatomy, motion, reference } = heart;
  return ([0, 1] as const).map((side) => {
    const table = Array.from({ length: knots }, () => new Float64Array(heights));
    const rest = reference[side];
    for (let i = 0; i < heights; i++) {
      const z = lowest + i * step;
      const below = Math.max(0, i - 1);
      const above = Math.min(heights - 1, i + 1);
      const stretch = (height[above] - height[below]) / (step * (above - below));
      const endocardium = rest[1][i] * widthFactor(anatomy, motion, side, z, a);
      // What the wall loses in length it gains in thickness.
      const epicardium = endocardium + (rest[2][i] - rest[1][i]) / Math.max(0.5, stretch);
      const right = side === 0 && anatomy.rightWidth > 0;
      const outer = rest[3][i] - rest[2][i];
      const narrowing = right
        ? 1 - motion.right * a * (1 - 1.6 * ease((z - anatomy.length + 12) / 24)) : 1;
      table[1][i] = endocardium;
      table[2][i] = epicardium;
      table[3][i] = right ? epicardium + outer * narrowing
        : rest[3][i] + 0.7 * (epicardium - rest[2][i]);
      table[4][i] = rest[4][i];
    }
    return table;
  });
}

function invertHeights(height: Float64Array): Int16Array {
  const from = new Int16Array(heights);
  let i = 0;
  for (let k = 0; k < heights; k++) {
    while (i < heights - 2 && height[i + 1] <= lowest + k * step) i++;
    from[k] = i;
  }
  return from;
}

/** A point of the reference: signed distance from the axis (right positive) and height, mm. */
export interface Material { y: number; z: number }

/** Moved picture position (mm right of the beam axis, mm below the probe) of a reference point. */
export function forward(heart: Heart, at: Pose, y: number, z: number,
  out: { x: number; y: number }): void {
  const g = Math.min(heights - 1.001, Math.max(0, (z - lowest) / step));
  const i = Math.floor(g);
  const f = g - i;
  const side = y < 0 ? 0 : 1;
  const distance = Math.abs(y);
  const rest = heart.reference[side];
  const moved = at.sections[side];
  let k = 0;
  let inner = 0;
  let outer = lerp(rest[1], i, f);
  while (k < knots - 2 && distance > outer) {
    k++;
    inner = outer;
    outer = lerp(rest[k + 1], i, f);
  }
  const m0 = k === 0 ? 0 : lerp(moved[k], i, f);
  const m1 = lerp(moved[k + 1], i, f);
  const span = outer - inner;
  const q = span > 1e-6 ? (distance - inner) / span : 0;
  // Beyond the last knot everything rests.
  const there = q > 1 ? distance : m0 + q * (m1 - m0);
  place(heart, at, side === 0 ? -there : there, lerp(at.height, i, f), out);
}

/** The reference point that is at picture position (x, y), mm. */
export function backward(heart: Heart, at: Pose, px: number, py: number, out: Material): void {
  const { apexX, apexY } = heart.placement;
  const dx = px - apexX;
  const dy = py - apexY;
  const z = dx * at.sine + dy * at.cosine;
  const y = dx * at.cosine - dy * at.sine - bend(heart, z);
  const guess = Math.min(heights - 1, Math.max(0, Math.floor((z - lowest) / step)));
  let i = at.fromMoved[guess];
  while (i < heights - 2 && at.height[i + 1] <= z) i++;
  const gap = at.height[i + 1] - at.height[i];
  const f = Math.min(1, Math.max(0, (z - at.height[i]) / gap));
  const side = y < 0 ? 0 : 1;
  const distance = Math.abs(y);
  const rest = heart.reference[side];
  const moved = at.sections[side];
  let k = 0;
  let inner = 0;
  let outer = lerp(moved[1], i, f);
  while (k < knots - 2 && distance > outer) {
    k++;
    inner = outer;
    outer = lerp(moved[k + 1], i, f);
  }
  const m0 = k === 0 ? 0 : lerp(rest[k], i, f);
  const m1 = lerp(rest[k + 1], i, f);
  const span = outer - inner;
  const q = span > 1e-6 ? (distance - inner) / span : 0;
  const there = q > 1 ? distance : m0 + q * (m1 - m0);
  out.y = side === 0 ? -there : there;
  out.z = lowest + (i + f) * step;
}

/** Axis coordinates after motion -> picture millimetres. */
export function place(heart: Heart, at: Pose, y: number, z: number,
  out: { x: number; y: number }): void {
  const bent = y + bend(heart, z);
  out.x = heart.placement.apexX + bent * at.cosine + z * at.sine;
  out.y = heart.placement.apexY - bent * at.sine + z * at.cosine;
}

/** How far the curved and leaning axis is from a straight one at height z, mm to the right. */
export function bend(heart: Heart, z: number): number {
  const u = z > 0 ? z / heart.anatomy.length : 0;
  return heart.placement.lean * z - (heart.placement.bend * u * u) / (1 + 0.25 * u * u);
}

/** Half-width of the moved section's knot at a moved height z; for contours and volumes. */
export function lerp(table: Float64Array, i: number, f: number): number {
  return table[i] + f * (table[i + 1] - table[i]);
}

/** Turns a reference point of LV blood by `angle` about the middle of its vortex, in place. */
export function swirl(heart: Heart, point: Material, angle: number): void {
  const { length } = heart.anatomy;
  const zeta = (point.z - 0.52 * length) / (0.46 * length);
  if (zeta <= -1 || zeta >= 1) return;
  const eta = point.y / halfWidthAt(heart, point.y < 0 ? 0 : 1, point.z);
  const square = eta * eta + zeta * zeta;
  if (!(square < 1)) return;
  const turn = angle * (1 - square) * (1 - square);
  const c = Math.cos(turn);
  const s = Math.sin(turn);
  const turned = eta * c - zeta * s;
  point.z = 0.52 * length + 0.46 * length * (eta * s + zeta * c);
  point.y = turned * halfWidthAt(heart, turned < 0 ? 0 : 1, point.z);
}

function halfWidthAt(heart: Heart, side: 0 | 1, z: number): number {
  const g = (z - lowest) / step;
  const i = Math.floor(g);
  return lerp(heart.reference[side][1], i, g - i);
}
