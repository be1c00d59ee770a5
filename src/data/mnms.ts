/**
 * Volumes of M&Ms (cardiac MRI, short axis; PAPER section 2) and the clips they become: slices
 * play the role of frames, from base to apex, and masks are the only condition.
 */
import { floatFrames, labelFrames } from '../frames/frames.ts';
import type { Frames, Labels } from '../frames/frames.ts';
import { randomStream } from '../frames/random.ts';
import { letterbox, letterboxFrames, letterboxLabels, letterboxSpacing } from '../frames/resize.ts';
import type { Clip } from './clips.ts';
import { listMnmsPatients, mnmsFile } from './mnms-folder.ts';
import type { MnmsListOptions, MnmsPatient } from './mnms-folder.ts';
import { readNifti } from './nifti.ts';
import type { Nifti } from './nifti.ts';
import { baseFirst, labelledSlices, sampleSlices } from './slices.ts';
import { readLabels, sameSize } from './stack.ts';
import type { Stack } from './stack.ts';
import { percentileWindow } from './window.ts';

/** 0 background, 1 LV cavity, 2 myocardium, 3 right ventricle (ACDC numbers them in reverse). */
export const MNMS_LABELS: readonly number[] = [0, 1, 2, 3];

export type Phase = 'ED' | 'ES';
export const PHASES: readonly Phase[] = ['ED', 'ES'];

/** Percentiles of a volume's voxels that become black and white. */
export const MNMS_WINDOW: readonly [number, number] = [1, 99];

/** A volume that is there; `readMnmsClip(source)` reads it. */
export interface MnmsSource {
  /** `A0S9V9_ED`. */
  readonly id: string;
  readonly patient: string;
  readonly view: 'SAX';
  readonly kind: 'slices';
  readonly folder: string;
  readonly phase: Phase;
  /** 0-based frame of the phase on the file's time axis. */
  readonly time: number;
  readonly vendor: string;
}

export interface MnmsVolumeOptions extends MnmsListOptions {
  readonly phases?: readonly Phase[];
}

/**
 * The volumes of a data set at ED and ES, patient by patient; see `listMnmsPatients`. A labelled
 * patient without masks, and one whose row has no ED and ES, or the same frame for both, is left
 * out with a line, or an error with `missing: 'error'`.
 */
export function listMnmsVolumes(path: string, options: MnmsVolumeOptions = {}): MnmsSource[] {
  const phases = options.phases ?? PHASES;
  const sources: MnmsSource[] = [];
  for (const patient of listMnmsPatients(path, options)) {
    const problem = whyUnusable(patient);
    if (problem !== null && options.missing === 'error') throw new Error(problem);
    if (problem !== null) {
      options.report?.(`${problem}; left out`);
      continue;
    }
    const { id, folder, info } = patient;
    for (const phase of phases) {
      const time = (phase === 'ED' ? info.ed : info.es) as number;
      const common = { patient: id, view: 'SAX', kind: 'slices', folder } as const;
      sources.push({ ...common, id: `${id}_${phase}`, phase, time, vendor: info.vendor });
    }
  }
  return sources;
}

function whyUnusable({ id, split, folder, table, info }: MnmsPatient): string | null {
  const { ed, es } = info;
  if (ed === null || es === null) {
    const got = `ED ${ed ?? 'empty'}, ES ${es ?? 'empty'}`;
    return `${table}: expected the frames of ED and ES for ${id}, got ${got}`;
  }
  // The public table has 0 and 0 for the patients that nobody labelled.
  if (ed === es) {
    return `${table}: expected different frames for ED and ES of ${id}, got ${ed} for both`;
  }
  if (split !== 'unlabeled' && mnmsFile(folder, id, '_sa_gt') === null) {
    return `${folder}: expected the masks ${id}_sa_gt.nii.gz, got no such file`;
  }
  return null;
}

/**
 * At most `count` volumes for few-shot training: in rounds over the vendors, one patient of each,
 * so that vendors are as even as they can be, and a patient's ED and ES stay together (only the
 * last one may be cut). Whose turn it is within a vendor depends on (seed, patient) alone: a
 * larger count holds the smaller one, and nobody's rank depends on who else is there. The result
 * keeps the order of `sources`.
 */
