/**
 * Evaluates a model of slices (cardiac MRI): volumes generated for held-out masks, the mask that a
 * segmenter finds in them against the one that was asked for, and SSIM to the real slices.
 */
import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ConditionInputs } from '../conditions/condition.ts';
import { oneHot } from '../conditions/mask.ts';
import { defaultPrompt } from '../conditions/text.ts';
import type { Split } from '../data/camus-folder.ts';
import { listMnmsVolumes, readMnmsClip, selectVolumes, type MnmsSource } from '../data/mnms.ts';
import type { SamplerName } from '../diffusion/sampler.ts';
import { floatFrames, selectFrames, type Frames, type Labels } from '../frames/frames.ts';
import { overlayLabels } from '../frames/paint.ts';
import { writePng } from '../frames/png.ts';
import { randomStream } from '../frames/random.ts';
import { renderSheet } from '../frames/sheet.ts';
import type { HeartBeat } from '../heartbeat/heartbeat.ts';
import { synthesize } from '../heartbeat/synthesis.ts';
import { dice } from '../metrics/dice.ts';
import { psnr } from '../metrics/psnr.ts';
import type { Segmenter } from '../metrics/segmenter.ts';
import { ssim } from '../metrics/ssim.ts';
import { SliceResults, type SliceFigures, type SliceRun, type VolumeResult } from './slice-results.ts';

export interface SliceEvaluationOptions {
  readonly model: HeartBeat;
  /** sha256 over the model's weights, and of the segmenter's. */
  readonly modelHash: string;
  readonly segmenter: Segmenter;
  readonly segmenterHash: string;
  /** Volumes the model was trained on (`A0S9V9_ED`): their patients are left out. */
  readonly trainedOn: readonly string[];
  /** Root of a data set in the M&Ms layout. */
  readonly data: string;
  readonly output: string;
  readonly volumes: number;
  readonly split: Split;
  readonly seed: number;
  readonly numInferenceSteps: number;
  readonly guidanceScale: number;
  readonly sampler: SamplerName;
  /** How many volumes get a contact sheet. */
  readonly sheets: number;
  readonly onProgress?: (done: number, total: number, note: string) => void;
  readonly report?: (line: string) => void;
  readonly stopRequested?: () => boolean;
}

/** What is generated of each volume, at one seed. */
const generated: readonly SliceRun[] = ['mask', 'no mask'];

interface Volume {
  readonly source: MnmsSource;
  /** 1 z h w as 8-bit pictures show it, and 1 z h w labels: the frames as the model makes them. */
  readonly real: Frames;
  readonly masks: Labels;
  /** Frames that show another slice than the one before: a slice counts once. */
  readonly distinct: readonly number[];
  readonly hash: string;
}

/**
 * Evaluates up to `volumes` volumes of a split, even over the vendors; finished ones of an earlier
 * call are taken over. The noise of a volume is a function of the seed and its name.
 *
 * @throws when the model is not one of slices, when nobody in the split was left out of its training,
 *   or when `output` holds volumes that were made otherwise
 */
export async function evaluateSlices(
  options: SliceEvaluationOptions,
): Promise<{ readonly results: SliceResults; readonly done: number; readonly total: number }> {
  const { model, output, segmenterHash, sheets, stopRequested = () => false } = options;
  const { frameAxis, resolution, frames } = model.config;
  if (frameAxis !== 'slice') {
    throw new Error('evaluate: expected a model of slices (`train few-shot`) for a data set in the M&Ms ' +
      'layout, got one of a heart beat');
  }
  const { seed, numInferenceSteps, guidanceScale, sampler, split } = options;
  const results = new SliceResults(output);
  results.open({
    model: options.modelHash, seed, numInferenceSteps, guidanceScale, sampler, split, resolution, frames,
    precision: model.components.unet.dtype,
  });
  const sources = chooseHeldOut(options);
  const total = sources.length * generated.length;
  let done = 0;
  for (const [index, source] of sources.entries()) {
    if (stopRequested()) return { results, done: index, total: sources.length };
    const volume = readVolume(source, model);
    const kept = results.result(source.id, volume.hash, segmenterHash);
    if (kept !== null) {
      done += generated.length;
      options.onProgress?.(done, total, source.id);
      continue;
    }
    const videos = new Map<SliceRun, Frames>([['real', volume.real]]);
    for (const run of generated) {
      const video = results.video(source.id, volume.hash, run, frames) ?? await generate(volume, run);
      if (video === null) return { results, done: index, total: sources.length };
      videos.set(run, video);
      options.onProgress?.(++done, total, `${source.id} ${run}`);
    }
    results.keepResult(measure(volume, videos, options.segmenter), volume.hash, segmenterHash);
    if (index < sheets) drawSheet(join(output, 'sheets'), volume, videos);
  }
  results.keepVolumes(sources.map(({ id }) => id));
  return { results, done: sources.length, total: sources.length };

  /** One volume, or null when a stop was asked for meanwhile. */
  async function generate(volume: Volume, run: SliceRun): Promise<Frames | null> {
    const { id } = volume.source;
    const inputs: ConditionInputs = {
      text: defaultPrompt('SAX'),
      ...(run === 'mask' && { mask: oneHot(volume.masks, model.config.classes) }),
    };
    try {
      const video = await synthesize(model, inputs, {
        seed: randomStream('evaluation', seed, id).integer(2 ** 31), numInferenceSteps, guidanceScale,
        sampler, onStep: () => !stopRequested(),
      });
      return results.keepVideo(id, volume.hash, run, video);
    } catch (error) {
      if ((error as Error).name === 'AbortError') return null;
      throw new Error(`${id}, ${run}: ${(error as Error).message}`, { cause: error });
    }
  }
}

