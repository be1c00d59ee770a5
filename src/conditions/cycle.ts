/**
 * The time course of one heart beat, shared by everything that moves with it: masks joined from ED
 * and ES, and a valve stroke carried along its arrow.
 */

export interface Cycle {
  readonly frames: number;
  /** Frame of end-systole (0-based); by default 3/8 of a whole cycle, the last of a half one. */
  readonly es?: number;
  /**
   * 'whole': ED in frame 0, ES, and back: the frame after the last is frame 0 of the next beat, as
   * in the clips of a whole cycle. 'half': ED in frame 0, ES in the last.
   */
  readonly span?: 'whole' | 'half';
}

export interface CyclePlan {
  readonly frames: number;
  readonly es: number;
  /** 0 at ED, 1 at ES, one number a frame; monotone on either side of ES. */
  readonly contraction: Float64Array;
  /** How far the mitral valve is open, 0..1; two peaks in diastole (E and A wave), 0 in systole. */
  readonly opening: Float64Array;
}

/** Systole is about 3/8 of a beat at rest. */
const SYSTOLE = 0.375;

/** The plan of a cycle; throws when ES does not lie in it. */
export function planCycle({ frames, es, span = 'whole' }: Cycle): CyclePlan {
  if (!Number.isInteger(frames) || frames < 1) {
    throw new Error(`cycle: expected a whole number of frames above 0, got ${frames}`);
  }
  const last = frames - 1;
  const usual = Math.min(Math.max(Math.round(SYSTOLE * frames), 1), last);
  const end = es ?? (span === 'half' ? last : usual);
  const earliest = span === 'half' ? last : Math.min(1, last);
  if (!Number.isInteger(end) || end < earliest || end > last) {
    const range = earliest === last ? `${last}` : `${earliest}..${last}`;
    throw new Error(
      `cycle: expected the ES frame of a ${span} cycle of ${frames} frames to be ${range}, ` +
        `got ${end}`,
    );
  }
  const contraction = new Float64Array(frames);
  const opening = new Float64Array(frames);
  for (let t = 0; t < frames; t++) {
    if (t <= end) {
      contraction[t] = end === 0 ? 0 : ejection(t / end);
    } else {
      const diastole = (t - end) / (frames - end);
      contraction[t] = 1 - filling(diastole);
      opening[t] = valveOpening(diastole);
    }
  }
  return { frames, es: end, contraction, opening };
}

/**
 * Share of the stroke volume ejected at `u` of systole (0..1): a short isovolumic wait, fast
 * ejection in the first half, then slower.
 */
export function ejection(u: number): number {
  const s = smoothStep(Math.min(Math.max(u, 0), 1));
  return 0.65 * s + 0.35 * smoothStep(Math.min(Math.max(u * 1.35, 0), 1));
}

/**
 * Share of the stroke volume back at `u` of diastole (0..1): early filling brings about 70 %,
 * diastasis a few percent, the atrial kick the last 22 %.
 */
export function filling(u: number): number {
  return 0.7 * ramp(u, 0.04, 0.46) + 0.08 * ramp(u, 0.2, 0.9) + 0.22 * ramp(u, 0.74, 1);
}

/** Valve opening at `u` of diastole: wide in early filling, half shut in diastasis, again at A. */
export function valveOpening(u: number): number {
  const early = ramp(u, 0, 0.14) * (1 - ramp(u, 0.26, 0.5));
  const between = 0.35 * ramp(u, 0.26, 0.5) * (1 - ramp(u, 0.9, 1));
  const atrial = 0.35 * ramp(u, 0.68, 0.82) * (1 - ramp(u, 0.86, 1));
  return early + between + atrial;
}

function ramp(u: number, from: number, to: number): number {
  return smoothStep(Math.min(Math.max((u - from) / (to - from), 0), 1));
}

/** 3u^2 - 2u^3 on 0..1. */
function smoothStep(u: number): number {
  return u * u * (3 - 2 * u);
}
