/**
 * Recordings of the public CAMUS layout (PAPER section 2): grey images, masks, and, in a phantom,
 * true flow and leaflets.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { floatFrames, labelFrames } from '../frames/frames.ts';
import type { Frames, Labels, Polyline } from '../frames/frames.ts';
import { readInfo, readPatient, recordingFile, recordingKind } from './camus-folder.ts';
import type { CamusInfo, RecordingKind, View } from './camus-folder.ts';
import { cleanLabelBorders } from './label-borders.ts';
import { readNifti, VECTOR_INTENT } from './nifti.ts';
import type { Nifti } from './nifti.ts';
import { readLabels, sameSize, valueRange } from './stack.ts';
import type { Stack } from './stack.ts';

export type { Stack } from './stack.ts';

/** 0 background, 1 LV cavity, 2 myocardium, 3 left atrium. */
export const CAMUS_LABELS: readonly number[] = [0, 1, 2, 3];

/** One view of one patient as it is on disk; pixels become pictures when asked for. */
export interface Recording {
  readonly patient: string;
  readonly view: View;
  readonly folder: string;
  readonly kind: RecordingKind;
  readonly image: Stack;
  readonly mask: Stack | null;
  readonly flow: Nifti | null;
  readonly leaflets: readonly (readonly Polyline[])[] | null;
  /** File frame of every frame in the order ED to ES: counting down when `reversed`. */
  readonly order: readonly number[];
  /** The file runs ES to ED and was turned. */
  readonly reversed: boolean;
  /** 0-based, in the order above. */
  readonly ed: number;
  readonly es: number;
  /** mm per pixel (x, y). */
  readonly spacing: readonly [number, number];
  readonly info: CamusInfo | null;
}

/**
 * Reads one view of the patient in `folder`: `_sequence` where there is one, else
 * `_half_sequence`, else the ED and ES stills. Throws one sentence naming the file that is absent,
 * damaged or of another size.
 */
export function readRecording(folder: string, view: View): Recording {
  const patient = readPatient(folder);
  const kind = recordingKind(folder, view);
  if (!patient || !kind) {
    const views = patient?.views.includes(view) ? 'one of the two stills' : 'other views';
    throw new Error(
      `${folder}: expected a ${view} recording (half_sequence, or ED and ES), ` +
        `got ${patient ? views : 'no CAMUS files'}`,
    );
  }
  const parts = kind === 'stills' ? ['ED', 'ES'] : [kind];
  const files = parts.map((part) => readNifti(recordingFile(folder, view, part) as string));
  const image = joinStacks(files.map(toStack));
  const info = readInfo(folder, view);
  const phases = kind === 'stills' ? [1, 2] : [info?.ed ?? 1, info?.es ?? image.frames];
  for (const phase of phases) {
    if (!Number.isInteger(phase) || phase < 1 || phase > image.frames) {
      throw new Error(
        `${join(folder, `Info_${view}.cfg`)}: expected ED and ES within 1..${image.frames} ` +
          `(the frames of ${image.path}), got ED ${phases[0]}, ES ${phases[1]}`,
      );
    }
  }
  const reversed = phases[0] > phases[1];
  const place = (phase: number) => (reversed ? image.frames - phase : phase - 1);
  return {
    patient: patient.id,
    view,
    folder,
    kind,
    image,
    mask: readMask(folder, view, parts, image),
    // Turning the film round would need the inverse of the flow, so a turned one has none.
    flow: kind === 'stills' || reversed ? null : readFlow(folder, view, kind, image),
    leaflets: kind === 'stills' ? null : readLeaflets(folder, view, kind, image, patient.id),
    order: frameOrder(image.frames, reversed),
    reversed,
    ed: place(phases[0]),
    es: place(phases[1]),
    spacing: [files[0].spacing[0], files[0].spacing[1]],
    info,
  };
}

function frameOrder(count: number, reversed: boolean): number[] {
  return Array.from({ length: count }, (_, t) => (reversed ? count - 1 - t : t));
}

/** 2-D, [x, y, t] as CAMUS writes sequences, or [x, y, 1, t]. */
function toStack(file: Nifti): Stack {
  const [width, height, depth = 1, time = 1, ...rest] = file.shape;
  if (file.shape.length < 2 || (depth > 1 && time > 1) || rest.some((size) => size > 1)) {
    throw new Error(
      `${file.path}: expected a picture (x, y) or a sequence (x, y, t), ` +
        `got ${file.shape.join(' x ')}`,
    );
  }
  return { path: file.path, frames: depth * time, height, width, data: file.data };
}

function joinStacks(stacks: readonly Stack[]): Stack {
  const [first, second] = stacks;
  if (!second) return first;
  sameSize(second, first);
  const data = new Float32Array(first.data.length + second.data.length);
  data.set(first.data);
  data.set(second.data, first.data.length);
  return { ...first, frames: first.frames + second.frames, data };
}

