/**
 * The clock of the heart: curves over one cycle, phase 0 at end diastole, 1 at the next one.
 * Contraction follows the volume curve of a beating ventricle: ejection, a short isovolumic pause,
 * rapid filling (E wave), diastasis, and the atrial kick (A wave) that ends the cycle.
 */
export interface Timing {
  readonly endSystole: number;      // phase, 0..1
  readonly earlyFilling: number;    // the E wave's part of filling
}

/** How contracted the ventricle is: 0 at end diastole, 1 at end systole only. */
export function contraction(phase: number, timing: Timing): number {
  const { endSystole: es, earlyFilling } = timing;
  const p = phase - Math.floor(phase);
  if (p <= es) return ease(p / es);
  const { early, late } = fillingWaves(es);
  const pause = 0.02 * ease((p - es) / (early.start - es));
  return (1 - pause) - (earlyFilling - 0.02) * ease((p - early.start) / early.length)
    - (1 - earlyFilling) * ease((p - late.start) / late.length);
}

/** How open the mitral valve is, 0..1: two humps, E and A; shut in systole. */
export function opening(phase: number, timing: Timing): number {
  const p = phase - Math.floor(phase);
  const { early, late } = fillingWaves(timing.endSystole);
  const e = hump((p - early.start) / (early.length * 1.15));
  const a = hump((p - late.start) / (late.length * 1.02)) * 0.8;
  const from = early.start + 0.35 * early.length;
  const to = late.start + 0.5 * late.length;
  const between = p > from && p < to ? 0.4 : 0;
  return Math.min(1, Math.max(e, a, between * Math.min(1, (p - from) / 0.05, (to - p) / 0.05)));
}

/** Turning of the blood since end diastole, 0 at phase 0, 1 at phase 1, never backwards. */
export function turning(phase: number, timing: Timing): number {
  const whole = Math.floor(phase);
  const p = phase - whole;
  const { early, late } = fillingWaves(timing.endSystole);
  return whole + 0.35 * p + 0.45 * ease((p - early.start) / (early.length * 1.4))
    + 0.2 * ease((p - late.start) / late.length);
}

function fillingWaves(es: number): { early: Wave; late: Wave } {
  const rest = 1 - es;
  return {
    early: { start: es + 0.08 * rest, length: 0.36 * rest },
    late: { start: es + 0.68 * rest, length: 0.32 * rest },
  };
}

interface Wave { readonly start: number; readonly length: number }

/** Cosine step from 0 to 1, flat outside. */
export function ease(u: number): number {
  return u <= 0 ? 0 : u >= 1 ? 1 : 0.5 - 0.5 * Math.cos(Math.PI * u);
}

function hump(u: number): number {
  return u <= 0 || u >= 1 ? 0 : Math.sin(Math.PI * Math.sqrt(u)) ** 0.8;
}
