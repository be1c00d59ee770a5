/** Numbers as tables show them. */
import type { Estimate } from '../metrics/bootstrap.ts';

/** `mean [low, high]`; a dash where there is none. */
export function written(estimate: Estimate | undefined, digits: number): string {
  if (estimate === undefined) return '-';
  const { mean, low, high } = estimate;
  return `${fixed(mean, digits)} [${fixed(low, digits)}, ${fixed(high, digits)}]`;
}

/** What an evaluation counts: clips, or single frames. */
export function unitName(frames: number): 'clips' | 'frames' {
  return frames === 1 ? 'frames' : 'clips';
}

/** Never -0.00. */
export function fixed(value: number, digits: number): string {
  const text = value.toFixed(digits);
  return Number(text) === 0 ? text.replace('-', '') : text;
}
