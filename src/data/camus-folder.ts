/**
 * Where things are in the public CAMUS layout: patients, splits, views, Info files.
 *
 *   database_nifti/patientNNNN/Info_{2CH,4CH}.cfg
 *   database_nifti/patientNNNN/patientNNNN_{2CH,4CH}_{ED,ES,half_sequence,sequence}[_gt].nii.gz
 *   database_split/subgroup_{training,validation,testing}.txt
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

export type View = '2CH' | '4CH';
export const VIEWS: readonly View[] = ['2CH', '4CH'];

export type Split = 'training' | 'validation' | 'testing';
export const SPLITS: readonly Split[] = ['training', 'validation', 'testing'];

/** What a view of a patient consists of, best first: see `recordingKind`. */
export type RecordingKind = 'sequence' | 'half_sequence' | 'stills';

/** One patient that is there, with the views that can be read. */
export interface Patient {
  readonly id: string;
  readonly folder: string;
  readonly views: readonly View[];
}

/** `Info_<view>.cfg`; null where the file or a key is absent. Frame numbers count from 1. */
export interface CamusInfo {
  readonly ed: number | null;
  readonly es: number | null;
  readonly frames: number | null;
  readonly sex: string | null;
  readonly age: number | null;
  readonly imageQuality: string | null;
  /** Percent. */
  readonly ef: number | null;
  /** Millilitres; the older release only. */
  readonly edVolume: number | null;
  readonly esVolume: number | null;
  /** Frames a second. */
  readonly frameRate: number | null;
}

export interface ListOptions {
  /** Only the patients of this split file; all that are on disk when absent. */
  readonly split?: Split;
  /** A patient of the split whose files are absent: left out with a line, or an error. */
  readonly missing?: 'skip' | 'error';
  /** Takes one line a left-out patient or recording. */
  readonly report?: (line: string) => void;
}

const FILE_NAME = /^(.+)_(2CH|4CH)_(ED|ES|half_sequence|sequence)\.nii(\.gz)?$/;

/**
 * The patients under `path`: the data set's root, its `database_nifti`, or one patient's folder.
 * Ordered by number; none for an empty split. Throws one sentence when there is nothing of CAMUS's
 * layout, or nobody of a split that names patients.
 */
export function listPatients(path: string, options: ListOptions = {}): Patient[] {
  const single = readPatient(path);
  if (single && !options.split) return [single];
  const database = findDatabase(path);
  const order = new Intl.Collator('en', { numeric: true });
  const names = options.split
    ? readSplit(path, options.split)
    : readdirSync(database)
        .filter((name) => statSync(join(database, name)).isDirectory())
        .sort(order.compare);
  const patients: Patient[] = [];
  if (options.split && names.length === 0) return patients;
  for (const name of names) {
    const patient = readPatient(join(database, name));
    if (patient) {
      patients.push(patient);
    } else if (options.split) {
      const line =
        `${join(database, name)}: expected the files of ${name}, which stands in ` +
        `subgroup_${options.split}.txt, got none`;
      if (options.missing === 'error') throw new Error(line);
      options.report?.(`${line}; left out`);
    }
  }
  if (patients.length === 0) {
    throw new Error(
      `${path}: expected patient folders as CAMUS has them ` +
        `(patient0001/patient0001_4CH_ED.nii.gz), got none${mhdHint(database, names)}`,
    );
  }
  return patients;
}

/** The patient in `folder`, or null when it holds no recording. */
export function readPatient(folder: string): Patient | null {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return null;
  const views = new Set<View>();
  const ids = new Set<string>();
  for (const name of readdirSync(folder)) {
    const match = FILE_NAME.exec(name);
    if (!match) continue;
    ids.add(match[1]);
    views.add(match[2] as View);
  }
  if (ids.size === 0) return null;
  if (ids.size > 1) {
    throw new Error(
      `${folder}: expected the files of one patient, got those of ${[...ids].sort().join(', ')}`,
    );
  }
  return { id: [...ids][0], folder, views: VIEWS.filter((view) => views.has(view)) };
}

function findDatabase(path: string): string {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    throw new Error(`${path}: expected a folder of CAMUS's layout, got no such folder`);
  }
  const nested = join(path, 'database_nifti');
  return existsSync(nested) ? nested : path;
}

function mhdHint(database: string, names: readonly string[]): string {
  const older = names.some((name) => {
    const folder = join(database, name);
    return existsSync(folder) && readdirSync(folder).some((file) => file.endsWith('.mhd'));
  });
  return older ? ' (only .mhd files of the older release; take the NIfTI release)' : '';
}

/** Patient names of one split, in the file's order; an empty file is an empty split. */
export function readSplit(path: string, split: Split): string[] {
  const home = resolve(path);
  const roots = [home, dirname(home), dirname(dirname(home))];
  const file = roots
    .map((root) => join(root, 'database_split', `subgroup_${split}.txt`))
    .find((candidate) => existsSync(candidate));
  if (!file) {
    const expected = join(path, 'database_split', `subgroup_${split}.txt`);
    throw new Error(`${expected}: expected the split, got no such file`);
  }
  return readFileSync(file, 'utf8')
    .split(/\s+/)
    .filter((name) => name !== '');
}

/** Keys of both releases: EF or LVef, and LVedv, LVesv in the older one. */
export function readInfo(folder: string, view: View): CamusInfo | null {
  const path = join(folder, `Info_${view}.cfg`);
  if (!existsSync(path)) return null;
  const fields = new Map<string, string>();
  for (const line of readFileSync(path, 'utf8').split(/\r?\n/)) {
    const colon = line.indexOf(':');
    if (colon > 0)
      fields.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  const text = (key: string) => fields.get(key) || null;
  const number = (...keys: string[]): number | null => {
    const key = keys.find((name) => fields.has(name));
    const value = key === undefined ? '' : (fields.get(key) ?? '');
    if (key === undefined || value === '' || /^(n\/?a|unknown|none)$/i.test(value)) return null;
    if (!Number.isFinite(Number(value))) {
      throw new Error(`${path}: expected a number after "${key}:", got "${value}"`);
    }
    return Number(value);
  };
  return {
    ed: number('ed'),
    es: number('es'),
    frames: number('nbframe'),
    sex: text('sex'),
    age: number('age'),
    imageQuality: text('imagequality'),
    ef: number('ef', 'lvef'),
    edVolume: number('lvedv'),
    esVolume: number('lvesv'),
    frameRate: number('framerate'),
  };
}

/** The file of a recording, .nii.gz or .nii; null when there is neither. */
export function recordingFile(folder: string, view: View, part: string): string | null {
  const patient = readPatient(folder);
  if (!patient) return null;
  const stem = join(folder, `${patient.id}_${view}_${part}`);
  return [`${stem}.nii.gz`, `${stem}.nii`].find((path) => existsSync(path)) ?? null;
}

/** The best that there is of this view: a whole cycle, ED to ES, or the two stills; else null. */
export function recordingKind(folder: string, view: View): RecordingKind | null {
  if (recordingFile(folder, view, 'sequence')) return 'sequence';
  if (recordingFile(folder, view, 'half_sequence')) return 'half_sequence';
  const both = recordingFile(folder, view, 'ED') && recordingFile(folder, view, 'ES');
  return both ? 'stills' : null;
}
