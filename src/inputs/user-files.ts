/** The files a user names: what kind they are, each NIfTI read once, digests for the recipe. */
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { extname } from 'node:path';
import { readNifti } from '../data/nifti.ts';
import type { Nifti } from '../data/nifti.ts';
import { listPngs } from '../frames/png.ts';

export type FileKind = 'NIfTI' | 'PNG' | 'JSON';

const KIND_OF_ENDING: Readonly<Record<string, FileKind>> = {
  '.nii': 'NIfTI',
  '.gz': 'NIfTI',
  '.png': 'PNG',
  '.json': 'JSON',
};

const FILMS = ['.mp4', '.gif', '.avi', '.mov', '.mkv', '.webm'];

/**
 * What a path is, by its name: a folder or a pattern (`masks/frame-*.png`) holds PNG files. Throws
 * one sentence when it is none of `expected`.
 */
export function fileKind(path: string, expected: readonly FileKind[], where: string): FileKind {
  const folder = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  const ending = extname(path).toLowerCase();
  const kind = folder ? 'PNG' : KIND_OF_ENDING[ending];
  if (kind !== undefined && expected.includes(kind)) return kind;
  const films = FILMS.includes(ending)
    ? ' (its frames as PNG: ffmpeg -i FILM DIR/frame-%03d.png)'
    : '';
  throw new Error(
    `${where}: expected ${expected.map(describeKind).join(' or ')}, ` +
      `got ${folder ? 'a folder' : (kind ?? (ending === '' ? 'no such kind' : ending))}${films}`,
  );
}

function describeKind(kind: FileKind): string {
  if (kind === 'NIfTI') return 'NIfTI (.nii, .nii.gz)';
  return kind === 'PNG' ? 'PNG (a file, a folder or a pattern)' : 'JSON (.json)';
}

/** A file that was read, for the recipe. */
export interface FileDigest {
  readonly file: string;
  readonly sha256: string;
}

export class UserFiles {
  readonly #niftis = new Map<string, Nifti>();

  /** As `readNifti`; a second call gives the same object. */
  nifti(path: string): Nifti {
    const nifti = this.#niftis.get(path) ?? readNifti(path);
    this.#niftis.set(path, nifti);
    return nifti;
  }

  /**
   * mm per pixel (x, y) of a picture of this size that does not say it itself (PNG, JSON): that of
   * the NIfTI file of the same size, for they show the same patient; null where there is none.
   */
  spacingOf(height: number, width: number): readonly [number, number] | null {
    for (const { shape, spacing } of this.#niftis.values()) {
      if (shape[0] === width && shape[1] === height) return [spacing[0], spacing[1]];
    }
    return null;
  }

  /** The value in a JSON file. Throws one sentence when there is no such file or no JSON in it. */
  json(path: string, where: string): unknown {
    let text: string;
    try {
      text = readFileSync(path, 'utf8');
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new Error(
        `${where}: expected a JSON file, got ${code === 'ENOENT' ? 'no such file' : code}`,
      );
    }
    try {
      return JSON.parse(text);
    } catch (error) {
      throw new Error(`${where}: expected JSON, got ${(error as Error).message}`);
    }
  }
}

/** Digests of what `path` stands for: itself, or the PNG files of a folder or a pattern. */
export function digestFiles(path: string): FileDigest[] {
  const single = statSync(path, { throwIfNoEntry: false })?.isFile() === true;
  return (single ? [path] : listPngs(path)).map((file) => ({
    file,
    sha256: createHash('sha256').update(readFileSync(file)).digest('hex'),
  }));
}
