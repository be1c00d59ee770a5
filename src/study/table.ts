/** The rows of a study's table, from what its cells keep. */
import type { ExtractorAbout } from '../evaluation/feature-extractors.ts';
import { Results, type ClipResult } from '../evaluation/results.ts';
import { featureSets, type FeatureSet } from '../evaluation/set-distances.ts';
import { bootstrapMean, type Estimate } from '../metrics/bootstrap.ts';
import { frechetFloor, frechetInterval } from '../metrics/frechet-statistics.ts';
import { frechetPaired } from '../metrics/frechet-paired.ts';
import type { Cell } from './cells.ts';
import { compareOrders, rowName, type OrderPair } from './order.ts';
import { paperFigures } from './paper-table.ts';
import { compareRivals, subjectRow, type Rivals } from './rivals.ts';
import {
  tableViews, type Differences, type Distance, type FloorRow, type MeanFigure, type TableRow, type TableView,
} from './table-rows.ts';

/** Bootstrap draws of each distance. */
const SAMPLES = 300;

export interface Table {
  readonly extractors: readonly ExtractorAbout[];
  readonly rows: readonly TableRow[];
  readonly floors: readonly FloorRow[];
  readonly pairs: readonly OrderPair[];
  /** The method that the study is about, given all it was given, against the others; null where it is about none. */
  readonly rivals: Rivals | null;
}

interface Measured {
  readonly cell: Cell;
  readonly run: string;
  readonly results: Results;
  readonly clips: readonly ClipResult[];
}

/**
 * The whole table. Every cell must have the same clips.
 *
 * @param ids the test clips
 * @param subject name of the method that the others are held against
 * @throws when a cell lacks one of them
 */
export function collectTable(cells: readonly Cell[], ids: readonly string[], subject: string | null): Table {
  const all = cells.map((cell) => readCell(cell, ids));
  const views = tableViews.filter((view) => all[0].clips.some((clip) => isOf(clip, view)));
  const shown = views.length === 2 ? views.filter((view) => view !== 'both') : views;
  const parts = shown.map((view) => ofView(all, view, subject));
  const rivals = parts.flatMap((part) => part.rivals);
  return {
    extractors: parts[0].extractors,
    rows: all.flatMap((_, i) => parts.map(({ rows }) => rows[i])),
    floors: parts.map(({ floor }) => floor),
    pairs: parts.flatMap(({ pairs }) => pairs),
    rivals: rivals.length === 0 ? null : { subject: rowName(parts[0].rows[subjectRow(parts[0].rows, subject)]), rows: rivals },
  };
}

function readCell(cell: Cell, ids: readonly string[]): Measured {
  const results = new Results(cell.folder);
  const kept = results.all();
  const missing = ids.find((id) => !kept.some((clip) => clip.id === id));
  if (missing !== undefined) {
    throw new Error(`${cell.folder}: expected figures of ${missing}, got none (run the study again)`);
  }
  const [run] = results.settings().plan.runs;
  return { cell, run: run.name, results, clips: kept.filter(({ id }) => ids.includes(id)) };
}

const isOf = ({ view }: ClipResult, wanted: TableView) => wanted === 'both' || view === wanted;

function ofView(all: readonly Measured[], view: TableView, method: string | null) {
  const parts = all.map((measured) => ({
    ...measured, clips: measured.clips.filter((clip) => isOf(clip, view)),
  }));
  const sets = parts.map(({ results, clips, run }) => featureSets(results, clips, [run]));
  const [first] = parts;
  const patients = first.clips.map(({ patient }) => patient);
  const counts = { view, n: patients.length, patients: new Set(patients).size };
  const floorSets = sets[0];
  const rows = parts.map(({ cell, run, clips }, i): TableRow => ({
    ...counts, name: cell.method.name, title: cell.method.title, letters: cell.letters,
    distances: Object.fromEntries(sets[i].map((set) => [set.extractor.name, distanceOf(set, run)])),
    ssim: estimate(clips, run, 'ssim'), diceLv: estimate(clips, run, 'dice-lv'),
    paper: paperFigures(cell.method.method, cell.conditions, view),
  }));
  const floor: FloorRow = {
    ...counts, diceLv: estimate(first.clips, 'real', 'dice-lv'),
    distances: Object.fromEntries(floorSets.map(({ extractor, rows: kept, groups }) => {
      const found = attempt(() => frechetFloor({ features: kept.get('real')!, groups }));
      return [extractor.name, found === null ? null : { value: found.mean, std: found.std }];
    })),
  };
  const subject = subjectRow(rows, method);
  const differences = differencesOf(parts, sets);
  return {
    extractors: floorSets.map(({ extractor }) => extractor), rows, floor,
    pairs: view === 'both' ? [] : compareOrders(view, rows, differences),
    rivals: subject < 0 ? [] : compareRivals(view, rows, subject, differences),
  };
}

function distanceOf({ rows, groups }: FeatureSet, run: string): Distance | null {
  const [real, made] = [rows.get('real')!, rows.get(run)!];
  const found = attempt(() =>
    frechetInterval({ features: real, groups }, { features: made, groups }, { samples: SAMPLES }));
  if (found === null) return null;
  const { value, low, high, n1: n } = found;
  const halves = attempt(() => frechetFloor({ features: real, groups }, { other: made }));
  return { value, low, high, n, halves: halves?.mean ?? null };
}

function estimate(clips: readonly ClipResult[], run: string, name: 'ssim' | 'dice-lv'): Estimate | null {
  return bootstrapMean(clips.map(({ runs }) => runs[run].figures[name]), clips.map(({ patient }) => patient));
}

function differencesOf(parts: readonly Measured[], sets: readonly (readonly FeatureSet[])[]): Differences {
  const distances = sets[0].flatMap(({ extractor, rows, groups }, k) => {
    const paired = attempt(() => frechetPaired(rows.get('real')!,
      sets.map((own, i) => own[k].rows.get(parts[i].run)!), groups, { samples: SAMPLES }));
    return paired === null ? [] : [{ extractor, of: paired.difference }];
  });
  const mean = (figure: MeanFigure, i: number, j: number) => {
    const value = (part: Measured, clip: number) => part.clips[clip].runs[part.run].figures[figure];
    const pairs = parts[i].clips.map((_, clip) => {
      const [a, b] = [value(parts[i], clip), value(parts[j], clip)];
      return typeof a === 'number' && typeof b === 'number' ? a - b : null;
    });
    const found = bootstrapMean(pairs, parts[i].clips.map(({ patient }) => patient));
    return found === null ? null : { value: found.mean, low: found.low, high: found.high };
  };
  return { distances, mean };
}

/** Null where there are too few patients for it; what is wrong with the features is still thrown. */
function attempt<T>(work: () => T): T | null {
  try {
    return work();
  } catch (error) {
    if (/expected at least \d+ (groups|rows)/.test((error as Error).message)) return null;
    throw error;
  }
}
