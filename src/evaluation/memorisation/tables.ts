/** The gate in tables: of a card, and of an index that was built. */
import type { Share } from '../../metrics/binomial.ts';
import type { IndexAbout } from './index-file.ts';
import { itemNouns } from './items.ts';
import { spaces } from './nearest.ts';
import type { Memorisation } from './section.ts';

export interface MemorisationTable {
  readonly title: string;
  readonly note: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** Clips named in the table of the nearest ones. */
const NAMED = 12;

/** How many frames what is judged has; absent where it is clips. */
interface Shape { readonly frames?: number }

/** The tables of a card's section; none where there is no section. */
export function memorisationTables(section: Memorisation | undefined): MemorisationTable[] {
  if (section === undefined) return [];
  const { training, runs } = section;
  const [one, many] = itemNouns(section.frames);
  return [
    {
      title: 'Memorisation',
      note: `The nearest of ${training.clips} training ${many} of ${training.patients} patients; ` +
        `distances are 1 - correlation. ${calibrationText(section)} \`real\` are the real ` +
        `${many}, against those of other patients: what exceeds its share is the model's.`,
      head: ['run', 'n', 'marked', 'by pixels', 'by features', 'median pixel distance', 'median feature distance'],
      rows: runs.map(({ run, marked, pixel, feature, medians }) => [
        run, marked === null ? '-' : String(marked.n),
        ...[marked, pixel, feature].map((share) => (share === null ? '-' : shareText(share))),
        ...spaces.map((space) => medians[space].toFixed(3))]),
    },
    ...powerTables(section),
    {
      title: `Nearest to a training ${one}`,
      note: `The ${NAMED} generated ${many} nearest in either space; memorisation/nearest.png shows the first ones.`,
      head: [one, 'run', 'pixel distance', 'from', 'feature distance', 'from', 'marked'],
      rows: nearestClips(section).map(({ id, run, pixel, feature, marked }) => [
        id, run, pixel.distance.toFixed(3), pixel.nearest, feature.distance.toFixed(3), feature.nearest,
        marked === null ? '-' : marked.join(', ') || 'no']),
    },
  ];
}

/** What the gate catches of disturbed copies; no table without thresholds. */
export function powerTables({ power, frames }: Pick<IndexAbout, 'power'> & Shape): MemorisationTable[] {
  if (power.length === 0) return [];
  const [one, many] = itemNouns(frames);
  return [{
    title: 'What the gate catches',
    note: `Training ${many}, disturbed: the share that is marked, and the share whose nearest ${one}, where ` +
      'it is marked, is of the patient copied (of a blend, one of the two).',
    head: [`a training ${one}`, 'n', 'marked', 'by pixels', 'by features', 'source named'],
    rows: power.map(({ what, meant, joint, pixel, feature, source }) => [
      meant ? what : `${what} (not meant to be caught)`, String(joint.n),
      ...[joint, pixel, feature, source].map(shareText)]),
  }];
}

/** The share marked of each run, as a metric that is drawn. */
export function memorisationMetrics(section: Memorisation | undefined) {
  return (section?.runs ?? []).flatMap(({ run, marked }) => (marked === null ? [] : [{
    name: 'memorised', title: 'marked as memorised', unit: '%', digits: 1, better: 'less' as const, run,
    n: marked.n, value: 100 * marked.value, low: 100 * marked.low, high: 100 * marked.high, sha256: section!.index,
  }]));
}

/** The thresholds and how often they are wrong, in words. */
export function calibrationText(
  { calibration, reason, frames }: Pick<IndexAbout, 'calibration' | 'reason'> & Shape,
): string {
  const [, many] = itemNouns(frames);
  if (calibration === null) return `No thresholds, so nothing is marked (${reason}).`;
  const { falseAlarmRate, patients, clips, thresholds, realised, joint } = calibration;
  return `Marked at or below ${spaces.map((space) => `${space} ${thresholds[space].toFixed(3)}`).join(', ')} ` +
    `(a false-alarm rate of ${percent(falseAlarmRate)} % each, from ${clips} held-out ${many} of ${patients} ` +
    `patients); of ${joint.n} other held-out ${many} of ${joint.patients} patients ` +
    `${spaces.map((space) => `${shareText(realised[space])} by ${space}s`).join(', ')}, ` +
    `${shareText(joint)} by either.`;
}

/** `4.2 % [0.1, 21.1]` */
export function shareText({ value, low, high }: Share): string {
  return `${percent(value)} % [${percent(low)}, ${percent(high)}]`;
}

function percent(share: number): string {
  return (100 * share).toFixed(1);
}

function nearestClips({ clips, calibration }: Memorisation): Memorisation['clips'] {
  const nearness = (clip: Memorisation['clips'][number]) => (calibration === null ? clip.pixel.distance
    : Math.min(...spaces.map((space) => clip[space].distance / Math.max(calibration.thresholds[space], 1e-9))));
  return clips.filter(({ run }) => run !== 'real').sort((a, b) => nearness(a) - nearness(b)).slice(0, NAMED);
}
