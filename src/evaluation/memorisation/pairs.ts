/** Generated clips over the training clips that they are nearest to, to look at. */
import type { Picture } from '../../frames/colour.ts';
import type { Frames } from '../../frames/frames.ts';
import { writePng } from '../../frames/png.ts';
import { renderSheet, type SheetRow } from '../../frames/sheet.ts';
import { nearestSpace, nearness, type Verdict } from './gate.ts';
import type { MemorisationIndex } from './index-file.ts';
import { itemNouns } from './items.ts';
import { spaces } from './nearest.ts';

export interface Pair {
  /** `patient0010_4CH text+mask`, or a file. */
  readonly name: string;
  readonly verdict: Verdict;
  /** 1 f h w in [0, 1]; asked for only when it is shown. */
  readonly video: () => Frames;
}

/**
 * Writes the sheet: a clip over its nearest training clip, a single picture beside its nearest, the nearest pair first.
 * What was trained on is shown as `pictureOf` gives it, else as small as the index keeps it.
 *
 * @param pairs at least one
 */
export function drawPairs(
  path: string, pairs: readonly Pair[], index: MemorisationIndex,
  pictureOf: (id: string) => Picture | null = () => null,
): void {
  const [, items] = itemNouns(index.about.frames);
  const single = index.about.frames === 1;
  const place = new Map(index.about.clips.map(({ id }, i) => [id, i]));
  const rows = worstFirst(pairs, index).flatMap(({ name, verdict, video }): SheetRow[] => {
    const space = nearestSpace(verdict, index);
    const { nearest } = verdict[space];
    const distances = spaces.map((each) => `${each} ${verdict[each].distance.toFixed(3)}`).join(' ');
    const mark = verdict.marked?.length ? `MARKED (${verdict.marked.join(', ')})` : '';
    const training = pictureOf(nearest) ?? index.prints[place.get(nearest)!].pictures;
    return single ? [
      { label: '', text: `${shown(name)}, training: ${shown(nearest)}` },
      { label: `${distances} ${mark}`.trim(), picture: video(), beside: [training] },
    ] : [
      { label: `${shown(name)} ${mark}`.trim(), picture: video() },
      { label: `training: ${shown(nearest)} ${distances}`, picture: training },
    ];
  });
  const { calibration } = index.about;
  const limits = calibration === null ? `No thresholds: held-out ${items} are too few.`
    : `Marked at or below pixel ${calibration.thresholds.pixel.toFixed(3)}, ` +
      `feature ${calibration.thresholds.feature.toFixed(3)}.`;
  writePng(path, renderSheet({
    title: `Nearest training ${items}, the nearest pair first`,
    notes: [`Distances are 1 - correlation. ${limits}`,
      `The ${single ? 'right picture' : 'lower row'} of each pair shows training data: treat this picture as such.`],
    rows,
  }));
}

/** With places where a narrow column can break it. */
function shown(name: string): string {
  return name.replaceAll('+', ' + ').replaceAll('_', ' ').replaceAll('/', ' / ');
}

/** The nearest first; of equals the first by name. */
export function worstFirst<T extends Pick<Pair, 'name' | 'verdict'>>(
  pairs: readonly T[], index: MemorisationIndex,
): T[] {
  return [...pairs].sort((a, b) => nearness(a.verdict, index) - nearness(b.verdict, index) ||
    (a.name < b.name ? -1 : 1));
}
