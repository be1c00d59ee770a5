/** Synthetic pairs: pictures that a model makes for the masks of real clips; the mask is the label. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ConditionInputs, ConditionName } from '../conditions/condition.ts';
import type { SamplerName } from '../diffusion/sampler.ts';
import { noiseSeed } from '../evaluation/evaluation.ts';
import { writeAtomic } from '../frames/atomic.ts';
import { readPng, writePng } from '../frames/png.ts';
import type { HeartBeat } from '../heartbeat/heartbeat.ts';
import { synthesize } from '../heartbeat/synthesis.ts';
import { conditionInputsOf } from '../training/condition-inputs.ts';
import { firstDifference } from '../training/loop.ts';
import type { PreparedClip } from '../training/prepared-clip.ts';
import { Stopped, type Watch } from './watch.ts';

export interface SyntheticOptions extends Watch {
  readonly model: HeartBeat;
  readonly modelHash: string;
  /** Given besides the mask. */
  readonly conditions: readonly ConditionName[];
  readonly seed: number;
  readonly numInferenceSteps: number;
  readonly guidanceScale: number;
  readonly sampler: SamplerName;
  /** Where each clip's strip of frames is kept. */
  readonly folder: string;
}

/**
 * A copy of each clip with generated frames in place of the real ones. What an earlier call made is
 * taken over. A video model makes a clip at once, an image model (stage 1) frame by frame.
 *
 * @param clips with masks, of the model's size
 * @throws when the folder's pictures were made otherwise; `Stopped`
 */
export async function syntheticClips(
  clips: readonly PreparedClip[], options: SyntheticOptions,
): Promise<PreparedClip[]> {
  const { folder } = options;
  openFolder(options);
  const made: PreparedClip[] = [];
  for (const [index, clip] of clips.entries()) {
    if (options.stopRequested?.()) throw new Stopped();
    const file = join(folder, `${clip.id}-${maskHash(clip)}.png`);
    if (!existsSync(file)) writeStrip(file, clip, await generate(clip, options));
    made.push({ ...clip, video: readStrip(file, clip), latents: null, embedding: null });
    options.update?.(index + 1, clip.id);
  }
  return made;
}

function openFolder(options: SyntheticOptions): void {
  const { folder, model, modelHash, conditions, seed, numInferenceSteps, guidanceScale, sampler } = options;
  const file = join(folder, 'settings.json');
  const settings = {
    model: modelHash, precision: model.components.unet.dtype, conditions, seed, numInferenceSteps,
    guidanceScale, sampler,
  };
  if (existsSync(file)) {
    const difference = firstDifference(settings, JSON.parse(readFileSync(file, 'utf8')), '');
    if (difference === null) return;
    throw new Error(`${file}: these pairs were made otherwise (${difference.replace(' in the checkpoint', '')}); ` +
      'take another --output, or the same flags');
  }
  mkdirSync(folder, { recursive: true });
  writeAtomic(file, new TextEncoder().encode(`${JSON.stringify(settings)}\n`));
}

/**
 * Frames as bytes, f H W: a clip at once, or each frame of an image model by itself, with the next one as
 * its image prior, as in stage 1.
 */
async function generate(clip: PreparedClip, options: SyntheticOptions): Promise<Uint8Array> {
  const { model, conditions, seed } = options;
  const { frames, id, size, video } = clip;
  const parts = model.config.unet.temporal === true
    ? [{ name: id, picked: undefined, frames: model.config.frames }]
    : Array.from({ length: frames }, (_, frame) =>
      ({ name: `${id} ${frame}`, picked: { frames: [frame], prior: (frame + 1) % frames }, frames: 1 }));
  const bytes = new Uint8Array(video.length);
  for (const [k, { name, picked, frames: count }] of parts.entries()) {
    const all = conditionInputsOf(clip, model, picked);
    const given: ConditionInputs = Object.fromEntries(conditions.flatMap((condition) =>
      (condition in all ? [[condition, all[condition]]] : [])));
    try {
      const made = await synthesize(model, given, {
        seed: noiseSeed(seed, name), frames: count, numInferenceSteps: options.numInferenceSteps,
        guidanceScale: options.guidanceScale, sampler: options.sampler,
        onStep: () => !(options.stopRequested?.() ?? false),
      });
      const start = k * size * size;
      made.data.forEach((value, i) => { bytes[start + i] = Math.round(255 * Math.min(1, Math.max(0, value))); });
    } catch (error) {
      if ((error as Error).name === 'AbortError') throw new Stopped();
      throw new Error(`${name}: ${(error as Error).message}`, { cause: error });
    }
  }
  return bytes;
}

function maskHash({ planes }: PreparedClip): string {
  return createHash('sha256').update(planes.get('mask')!.data as Uint8Array).digest('hex').slice(0, 12);
}

function writeStrip(file: string, { frames, size }: PreparedClip, data: Uint8Array): void {
  writePng(file, { channels: 1, frames: 1, height: frames * size, width: size, data });
}

function readStrip(file: string, { video }: PreparedClip): Uint8Array {
  const { data } = readPng(file);
  const bytes = Uint8Array.from(data, (value) => Math.round(value * 255));
  if (bytes.length === video.length) return bytes;
  throw new Error(`${file}: expected ${video.length} pixels, got ${bytes.length}`);
}
