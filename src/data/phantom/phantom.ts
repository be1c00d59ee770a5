/** Phantom patients on disk: the public layout of CAMUS, with the truth that CAMUS lacks. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { writeAtomic } from '../../frames/atomic.ts';
import { VECTOR_INTENT, writeNifti } from '../nifti.ts';
import { phantomPatient } from './parameters.ts';
import { views as allViews, type PhantomParameters, type View } from './patient.ts';
import { flowScale, phantomSequence, type PhantomSequence } from './sequence.ts';

export { phantomPatient } from './parameters.ts';
export type { PhantomParameters, View } from './patient.ts';
export { phantomSequence, flowScale, type PhantomSequence } from './sequence.ts';

export interface PhantomOptions {
  readonly patients: number;
  readonly seed: number;
  readonly views?: readonly View[];
  /** Number of the first patient, 1 by default; later patients can be added in another call. */
  readonly firstPatient?: number;
  /** Called after each patient is on disk. */
  readonly onProgress?: (done: number, of: number, id: string) => void;
}

/**
 * Writes patients into `directory` (database_nifti/ and database_split/). The same options give the
 * same bytes on every machine. Patients are split 80/10/10 by their number, so that a call that
 * starts at another first patient does not move anyone; the lists name the patients of this call.
 */
export function writePhantom(directory: string, options: PhantomOptions): void {
  const { patients, firstPatient = 1 } = options;
  const views = options.views ?? allViews;
  if (!Number.isInteger(patients) || patients < 1 || !(firstPatient >= 1)
    || firstPatient + patients - 1 > 9999) {
    throw new Error('phantom: expected 1 or more patients numbered 1..9999, '
      + `got ${patients} from ${firstPatient}`);
  }
  const unknown = views.find((view) => !allViews.includes(view));
  if (unknown !== undefined || views.length === 0) {
    throw new Error(`phantom: expected the views ${allViews.join(', ')}, got ${unknown ?? 'none'}`);
  }
  const { seed, onProgress } = options;
  const written = Array.from({ length: patients }, (_, k) => {
    const patient = writePhantomPatient(directory, seed, firstPatient + k, views);
    onProgress?.(k + 1, patients, patient.id);
    return patient;
  });
  writePhantomLists(directory, written);
}

export interface PhantomSplits {
  readonly training: number;
  readonly validation: number;
  readonly testing: number;
}

/**
 * Numbers of so many patients of each split: the first of those that the numbers put there. 160, 20 and 20 are
 * patients 1 to 200.
 */
export function splitNumbers(counts: PhantomSplits): number[] {
  const left: Record<string, number> = { ...counts };
  const wanted = counts.training + counts.validation + counts.testing;
  const numbers: number[] = [];
  for (let number = 1; numbers.length < wanted; number++) {
    if (number > 9999) throw new Error(`phantom: expected patients numbered 1..9999, got ${wanted} of them`);
    if (left[subgroup(number)]-- > 0) numbers.push(number);
  }
  return numbers;
}

export interface WrittenPatient {
  readonly number: number;
  readonly id: string;
}

/** One patient alone; patients may be written in any order, and their lists when all are there. */
export function writePhantomPatient(
  directory: string, seed: number, number: number, views: readonly View[],
): WrittenPatient {
  const patient = phantomPatient(seed, number);
  writePatient(directory, patient, views);
  return { number, id: patient.id };
}

/** Who is in which split, in the order given. */
export function writePhantomLists(directory: string, patients: readonly WrittenPatient[]): void {
  const split: Record<string, string[]> = { training: [], validation: [], testing: [] };
  for (const { number, id } of patients) split[subgroup(number)].push(id);
  const lists = join(directory, 'database_split');
  mkdirSync(lists, { recursive: true });
  for (const [name, ids] of Object.entries(split)) {
    writeText(join(lists, `subgroup_${name}.txt`), ids.map((id) => `${id}\n`).join(''));
  }
}

/** Every ninth of ten patients validates and every tenth tests. */
function subgroup(index: number): string {
  return index % 10 === 0 ? 'testing' : index % 10 === 9 ? 'validation' : 'training';
}

function writePatient(directory: string, patient: PhantomParameters, views: readonly View[]): void {
  const folder = join(directory, 'database_nifti', patient.id);
  mkdirSync(folder, { recursive: true });
  for (const view of views) {
    writeSequence(join(folder, `${patient.id}_${view}`), patient, phantomSequence(patient, view));
    writeText(join(folder, `Info_${view}.cfg`), informationText(patient));
  }
  writeText(join(folder, `${patient.id}_phantom.json`), `${JSON.stringify(patient, null, 1)}\n`);
}

function writeSequence(stem: string, patient: PhantomParameters, sequence: PhantomSequence): void {
  const { video, masks, endDiastole, endSystole, pixel } = sequence;
  const { frames, height, width } = video;
  const size = width * height;
  const frameTime = 1 / patient.frameRate;
  const spacing = [pixel, pixel, 1];
  const stretch = (name: string, data: Uint8Array, first: number, count: number): void => {
    const part = data.subarray(first * size, (first + count) * size);
    const shape = count === 1 ? [width, height] : [width, height, count];
    writeNifti(`${stem}_${name}.nii.gz`, { shape, data: part, spacing });
  };
  for (const [suffix, data] of [['', video.data], ['_gt', masks.data]] as const) {
    stretch(`ED${suffix}`, data, endDiastole, 1);
    stretch(`ES${suffix}`, data, endSystole, 1);
    stretch(`half_sequence${suffix}`, data, endDiastole, endSystole - endDiastole + 1);
    stretch(`sequence${suffix}`, data, 0, frames);
  }
  writeNifti(`${stem}_sequence_flow.nii.gz`, {
    shape: [width, height, 1, frames, 2], data: sequence.flow, spacing, frameTime,
    slope: 1 / flowScale, intent: VECTOR_INTENT,
    description: 'forward flow dx,dy in pixels a frame; last frame leads to frame 0',
  });
  writeText(`${stem}_sequence_leaflets.json`, `${JSON.stringify({
    unit: 'pixel', order: 'hinge to tip, left leaflet first',
    frames: sequence.leaflets.map((pair) => pair.map((line) => line.map(({ x, y }) => [x, y]))),
  })}\n`);
}

/** CAMUS's keys. ED, ES and NbFrame are those of the half sequence, 1-based, as in CAMUS. */
function informationText(patient: PhantomParameters): string {
  return [
    'ED: 1', `ES: ${patient.endSystole + 1}`, `NbFrame: ${patient.endSystole + 1}`,
    `Sex: ${patient.sex}`, `Age: ${patient.age}`, `ImageQuality: ${patient.imageQuality}`,
    `EF: ${Math.round(patient.ejectionFraction)}`, `FrameRate: ${patient.frameRate}`,
  ].join('\n') + '\n';
}

function writeText(path: string, text: string): void {
  writeAtomic(path, new TextEncoder().encode(text));
}
