/** Grey pictures and label maps out of a user's files, at their own size. */
import type { Nifti, NiftiArray } from '../data/nifti.ts';
import { floatFrames, joinFrames, labelFrames } from '../frames/frames.ts';
import type { Frames, Labels } from '../frames/frames.ts';
import { readPngIndexSequence, readPngSequence } from '../frames/png.ts';
import { fileKind } from './user-files.ts';
import type { UserFiles } from './user-files.ts';

/** Pictures and what their file says besides. */
export interface FromFile<T> {
  readonly picture: T;
  /** mm per pixel (x, y); null where the file cannot say it (PNG). */
  readonly spacing: readonly [number, number] | null;
  /** Seconds between frames, where the file says it. */
  readonly frameTime: number | null;
}

export interface StackSize {
  readonly frames: number;
  readonly height: number;
  readonly width: number;
}

/** [x, y], [x, y, t] as CAMUS writes sequences, or [x, y, 1, t]. */
export function stackSize(nifti: Nifti, where: string): StackSize {
  const [width, height, depth = 1, time = 1, ...rest] = nifti.shape;
  if (nifti.shape.length < 2 || (depth > 1 && time > 1) || rest.some((size) => size > 1)) {
    throw new Error(
      `${where}: expected a picture (x, y) or a sequence (x, y, t), ` +
        `got ${nifti.shape.join(' x ')}`,
    );
  }
  return { frames: depth * time, height, width };
}

/** Grey pictures 1 f h w in [0,1] from NIfTI (0..255, or real numbers up to 1) or PNG. */
export function readGrey(files: UserFiles, path: string, where: string): FromFile<Frames> {
  if (fileKind(path, ['NIfTI', 'PNG'], where) === 'PNG') {
    return { picture: averageColours(readPngSequence(path)), spacing: null, frameTime: null };
  }
  const nifti = files.nifti(path);
  const size = stackSize(nifti, where);
  const { least, most } = range(nifti.data);
  if (least < 0 || most > 255) {
    throw new Error(`${where}: expected grey levels 0..255, got ${least}..${most}`);
  }
  const real = nifti.data instanceof Float32Array || nifti.data instanceof Float64Array;
  const scale = real && most <= 1 ? 1 : 1 / 255;
  const picture = floatFrames({ channels: 1, ...size }, undefined, where);
  for (let i = 0; i < picture.data.length; i++) picture.data[i] = nifti.data[i] * scale;
  return { picture, spacing: [nifti.spacing[0], nifti.spacing[1]], frameTime: nifti.frameTime };
}

function averageColours(picture: Frames): Frames {
  if (picture.channels === 1) return picture;
  const grey = floatFrames({ ...picture, channels: 1 });
  const size = grey.data.length;
  for (let i = 0; i < size; i++) {
    let sum = 0;
    for (let c = 0; c < picture.channels; c++) sum += picture.data[c * size + i];
    grey.data[i] = sum / picture.channels;
  }
  return grey;
}

function range(data: NiftiArray): { least: number; most: number } {
  let [least, most] = [Infinity, -Infinity];
  for (let i = 0; i < data.length; i++) {
    if (data[i] < least) least = data[i];
    if (data[i] > most) most = data[i];
  }
  return { least, most };
}

/** Label maps 1 f h w from NIfTI or PNG, every label below `classes`, at least one above 0. */
export function readLabels(
  files: UserFiles,
  path: string,
  classes: number,
  where: string,
): FromFile<Labels> {
  if (fileKind(path, ['NIfTI', 'PNG'], where) === 'PNG') {
    const picture = readPngIndexSequence(path);
    expectLabels(picture.data, picture, classes, where);
    return { picture, spacing: null, frameTime: null };
  }
  const nifti = files.nifti(path);
  const size = stackSize(nifti, where);
  expectLabels(nifti.data, size, classes, where);
  const data = Uint8Array.from(nifti.data);
  const picture = labelFrames(size.frames, size.height, size.width, data, where);
  return { picture, spacing: [nifti.spacing[0], nifti.spacing[1]], frameTime: nifti.frameTime };
}

/** Whether these voxels are labels rather than grey levels: whole numbers below `classes`. */
export function areLabels(data: NiftiArray, classes: number): boolean {
  for (let i = 0; i < data.length; i++) {
    if (!(data[i] >= 0 && data[i] < classes && Number.isInteger(data[i]))) return false;
  }
  return true;
}

function expectLabels(data: NiftiArray, size: StackSize, classes: number, where: string): void {
  const known = Array.from({ length: classes }, (_, label) => label).join(', ');
  let some = false;
  for (let i = 0; i < data.length; i++) {
    const value = data[i];
    if (!(value >= 0 && value < classes && Number.isInteger(value))) {
      const x = i % size.width;
      const y = Math.floor(i / size.width) % size.height;
      const t = Math.floor(i / (size.width * size.height));
      throw new Error(
        `${where}: expected labels ${known}, got ${value} at frame ${t}, x ${x}, y ${y}`,
      );
    }
    some ||= value > 0;
  }
  if (!some) throw new Error(`${where}: expected a structure (a label above 0), got none`);
}

/** Label maps of several files, one after another: PNG files that a shell's pattern became. */
export function joinLabelFiles(
  parts: readonly FromFile<Labels>[],
  where: string,
): FromFile<Labels> {
  return { ...parts[0], picture: joinFrames(parts.map(({ picture }) => picture), where) };
}
