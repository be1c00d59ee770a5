/**
 * Clips as the network sees them: letterboxed to a square, resized, a fixed number of frames over
 * the cycle, with everything the data set knows besides the picture.
 */
import { floatFrames, plane } from '../frames/frames.ts';
import type { Frames, Labels, Point, Polyline } from '../frames/frames.ts';
import {
  letterbox,
  letterboxFrames,
  letterboxLabels,
  letterboxScale,
  letterboxSpacing,
  toLetterbox,
} from '../frames/resize.ts';
import type { Letterbox } from '../frames/resize.ts';
import { listPatients, readInfo, recordingFile, recordingKind } from './camus-folder.ts';
import type { ListOptions, RecordingKind, View } from './camus-folder.ts';
import { readRecording, recordingFlow, recordingMasks, recordingVideo } from './camus.ts';
import type { Recording } from './camus.ts';
import { composeFlow, confineFlow } from './displacement.ts';
import { readNiftiShape } from './nifti.ts';
import { estimateSector } from './sector.ts';

export interface Clip {
  /** `patient0001_4CH`. */
  readonly id: string;
  readonly patient: string;
  readonly view: View;
  /** A whole cycle, ED to ES, or just the two stills (2 frames). */
  readonly kind: RecordingKind;
  /** 1 f h w in [0,1], letterboxed to a square and resized. */
  readonly video: Frames;
  /** f h w. */
  readonly masks: Labels | null;
  /** Per frame, the true mitral leaflets in the clip's pixels (phantom). */
  readonly leaflets: readonly (readonly Polyline[])[] | null;
  /**
   * 2 f h w, (dx, dy) over the image side, forward: the material at p of frame t is at
   * p + side * flow(p) in frame t + 1, so reading frame t + 1 there brings it back to frame t.
   * The last frame of a cycle leads to the first of the next beat. Zero outside the sector.
   */
  readonly flow: Frames | null;
  /** 0-based frame numbers in this clip. */
  readonly ed: number;
  readonly es: number;
  /** The recording ran ES to ED and was turned. */
  readonly reversed: boolean;
  /** mm per pixel (x, y) after resizing. */
  readonly spacing: readonly [number, number];
  /** Percent. */
  readonly ef: number | null;
  /** Sampled frames a second of heart time; null where the recording's rate is unknown. */
  readonly frameRate: number | null;
  /** 1 frame, 1 inside the ultrasound sector; estimated from the picture. */
  readonly sector: Labels;
}

export interface ClipOptions {
  /** Side of the square in pixels. */
  readonly size: number;
  /** Frames over the cycle; stills always give 2. */
  readonly frames: number;
  /** See `cleanLabelBorders`: for masks that were resized as numbers. */
  readonly cleanBorders?: boolean;
}

/** A recording that is there; `readClip(folder, view)` reads it. */
export interface ClipSource {
  readonly id: string;
  readonly patient: string;
  readonly view: View;
  readonly folder: string;
  readonly kind: RecordingKind;
}

export interface ClipListOptions extends ListOptions {
  readonly views?: readonly View[];
  /** Recordings of fewer frames are left out with a line (PAPER section 2); stills are not. */
  readonly frames?: number;
  /** Which kinds to list; all when absent. */
  readonly kinds?: readonly RecordingKind[];
}

/** All recordings of a data set, a database folder or one patient; see `listPatients`. */
export function listClips(root: string, options: ClipListOptions = {}): ClipSource[] {
  const sources: ClipSource[] = [];
  for (const patient of listPatients(root, options)) {
    for (const view of patient.views) {
      if (options.views && !options.views.includes(view)) continue;
      const kind = recordingKind(patient.folder, view);
      if (!kind) {
        options.report?.(`${patient.folder}: ${view} has only one of ED and ES; left out`);
        continue;
      }
      if (options.kinds && !options.kinds.includes(kind)) continue;
      const available = kind === 'stills' ? Infinity : recordingFrames({ folder: patient.folder, view, kind });
      if (available < (options.frames ?? 1)) {
        const counts = `${available} frames, fewer than ${options.frames}`;
        options.report?.(`${patient.folder}: ${view} has ${counts}; left out`);
        continue;
      }
      const { id, folder } = patient;
      sources.push({ id: `${id}_${view}`, patient: id, view, folder, kind });
    }
  }
  return sources;
}

/** Frames of a recording that can be sampled, from the header and Info alone. */
export function recordingFrames({ folder, view, kind }: Pick<ClipSource, 'folder' | 'view' | 'kind'>): number {
  if (kind === 'stills') return 2;
  const shape = readNiftiShape(recordingFile(folder, view, kind) as string);
  const stored = (shape[2] ?? 1) * (shape[3] ?? 1);
  if (kind === 'sequence') return stored;
  const info = readInfo(folder, view);
  return Math.abs((info?.es ?? stored) - (info?.ed ?? 1)) + 1;
}

/**
 * Reads one view of the patient in `folder`. Frames are real ones, evenly spread and rounded: a
 * half sequence from ED to ES, a whole cycle from ED on without its end (which is ED again); ES
 * is always among them. Throws when there are fewer frames than asked for.
 */
