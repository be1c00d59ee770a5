/** A held-out clip, or one frame of it, with everything that is asked of what is generated for it. */
import { createHash } from 'node:crypto';
import type { ConditionInputs } from '../conditions/condition.ts';
import { signedDistance } from '../conditions/distance.ts';
import { interfaceLine } from '../conditions/interface.ts';
import { skeletonsFromMasks } from '../conditions/skeleton.ts';
import { readClip, type Clip, type ClipSource } from '../data/clips.ts';
import { statesSpacing } from '../data/spacing.ts';
import type { Extractors } from '../extractors/extractors.ts';
import { floatFrames, frameAt, plane, selectFrames } from '../frames/frames.ts';
import type { Frames, Labels, Polyline } from '../frames/frames.ts';
import type { HeartBeat } from '../heartbeat/heartbeat.ts';
import { farthestPoint, searchReach } from '../metrics/skeleton-distance.ts';
import { sectorWindow } from '../metrics/spectrum.ts';
import { conditionInputsOf, type PickedFrames } from '../training/condition-inputs.ts';
import { extractClip } from '../training/extract-clip.ts';
import type { PreparedClip } from '../training/prepared-clip.ts';

/** Width of the window's edge, and of the rim where edges do not count, as shares of the side. */
const TAPER = 0.0625;
const RIM = 0.04;

/** Which moment of the beat a single frame shows. */
export type Phase = 'ED' | 'ES';

export interface Subject {
  readonly id: string;
  readonly patient: string;
  readonly view: string;
  /** Of a single frame. */
  readonly phase?: Phase;
  /** The clip's conditions, as `synthesize` takes them. */
  readonly inputs: ConditionInputs;
  /** The real video as 8-bit pictures show it, 1 f h w. */
  readonly real: Frames;
  readonly masks: Labels;
  /** The frame whose look is asked for, and its mask: of a clip its first one. */
  readonly prior: { readonly picture: Frames; readonly mask: Labels };
  readonly sector: Labels;
  /** h w: inside the sector, and away from its rim. */
  readonly inside: Uint8Array;
  readonly interior: Uint8Array;
  /** Of the spectrum, h w. */
  readonly window: Float32Array;
  /** The asked valve, lines a frame; null where the masks show none. */
  readonly strokes: readonly (readonly Polyline[])[] | null;
  /** Frames in which the asked valve is shut: all of it near the LV/LA interface of the mask. */
  readonly shut: readonly number[];
  /** mm per pixel, mean of x and y; null where the data set does not know. */
  readonly pixel: number | null;
  /** -1 where the frame is not among these. */
  readonly ed: number;
  readonly es: number;
  /** sha256 of the prepared clip: results of another clip of this name do not count. */
  readonly hash: string;
}

/**
 * Reads one clip; its conditions by the extractors given, or the built-in ones.
 * @throws when it has no masks, which is what everything here is measured against
 */
export async function readSubject(
  source: ClipSource, model: HeartBeat, extractors?: Extractors,
): Promise<Subject> {
  const { resolution, frames } = model.config;
  const clip = readClip(source.folder, source.view, { size: resolution, frames });
  const prepared = await extractClip(clip, extractors);
  const whole = { frames: Array.from({ length: frames }, (_, t) => t), prior: 0 };
  return subjectOf(source, clip, prepared, model, whole);
}

/**
 * What is asked of the picked frames of a clip.
 *
 * @throws when it has no masks
 */
export function subjectOf(
  source: ClipSource, clip: Clip, prepared: PreparedClip, model: HeartBeat, picked: PickedFrames,
): Subject {
  if (clip.masks === null) throw new Error(`${source.id}: expected masks to measure by, got none`);
  const { height, width } = clip.video;
  const inside = plane(clip.sector, 0, 0);
  const depth = signedDistance(inside, height, width);
  const side = Math.max(height, width);
  const video = floatFrames(clip.video, Float32Array.from(prepared.video, (byte) => byte / 255));
  const masks = selectFrames(clip.masks, picked.frames);
  // masks that show no valve are no error of the clip
  const drawn = clip.leaflets ?? (prepared.planes.has('skeleton') ? skeletonsFromMasks(clip.masks) : null);
  const strokes = drawn === null ? null : picked.frames.map((t) => drawn[t]);
  return {
    id: clip.id, patient: clip.patient, view: clip.view,
    inputs: conditionInputsOf(prepared, model, picked),
    real: selectFrames(video, picked.frames), masks, sector: clip.sector, inside,
    prior: { picture: frameAt(video, picked.prior), mask: frameAt(clip.masks, picked.prior) },
    interior: Uint8Array.from(depth, (d) => (d > RIM * side ? 1 : 0)),
    window: sectorWindow(depth, TAPER * side),
    strokes, shut: strokes === null ? [] : shutFrames(masks, strokes),
    pixel: statesSpacing(source) ? (clip.spacing[0] + clip.spacing[1]) / 2 : null,
    ed: picked.frames.indexOf(clip.ed), es: picked.frames.indexOf(clip.es),
    hash: hashOf(prepared),
  };
}

function shutFrames(masks: Labels, strokes: readonly (readonly Polyline[])[]): number[] {
  const { height, width } = masks;
  const reach = searchReach(height, width);
  return strokes.flatMap((lines, t) => {
    if (lines.length === 0) return [];
    const border = interfaceLine(plane(masks, 0, t), height, width, 1, 3);
    return border !== null && farthestPoint(lines, [border]) <= reach ? [t] : [];
  });
}

function hashOf({ video, planes }: PreparedClip): string {
  const hash = createHash('sha256').update(video);
  for (const [name, { data }] of planes) {
    hash.update(name).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest('hex');
}
