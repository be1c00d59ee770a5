/** Slices of a short-axis volume as frames: which way it runs, and which slices are shown. */
import type { Nifti } from './nifti.ts';
import type { Stack } from './stack.ts';

/** Labelled voxels of slices of `size` voxels, all frames of `data` together. */
function labelledAreas(data: ArrayLike<number>, size: number, slices: number): number[] {
  const areas = new Array<number>(slices).fill(0);
  for (let i = 0; i < data.length; i++) {
    if (data[i] !== 0) areas[Math.floor(i / size) % slices]++;
  }
  return areas;
}

/**
 * Whether the slices of masks (x, y, z, t) run from base to apex. The labelled area grows towards
 * the base, where the ventricles are wide: the side of the stack's labelled part that most of it
 * lies on is the base. Without a label, or with equal sides, the file is taken as it is.
 */
export function baseFirst(masks: Pick<Nifti, 'shape' | 'data'>): boolean {
  const [width, height, slices = 1] = masks.shape;
  const areas = labelledAreas(masks.data, width * height, slices);
  const used = areas.map((pixels, z) => ({ pixels, z })).filter(({ pixels }) => pixels > 0);
  const total = used.reduce((sum, { pixels }) => sum + pixels, 0);
  const middle = used.reduce((sum, { z }) => sum + z, 0) / Math.max(1, used.length);
  const centre = used.reduce((sum, { pixels, z }) => sum + pixels * z, 0) / Math.max(1, total);
  return centre <= middle;
}

/**
 * First and last slice with any label; slices without one between them (a gap) count as labelled.
 * Throws one sentence when there is none.
 */
export function labelledSlices(mask: Stack, what: string): { first: number; last: number } {
  const area = labelledAreas(mask.data, mask.width * mask.height, mask.frames);
  const first = area.findIndex((pixels) => pixels > 0);
  if (first < 0) {
    throw new Error(
      `${mask.path}: expected labels in at least one slice at ${what}, got ${mask.frames} empty ones`,
    );
  }
  return { first, last: area.findLastIndex((pixels) => pixels > 0) };
}

/**
 * `count` slice numbers evenly spread from `first` to `last`, rounded to whole ones: with fewer
 * slices than frames some are shown twice, with more some are left out. Nothing is blended, so
 * that picture and mask of a frame are those of one slice: slices lie 8 to 10 mm apart, and a
 * mixture of two would show two walls.
 */
export function sampleSlices(first: number, last: number, count: number): number[] {
  if (!Number.isInteger(count) || count < 1) {
    throw new Error(`sampleSlices: expected at least 1 frame, got ${count}`);
  }
  const step = count === 1 ? 0 : (last - first) / (count - 1);
  const start = count === 1 ? Math.round((first + last) / 2) : first;
  return Array.from({ length: count }, (_, k) => Math.round(start + k * step));
}
