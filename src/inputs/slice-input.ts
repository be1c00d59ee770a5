/** `--mask` of a model of slices: the labels of a volume (cardiac MRI, short axis). */
import { baseFirst, labelledSlices, sampleSlices } from '../data/slices.ts';
import { readLabels as readStackLabels, type Stack } from '../data/stack.ts';
import type { Nifti } from '../data/nifti.ts';
import { labelFrames, selectFrames } from '../frames/frames.ts';
import type { Labels } from '../frames/frames.ts';
import { letterboxLabels, letterboxSpacing } from '../frames/resize.ts';
import type { InputContext, MaskInput, SliceLayout } from './context.ts';
import { joinLabelFiles, readLabels } from './pictures.ts';
import { fileKind } from './user-files.ts';

/** How the frames of a clip of slices lie in the volume that they stand for. */
interface Volume {
  /** 1 z h w, base first where the file told it. */
  readonly picture: Labels;
  readonly first: number;
  readonly last: number;
  readonly spacing: readonly [number, number] | null;
  readonly sliceSpacing: number | null;
  readonly note: string | null;
}

/**
 * Reads the labels of one volume: NIfTI (x, y, z) or a cine (x, y, z, t), of which frame `time`, or
 * the first that has labels, is taken; or PNG label maps from base to apex. Slices as `readMnmsClip`
 * takes them: base first, without the empty ends, spread over the model's frames.
 *
 * @throws one sentence for several volumes, labels the model does not have, no label at all
 */
export function readSliceMasks(
  context: InputContext, paths: readonly string[], time: number | null,
): MaskInput & { readonly slices: SliceLayout } {
  const { model, square } = context;
  const where = `--mask ${paths[0]}${paths.length > 1 ? ` and ${paths.length - 1} more` : ''}`;
  const volume = paths.length === 1 && fileKind(paths[0], ['NIfTI', 'PNG'], where) === 'NIfTI'
    ? fromNifti(context.files.nifti(paths[0]), model.classes, time, where)
    : fromPng(context, paths, time, where);
  const { picture, first, last, spacing, sliceSpacing, note } = volume;
  const picks = sampleSlices(first, last, model.frames);
  const box = square.box(picture, spacing, where);
  const frames = picks.flatMap((slice, t) => (slice === picks[t - 1] ? [] : [t]));
  const step = frames.length > 1 ? (last - first) / (frames.length - 1) : 1;
  return {
    masks: letterboxLabels(selectFrames(picture, picks), box),
    beat: { kind: null, es: null, picks, stored: picture.frames },
    spacing: spacing && letterboxSpacing(spacing, box),
    frameRate: null,
    slices: { frames, spacing: sliceSpacing && sliceSpacing * step, note },
  };
}

function fromNifti(file: Nifti, classes: number, time: number | null, where: string): Volume {
  const [width, height, slices = 1, times = 1, ...rest] = file.shape;
  if (file.shape.length < 2 || rest.some((size) => size > 1)) {
    throw new Error(`${where}: expected a volume (x, y, z) or a cine of one (x, y, z, t), ` +
      `got ${file.shape.join(' x ')}`);
  }
  if (time !== null && time >= times) {
    throw new Error(`${where}: expected a frame 0..${times - 1} of its time axis, got --time ${time}`);
  }
  const size = width * height * slices;
  const stackAt = (t: number): Stack => ({
    path: where, frames: slices, height, width, data: file.data.slice(t * size, (t + 1) * size),
  });
  const labelled = Array.from({ length: times }, (_, t) => t)
    .find((t) => file.data.subarray(t * size, (t + 1) * size).some((value) => value > 0));
  const chosen = time ?? labelled ?? 0;
  const stack = stackAt(chosen);
  const allowed = Array.from({ length: classes }, (_, label) => label);
  const data = readStackLabels(stack, allowed, 'slice');
  const all = labelFrames(slices, height, width, data, where);
  const turned = !baseFirst(file);
  const order = Array.from({ length: slices }, (_, z) => (turned ? slices - 1 - z : z));
  const picture = selectFrames(all, order);
  const { first, last } = labelledSlices(
    { ...stack, data: picture.data }, times > 1 ? `frame ${chosen}` : 'all');
  const others = times > 1 && time === null;
  return {
    picture, first, last, spacing: [file.spacing[0], file.spacing[1]], sliceSpacing: file.spacing[2] ?? null,
    note: others ? `${where}: frame ${chosen} of its ${times} (--time takes another)` : null,
  };
}

function fromPng(
  { files, model }: InputContext, paths: readonly string[], time: number | null, where: string,
): Volume {
  if (time !== null) {
    throw new Error(`${where}: expected a NIfTI cine (x, y, z, t) for --time ${time}, got PNG`);
  }
  for (const path of paths) fileKind(path, ['PNG'], `--mask ${path}`);
  const parts = paths.map((path) => readLabels(files, path, model.classes, `--mask ${path}`));
  const { picture } = joinLabelFiles(parts, where);
  const last = picture.frames - 1;
  return { picture, first: 0, last, spacing: null, sliceSpacing: null, note: null };
}