export function selectVolumes(
  sources: readonly MnmsSource[],
  { count, seed }: { readonly count: number; readonly seed: number },
): MnmsSource[] {
  if (!Number.isInteger(count) || count < 1) {
    throw new Error(`selectVolumes: expected a whole number of volumes from 1 on, got ${count}`);
  }
  const vendors = new Map<string, Map<string, MnmsSource[]>>();
  for (const source of sources) {
    const patients = vendors.get(source.vendor) ?? new Map<string, MnmsSource[]>();
    vendors.set(source.vendor, patients);
    patients.set(source.patient, [...(patients.get(source.patient) ?? []), source]);
  }
  const rank = (patient: string) => randomStream('mnms selection', seed, patient).uniform();
  const queues = [...vendors.keys()].sort().map((vendor) =>
    [...(vendors.get(vendor) as Map<string, MnmsSource[]>)]
      .map(([patient, volumes]) => ({ patient, volumes, rank: rank(patient) }))
      .sort((a, b) => a.rank - b.rank || (a.patient < b.patient ? -1 : 1)),
  );
  const chosen = new Set<MnmsSource>();
  for (let round = 0; chosen.size < count && queues.some((queue) => round < queue.length); round++) {
    for (const queue of queues) {
      for (const volume of queue[round]?.volumes ?? []) {
        if (chosen.size < count) chosen.add(volume);
      }
    }
  }
  return sources.filter((source) => chosen.has(source));
}

/** One volume as it is on disk, slices from base to apex. */
export interface MnmsVolume {
  readonly source: MnmsSource;
  readonly image: Stack;
  readonly mask: Stack | null;
  /** The file runs from apex to base and was turned. Without masks nobody knows: false. */
  readonly reversed: boolean;
  /** mm per voxel (x, y). */
  readonly spacing: readonly [number, number];
  /** mm from slice to slice. */
  readonly sliceSpacing: number;
}

/**
 * Reads a volume and its masks, turned so that the base comes first (`baseFirst`). Throws one
 * sentence naming the file for a volume that is not x y z t, a frame that it does not have, masks
 * of another size, an unknown label, and what `readNifti` refuses (NaN, truncated).
 */
export function readMnmsVolume(source: MnmsSource): MnmsVolume {
  const { folder, patient } = source;
  const path = mnmsFile(folder, patient, '_sa');
  if (path === null) {
    throw new Error(`${folder}: expected ${patient}_sa.nii.gz, got no such file`);
  }
  const file = readNifti(path);
  const image = stackAt(file, source);
  const maskPath = mnmsFile(folder, patient, '_sa_gt');
  const maskFile = maskPath === null ? null : readNifti(maskPath);
  const mask = maskFile && readMask(maskFile, file, image, source);
  // Of all frames together, so that ED and ES of a patient run the same way.
  const reversed = maskFile !== null && !baseFirst(maskFile);
  return {
    source,
    image: reversed ? turn(image) : image,
    mask: mask && reversed ? turn(mask) : mask,
    reversed,
    spacing: [file.spacing[0], file.spacing[1]],
    sliceSpacing: file.spacing[2],
  };
}

function readMask(
  file: Nifti,
  imageFile: Nifti,
  image: Stack,
  source: MnmsSource,
): Stack & { data: Uint8Array } {
  const [times, imageTimes] = [file, imageFile].map(({ shape }) => shape[3] ?? 1);
  if (times !== imageTimes) {
    throw new Error(
      `${file.path}: expected ${imageTimes} frames as in ${image.path}, got ${times}`,
    );
  }
  const mask = stackAt(file, source);
  sameSize(mask, image, image.frames);
  return { ...mask, data: readLabels(mask, MNMS_LABELS, 'slice') };
}

/** The volume of one phase out of x y z t. */
function stackAt(file: Nifti, { phase, time }: MnmsSource): Stack {
  const [width, height, slices = 1, times = 1, ...rest] = file.shape;
  if (file.shape.length < 3 || rest.some((size) => size > 1)) {
    throw new Error(
      `${file.path}: expected a short-axis cine (x, y, z, t), got ${file.shape.join(' x ')}`,
    );
  }
  if (time >= times) {
    throw new Error(
      `${file.path}: expected a frame ${time} (${phase} in the table), ` +
        `got ${times} frames (0..${times - 1})`,
    );
  }
  const size = width * height * slices;
  const data = file.data.slice(time * size, (time + 1) * size);
  return { path: file.path, frames: slices, height, width, data };
}

