/** What a clip gives, as typed arrays: this runs without libtorch where the extractors do. */
import type { ConditionName } from '../conditions/condition.ts';
import { loadFlowEstimator } from '../conditions/flow.ts';
import { drawSkeleton, skeletonsFromMasks } from '../conditions/skeleton.ts';
import { extractSketch } from '../conditions/sketch.ts';
import type { StrokeSequence } from '../conditions/stroke.ts';
import { defaultPrompt } from '../conditions/text.ts';
import { readClip, type Clip, type ClipSource } from '../data/clips.ts';
import { readMnmsClip, type MnmsClip, type MnmsSource } from '../data/mnms.ts';
import type { Extractors } from '../extractors/extractors.ts';
import { frameAt, type Frames, type Labels } from '../frames/frames.ts';
import type { PreparedClip, PreparedPlanes } from './prepared-clip.ts';

export type ClipExtractors = Pick<Extractors, 'flowEstimator' | 'extractSketch'>;

const builtIn: ClipExtractors = { flowEstimator: loadFlowEstimator, extractSketch };

/** A recording to be read at a size, in pixels of its side and frames. */
export interface ExtractionTask {
  readonly source: ClipSource | MnmsSource;
  readonly size: { readonly size: number; readonly frames: number };
}

/** @throws what the source cannot give */
export function extractSource(
  { source, size }: ExtractionTask, extractors?: ClipExtractors,
): Promise<PreparedClip> {
  return extractClip(source.kind === 'slices' ? readMnmsClip(source, size)
    : readClip(source.folder, source.view, size), extractors);
}

/**
 * Every condition that the clip can give, at its own size; flow is estimated where the truth is not
 * known. The slices of a volume give their masks alone (PAPER section 2).
 */
export async function extractClip(
  clip: Clip | MnmsClip, extractors: ClipExtractors = builtIn,
): Promise<PreparedClip> {
  const planes = clip.kind === 'slices' ? maskPlanes(clip) : await everyPlane(clip, extractors);
  const { video } = clip;
  return {
    id: clip.id, patient: clip.patient, view: clip.view, prompt: defaultPrompt(clip.view),
    frames: video.frames, size: video.width, stills: clip.kind === 'stills',
    ...(clip.kind === 'slices' ? {}
      : { beat: { ed: clip.ed, es: clip.es, whole: clip.kind === 'sequence', ef: clip.ef } }),
    video: toUnitBytes([video]), planes, latents: null, embedding: null,
  };
}

function maskPlanes({ masks }: Clip | MnmsClip): Map<ConditionName, PreparedPlanes> {
  return new Map(masks === null ? [] : [['mask', { kind: 'labels', channels: 1, data: masks.data }]]);
}

async function everyPlane(
  clip: Clip, extractors: ClipExtractors,
): Promise<Map<ConditionName, PreparedPlanes>> {
  const { video, masks } = clip;
  const { extractSketch, flowEstimator } = extractors;
  const planes = new Map<ConditionName, PreparedPlanes>();
  const sketches = Array.from({ length: video.frames }, (_, t) => extractSketch(frameAt(video, t)));
  planes.set('sketch', { kind: 'unit', channels: 1, data: toUnitBytes(sketches) });
  for (const [name, found] of maskPlanes(clip)) planes.set(name, found);
  const strokes = clip.leaflets ?? (masks === null ? null : valveOf(masks));
  if (strokes !== null) {
    const drawn = drawSkeleton(strokes, video.height, video.width);
    planes.set('skeleton', { kind: 'unit', channels: 1, data: toUnitBytes([drawn]) });
  }
  if (clip.kind !== 'stills') {
    const last = clip.kind === 'sequence' ? 'loop' : 'hold';
    const flow = clip.flow ?? (await flowEstimator())(video, clip.sector, last);
    planes.set('flow', { kind: 'real', channels: 2, data: byFrame(flow) });
  }
  return planes;
}

/** The valve's strokes; null where the masks show none, as in other data sets than CAMUS. */
function valveOf(masks: Labels): StrokeSequence | null {
  try {
    return skeletonsFromMasks(masks);
  } catch {
    return null;
  }
}

/** [0,1] to bytes, pictures one after the other. */
function toUnitBytes(parts: readonly Frames[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, { data }) => sum + data.length, 0));
  let at = 0;
  for (const { data } of parts) {
    for (const value of data) out[at++] = Math.round(255 * Math.min(1, Math.max(0, value)));
  }
  return out;
}

/** [c][f][h][w] -> [f][c][h][w] */
function byFrame({ channels, frames, height, width, data }: Frames): Float32Array {
  const area = height * width;
  const out = new Float32Array(data.length);
  for (let c = 0; c < channels; c++) {
    for (let f = 0; f < frames; f++) {
      const from = (c * frames + f) * area;
      out.set(data.subarray(from, from + area), (f * channels + c) * area);
    }
  }
  return out;
}
