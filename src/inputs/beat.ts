/** Which part of a heart beat a sequence of masks shows, and which of its frames a clip takes. */
import { labelAreas } from '../conditions/mask.ts';
import { sampleFrames } from '../data/clips.ts';
import { plane } from '../frames/frames.ts';
import type { Labels } from '../frames/frames.ts';

/** `sequence`: a whole cycle, ED to ED; `half_sequence`: ED to ES. The data room's words. */
export type BeatKind = 'sequence' | 'half_sequence';

export interface Beat {
  /** null where the masks are as many as asked for and no beat can be told in them. */
  readonly kind: BeatKind | null;
  /** Frame of end-systole in the clip, 0-based. */
  readonly es: number | null;
  /** Frame of the file for every frame of the clip. */
  readonly picks: readonly number[];
  /** Frames of the file. */
  readonly stored: number;
}

/** The cavity's change below which nothing beats, as a share of its largest area. */
const STILL = 0.02;
/** How far from its extremes, in shares of its range, the cavity may be at ED and ES. */
const NEAR = 0.25;
/** The frame before the next ED comes after the atrial kick, or a step before it. */
const NEAR_NEXT = 0.4;

/** What the cavity's area says of a sequence that begins at ED; null when it is no beat. */
export function findBeat(masks: Labels): { kind: BeatKind; length: number; es: number } | null {
  const areas = labelAreas(masks).map((frame) => frame[1]);
  const [least, most] = [Math.min(...areas), Math.max(...areas)];
  const range = most - least;
  if (areas.length < 2 || range < STILL * most) return null;
  const es = areas.indexOf(least);
  const last = areas.length - 1;
  if (areas[0] < most - NEAR * range) return null;
  if (areas[last] <= least + NEAR * range && es > 0) {
    return { kind: 'half_sequence', length: areas.length, es: last };
  }
  if (areas[last] < most - NEAR_NEXT * range) return null;
  // A cycle that ends with the very ED it began with shows that frame twice.
  const repeated = plane(masks, 0, last).every((label, i) => label === masks.data[i]);
  return { kind: 'sequence', length: repeated ? last : areas.length, es };
}

/**
 * The frames of `masks` (all of one file) for a clip of `count`: as they are when there are as
 * many, else spread over the cycle. Throws one sentence when there are fewer, or more that are
 * neither a whole cycle nor a half one.
 */
export function chooseFrames(masks: Labels, count: number, where: string): Beat {
  const stored = masks.frames;
  const beat = findBeat(masks);
  if (stored === count) {
    const picks = Array.from({ length: count }, (_, t) => t);
    return { kind: beat?.kind ?? null, es: beat?.es ?? null, picks, stored };
  }
  if (stored < count) {
    throw new Error(
      `${where}: expected ${count} frames as the model has (or one ED and one ES mask to join), ` +
        `got ${stored}`,
    );
  }
  if (beat === null || beat.length < count) {
    throw new Error(
      `${where}: expected ${count} frames as the model has, or more of a cycle from ED to ED or ` +
        `ED to ES, got ${stored} frames that are neither`,
    );
  }
  const { kind, length, es } = beat;
  const picks = spreadFrames(kind, length, es, count, where);
  return { kind, es: picks.indexOf(es), picks, stored };
}

/** `count` of `length` frames as the clips of a data set are sampled, ES among them. */
export function spreadFrames(
  kind: BeatKind,
  length: number,
  es: number,
  count: number,
  path: string,
): number[] {
  const image = { path, frames: length, height: 1, width: 1, data: new Uint8Array(0) };
  return sampleFrames({ kind, image, ed: 0, es, folder: path, view: '4CH' }, count);
}
