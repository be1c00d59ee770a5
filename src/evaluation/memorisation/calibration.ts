/** The thresholds of the gate, how often it is wrong, and what it catches. */
import { z } from 'zod';
import { randomStream } from '../../frames/random.ts';
import { shareOf } from '../../metrics/binomial.ts';
import { spaces, type Neighbours, type Space } from './nearest.ts';

export const shareSchema = z.strictObject({
  n: z.int(), patients: z.int(), count: z.int(), value: z.number(), low: z.number(), high: z.number(),
});
const ofSpaces = z.strictObject({ pixel: shareSchema, feature: shareSchema });

export const calibrationSchema = z.strictObject({
  /** Asked for, in each space. */
  falseAlarmRate: z.number(),
  /** Held-out patients and clips that the thresholds are from. */
  patients: z.int(),
  clips: z.int(),
  /** Marked at this distance and below. */
  thresholds: z.strictObject({ pixel: z.number(), feature: z.number() }),
  /** Share of the other held-out clips that is marked, though none was trained on. */
  realised: ofSpaces,
  /** By either space. */
  joint: shareSchema,
  /** Median distance of held-out clips to their nearest training clip. */
  medians: z.strictObject({ pixel: z.number(), feature: z.number() }),
});
export type Calibration = z.infer<typeof calibrationSchema>;

/** A held-out real clip and its nearest training clips of other patients. */
export interface HeldOut {
  readonly patient: string;
  readonly neighbours: Neighbours;
}

/**
 * Calibrates on held-out patients: one half of them, drawn by a seed, sets the thresholds, the other
 * half says how often they are wrong. With n distances of clips that were not trained on, the
 * threshold is the k-th smallest, k = floor(rate (n + 1)): another clip of that kind falls at or below
 * it with probability k / (n + 1) <= rate (the rank of a conformal p-value; Vovk et al. 2005), where
 * an interpolated quantile is too large at small n. Literature takes the 95th percentile of the
 * correlations of held-out clips with their nearest training clip (Dar et al., arXiv 2402.01054),
 * which is a rate of 5 %.
 *
 * @throws when there are too few clips for any threshold at this rate, or no second half
 */
export function calibrate(heldOut: readonly HeldOut[], falseAlarmRate: number): Calibration {
  if (!(falseAlarmRate > 0 && falseAlarmRate <= 0.5)) {
    throw new Error(`memorisation: expected a false-alarm rate above 0 and up to 0.5, got ${falseAlarmRate}`);
  }
  const [first, second] = halves(heldOut);
  const least = Math.ceil(1 / falseAlarmRate - 1e-9) - 1;
  if (first.length < least || second.length === 0) {
    throw new TooFewClips('memorisation: expected held-out patients of whom one half has at least ' +
      `${Math.max(1, least)} clips, for a false-alarm rate of ${falseAlarmRate}; got ${heldOut.length} ` +
      `clips of ${patientsOf(heldOut)} patients`);
  }
  const distances = (of: readonly HeldOut[], space: Space) =>
    of.map(({ neighbours }) => neighbours[space].distance);
  const thresholds = bySpace((space) => rankThreshold(distances(first, space), falseAlarmRate));
  const groups = second.map(({ patient }) => patient);
  return {
    falseAlarmRate, patients: patientsOf(first), clips: first.length, thresholds,
    realised: bySpace((space) => shareOf(distances(second, space).map((distance) =>
      distance <= thresholds[space]), groups)!),
    joint: shareOf(second.map(({ neighbours }) => markedBy(neighbours, thresholds).length > 0), groups)!,
    medians: bySpace((space) => median(distances(heldOut, space))),
  };
}

/** Held-out clips are too few: the gate can measure distances, and mark nothing. */
export class TooFewClips extends Error {}

/** The k-th smallest of n values, k = floor(rate (n + 1)), at least 1. */
export function rankThreshold(values: readonly number[], rate: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(1, Math.floor(rate * (values.length + 1) + 1e-9)) - 1];
}

/** In which spaces a clip is as near to a training clip as too few held-out clips are. */
export function markedBy(neighbours: Neighbours, thresholds: Readonly<Record<Space, number>>): Space[] {
  return spaces.filter((space) => neighbours[space].distance <= thresholds[space]);
}

/** Patients in an order that their names decide, all clips of one in the same half. */
function halves(heldOut: readonly HeldOut[]): [HeldOut[], HeldOut[]] {
  const names = [...new Set(heldOut.map(({ patient }) => patient))];
  const place = new Map(names.map((name) => [name, randomStream('memorisation', name).uniform()]));
  names.sort((a, b) => place.get(a)! - place.get(b)!);
  const first = new Set(names.slice(0, Math.ceil(names.length / 2)));
  return [heldOut.filter(({ patient }) => first.has(patient)),
    heldOut.filter(({ patient }) => !first.has(patient))];
}

function patientsOf(heldOut: readonly HeldOut[]): number {
  return new Set(heldOut.map(({ patient }) => patient)).size;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  return (sorted[Math.floor(half - 0.5)] + sorted[Math.floor(half)]) / 2;
}

export function bySpace<T>(of: (space: Space) => T): Record<Space, T> {
  return { pixel: of('pixel'), feature: of('feature') };
}