export function readClip(folder: string, view: View, options: ClipOptions): Clip {
  const recording = readRecording(folder, view);
  const { image, kind, info } = recording;
  const sampled = sampleFrames(recording, options.frames);
  const box = letterbox(image.height, image.width, options.size, recording.spacing);
  const video = letterboxFrames(recordingVideo(recording, sampled), box);
  const sector = estimateSector(video);
  const masks = recordingMasks(recording, sampled, options.cleanBorders);
  const pace = samplingPace(recording, sampled.length);
  return {
    id: `${recording.patient}_${view}`,
    patient: recording.patient,
    view,
    kind,
    video,
    masks: masks && letterboxLabels(masks, box),
    leaflets: sampleLeaflets(recording, sampled, box),
    flow: sampleFlow(recording, sampled, box, sector),
    ed: sampled.indexOf(recording.ed),
    es: sampled.indexOf(recording.es),
    reversed: recording.reversed,
    spacing: letterboxSpacing(recording.spacing, box),
    ef: info?.ef ?? null,
    frameRate: info?.frameRate && pace ? info.frameRate * pace : null,
    sector,
  };
}

/** The video of `readClip` alone, in a fraction of its time. */
export function readClipVideo(
  folder: string, view: View, { size, frames }: Pick<ClipOptions, 'size' | 'frames'>,
): Frames {
  const recording = readRecording(folder, view);
  const box = letterbox(recording.image.height, recording.image.width, size, recording.spacing);
  return letterboxFrames(recordingVideo(recording, sampleFrames(recording, frames)), box);
}

/** Frame numbers of the recording for every frame of the clip. */
export function sampleFrames(
  recording: Pick<Recording, 'kind' | 'image' | 'ed' | 'es' | 'folder' | 'view'>,
  count: number,
): number[] {
  if (!Number.isInteger(count) || count < 2) {
    throw new Error(`sampleFrames: expected at least 2 frames, got ${count}`);
  }
  const { kind, ed, es, image } = recording;
  if (kind === 'stills') return [0, 1];
  const length = kind === 'sequence' ? image.frames : es - ed + 1;
  if (length < count) {
    throw new Error(
      `${image.path}: expected at least ${count} frames` +
        `${kind === 'sequence' ? '' : ' from ED to ES'}, got ${length}`,
    );
  }
  const step = kind === 'sequence' ? length / count : (length - 1) / (count - 1);
  const offsets = Array.from({ length: count }, (_, k) => Math.round(k * step));
  const systole = kind === 'sequence' ? (es - ed + length) % length : length - 1;
  if (!offsets.includes(systole)) offsets[nearestInner(offsets, systole)] = systole;
  return offsets.map((offset) => (ed + offset) % image.frames);
}

/** The offset nearest to `target`, the first (ED) excepted. */
function nearestInner(offsets: readonly number[], target: number): number {
  let best = 1;
  offsets.forEach((offset, k) => {
    if (k > 0 && Math.abs(offset - target) < Math.abs(offsets[best] - target)) best = k;
  });
  return best;
}

/** Sampled frames per frame of the recording; null for stills. */
function samplingPace(recording: Recording, count: number): number | null {
  if (recording.kind === 'stills') return null;
  if (recording.kind === 'sequence') return count / recording.image.frames;
  return (count - 1) / Math.max(1, recording.es - recording.ed);
}

function sampleLeaflets(
  recording: Recording,
  sampled: readonly number[],
  box: Letterbox,
): readonly (readonly Polyline[])[] | null {
  const { leaflets, order } = recording;
  if (!leaflets) return null;
  const place = (point: Point) => toLetterbox(point, box);
  return sampled.map((frame) => leaflets[order[frame]].map((line) => line.map(place)));
}

/** Steps between sampled frames are composed at the clip's size, in its pixels. */
function sampleFlow(
  recording: Recording,
  sampled: readonly number[],
  box: Letterbox,
  sector: Labels,
): Frames | null {
  if (!recording.flow) return null;
  const { frames: total } = recording.image;
  const { size } = box;
  const result = floatFrames({ channels: 2, frames: sampled.length, height: size, width: size });
  const scale = letterboxScale(box);
  sampled.forEach((frame, t) => {
    const last = t === sampled.length - 1;
    // Only a whole cycle goes on after its last frame.
    if (last && recording.kind !== 'sequence') return;
    const next = sampled[last ? 0 : t + 1];
    const steps = Array.from(
      { length: (next - frame + total) % total },
      (_, k) => (frame + k) % total,
    );
    const flow = recordingFlow(recording, steps);
    if (!flow) return;
    const small = letterboxFrames(flow, box);
    const half = small.data.length / 2;
    for (let i = 0; i < half; i++) small.data[i] *= scale.x;
    for (let i = half; i < 2 * half; i++) small.data[i] *= scale.y;
    const joined = confineFlow(composeFlow(small), sector, 1 / size);
    plane(result, 0, t).set(plane(joined, 0, 0));
    plane(result, 1, t).set(plane(joined, 1, 0));
  });
  return result;
}
