/** PNG pictures and sequences of them. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { decode, encode } from 'fast-png';
import type { DecodedPng } from 'fast-png';
import { writeAtomic } from './atomic.ts';
import { interleave, toBytes } from './colour.ts';
import type { Picture } from './colour.ts';
import { byteFrames, floatFrames, joinFrames } from './frames.ts';
import type { Frames } from './frames.ts';
import { embedRecipe } from './recipe.ts';
import type { Recipe } from './recipe.ts';

const LARGEST_PNG = 2 ** 26;

/**
 * One frame of 1 (grey) or 3 (RGB) channels in [0,1] from any PNG: 1 to 16 bits, grey, RGB or
 * palette. Transparency is laid over black. Throws one sentence when the file is not a whole PNG.
 */
export function readPng(path: string): Frames {
  const png = decodePng(path);
  const { width, height } = png;
  const { samples, maximum, stride } = spread(png, path);
  const colours = stride < 3 ? 1 : 3;
  const alpha = stride === 2 || stride === 4;
  const picture = floatFrames({ channels: colours, frames: 1, height, width }, undefined, path);
  const size = width * height;
  for (let i = 0; i < size; i++) {
    const cover = alpha ? samples[i * stride + stride - 1] / maximum : 1;
    for (let c = 0; c < colours; c++) {
      picture.data[c * size + i] = (samples[i * stride + c] / maximum) * cover;
    }
  }
  return picture;
}

/**
 * The stored numbers of a grey or palette PNG of up to 8 bits, one channel, unscaled: what a mask
 * painted with labels holds. Throws for colour or 16 bits.
 */
export function readPngIndices(path: string): Frames<Uint8Array> {
  const png = decodePng(path);
  if (png.channels !== 1 || png.depth === 16) {
    throw new Error(
      `${path}: expected a grey or palette PNG of up to 8 bits that holds labels, ` +
        `got ${png.channels} channels of ${png.depth} bits`,
    );
  }
  const { width, height } = png;
  return byteFrames({ channels: 1, frames: 1, height, width }, unpack(png), path);
}

function decodePng(path: string): DecodedPng {
  let file: Uint8Array;
  try {
    file = readFileSync(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    throw new Error(
      `${path}: expected a PNG file, got ${code === 'ENOENT' ? 'no such file' : code}`,
    );
  }
  const signature = [0x89, 0x50, 0x4e, 0x47].every((byte, index) => file[index] === byte);
  if (!signature || file.length < 33) {
    throw new Error(`${path}: expected a PNG file, got one that does not begin as PNG does`);
  }
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const pixels = view.getUint32(16) * view.getUint32(20);
  if (pixels < 1 || pixels > LARGEST_PNG) {
    throw new Error(
      `${path}: expected a picture of 1 to ${LARGEST_PNG} pixels, ` +
        `got ${view.getUint32(16)} x ${view.getUint32(20)}`,
    );
  }
  try {
    return decode(file, { checkCrc: true });
  } catch (error) {
    throw new Error(`${path}: expected a whole PNG file, got ${(error as Error).message}`);
  }
}

/** One sample per value, interleaved, palette looked up. */
function spread(png: DecodedPng, path: string) {
  if (png.palette) {
    const indices = unpack(png);
    const stride = png.palette[0]?.length ?? 3;
    const samples = new Uint8Array(indices.length * stride);
    indices.forEach((index, at) => {
      const colour = png.palette?.[index];
      if (!colour)
        throw new Error(`${path}: expected palette colours, got number ${index} of none`);
      samples.set(colour, at * stride);
    });
    return { samples, maximum: 255, stride };
  }
  if (png.depth < 8) return { samples: unpack(png), maximum: 2 ** png.depth - 1, stride: 1 };
  return { samples: png.data, maximum: 2 ** png.depth - 1, stride: png.channels };
}

/** Rows of 1, 2 or 4 bits begin at whole bytes. */
function unpack(png: DecodedPng): Uint8Array {
  const { width, height, depth, data } = png;
  if (depth >= 8) return Uint8Array.from(data);
  const rowBytes = Math.ceil((width * depth) / 8);
  const perByte = 8 / depth;
  const result = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const byte = data[y * rowBytes + Math.floor(x / perByte)];
      const shift = 8 - depth * ((x % perByte) + 1);
      result[y * width + x] = (byte >> shift) & (2 ** depth - 1);
    }
  }
  return result;
}

/** 8-bit grey (1 channel) or RGB (3 channels) of one frame; with `recipe`, it travels inside. */
export function encodePng(picture: Picture, frame = 0, recipe?: Recipe): Uint8Array {
  const bytes = toBytes(picture, 'PNG');
  const channels = bytes.channels as 1 | 3;
  const { width, height } = bytes;
  const file = encode({
    width,
    height,
    channels,
    depth: 8,
    data: interleave(bytes, frame, channels),
  });
  return recipe ? embedRecipe(file, recipe) : file;
}

/** Writes one frame (see `encodePng`); atomic. */
export function writePng(path: string, picture: Picture, frame = 0, recipe?: Recipe): void {
  writeAtomic(path, encodePng(picture, frame, recipe));
}

/** `frame-01.png`, `frame-02.png`, ... in an existing folder; returns the paths. */
export function writePngSequence(
  folder: string,
  picture: Picture,
  recipe?: Recipe,
  stem = 'frame',
): string[] {
  const digits = Math.max(2, String(picture.frames).length);
  return Array.from({ length: picture.frames }, (_, t) => {
    const path = join(folder, `${stem}-${String(t + 1).padStart(digits, '0')}.png`);
    writePng(path, picture, t, recipe);
    return path;
  });
}

/** Frames from all PNG files of a folder or of a pattern such as `masks/frame-*.png`. */
export function readPngSequence(folderOrPattern: string): Frames {
  const paths = listPngs(folderOrPattern);
  return joinFrames(paths.map(readPng), folderOrPattern);
}

/** As `readPngSequence`, by `readPngIndices`. */
export function readPngIndexSequence(folderOrPattern: string): Frames<Uint8Array> {
  const paths = listPngs(folderOrPattern);
  return joinFrames(paths.map(readPngIndices), folderOrPattern);
}

/**
 * The PNG files of a folder, or one file, or those that a pattern (`*`, `?` in the last part)
 * names, ordered by the numbers in their names: frame-9 before frame-10.
 */
export function listPngs(folderOrPattern: string): string[] {
  const stat = statSync(folderOrPattern, { throwIfNoEntry: false });
  if (stat?.isFile()) return [folderOrPattern];
  const folder = stat ? folderOrPattern : dirname(folderOrPattern);
  const pattern = stat ? '*.png' : basename(folderOrPattern);
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  const matcher = new RegExp(`^${source}$`, 'i');
  const there = statSync(folder, { throwIfNoEntry: false })?.isDirectory();
  const names = there ? readdirSync(folder).filter((name) => matcher.test(name)) : [];
  if (names.length === 0) {
    throw new Error(`${folderOrPattern}: expected PNG files, got none`);
  }
  const order = new Intl.Collator('en', { numeric: true });
  return names.sort(order.compare).map((name) => join(folder, name));
}