function readMask(
  folder: string,
  view: View,
  parts: readonly string[],
  image: Stack,
): Stack | null {
  const paths = parts.map((part) => recordingFile(folder, view, `${part}_gt`));
  if (paths.some((path) => path === null)) return null;
  const mask = joinStacks(paths.map((path) => toStack(readNifti(path as string))));
  sameSize(mask, image, image.frames);
  return { ...mask, data: readLabels(mask, CAMUS_LABELS) };
}

function readFlow(folder: string, view: View, kind: RecordingKind, image: Stack): Nifti | null {
  const path = recordingFile(folder, view, `${kind}_flow`);
  if (!path) return null;
  const flow = readNifti(path);
  const [width, height, , frames, components] = flow.shape;
  const fits = width === image.width && height === image.height;
  const long = frames === image.frames || frames === image.frames - 1;
  if (!fits || !long || components !== 2 || flow.intent !== VECTOR_INTENT) {
    throw new Error(
      `${path}: expected vectors (intent ${VECTOR_INTENT}) of ` +
        `${image.width} x ${image.height} x 1 x ${image.frames} x 2, got intent ${flow.intent} ` +
        `and ${flow.shape.join(' x ')}`,
    );
  }
  return flow;
}

const pointSchema = z.tuple([z.number(), z.number()]);
const leafletsSchema = z.object({
  frames: z.array(z.array(z.array(pointSchema).min(2))),
});

function readLeaflets(
  folder: string,
  view: View,
  kind: RecordingKind,
  image: Stack,
  patient: string,
): readonly (readonly Polyline[])[] | null {
  const path = join(folder, `${patient}_${view}_${kind}_leaflets.json`);
  if (!existsSync(path)) return null;
  const where = `${path}: expected {"frames": [[[[x, y], ...], ...], ...]}`;
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new Error(`${where}, got no JSON (${(error as Error).message})`);
  }
  const parsed = leafletsSchema.safeParse(content);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new Error(`${where}, got ${issue.message} at ${issue.path.join('.')}`);
  }
  const { frames } = parsed.data;
  if (frames.length !== image.frames) {
    throw new Error(
      `${path}: expected ${image.frames} frames as in ${image.path}, got ${frames.length}`,
    );
  }
  return frames.map((lines) => lines.map((line) => line.map(([x, y]) => ({ x, y }))));
}

/**
 * Grey pictures in [0,1] of the named frames (numbers in the order ED to ES). Files hold 0..255;
 * real-valued files that nowhere exceed 1 are taken as they are.
 */
export function recordingVideo(recording: Recording, frames: readonly number[]): Frames {
  const { image } = recording;
  const { least, most } = valueRange(image.data);
  if (least < 0 || most > 255) {
    throw new Error(`${image.path}: expected grey levels 0..255, got ${least}..${most}`);
  }
  const real = image.data instanceof Float32Array || image.data instanceof Float64Array;
  const scale = real && most <= 1 ? 1 : 1 / 255;
  const shape = { channels: 1, frames: frames.length, height: image.height, width: image.width };
  const video = floatFrames(shape, undefined, image.path);
  const size = image.height * image.width;
  frames.forEach((frame, t) => {
    const from = recording.order[frame] * size;
    for (let i = 0; i < size; i++) video.data[t * size + i] = image.data[from + i] * scale;
  });
  return video;
}

/** Labels of the named frames, or null where there are no masks; see `cleanLabelBorders`. */
export function recordingMasks(
  recording: Recording,
  frames: readonly number[],
  cleanBorders = false,
): Labels | null {
  const { mask } = recording;
  if (!mask) return null;
  const labels = labelFrames(frames.length, mask.height, mask.width, undefined, mask.path);
  const size = mask.height * mask.width;
  frames.forEach((frame, t) => {
    const from = recording.order[frame] * size;
    labels.data.set((mask.data as Uint8Array).subarray(from, from + size), t * size);
  });
  return cleanBorders ? cleanLabelBorders(labels) : labels;
}

/**
 * True flow of the named frames in pixels (dx, dy) of the file to the following file frame; null
 * where there is none. The file is in mm when its description says so ("... mm ..."), else pixels.
 */
export function recordingFlow(recording: Recording, frames: readonly number[]): Frames | null {
  const { flow, image } = recording;
  if (!flow) return null;
  const scale = /\bmm\b/.test(flow.description)
    ? recording.spacing.map((size) => 1 / size)
    : [1, 1];
  const size = image.height * image.width;
  const stored = flow.shape[3];
  const shape = { channels: 2, frames: frames.length, height: image.height, width: image.width };
  const result = floatFrames(shape, undefined, flow.path);
  for (let c = 0; c < 2; c++) {
    frames.forEach((frame, t) => {
      if (frame >= stored) return;
      const from = (c * stored + frame) * size;
      const to = (c * frames.length + t) * size;
      for (let i = 0; i < size; i++) result.data[to + i] = flow.data[from + i] * scale[c];
    });
  }
  return result;
}
