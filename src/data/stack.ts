/** Voxels of a recording as a stack of pictures: frames of a film, or slices of a volume. */
import type { NiftiArray } from './nifti.ts';

/** Voxels as [frames][height][width], upright: in an echocardiogram the beam's origin on top. */
export interface Stack {
  readonly path: string;
  readonly frames: number;
  readonly height: number;
  readonly width: number;
  readonly data: NiftiArray;
}

/** Throws one sentence unless `stack` has the size of `image` (and `frames` pictures). */
export function sameSize(stack: Stack, image: Stack, frames = stack.frames): void {
  if (stack.width !== image.width || stack.height !== image.height || stack.frames !== frames) {
    throw new Error(
      `${stack.path}: expected ${image.width} x ${image.height} x ${frames} voxels as in ` +
        `${image.path}, got ${stack.width} x ${stack.height} x ${stack.frames}`,
    );
  }
}

/**
 * The voxels as label bytes. Throws one sentence with file and voxel for a value that is none of
 * `allowed` (0, 1, 2, ... in order); `what` is a picture of the stack: a frame or a slice.
 */
export function readLabels(
  mask: Stack,
  allowed: readonly number[],
  what: 'frame' | 'slice' = 'frame',
): Uint8Array {
  const labels = new Uint8Array(mask.data.length);
  const largest = allowed[allowed.length - 1];
  for (let i = 0; i < labels.length; i++) {
    const value = mask.data[i];
    if (!(value >= 0 && value <= largest) || !Number.isInteger(value)) {
      throw new Error(
        `${mask.path}: expected labels ${allowed.join(', ')}, got ${value} at ` +
          `x ${i % mask.width}, y ${Math.floor(i / mask.width) % mask.height}, ` +
          `${what} ${Math.floor(i / (mask.width * mask.height))}`,
      );
    }
    labels[i] = value;
  }
  return labels;
}

/** Smallest and largest value; of bytes, what they could be. */
export function valueRange(data: NiftiArray): { least: number; most: number } {
  if (data instanceof Uint8Array) return { least: 0, most: 255 };
  let least = Infinity;
  let most = -Infinity;
  for (let i = 0; i < data.length; i++) {
    if (data[i] < least) least = data[i];
    if (data[i] > most) most = data[i];
  }
  return { least, most };
}
