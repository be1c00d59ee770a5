/** `--flow`: displacements in NIfTI, a video to follow, or masks to move with. */
import { holdLast } from '../conditions/flow.ts';
import type { LastFlow } from '../conditions/flow.ts';
import { flowFromMasks } from '../conditions/mask-flow.ts';
import { composeFlow } from '../data/displacement.ts';
import { VECTOR_INTENT } from '../data/nifti.ts';
import type { Nifti } from '../data/nifti.ts';
import { estimateSector } from '../data/sector.ts';
import { floatFrames, plane, selectFrames } from '../frames/frames.ts';
import type { Frames } from '../frames/frames.ts';
import { letterboxFrames, letterboxScale } from '../frames/resize.ts';
import { spreadFrames } from './beat.ts';
import type { BeatKind } from './beat.ts';
import { expectMasks } from './context.ts';
import type { InputContext, MaskInput } from './context.ts';
import { readMasks } from './mask-input.ts';
import { areLabels, readGrey } from './pictures.ts';
import { fileKind } from './user-files.ts';

export async function readFlow(context: InputContext, value: string): Promise<Frames> {
  const where = `--flow ${value}`;
  if (value === 'mask') return flowOfMasks(context, expectMasks(context, '--flow'));
  if (fileKind(value, ['NIfTI', 'PNG'], where) === 'NIfTI') {
    const nifti = context.files.nifti(value);
    if (nifti.intent === VECTOR_INTENT || nifti.shape.length > 4) {
      return storedFlow(context, nifti, where);
    }
    if (areLabels(nifti.data, context.model.classes)) {
      return flowOfMasks(context, readMasks(context, [value], '--flow'));
    }
  }
  return followVideo(context, value, where);
}

function flowOfMasks(context: InputContext, { masks, beat }: MaskInput): Frames {
  return flowFromMasks(masks, { sector: context.sector, last: lastOf(beat.kind) });
}

/** The frame after the last of a whole cycle is the first of the next beat. */
function lastOf(kind: BeatKind | null): LastFlow {
  return kind === 'sequence' ? 'loop' : 'hold';
}

/**
 * The frames of a file of `stored` for the clip: those that `--mask` takes of as many, else spread
 * over the whole file.
 */
function pickFrames(
  context: InputContext,
  stored: number,
  kind: BeatKind,
  where: string,
): { picks: readonly number[]; kind: BeatKind } {
  const count = context.model.frames;
  const beat = context.masks?.beat;
  if (beat?.stored === stored && beat.kind !== null && beat.picks.length === count) {
    return { picks: beat.picks, kind: beat.kind };
  }
  if (stored < count) {
    throw new Error(`${where}: expected at least ${count} frames as the model has, got ${stored}`);
  }
  // Nothing is known of ES here: the second frame of the even spread asks for no other one.
  const es = kind === 'half_sequence' ? stored - 1 : Math.round(stored / count);
  return { picks: spreadFrames(kind, stored, es, count, where), kind };
}

async function followVideo(context: InputContext, path: string, where: string): Promise<Frames> {
  const { picture, spacing } = readGrey(context.files, path, where);
  const kind = closes(picture) ? 'sequence' : 'half_sequence';
  const chosen = pickFrames(context, picture.frames, kind, where);
  const box = context.square.box(picture, spacing, where);
  const video = letterboxFrames(selectFrames(picture, chosen.picks), box);
  for (let i = 0; i < video.data.length; i++) video.data[i] = Math.min(1, video.data[i]);
  const sector = estimateSector(video);
  if (!sector.data.includes(1)) {
    throw new Error(
      `${where}: expected a video to follow, got black frames ` +
        '(masks are NIfTI here, or the word mask)',
    );
  }
  const estimate = await context.extractors.flowEstimator();
  context.extracted.add('flow');
  return estimate(video, sector, lastOf(chosen.kind));
}

/** Whether a video goes on from its last frame to its first as it goes on anywhere. */
function closes(video: Frames): boolean {
  const count = video.frames;
  const change = Array.from({ length: count }, (_, t) => {
    const [now, next] = [plane(video, 0, t), plane(video, 0, (t + 1) % count)];
    return now.reduce((sum, value, i) => sum + (value - next[i]) ** 2, 0);
  });
  return count > 2 && change[count - 1] <= 1.5 * Math.max(...change.slice(0, -1));
}

/** Vectors [x, y, 1, t, 2] in pixels to the next frame, or in mm where the file says so. */
function storedFlow(context: InputContext, nifti: Nifti, where: string): Frames {
  const { model, square } = context;
  const [width, height, depth = 1, stored = 1, components = 1] = nifti.shape;
  if (nifti.shape.length !== 5 || depth !== 1 || components !== 2) {
    throw new Error(
      `${where}: expected vectors (dx, dy) as x, y, 1, t, 2, got ${nifti.shape.join(' x ')}`,
    );
  }
  const moves = movesOf(context, stored, where);
  const box = square.box({ height, width }, [nifti.spacing[0], nifti.spacing[1]], where);
  const scale = letterboxScale(box);
  const flow = floatFrames({
    channels: 2, frames: model.frames, height: model.height, width: model.width,
  });
  moves.forEach(({ from, steps }, t) => {
    const small = letterboxFrames(flowSteps(nifti, from, steps), box);
    const half = small.data.length / 2;
    for (let i = 0; i < half; i++) small.data[i] *= scale.x;
    for (let i = half; i < 2 * half; i++) small.data[i] *= scale.y;
    const joined = composeFlow(small);
    for (const c of [0, 1]) {
      plane(flow, c, t).set(plane(joined, c, 0).map((pixels) => pixels / model.width));
    }
  });
  if (moves.length < model.frames) holdLast(flow, 'hold');
  const largest = flow.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (largest > 1) {
    throw new Error(
      `${where}: expected displacements below the picture's side, ` +
        `got ${largest.toFixed(1)} sides in one frame`,
    );
  }
  return flow;
}

/**
 * From which frame of the file, and over how many of its steps, each frame of the clip moves; one
 * less than the clip's frames where the last frame has no next one.
 */
function movesOf(
  context: InputContext,
  stored: number,
  where: string,
): { from: number; steps: number }[] {
  const count = context.model.frames;
  if (stored === count || (stored === count - 1 && stored > 0)) {
    return Array.from({ length: stored }, (_, from) => ({ from, steps: 1 }));
  }
  const whole = context.masks?.beat.kind ?? 'sequence';
  const { picks, kind } = pickFrames(context, stored, whole, where);
  const moves = picks.map((from, t) => {
    const next = picks[(t + 1) % count];
    return { from, steps: (next - from + stored) % stored };
  });
  return kind === 'sequence' ? moves : moves.slice(0, -1);
}

/** `steps` frames of the file in its own pixels, from frame `from` on, round the cycle. */
function flowSteps(nifti: Nifti, from: number, steps: number): Frames {
  const [width, height, , stored] = nifti.shape;
  const area = width * height;
  const unit = /\bmm\b/.test(nifti.description) ? nifti.spacing : [1, 1];
  const flow = floatFrames({ channels: 2, frames: steps, height, width });
  for (const c of [0, 1]) {
    for (let step = 0; step < steps; step++) {
      const at = (c * stored + ((from + step) % stored)) * area;
      const to = plane(flow, c, step);
      for (let i = 0; i < area; i++) to[i] = nifti.data[at + i] / unit[c];
    }
  }
  return flow;
}