function chooseHeldOut(
  { data, split, volumes, seed, trainedOn, report }: SliceEvaluationOptions,
): MnmsSource[] {
  const all = listMnmsVolumes(data, { split, report });
  const trained = new Set(all.filter(({ id }) => trainedOn.includes(id)).map(({ patient }) => patient));
  const held = all.filter(({ patient }) => !trained.has(patient));
  if (trained.size > 0) report?.(`left out ${trained.size} patients that the model was trained on`);
  if (held.length === 0) {
    throw new Error(`${data}: expected volumes in the ${split} split that the model was not trained on, ` +
      'got none');
  }
  if (held.length < volumes) {
    report?.(`the ${split} split of ${data} has ${held.length} volumes, fewer than ${volumes}`);
  }
  return selectVolumes(held, { count: volumes, seed });
}

function readVolume(source: MnmsSource, model: HeartBeat): Volume {
  const { resolution: size, frames } = model.config;
  const { video, masks, slices } = readMnmsClip(source, { size, frames });
  if (masks === null) throw new Error(`${source.id}: expected masks to measure by, got none`);
  const grey = Uint8Array.from(video.data, (value) => Math.round(255 * value));
  return {
    source, masks, real: floatFrames(video, Float32Array.from(grey, (byte) => byte / 255)),
    distinct: slices.flatMap((slice, t) => (slice === slices[t - 1] ? [] : [t])),
    hash: createHash('sha256').update(grey).update(masks.data).digest('hex'),
  };
}

function measure(
  { source, real, masks, distinct }: Volume, videos: ReadonlyMap<SliceRun, Frames>, segmenter: Segmenter,
): VolumeResult {
  const [asked, truth] = [selectFrames(masks, distinct), selectFrames(real, distinct)];
  const runs = Object.fromEntries([...videos].map(([run, video]) => {
    const shown = selectFrames(video, distinct);
    const found = segmenter.segment(shown);
    const figures: SliceFigures = {
      'dice-lv': dice(asked, found, 1), 'dice-myo': dice(asked, found, 2), 'dice-rv': dice(asked, found, 3),
      ssim: run === 'real' ? null : ssim(shown, truth),
      psnr: run === 'real' ? null : psnr(shown, truth),
    };
    return [run, figures];
  })) as Record<SliceRun, SliceFigures>;
  const { id, patient, phase, vendor } = source;
  return { id, patient, phase, vendor, slices: distinct.length, runs };
}

/** The volume as it is and as it was generated, with the borders of the mask that was asked for. */
function drawSheet(folder: string, volume: Volume, videos: ReadonlyMap<SliceRun, Frames>): void {
  const { source: { id, vendor }, masks, distinct, real } = volume;
  const asked = selectFrames(masks, distinct);
  const shown = (video: Frames) => selectFrames(video, distinct);
  mkdirSync(folder, { recursive: true });
  writePng(join(folder, `${id}.png`), renderSheet({
    title: `${id}, vendor ${vendor}`, notes: ['Borders are those of the mask that was asked for.'],
    rows: [
      { label: 'real', picture: shown(real) },
      { label: 'real, asked mask', picture: overlayLabels(shown(real), asked, 0) },
      ...generated.flatMap((run) => [
        ...(run === 'mask' ? [{ label: 'generated', picture: shown(videos.get(run)!) }] : []),
        { label: run === 'mask' ? 'generated, asked mask' : 'generated without the mask',
          picture: overlayLabels(shown(videos.get(run)!), asked, 0) },
      ]),
    ],
    frameNames: { 0: 'base', [distinct.length - 1]: 'apex' },
  }));
}