function turn<T extends Stack>(stack: T): T {
  const size = stack.width * stack.height;
  const data = stack.data.slice();
  for (let z = 0; z < stack.frames; z++) {
    data.set(stack.data.subarray(z * size, (z + 1) * size), (stack.frames - 1 - z) * size);
  }
  return { ...stack, data };
}

/** A volume as the network sees it: as a `Clip`, whose frames are slices from base to apex. */
export interface MnmsClip
  extends Omit<Clip, 'view' | 'kind' | 'ed' | 'es' | 'leaflets' | 'flow' | 'frameRate'> {
  readonly view: 'SAX';
  readonly kind: 'slices';
  readonly phase: Phase;
  readonly vendor: string;
  /** Slice of the volume (0 = first in base-to-apex order) that each frame shows. */
  readonly slices: readonly number[];
  /** mm from one slice of the volume to the next; 1 where the file does not say. */
  readonly sliceSpacing: number;
  readonly leaflets: null;
  readonly flow: null;
  readonly frameRate: null;
}

export interface MnmsClipOptions {
  /** Side of the square in pixels. */
  readonly size: number;
  readonly frames: number;
  /** Slices beyond the first and last labelled one: left out (default), or kept. */
  readonly emptySlices?: 'drop' | 'keep';
}

/**
 * Reads a volume as a clip of `frames` slices from base to apex (`sampleSlices`: every frame is a
 * real slice with its own mask). Grey levels through `MNMS_WINDOW` of the whole volume to [0,1];
 * letterboxed to a square and resized as `readClip` does. A volume without masks gives all its
 * slices in the file's order. Throws one sentence for a volume without a labelled slice, or of one
 * grey level.
 */
export function readMnmsClip(source: MnmsSource, options: MnmsClipOptions): MnmsClip {
  const volume = readMnmsVolume(source);
  const { image, mask, spacing } = volume;
  const { first, last } =
    mask === null || options.emptySlices === 'keep'
      ? { first: 0, last: image.frames - 1 }
      : labelledSlices(mask, source.phase);
  const slices = sampleSlices(first, last, options.frames);
  const box = letterbox(image.height, image.width, options.size, spacing);
  const whole = { channels: 1, frames: 1, height: options.size, width: options.size };
  return {
    id: source.id,
    patient: source.patient,
    view: source.view,
    kind: source.kind,
    phase: source.phase,
    vendor: source.vendor,
    video: letterboxFrames(mnmsVideo(volume, slices), box),
    masks: mask && letterboxLabels(pickLabels(mask, slices), box),
    slices,
    reversed: volume.reversed,
    spacing: letterboxSpacing(spacing, box),
    sliceSpacing: volume.sliceSpacing,
    leaflets: null,
    flow: null,
    frameRate: null,
    ef: null,
    // There is no fan: every pixel was measured.
    sector: { ...whole, data: new Uint8Array(options.size * options.size).fill(1) },
  };
}

/** Grey pictures in [0,1] of the named slices, at the volume's own size. */
export function mnmsVideo({ image }: MnmsVolume, slices: readonly number[]): Frames {
  const { low, high } = percentileWindow(image, MNMS_WINDOW);
  const shape = { channels: 1, frames: slices.length, height: image.height, width: image.width };
  const video = floatFrames(shape, undefined, image.path);
  const size = image.height * image.width;
  slices.forEach((slice, t) => {
    for (let i = 0; i < size; i++) {
      const level = (image.data[slice * size + i] - low) / (high - low);
      video.data[t * size + i] = Math.min(1, Math.max(0, level));
    }
  });
  return video;
}

function pickLabels(mask: Stack, slices: readonly number[]): Labels {
  const size = mask.height * mask.width;
  const labels = labelFrames(slices.length, mask.height, mask.width, undefined, mask.path);
  slices.forEach((slice, t) => {
    labels.data.set((mask.data as Uint8Array).subarray(slice * size, (slice + 1) * size), t * size);
  });
  return labels;
}
