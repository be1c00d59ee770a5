/** Animated GIF: exact for grey pictures, 256 colours a frame for colour. */
import gifenc from 'gifenc';
import { writeAtomic } from './atomic.ts';
import { interleave, toBytes } from './colour.ts';
import type { Picture } from './colour.ts';
import { plane } from './frames.ts';
import { embedRecipe } from './recipe.ts';
import type { Recipe } from './recipe.ts';

/** A looping GIF of grey or RGB frames; `frameRate` in frames a second (at most 50). */
export function encodeGif(picture: Picture, frameRate: number, recipe?: Recipe): Uint8Array {
  if (!(frameRate > 0 && frameRate <= 50)) {
    throw new Error(`GIF: expected a frame rate above 0 and up to 50 per second, got ${frameRate}`);
  }
  const bytes = toBytes(picture, 'GIF');
  const encoder = gifenc.GIFEncoder();
  const greys = Array.from({ length: 256 }, (_, level) => [level, level, level]);
  for (let t = 0; t < bytes.frames; t++) {
    // GIF counts hundredths of a second; rounding the end times keeps the whole length right.
    const delay =
      10 * (Math.round((100 * (t + 1)) / frameRate) - Math.round((100 * t) / frameRate));
    if (bytes.channels === 1) {
      const palette = t === 0 ? greys : undefined;
      encoder.writeFrame(plane(bytes, 0, t), bytes.width, bytes.height, { palette, delay });
    } else {
      const pixels = interleave(bytes, t, 4);
      const palette = gifenc.quantize(pixels, 256);
      const index = gifenc.applyPalette(pixels, palette);
      encoder.writeFrame(index, bytes.width, bytes.height, { palette, delay });
    }
  }
  encoder.finish();
  return recipe ? embedRecipe(encoder.bytes(), recipe) : encoder.bytes();
}

/** Writes `encodeGif`; atomic. */
export function writeGif(path: string, picture: Picture, frameRate: number, recipe?: Recipe): void {
  writeAtomic(path, encodeGif(picture, frameRate, recipe));
}
