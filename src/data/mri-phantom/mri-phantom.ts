/** MRI phantom patients on disk: the public layout of M&Ms, with masks in every frame. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { writeAtomic } from '../../frames/atomic.ts';
import { MNMS_FOLDERS, MNMS_TABLE } from '../mnms-folder.ts';
import { writeNifti } from '../nifti.ts';
import { contraction } from '../phantom/cycle.ts';
import { mriPatient, vendorNames, type MriPatient } from './parameters.ts';
import { Scanner } from './scanner.ts';

export { mriPatient, type MriPatient } from './parameters.ts';

const ROOT = 'OpenDataset';

export interface MriPhantomOptions {
  readonly patients: number;
  readonly seed: number;
  /** Frames of the beat, evenly spread from ED on; 2 (the default) are ED and ES alone. */
  readonly frames?: number;
  /** Number of the first patient, 1 by default; later patients can be added in another call. */
  readonly firstPatient?: number;
  /** Called after each patient is on disk. */
  readonly onProgress?: (done: number, of: number, id: string) => void;
}

/** A patient's cine: [frames][slices][height][width], slices from apex to base. */
export interface MriCine {
  readonly image: Int16Array;
  readonly labels: Uint8Array;
  readonly frames: number;
  readonly ed: number;
  readonly es: number;
}

/** Scans a patient at `frames` phases of the beat; ED is frame 0. */
export function mriCine(patient: MriPatient, frames = 2): MriCine {
  if (!Number.isInteger(frames) || frames < 2 || frames > 100) {
    throw new Error(`MRI phantom: expected 2..100 frames a beat, got ${frames}`);
  }
  const { width, height, slices } = patient.scan;
  const size = width * height * slices;
  const es = frames === 2 ? 1 : Math.max(1, Math.round(patient.endSystole * frames));
  // The beat is timed so that a frame falls on end systole.
  const timing = { endSystole: es / frames, earlyFilling: patient.earlyFilling };
  const scanner = new Scanner(patient);
  const image = new Int16Array(frames * size);
  const labels = new Uint8Array(frames * size);
  for (let t = 0; t < frames; t++) {
    const volume = scanner.scan(contraction(t / frames, timing), t);
    image.set(volume.image, t * size);
    labels.set(volume.labels, t * size);
  }
  return { image, labels, frames, ed: 0, es };
}

/**
 * Writes patients into `directory` (OpenDataset/ with its table). The same options give the same
 * bytes on every machine. Of ten patients the ninth validates and the tenth tests, by number, so
 * that a call that starts at another first patient does not move anyone; the table holds the
 * patients of this call.
 */
export function writeMriPhantom(directory: string, options: MriPhantomOptions): void {
  const { patients, seed, frames = 2, firstPatient = 1 } = options;
  if (!Number.isInteger(patients) || patients < 1 || !(firstPatient >= 1)
    || firstPatient + patients - 1 > 9999) {
    throw new Error('MRI phantom: expected 1 or more patients numbered 1..9999, '
      + `got ${patients} from ${firstPatient}`);
  }
  writeMriPhantomTable(directory, Array.from({ length: patients }, (_, k) => {
    const written = writeMriPhantomPatient(directory, seed, firstPatient + k, frames);
    options.onProgress?.(k + 1, patients, written.id);
    return written;
  }));
}

export interface WrittenMriPatient {
  readonly number: number;
  readonly id: string;
  /** Of the table, without its first cell. */
  readonly row: string;
}

/** One patient alone; patients may be written in any order, and their table when all are there. */
export function writeMriPhantomPatient(
  directory: string, seed: number, number: number, frames: number,
): WrittenMriPatient {
  const patient = mriPatient(seed, number);
  const { ed, es } = writePatient(join(directory, ROOT), patient, frames);
  const row = [patient.id, vendorNames[patient.vendor], patient.vendor, patient.centre, ed, es,
    patient.age, patient.pathology, patient.sex, patient.height, patient.weight].join(',');
  return { number, id: patient.id, row };
}

/** The table, in the order given, and the folders that M&Ms has. */
export function writeMriPhantomTable(directory: string, patients: readonly WrittenMriPatient[]): void {
  const root = join(directory, ROOT);
  const rows = [',External code,VendorName,Vendor,Centre,ED,ES,Age,Pathology,Sex,Height,Weight',
    ...patients.map(({ row }, k) => `${k},${row}`)];
  for (const folder of Object.values(MNMS_FOLDERS)) mkdirSync(join(root, folder), { recursive: true });
  writeText(join(root, MNMS_TABLE), `${rows.join('\n')}\n`);
}

function folderOf(index: number): string {
  const split = index % 10 === 0 ? 'testing' : index % 10 === 9 ? 'validation' : 'training';
  return MNMS_FOLDERS[split];
}

function writePatient(root: string, patient: MriPatient, frames: number): MriCine {
  const { id, scan, heartRate } = patient;
  const folder = join(root, folderOf(patient.index), id);
  mkdirSync(folder, { recursive: true });
  const cine = mriCine(patient, frames);
  const common = {
    shape: [scan.width, scan.height, scan.slices, frames],
    spacing: [scan.pixel, scan.pixel, scan.sliceSpacing], frameTime: 60 / heartRate / frames,
  };
  writeNifti(join(folder, `${id}_sa.nii.gz`), { ...common, data: cine.image });
  writeNifti(join(folder, `${id}_sa_gt.nii.gz`), { ...common, data: cine.labels });
  writeText(join(folder, `${id}_phantom.json`), `${JSON.stringify(patient, null, 1)}\n`);
  return cine;
}

function writeText(path: string, text: string): void {
  writeAtomic(path, new TextEncoder().encode(text));
}
