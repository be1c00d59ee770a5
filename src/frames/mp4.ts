/**
 * H.264 video in MP4 by h264-mp4-encoder (minih264 and minimp4 in WebAssembly, MIT, one file, no
 * install step): it plays everywhere. Lossy: a thing to look at, never an input of another step.
 */
import { createRequire } from 'node:module';
import type * as Library from 'h264-mp4-encoder';
import type { H264MP4Encoder } from 'h264-mp4-encoder';
import { writeAtomic } from './atomic.ts';
import { interleave, toBytes } from './colour.ts';
import type { Picture } from './colour.ts';
import { byteFrames, plane } from './frames.ts';
import type { Frames } from './frames.ts';
import { embedRecipe } from './recipe.ts';
import type { Recipe } from './recipe.ts';

export interface Mp4Options {
  /** 10 (best) .. 51; 14 shows speckle without blocks. */
  readonly quantizer?: number;
  /** How often the frames are played; one heart cycle is short, so a film repeats it. */
  readonly loops?: number;
  readonly recipe?: Recipe;
}

/** A video of grey or RGB frames; an odd side gets one repeated row or column. */
export async function encodeMp4(
  picture: Picture,
  frameRate: number,
  options: Mp4Options = {},
): Promise<Uint8Array> {
  if (!(frameRate > 0 && frameRate <= 240)) {
    throw new Error(
      `MP4: expected a frame rate above 0 and up to 240 per second, got ${frameRate}`,
    );
  }
  const bytes = evenSides(toBytes(picture, 'MP4'));
  const encoder = await createEncoder();
  try {
    encoder.width = bytes.width;
    encoder.height = bytes.height;
    encoder.frameRate = frameRate;
    encoder.quantizationParameter = options.quantizer ?? 14;
    encoder.groupOfPictures = bytes.frames;
    encoder.initialize();
    for (let loop = 0; loop < (options.loops ?? 1); loop++) {
      for (let t = 0; t < bytes.frames; t++) encoder.addFrameRgba(interleave(bytes, t, 4));
    }
    encoder.finalize();
    const file = encoder.FS.readFile(encoder.outputFilename);
    clearTimes(file, 0, file.length);
    encoder.FS.unlink(encoder.outputFilename);
    return options.recipe ? embedRecipe(file, options.recipe) : file;
  } finally {
    encoder.delete();
  }
}

/** Sets the creation times to zero (unknown), so that the same frames give the same bytes. */
function clearTimes(file: Uint8Array, start: number, end: number): void {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  for (let at = start; at + 8 <= end;) {
    const size = view.getUint32(at);
    if (size < 8 || at + size > end) return;
    const type = String.fromCharCode(...file.subarray(at + 4, at + 8));
    if (['moov', 'trak', 'mdia'].includes(type)) clearTimes(file, at + 8, at + size);
    // Version 0 boxes: 4 bytes of version and flags, then created and changed, 4 bytes each.
    if (['mvhd', 'tkhd', 'mdhd'].includes(type) && file[at + 8] === 0) {
      file.fill(0, at + 12, at + 20);
    }
    at += size;
  }
}

// Loaded on first use: a megabyte of WebAssembly that only a written video needs.
async function createEncoder(): Promise<H264MP4Encoder> {
  const events = ['uncaughtException', 'unhandledRejection'] as const;
  const before = events.map((event) => process.rawListeners(event));
  const library = createRequire(import.meta.url)('h264-mp4-encoder') as typeof Library;
  const encoder = await library.createH264MP4Encoder();
  // Emscripten listens for every error of the process; errors are not the encoder's business.
  events.forEach((event, index) => {
    for (const listener of process.rawListeners(event)) {
      if (!before[index].includes(listener)) process.off(event, listener as () => void);
    }
  });
  return encoder;
}

/** Writes `encodeMp4`; atomic. */
export async function writeMp4(
  path: string,
  picture: Picture,
  frameRate: number,
  options: Mp4Options = {},
): Promise<void> {
  writeAtomic(path, await encodeMp4(picture, frameRate, options));
}

function evenSides(picture: Frames<Uint8Array>): Frames<Uint8Array> {
  const height = picture.height + (picture.height % 2);
  const width = picture.width + (picture.width % 2);
  if (height === picture.height && width === picture.width) return picture;
  const result = byteFrames({ ...picture, height, width });
  for (let c = 0; c < picture.channels; c++) {
    for (let t = 0; t < picture.frames; t++) {
      const from = plane(picture, c, t);
      const to = plane(result, c, t);
      for (let y = 0; y < height; y++) {
        const row = Math.min(y, picture.height - 1) * picture.width;
        to.set(from.subarray(row, row + picture.width), y * width);
        if (width > picture.width) to[y * width + width - 1] = from[row + picture.width - 1];
      }
    }
  }
  return result;
}
