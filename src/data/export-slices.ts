/** A generated volume with all that belongs to it, written into one folder or not at all. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { writeAtomic, writeFolderAtomic } from '../frames/atomic.ts';
import { checkFrames, checkLabels } from '../frames/frames.ts';
import type { Frames, Labels } from '../frames/frames.ts';
import { writePng, writePngSequence } from '../frames/png.ts';
import { recipeExtension } from '../frames/recipe.ts';
import type { Recipe } from '../frames/recipe.ts';
import { renderSheet } from '../frames/sheet.ts';
import type { Sheet } from '../frames/sheet.ts';
import { MNMS_LABELS } from './mnms.ts';
import { writeNifti } from './nifti.ts';

export interface ExportedVolume {
  /** 1 z h w in [0,1], base first: every slice once. */
  readonly slices: Frames;
  /** The masks that were asked for, as many. */
  readonly masks: Labels | null;
  /** mm per voxel (x, y) and from slice to slice; 1 where it is unknown. */
  readonly spacing: readonly [number, number, number];
  /** Travels inside every file, and beside them as recipe.json. */
  readonly recipe: Recipe;
  readonly sheet: Sheet;
}

/**
 * Writes `volume.nii.gz` (x, y, z), `slices/slice-NN.png`, `sheet.png`, `recipe.json` and, where
 * given, `masks.nii.gz` into `folder`, which must be new or empty. All or nothing: on any failure the
 * folder does not appear. Returns the paths.
 */
export async function exportSlices(folder: string, volume: ExportedVolume): Promise<string[]> {
  const { slices, masks, spacing, recipe, sheet } = volume;
  checkFrames(slices, 'slices to write', { channels: 1, minimum: -1e-3, maximum: 1 + 1e-3 });
  if (masks) checkLabels(masks, MNMS_LABELS, 'masks to write');
  const names = ['volume.nii.gz', 'sheet.png', 'recipe.json'];
  const content = ({ width, height, frames }: Frames | Labels, data: Uint8Array) => ({
    shape: [width, height, frames], data, spacing,
    description: 'HeartBeat synthetic cardiac MRI', extensions: [recipeExtension(recipe)],
  });
  await writeFolderAtomic(folder, (target) => {
    const grey = Uint8Array.from(slices.data, (value) =>
      Math.min(255, Math.max(0, Math.round(value * 255))));
    writeNifti(join(target, 'volume.nii.gz'), content(slices, grey));
    if (masks) {
      writeNifti(join(target, 'masks.nii.gz'), content(masks, masks.data));
      names.push('masks.nii.gz');
    }
    mkdirSync(join(target, 'slices'));
    const pictures = writePngSequence(join(target, 'slices'), slices, recipe, 'slice');
    names.push(...pictures.map((path) => path.slice(target.length + 1)));
    writePng(join(target, 'sheet.png'), renderSheet(sheet), 0, recipe);
    const text = `${JSON.stringify(recipe, null, 2)}\n`;
    writeAtomic(join(target, 'recipe.json'), new TextEncoder().encode(text));
  });
  return names.map((name) => join(folder, name));
}
