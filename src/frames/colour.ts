/** From pictures to 8-bit grey and colour, as the encoders take them. */
import { byteFrames, checkFrames, plane, shapeText } from './frames.ts';
import type { Frames } from './frames.ts';

export type Picture = Frames<Float32Array | Uint8Array>;

/**
 * 8-bit pixels of a picture of 1 (grey) or 3 (RGB) channels: [0,1] is rounded to 0..255, bytes
 * stay. Throws on NaN, on other channel counts, on values outside [0,1].
 */
export function toBytes(picture: Picture, what: string): Frames<Uint8Array> {
  if (picture.channels !== 1 && picture.channels !== 3) {
    throw new Error(
      `${what}: expected 1 (grey) or 3 (RGB) channels, got ${picture.channels} ` +
        `(${shapeText(picture)})`,
    );
  }
  if (picture.data instanceof Uint8Array) {
    checkFrames(picture, what);
    return picture as Frames<Uint8Array>;
  }
  // Interpolation and networks overshoot by rounding; more than that is not a picture.
  checkFrames(picture, what, { minimum: -1e-3, maximum: 1 + 1e-3 });
  const bytes = byteFrames(picture, undefined, what);
  for (let i = 0; i < bytes.data.length; i++) {
    bytes.data[i] = Math.min(255, Math.max(0, Math.round(picture.data[i] * 255)));
  }
  return bytes;
}

/** Interleaved [height][width][count] bytes of a frame; grey is repeated, a 4th channel is 255. */
export function interleave(
  picture: Frames<Uint8Array>,
  frame: number,
  count: 1 | 3 | 4,
): Uint8Array {
  const size = picture.height * picture.width;
  const pixels = new Uint8Array(size * count).fill(255);
  for (let c = 0; c < Math.min(count, 3); c++) {
    const from = plane(picture, Math.min(c, picture.channels - 1), frame);
    for (let i = 0; i < size; i++) pixels[i * count + c] = from[i];
  }
  return pixels;
}
