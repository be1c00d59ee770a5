/** What the videos have to reach, and whether these do. */
import { evidence, figureOf } from './figures.ts';
import type { Findings } from './findings.ts';
import type { Estimate } from '../metrics/bootstrap.ts';
import { wantedRuns } from './runs.ts';

export interface Criterion {
  readonly what: string;
  readonly wanted: string;
  readonly value: number;
  readonly unit: string;
  readonly digits: number;
  readonly interval: readonly [number, number] | null;
  readonly met: boolean;
}

const SEGMENTER_DICE = 0.92;
const MASK_DICE = 0.8;
/** How far below the mask's the Dice of text alone has to lie. */
const FAR_BELOW = 0.2;
const SPECTRUM_DECIBELS = 3;
const MOTION_SHARE = 0.2;

/** The table of acceptance; a row that could not be measured is absent. */
export function judge(found: Findings): Criterion[] {
  const { plan } = found.settings;
  const rows: Criterion[] = [];
  const add = (
    what: string, wanted: string, estimate: Estimate | undefined, met: (e: Estimate) => boolean,
    unit = '', digits = 3,
  ) => {
    if (estimate === undefined) return;
    const { mean: value, low, high } = estimate;
    rows.push({ what, wanted, value, unit, digits, interval: [low, high], met: met(estimate) });
  };
  const lv = (run: string | null) => (run === null ? undefined : found.runs[run]['dice-lv']);
  add('segmenter on real frames, LV Dice', `>= ${SEGMENTER_DICE}`, lv('real'),
    ({ mean }) => mean >= SEGMENTER_DICE);
  add(`mask given (${plan.mask}), LV Dice`, `>= ${MASK_DICE}`, lv(plan.mask),
    ({ mean }) => mean >= MASK_DICE);
  const most = (lv(plan.mask)?.mean ?? Number.NaN) - FAR_BELOW;
  add(`${plan.text} alone, LV Dice`, `<= ${most.toFixed(3)}`,
    plan.mask === null ? undefined : lv(plan.text), ({ mean }) => mean <= most);
  for (const { condition, figure, difference } of found.effects) {
    if (evidence[condition]?.[0] !== figure) continue;
    const { title, unit, digits, better } = figureOf(figure);
    add(`${condition}, on - off: ${title}`, better === 'less' ? 'below 0' : 'above 0', difference,
      ({ low, high }) => (better === 'less' ? high < 0 : low > 0), unit, digits);
  }
  for (const run of wantedRuns(plan, ['mask', 'all'])) {
    const { bands, worstRadius, frameDifferenceRatio } = found.realism[run];
    const within = `within ${SPECTRUM_DECIBELS} dB`;
    for (const { from, to, decibels } of bands) {
      add(`${run}: power at ${from}..${to} Nyquist`, within, decibels,
        ({ mean }) => Math.abs(mean) <= SPECTRUM_DECIBELS, 'dB', 2);
    }
    if (worstRadius !== null) rows.push({
      what: `${run}: power at the worst radius above Nyquist / 4`, wanted: within,
      value: worstRadius, unit: 'dB', digits: 2, interval: null,
      met: Math.abs(worstRadius) <= SPECTRUM_DECIBELS,
    });
    add(`${run}: frame-difference energy over real`,
      `${1 - MOTION_SHARE}..${1 + MOTION_SHARE}`, frameDifferenceRatio ?? undefined,
      ({ mean }) => Math.abs(mean - 1) <= MOTION_SHARE, '', 2);
  }
  return rows;
}
