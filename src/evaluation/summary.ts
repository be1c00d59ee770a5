/** From the figures of every clip to means with intervals, effects, realism and criteria. */
import type { Labels } from '../frames/frames.ts';
import { bootstrap, bootstrapMean, type Estimate } from '../metrics/bootstrap.ts';
import { dice } from '../metrics/dice.ts';
import { histogramDistance } from '../metrics/similarity.ts';
import { bandPower, decibels, TEXTURE_BANDS } from '../metrics/spectrum.ts';
import { judge, type Criterion } from './criteria.ts';
import { evidenceOf, figures, type FigureName } from './figures.ts';
import type { Effect, Findings, Realism } from './findings.ts';
import type { ClipResult, Settings } from './results.ts';

export interface Summary extends Findings {
  readonly criteria: readonly Criterion[];
}

/**
 * @param masksOf what was asked of a clip, by its name
 * @throws when there is no clip to report on
 */
export function summarize(
  results: readonly ClipResult[], settings: Settings, masksOf: (id: string) => Labels,
): Summary {
  const names = settings.plan.runs.map(({ name }) => name);
  const whole = results.filter(({ runs }) => ['real', ...names].every((name) => name in runs));
  if (whole.length === 0) throw new Error('evaluate: expected at least 1 measured clip, got none');
  const patients = whole.map(({ patient }) => patient);
  const column = (run: string, name: FigureName) =>
    whole.map(({ runs }) => runs[run].figures[name] ?? null);
  const rows = ['real', ...names].map((run) => [run, Object.fromEntries(figures.flatMap(
    ({ name }) => {
      const estimate = bootstrapMean(column(run, name), patients);
      return estimate === null ? [] : [[name, estimate]];
    }))]);
  const realism = names.map((run) => [run, realismOf(
    whole, patients, ({ runs }) => runs[run], ({ runs }) => runs.real)] as const);
  const stranger = strangers(whole);
  if (stranger !== null) {
    rows.push(['another patient', strangerDice(whole, patients, stranger, masksOf)]);
    const row = realismOf(
      whole, patients, (clip) => stranger.get(clip)!.runs.real, ({ runs }) => runs.real);
    realism.push(['another patient', { ...row, worstRadius: null }]);
  }
  const found: Findings = {
    settings, clips: whole.length, patients: new Set(patients).size,
    runs: Object.fromEntries(rows) as Findings['runs'],
    effects: effectsOf(settings, column, patients),
    realism: Object.fromEntries(realism),
  };
  return { ...found, criteria: judge(found) };
}

function effectsOf(
  settings: Settings, column: (run: string, name: FigureName) => (number | null)[],
  patients: readonly string[],
): Effect[] {
  return settings.plan.contrasts.flatMap(({ condition, on, off }) =>
    evidenceOf(condition, settings.frames === 1).flatMap((figure) => {
      const [with_, without, real] = [on, off, 'real'].map((run) => column(run, figure));
      // only clips that have both: the difference is theirs, and so are the two means
      const both = with_.map((value, i) => (value !== null && without[i] !== null ? i : -1))
        .filter((i) => i >= 0);
      const groups = both.map((i) => patients[i]);
      const mean = (of: (i: number) => number | null) => bootstrapMean(both.map(of), groups);
      const estimates = {
        on: mean((i) => with_[i]), off: mean((i) => without[i]),
        difference: mean((i) => with_[i]! - without[i]!), real: mean((i) => real[i]),
      };
      if (Object.values(estimates).includes(null)) return [];
      return [{ condition, figure, ...estimates } as Effect];
    }));
}

/** Dice of masks that have nothing to do with each other: what obeying nothing is worth. */
function strangerDice(
  clips: readonly ClipResult[], patients: readonly string[],
  stranger: ReadonlyMap<ClipResult, ClipResult>, masksOf: (id: string) => Labels,
): Partial<Record<FigureName, Estimate>> {
  const pairs = clips.map((clip) => [masksOf(clip.id), masksOf(stranger.get(clip)!.id)] as const);
  const mean = (label: number) =>
    bootstrapMean(pairs.map(([own, other]) => dice(own, other, label)), patients)!;
  return { 'dice-lv': mean(1), 'dice-myo': mean(2), 'dice-la': mean(3) };
}

type Measured = ClipResult['runs'][string];

function realismOf(
  clips: readonly ClipResult[], patients: readonly string[],
  of: (clip: ClipResult) => Measured, real: (clip: ClipResult) => Measured,
): Realism {
  const bands = TEXTURE_BANDS.map(([from, to]) => ({
    from, to,
    decibels: bootstrapMean(clips.map((clip) => decibels(
      bandPower(of(clip).spectrum, [from, to]), bandPower(real(clip).spectrum, [from, to]))),
    patients)!,
  }));
  const radii = real(clips[0]).spectrum.length;
  let worstRadius = 0;
  for (let r = Math.floor(radii / 4) + 1; r <= radii; r++) {
    const mean = clips.reduce((sum, clip) =>
      sum + decibels(of(clip).spectrum[r - 1], real(clip).spectrum[r - 1]), 0) / clips.length;
    if (Math.abs(mean) > Math.abs(worstRadius)) worstRadius = mean;
  }
  const energy = (clip: ClipResult, which: (clip: ClipResult) => Measured) =>
    which(clip).figures['frame-difference'];
  const moves = clips.every((clip) => energy(clip, of) !== null && energy(clip, real) !== null);
  const sum = (items: readonly number[], which: (clip: ClipResult) => Measured) =>
    items.reduce((total, clip) => total + energy(clips[clip], which)!, 0);
  return {
    bands, worstRadius,
    frameDifferenceRatio: moves ? bootstrap(patients, (items) => sum(items, of) / sum(items, real)) : null,
    greyDistance: bootstrapMean(clips.map((clip) =>
      histogramDistance(of(clip).histogram, real(clip).histogram)), patients)!,
  };
}

/** For each clip one of the same view (and phase) of the next patient: what real clips differ by. */
function strangers(clips: readonly ClipResult[]): Map<ClipResult, ClipResult> | null {
  const pairs = new Map<ClipResult, ClipResult>();
  const kindOf = ({ view, phase }: ClipResult) => `${view} ${phase ?? ''}`;
  for (const kind of new Set(clips.map(kindOf))) {
    const same = clips.filter((clip) => kindOf(clip) === kind);
    if (same.length < 2) return null;
    same.forEach((clip, i) => pairs.set(clip, same[(i + 1) % same.length]));
  }
  return pairs;
}
