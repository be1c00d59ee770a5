/** Clips among a user's files: NIfTI, or folders of PNG frames. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Frames } from '../frames/frames.ts';
import { letterbox, letterboxFrames } from '../frames/resize.ts';
import { readGrey } from './pictures.ts';
import { UserFiles } from './user-files.ts';

/** What `sample` writes beside a video, and masks of data sets. */
const NO_VIDEO = /^(masks|flow)\.nii(\.gz)?$|_gt\.nii(\.gz)?$|_flow\.nii(\.gz)?$/;

/**
 * The clips that paths stand for, in order: a file is one; a folder with `video.nii.gz` is that one; one
 * with PNG frames (`frame-*.png`, else PNG files alone) is one; any other folder is what lies below it.
 *
 * @throws when a path is not there, or stands for no clip
 */
export function findClips(paths: readonly string[]): string[] {
  return paths.flatMap((path) => {
    const state = statSync(path, { throwIfNoEntry: false });
    if (state === undefined) throw new Error(`${path}: expected clips, got no such file or folder`);
    const found = state.isDirectory() ? below(path) : [path];
    if (found.length === 0) {
      throw new Error(`${path}: expected clips (NIfTI, or folders of PNG frames), got none`);
    }
    return found;
  });
}

function below(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  const files = entries.filter((entry) => entry.isFile()).map(({ name }) => name);
  if (files.includes('video.nii.gz')) return [join(folder, 'video.nii.gz')];
  if (files.some((name) => /^frame-.*\.png$/i.test(name))) return [join(folder, 'frame-*.png')];
  const niftis = files.filter((name) => /\.nii(\.gz)?$/.test(name) && !NO_VIDEO.test(name));
  const pngs = files.filter((name) => /\.png$/i.test(name));
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  if (pngs.length > 1 && niftis.length === 0 && folders.length === 0) return [folder];
  return [...niftis.map((name) => join(folder, name)), ...folders.flatMap((name) => below(join(folder, name)))];
}

/**
 * The clip in a model's square: 1 f size size in [0, 1], pixels made square as the file says.
 *
 * @param frames that it must have; any number when absent
 * @throws when it has another number of frames
 */
export function readUserClip(
  path: string, { resolution, frames }: { readonly resolution: number; readonly frames?: number },
): Frames {
  const { picture, spacing } = readGrey(new UserFiles(), path, path);
  if (frames !== undefined && picture.frames !== frames) {
    throw new Error(`${path}: expected a clip of ${frames} frames, got ${picture.frames}`);
  }
  const { height, width } = picture;
  if (height === resolution && width === resolution) return picture;
  return letterboxFrames(picture, letterbox(height, width, resolution, spacing ?? [1, 1]));
}
