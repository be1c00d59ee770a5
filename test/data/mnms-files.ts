/** Small patients in the M&Ms layout, made for tests. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MNMS_FOLDERS, MNMS_TABLE } from '../../src/data/mnms-folder.ts';
import type { MnmsSplit } from '../../src/data/mnms-folder.ts';
import { writeNifti } from '../../src/data/nifti.ts';
import type { NiftiContent } from '../../src/data/nifti.ts';

export const WIDTH = 12;
export const HEIGHT = 8;
export const SLICES = 6;
export const FRAMES = 4;
const SIZE = WIDTH * HEIGHT;
export const COLUMNS =
  ',External code,VendorName,Vendor,Centre,ED,ES,Age,Pathology,Sex,Height,Weight';

/** Slice z of frame t is 100 t + 10 z + 10, its first column 0. */
export function voxels(): Int16Array {
  return Int16Array.from({ length: SIZE * SLICES * FRAMES }, (_, i) => {
    if (i % WIDTH === 0) return 0;
    const picture = Math.floor(i / SIZE);
    return 100 * Math.floor(picture / SLICES) + 10 * (picture % SLICES) + 10;
  });
}

/**
 * Labelled slices 1..4: in slice z, 2 z pixels of row z are label 1 + z % 3, so that the last
 * slices are the base; with `baseFirst`, the first ones.
 */
export function labels(baseFirst = false): Uint8Array {
  const data = new Uint8Array(SIZE * SLICES * FRAMES);
  for (let t = 0; t < FRAMES; t++) {
    for (let z = 1; z <= 4; z++) {
      const at = baseFirst ? SLICES - 1 - z : z;
      const start = (t * SLICES + at) * SIZE + z * WIDTH;
      data.fill(1 + (z % 3), start + 1, start + 1 + 2 * z);
    }
  }
  return data;
}

export interface Sample {
  readonly split?: MnmsSplit;
  readonly image?: Partial<NiftiContent>;
  readonly mask?: Partial<NiftiContent> | null;
}

/** Writes `<code>_sa` and, unless `mask` is null, `<code>_sa_gt`; returns the folder. */
export function writePatient(root: string, code: string, sample: Sample = {}): string {
  const { split = 'training', image, mask } = sample;
  const folder = join(root, 'OpenDataset', MNMS_FOLDERS[split], code);
  mkdirSync(folder, { recursive: true });
  const common = { shape: [WIDTH, HEIGHT, SLICES, FRAMES], spacing: [1.5, 1.5, 9] };
  writeNifti(join(folder, `${code}_sa.nii.gz`), { ...common, data: voxels(), ...image });
  if (mask !== null) {
    writeNifti(join(folder, `${code}_sa_gt.nii.gz`), { ...common, data: labels(), ...mask });
  }
  return folder;
}

export function writeTable(root: string, rows: readonly string[], columns = COLUMNS): string {
  mkdirSync(join(root, 'OpenDataset', 'Training'), { recursive: true });
  const path = join(root, 'OpenDataset', MNMS_TABLE);
  writeFileSync(path, [columns, ...rows].join('\r\n'));
  return path;
}
