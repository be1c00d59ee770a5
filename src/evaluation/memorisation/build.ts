/** Building an index: the training clips of a data set, calibration, and what the gate catches. */
import { setImmediate as turn } from 'node:timers/promises';
import type { ClipSource } from '../../data/clips.ts';
import type { Frames } from '../../frames/frames.ts';
import { randomStream } from '../../frames/random.ts';
import { shareOf } from '../../metrics/binomial.ts';
import { sourceFiles } from '../../training/prepare.ts';
import { bySpace, calibrate, markedBy, TooFewClips, type Calibration, type HeldOut } from './calibration.ts';
import { disturbances } from './disturbances.ts';
import { fingerprint, type Fingerprint, type GateExtractor } from './fingerprint.ts';
import { writeIndex, type IndexAbout, type IndexSources, type MemorisationIndex } from './index-file.ts';
import { indexItems, type IndexItem } from './items.ts';
import { NearestClips, type Neighbours } from './nearest.ts';

export interface IndexOptions {
  /** Root of a data set in the CAMUS layout, with its splits. */
  readonly data: string;
  /** The model's. */
  readonly resolution: number;
  /** Of a clip; 1 for an image model, whose index is of single pictures. */
  readonly frames: number;
  /** Share of held-out real clips that each space may mark; 0.05 by default. */
  readonly falseAlarmRate?: number;
}

export interface BuildOptions extends IndexOptions {
  /** Folder of the index. */
  readonly output: string;
  readonly extractors: readonly GateExtractor[];
  /** How many training clips are disturbed to measure what is caught; 24 by default. */
  readonly powerClips?: number;
  readonly onProgress?: (done: number, total: number, note: string) => void;
  readonly stopRequested?: () => boolean;
}

export const defaultFalseAlarmRate = 0.05;

/**
 * Everything that an index is made of, by the hashes of its files: an index of the same is not stale.
 *
 * @throws when the training split has no clip
 */
export function indexSources(options: IndexOptions): IndexSources {
  const { data, resolution, frames, falseAlarmRate = defaultFalseAlarmRate } = options;
  const training = indexItems(options, 'training');
  if (training.length === 0) {
    const wanted = frames === 1 ? 'pictures' : `clips of at least ${frames} frames`;
    throw new Error(`${data}: expected ${wanted} in the training split, got none`);
  }
  const files = filesOnce();
  return {
    resolution, frames, falseAlarmRate,
    clips: training.map(({ id, source, whole }) =>
      ({ id, patient: source.patient, view: source.view, whole, files: files(source) })),
    heldOut: indexItems(options, 'validation').map(({ id, source }) =>
      ({ id, patient: source.patient, files: files(source) })),
  };
}

/** Hashes of a recording's files, once for all of its pictures. */
function filesOnce(): (source: ClipSource) => Record<string, string> {
  const known = new Map<string, Record<string, string>>();
  return (source) => {
    const found = known.get(source.id) ?? sourceFiles(source);
    known.set(source.id, found);
    return found;
  };
}

/** Builds and writes an index; null when a stop was asked for, and nothing is written. */
export async function buildIndex(
  options: BuildOptions, sources = indexSources(options),
): Promise<MemorisationIndex | null> {
  const { output, extractors, powerClips = 24 } = options;
  // a signal is heard only when the event loop turns
  const stopped = async () => {
    await turn();
    return options.stopRequested?.() ?? false;
  };
  const training = indexItems(options, 'training');
  const heldOut = indexItems(options, 'validation');
  const copied = chosen(training, powerClips);
  const total = training.length + heldOut.length + copied.length;
  let done = 0;
  const read = (item: IndexItem): Frames => item.read(options.resolution);
  const step = (note: string): void => options.onProgress?.(++done, total, note);
  const prints: Fingerprint[] = [];
  for (const item of training) {
    if (await stopped()) return null;
    prints.push(fingerprint(read(item), extractors));
    step(item.id);
  }
  const search = new NearestClips(sources.clips, prints);
  try {
    const found: HeldOut[] = [];
    for (const item of heldOut) {
      if (await stopped()) return null;
      const { patient } = item.source;
      const neighbours = search.find(fingerprint(read(item), extractors), patient);
      if (neighbours !== null) found.push({ patient, neighbours });
      step(item.id);
    }
    const { calibration, reason } = attempt(found, sources.falseAlarmRate);
    const tally: Tally[] = [];
    for (const item of calibration === null ? [] : copied) {
      if (await stopped()) return null;
      const other = partner(item, training);
      const clip = { id: item.id, whole: item.whole, video: read(item), other: read(other) };
      for (const { name, of } of disturbances) {
        const video = of(clip);
        if (video === null) continue;
        const neighbours = search.find(fingerprint(video, extractors))!;
        const patients = [item, ...(name === 'blend' ? [other] : [])].map(({ source }) => source.patient);
        tally.push({ name, neighbours, patients });
      }
      step(`copies of ${item.id}`);
    }
    if (done < total) options.onProgress?.(total, total, '');
    const about = { ...sources, calibration, reason, power: powerOf(tally, calibration, training) };
    return writeIndex(output, about, prints, extractors);
  } finally {
    search.dispose();
  }
}

function attempt(
  found: readonly HeldOut[], rate: number,
): { calibration: Calibration; reason: null } | { calibration: null; reason: string } {
  try {
    return { calibration: calibrate(found, rate), reason: null };
  } catch (error) {
    if (!(error instanceof TooFewClips)) throw error;
    return { calibration: null, reason: error.message };
  }
}

/** Some clips in an order that their names decide. */
function chosen(training: readonly IndexItem[], count: number): IndexItem[] {
  const place = new Map(training.map(({ id }) => [id, randomStream('memorisation copies', id).uniform()]));
  return [...training].sort((a, b) => place.get(a.id)! - place.get(b.id)!).slice(0, count);
}

/** One of another patient to blend with: the next one of that view; itself where there is none. */
function partner(item: IndexItem, training: readonly IndexItem[]): IndexItem {
  const { patient, view } = item.source;
  const from = training.indexOf(item);
  const round = [...training.slice(from + 1), ...training.slice(0, from)]
    .filter(({ source }) => source.patient !== patient);
  return round.find(({ source }) => source.view === view) ?? round[0] ?? item;
}

interface Tally {
  readonly name: string;
  readonly neighbours: Neighbours;
  /** Those that the clip was made of. */
  readonly patients: readonly string[];
}

function powerOf(
  tally: readonly Tally[], calibration: Calibration | null, training: readonly IndexItem[],
): IndexAbout['power'] {
  if (calibration === null) return [];
  const { thresholds } = calibration;
  const patientOf = new Map(training.map(({ id, source }) => [id, source.patient]));
  return disturbances.flatMap(({ name, what, meant }) => {
    const own = tally.filter((row) => row.name === name);
    if (own.length === 0) return [];
    const groups = own.map(({ patients }) => patients[0]);
    const share = (is: (row: Tally) => boolean) => shareOf(own.map(is), groups)!;
    const marks = (row: Tally) => markedBy(row.neighbours, thresholds);
    return [{
      name, what, meant,
      ...bySpace((space) => share((row) => marks(row).includes(space))),
      joint: share((row) => marks(row).length > 0),
      source: share((row) => marks(row).some((space) =>
        row.patients.includes(patientOf.get(row.neighbours[space].nearest)!))),
    }];
  });
}
