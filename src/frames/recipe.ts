/**
 * The recipe (config, seed, conditions, checkpoint hash) as JSON inside every output:
 * PNG iTXt chunk, GIF comment extension, MP4 `uuid` box, NIfTI header extension (comment).
 * Pixels and other metadata stay as they are.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import { writeAtomic } from './atomic.ts';
import { COMMENT_CODE } from './nifti-extension.ts';
import type { NiftiExtension } from './nifti-extension.ts';
import {
  bytesOf,
  embedGif,
  embedMp4,
  embedNifti,
  embedPng,
  findGif,
  findMp4,
  findNifti,
  findPng,
  KEYWORD,
  niftiHeaderSize,
  textOf,
} from './recipe-containers.ts';

/** Any JSON object. */
export type Recipe = Readonly<Record<string, unknown>>;

const PNG_SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** Puts `recipe` into the file at `path` (PNG, GIF, MP4, .nii, .nii.gz), replacing an older one. */
export function writeRecipe(path: string, recipe: Recipe): void {
  writeAtomic(path, embedRecipe(readFileSync(path), recipe, path));
}

/** The recipe inside the file, or null; throws when the file is none of the four kinds. */
export function readRecipe(path: string): Recipe | null {
  return extractRecipe(readFileSync(path), path);
}

/** As `writeRecipe`, on bytes; `what` names them in messages. */
export function embedRecipe(file: Uint8Array, recipe: Recipe, what = 'picture'): Uint8Array {
  const text = asciiJson(recipe);
  switch (fileKind(file, what)) {
    case 'png':
      return embedPng(file, text, what);
    case 'gif':
      return embedGif(file, text, what);
    case 'mp4':
      return embedMp4(file, text, what);
    case 'gzip':
      return zip(embedNifti(unzip(file, what), text, what));
    case 'nifti':
      return embedNifti(file, text, what);
  }
}

/** As `readRecipe`, on bytes. */
export function extractRecipe(file: Uint8Array, what = 'picture'): Recipe | null {
  const kind = fileKind(file, what);
  const bytes = kind === 'gzip' ? unzip(file, what) : file;
  const finders = { png: findPng, gif: findGif, mp4: findMp4, gzip: findNifti, nifti: findNifti };
  const text = finders[kind](bytes, what);
  if (text === null) return null;
  try {
    return JSON.parse(text) as Recipe;
  } catch {
    throw new Error(`${what}: expected a recipe in JSON, got damaged text`);
  }
}

/** The extension that carries the recipe, for a NIfTI file about to be written. */
export function recipeExtension(recipe: Recipe): NiftiExtension {
  return { code: COMMENT_CODE, content: bytesOf(`${KEYWORD} ${asciiJson(recipe)}`) };
}

function fileKind(file: Uint8Array, what: string): 'png' | 'gif' | 'mp4' | 'gzip' | 'nifti' {
  if (PNG_SIGNATURE.every((byte, index) => file[index] === byte)) return 'png';
  const text = textOf(file.subarray(0, 12));
  if (text.startsWith('GIF8')) return 'gif';
  if (text.slice(4, 8) === 'ftyp') return 'mp4';
  if (file[0] === 0x1f && file[1] === 0x8b) return 'gzip';
  if (niftiHeaderSize(file) !== null) return 'nifti';
  throw new Error(`${what}: expected a PNG, GIF, MP4 or NIfTI file, got something else`);
}

// Comments in GIF and NIfTI are ASCII, so whatever is not travels as \uXXXX.
function asciiJson(recipe: Recipe): string {
  return JSON.stringify(recipe).replace(
    /[\u007f-\uffff]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function unzip(file: Uint8Array, what: string): Uint8Array {
  try {
    return gunzipSync(file, { maxOutputLength: 2 ** 31 - 1 });
  } catch (error) {
    throw new Error(`${what}: expected a whole gzip file, got ${(error as Error).message}`);
  }
}

// As `encodeNifti` zips: fast, and no operating system in byte 9.
function zip(bytes: Uint8Array): Uint8Array {
  const zipped = gzipSync(bytes, { level: 1 });
  zipped[9] = 255;
  return zipped;
}
