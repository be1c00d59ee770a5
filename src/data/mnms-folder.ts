/**
 * Where things are in the public layout of M&Ms (Campello et al., IEEE TMI 2021): patients, splits
 * and the table about them.
 *
 *   OpenDataset/{Training/{Labeled,Unlabeled},Validation,Testing}/<code>/<code>_sa[_gt].nii.gz
 *   OpenDataset/211230_M&Ms_Dataset_information_diagnosis_opendataset.csv
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ListOptions, Split } from './camus-folder.ts';
import { readTable } from './csv.ts';
import type { Table } from './csv.ts';

/** The table's name in the public release; any .csv with its columns is taken. */
export const MNMS_TABLE = '211230_M&Ms_Dataset_information_diagnosis_opendataset.csv';

export type MnmsSplit = Split | 'unlabeled';

/** Folders of the splits below OpenDataset. */
export const MNMS_FOLDERS: Readonly<Record<MnmsSplit, string>> = {
  training: 'Training/Labeled',
  unlabeled: 'Training/Unlabeled',
  validation: 'Validation',
  testing: 'Testing',
};

/** A patient's row of the table; null where it is empty, or no number where one belongs. */
export interface MnmsInfo {
  /** A Siemens, B Philips, C General Electric, D Canon. */
  readonly vendor: string;
  readonly vendorName: string | null;
  readonly centre: string | null;
  /** 0-based frames of the volume's time axis. */
  readonly ed: number | null;
  readonly es: number | null;
  readonly age: number | null;
  /** NOR, DCM, HCM, ... */
  readonly pathology: string | null;
  readonly sex: string | null;
  /** As the table has them: cm and kg. */
  readonly height: number | null;
  readonly weight: number | null;
}

export interface MnmsPatient {
  /** The table's external code, which names folder and files. */
  readonly id: string;
  readonly split: MnmsSplit;
  readonly folder: string;
  /** The table it stands in. */
  readonly table: string;
  readonly info: MnmsInfo;
}

export interface MnmsListOptions extends Omit<ListOptions, 'split'> {
  /** All labelled splits when absent: training, validation and testing. */
  readonly split?: MnmsSplit;
}

/**
 * The patients below `path` (the data set's root, or OpenDataset), by split and code. A folder
 * without files, and a patient without a row in the table, is left out with a line, or an error
 * with `missing: 'error'`. Throws one sentence when there is nothing of M&Ms' layout.
 */
export function listMnmsPatients(path: string, options: MnmsListOptions = {}): MnmsPatient[] {
  const root = findOpenDataset(path);
  const infos = readInfos(root);
  const splits: readonly MnmsSplit[] = options.split
    ? [options.split]
    : ['training', 'validation', 'testing'];
  const patients: MnmsPatient[] = [];
  const leaveOut = (line: string) => {
    if (options.missing === 'error') throw new Error(line);
    options.report?.(`${line}; left out`);
  };
  for (const split of splits) {
    for (const id of foldersOf(join(root, MNMS_FOLDERS[split]))) {
      const folder = join(root, MNMS_FOLDERS[split], id);
      const info = infos.rows.get(id);
      if (mnmsFile(folder, id, '_sa') === null) {
        leaveOut(`${folder}: expected ${id}_sa.nii.gz, got no such file`);
      } else if (!info) {
        leaveOut(`${infos.path}: expected a row for ${id}, which has a folder, got none`);
      } else {
        patients.push({ id, split, folder, table: infos.path, info });
      }
    }
  }
  if (patients.length === 0 && !options.split) {
    throw new Error(
      `${root}: expected patients as M&Ms has them ` +
        `(${MNMS_FOLDERS.training}/A0S9V9/A0S9V9_sa.nii.gz), got none`,
    );
  }
  return patients;
}

/** `<code>_sa` or `<code>_sa_gt`, .nii.gz or .nii; null when there is neither. */
export function mnmsFile(folder: string, id: string, part: '_sa' | '_sa_gt'): string | null {
  const stem = join(folder, `${id}${part}`);
  return [`${stem}.nii.gz`, `${stem}.nii`].find((file) => existsSync(file)) ?? null;
}

/** Whether `path` is a data set in the layout of M&Ms rather than another one, or OpenDataset itself. */
export function isMnms(path: string): boolean {
  return openDatasetIn(path) !== undefined;
}

function openDatasetIn(path: string): string | undefined {
  return [join(path, 'OpenDataset'), path].find((place) =>
    ['Training', 'Validation', 'Testing'].some((name) => isFolder(join(place, name))));
}

function findOpenDataset(path: string): string {
  const found = openDatasetIn(path);
  if (found) return found;
  const got = isFolder(path)
    ? 'a folder without these'
    : existsSync(path) ? 'a file' : 'no such folder';
  throw new Error(
    `${path}: expected a folder of M&Ms' layout (OpenDataset with Training, Validation and ` +
      `Testing), got ${got}`,
  );
}

function isFolder(path: string): boolean {
  return existsSync(path) && statSync(path).isDirectory();
}

function foldersOf(path: string): string[] {
  if (!isFolder(path)) return [];
  return readdirSync(path)
    .filter((name) => !name.startsWith('.') && isFolder(join(path, name)))
    .sort();
}

const REQUIRED = ['External code', 'Vendor', 'ED', 'ES'];

function readInfos(root: string): { path: string; rows: Map<string, MnmsInfo> } {
  const names = readdirSync(root)
    .filter((name) => /^[^.].*\.csv$/i.test(name) && !isFolder(join(root, name)))
    .sort();
  const name = names.includes(MNMS_TABLE) ? MNMS_TABLE : names[0];
  if (name === undefined || (names.length > 1 && name !== MNMS_TABLE)) {
    const got = names.length === 0 ? 'no .csv file' : names.join(', ');
    throw new Error(`${join(root, MNMS_TABLE)}: expected the table of patients, got ${got}`);
  }
  const table = readTable(join(root, name), REQUIRED);
  const rows = new Map<string, MnmsInfo>();
  for (const { line, fields } of table.rows) {
    const code = fields.get('External code') as string;
    if (code === '') continue;
    if (rows.has(code)) {
      throw new Error(`${table.path}: expected one row for ${code}, got another in line ${line}`);
    }
    rows.set(code, readInfo(table, line, fields));
  }
  return { path: table.path, rows };
}

function readInfo(table: Table, line: number, fields: ReadonlyMap<string, string>): MnmsInfo {
  const text = (column: string) => fields.get(column) || null;
  const frame = (column: string): number | null => {
    const value = text(column);
    if (value === null || /^(n\/?a|nan|none)$/i.test(value)) return null;
    const parsed = Number(value);
    if (!Number.isInteger(parsed) || parsed < 0) {
      throw new Error(
        `${table.path}: expected a frame number from 0 on as ${column}, got "${value}" ` +
          `in line ${line}`,
      );
    }
    return parsed;
  };
  const number = (column: string): number | null => {
    const value = text(column);
    return value !== null && Number.isFinite(Number(value)) ? Number(value) : null;
  };
  return {
    vendor: text('Vendor') ?? 'unknown',
    vendorName: text('VendorName'),
    centre: text('Centre'),
    ed: frame('ED'),
    es: frame('ES'),
    age: number('Age'),
    pathology: text('Pathology'),
    sex: text('Sex'),
    height: number('Height'),
    weight: number('Weight'),
  };
}
