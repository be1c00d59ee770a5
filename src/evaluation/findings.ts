/** Of an evaluation: means with intervals, what each condition does, and how real it looks. */
import type { ConditionName } from '../conditions/condition.ts';
import type { Estimate } from '../metrics/bootstrap.ts';
import type { FigureName } from './figures.ts';
import type { Settings } from './results.ts';

export interface Effect {
  readonly condition: ConditionName;
  readonly figure: FigureName;
  readonly off: Estimate;
  readonly on: Estimate;
  /** on - off, clip by clip. */
  readonly difference: Estimate;
  readonly real: Estimate;
}

export interface BandDifference {
  /** In units of Nyquist. */
  readonly from: number;
  readonly to: number;
  /** Generated over real, dB, clip by clip. */
  readonly decibels: Estimate;
}

export interface Realism {
  readonly bands: readonly BandDifference[];
  /**
   * Largest mean difference of any single radius above a quarter of Nyquist, with its sign, dB.
   * Null for `another patient`, where every clip stands on both sides and the means cancel.
   */
  readonly worstRadius: number | null;
  /** Mean frame-difference energy of all clips, generated over real; null of single frames. */
  readonly frameDifferenceRatio: Estimate | null;
  /** Earth mover's distance to the clip's own real histogram, in 0..255. */
  readonly greyDistance: Estimate;
}

/** What was found of the clips, before it is judged. */
export interface Findings {
  readonly settings: Settings;
  readonly clips: number;
  readonly patients: number;
  /** By run, `real` first; `another patient` is the Dice of unrelated masks. */
  readonly runs: Readonly<Record<string, Partial<Record<FigureName, Estimate>>>>;
  readonly effects: readonly Effect[];
  /** By run; `another patient` holds real clips against those of the next patient. */
  readonly realism: Readonly<Record<string, Realism>>;
}
