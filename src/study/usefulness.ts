/** What synthetic pairs are worth: a segmenter trained on real, on synthetic, and on both, tested on real frames. */
import { existsSync, mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { listClips } from '../data/clips.ts';
import { fixed, written } from '../evaluation/written.ts';
import { writeAtomic } from '../frames/atomic.ts';
import { floatFrames, labelFrames } from '../frames/frames.ts';
import { bootstrapMean, type Estimate } from '../metrics/bootstrap.ts';
import { dice } from '../metrics/dice.ts';
import { loadSegmenter } from '../metrics/segmenter-folder.ts';
import { findCheckpoint } from '../training/checkpoint.ts';
import type { TrainingConfig } from '../training/config.ts';
import { runStage } from '../training/loop.ts';
import { prepareClips } from '../training/prepare.ts';
import type { PreparedClip } from '../training/prepared-clip.ts';
import { openRunLog } from '../training/run-log.ts';
import { claimFolder } from '../training/stage-folder.ts';
import { SegmenterStage } from '../training/stage-segmenter.ts';
import { syntheticClips, type SyntheticOptions } from './synthetic-pairs.ts';
import { Stopped, watched } from './watch.ts';

const arms = ['real', 'synthetic', 'both'] as const;
export type Arm = (typeof arms)[number];
const structures = ['lv', 'myo', 'la'] as const;
type Structure = (typeof structures)[number];

export interface UsefulnessOptions extends Omit<SyntheticOptions, 'folder'> {
  /** Of the segmenter, the seed, the views. */
  readonly config: TrainingConfig;
  readonly data: string;
  readonly output: string;
  /** Clips to train on, real and synthetic alike; all when absent. */
  readonly clips?: number;
  readonly device?: string;
}

export interface Usefulness {
  readonly steps: number;
  readonly trainingClips: number;
  readonly trainingFrames: number;
  readonly testClips: number;
  readonly testFrames: number;
  readonly patients: number;
  /** Dice on real held-out frames, mean over clips. */
  readonly dice: Readonly<Record<Arm, Readonly<Record<Structure, Estimate | null>>>>;
  /** Clip by clip: `both - real`, `synthetic - real`, `both - synthetic`. */
  readonly differences: Readonly<Record<string, Readonly<Record<Structure, Estimate | null>>>>;
  readonly model: string;
  readonly conditions: readonly string[];
  readonly seed: number;
}

/**
 * Runs the study; what is there is taken over. Written: `usefulness.json`, `usefulness.md`.
 *
 * @returns null when a stop was asked for
 */
export async function studyUsefulness(options: UsefulnessOptions): Promise<Usefulness | null> {
  try {
    const { config, output, seed } = options;
    const real = await loadClips('training', options);
    const chosen = real.slice(0, options.clips ?? real.length);
    const test = await loadClips('testing', options);
    const synthetic = await watched(options, 'synthetic pairs', chosen.length, 'clips', 0, () =>
      syntheticClips(chosen, { ...options, folder: join(output, 'synthetic') }));
    const pools: Record<Arm, readonly (readonly PreparedClip[])[]> = {
      real: [chosen], synthetic: [synthetic], both: [chosen, synthetic],
    };
    for (const arm of arms) await trainArm(arm, pools[arm], options);
    const scores = Object.fromEntries(arms.map((arm) => [arm, scoreArm(arm, test, options)])) as
      Record<Arm, Record<Structure, (number | null)[]>>;
    const patients = test.map(({ patient }) => patient);
    const each = (of: (structure: Structure) => (number | null)[]) => Object.fromEntries(
      structures.map((structure) => [structure, bootstrapMean(of(structure), patients)])) as
      Record<Structure, Estimate | null>;
    const less = (a: Arm, b: Arm) => each((structure) => scores[a][structure].map((value, i) => {
      const other = scores[b][structure][i];
      return value === null || other === null ? null : value - other;
    }));
    const frames = (clips: readonly PreparedClip[]) => clips.reduce((sum, clip) => sum + clip.frames, 0);
    const result: Usefulness = {
      steps: config.segmenter.optimization.maxTrainSteps, seed, model: options.modelHash,
      conditions: options.conditions, trainingClips: chosen.length, trainingFrames: frames(chosen),
      testClips: test.length, testFrames: frames(test), patients: new Set(patients).size,
      dice: Object.fromEntries(arms.map((arm) => [arm, each((structure) => scores[arm][structure])])) as
        Usefulness['dice'],
      differences: {
        'both - real': less('both', 'real'), 'synthetic - real': less('synthetic', 'real'),
        'both - synthetic': less('both', 'synthetic'),
      },
    };
    const write = (name: string, text: string) =>
      writeAtomic(join(output, name), new TextEncoder().encode(text));
    write('usefulness.json', `${JSON.stringify(result, null, 1)}\n`);
    write('usefulness.md', usefulnessText(result, config));
    return result;
  } catch (error) {
    if (error instanceof Stopped) return null;
    throw error;
  }
}

/** Clips with masks: sequences for a video model, anything for an image model, in an order by name. */
async function loadClips(split: 'training' | 'testing', options: UsefulnessOptions): Promise<PreparedClip[]> {
  const { config, data, output, model, report } = options;
  const { resolution, frames } = model.config;
  const video = model.config.unet.temporal === true;
  const kinds = video ? (['sequence', 'half_sequence'] as const) : undefined;
  const sources = listClips(data, { split, views: config.views, frames, kinds, report });
  const clips = await watched(options, `prepare ${split}`, sources.length, 'clips', 0, () => prepareClips(sources, {
    cache: join(output, 'cache'), resolution, frames, workers: availableParallelism(),
    stopRequested: options.stopRequested,
    onProgress: (done, _, id) => options.update?.(done, id),
    onSkip: (id, reason) => report?.(`left out ${id}: ${reason}`),
  }));
  if (options.stopRequested?.()) throw new Stopped();
  const masked = clips.filter(({ planes }) => planes.has('mask'));
  if (masked.length > 0) return masked;
  throw new Error(`${data}: expected ${video ? `clips of at least ${frames} frames` : 'pictures'} with masks ` +
    `in the ${split} split, got ${clips.length === 0 ? 'none' : `${clips.length} without one`}`);
}

/** A checkpoint of any of the three segmenters, which are trained alike; null before the first. */
export function latestOfArms(output: string): string | null {
  return arms.map((arm) => findCheckpoint(join(output, arm), 'latest')).find((found) => found !== null) ?? null;
}

const modelFolder = (output: string, arm: Arm) => join(output, arm, 'model');

/** One segmenter: the same seed, first weights and steps for every arm, only the pictures differ. */
async function trainArm(
  arm: Arm, pools: readonly (readonly PreparedClip[])[], options: UsefulnessOptions,
): Promise<void> {
  const { output, config, seed, device, model: { config: { classes } } } = options;
  if (existsSync(modelFolder(output, arm))) return;
  const folder = join(output, arm);
  mkdirSync(folder, { recursive: true });
  const release = claimFolder(folder, false);
  const [first, second] = pools;
  const stage = new SegmenterStage(classes, first, [], config.segmenter, seed, device, second);
  try {
    const from = findCheckpoint(folder, 'latest');
    const done = from === null ? 0 : Number(/(\d+)$/.exec(from)![1]);
    const log = openRunLog(folder, { resumeStep: from === null ? undefined : done });
    const { segmenter, preset } = config;
    const { loop: _, ...recipe } = segmenter;
    const resolved = JSON.parse(JSON.stringify({
      preset, seed, arm, model: options.modelHash, clips: first.map(({ id }) => id), segmenter: recipe,
    })) as unknown;
    try {
      const result = await watched(options, `segmenter on ${arm}`, stage.maxTrainSteps, 'steps', done, () =>
        runStage(stage, {
          run: folder, log, config: segmenter.loop, resolved, resumeFrom: from === null ? null : 'latest',
          onProgress: (at, __, scalars) => options.update?.(at,
            Object.entries(scalars).map(([name, value]) => `${name} ${value.toPrecision(4)}`).join(', ')),
          stopRequested: () => options.stopRequested?.() ?? false,
        }));
      if (!result.finished) throw new Stopped();
      stage.save(modelFolder(output, arm), { preset, arm, steps: result.step, seed });
    } finally {
      log.close();
    }
  } finally {
    stage.dispose();
    release();
  }
}

/** Dice of each structure in each clip; null where neither mask has it. */
function scoreArm(
  arm: Arm, test: readonly PreparedClip[], { output, device }: UsefulnessOptions,
): Record<Structure, (number | null)[]> {
  const { segmenter, dispose } = loadSegmenter(modelFolder(output, arm), device);
  try {
    const found = test.map((clip) => {
      const { frames, size, video, planes } = clip;
      const shape = { channels: 1, frames, height: size, width: size };
      const seen = segmenter.segment(floatFrames(shape, Float32Array.from(video, (byte) => byte / 255)));
      const asked = labelFrames(frames, size, size, planes.get('mask')!.data as Uint8Array);
      return { asked, seen };
    });
    return Object.fromEntries(structures.map((structure, i) => [structure, found.map(({ asked, seen }) =>
      (asked.data.includes(i + 1) || seen.data.includes(i + 1) ? dice(asked, seen, i + 1) : null))])) as
      Record<Structure, (number | null)[]>;
  } finally {
    dispose();
  }
}

export function usefulnessText(result: Usefulness, { segmenter }: Pick<TrainingConfig, 'segmenter'>): string {
  const { steps, trainingClips, trainingFrames, testClips, testFrames, patients } = result;
  const table = (head: string, rows: Readonly<Record<string, Readonly<Record<Structure, Estimate | null>>>>) => [
    `| ${head} | LV | MYO | LA |`, '| --- | --- | --- | --- |',
    ...Object.entries(rows).map(([name, row]) =>
      `| ${name} | ${structures.map((structure) => written(row[structure] ?? undefined, 3)).join(' | ')} |`),
  ].join('\n');
  return [
    '# Usefulness of synthetic pairs',
    `A segmenter trained ${arms.length} times with the same seed, first weights and ${steps} steps of ` +
      `${segmenter.optimization.trainBatchSize} frames: on real frames, on frames generated for the same masks ` +
      `(model ${result.model.slice(0, 12)}, given ${result.conditions.join(', ')}), and on both, half of each ` +
      `batch. ${trainingClips} training clips (${trainingFrames} frames). Tested on the ${testFrames} real frames ` +
      `of ${testClips} held-out clips of ${patients} patients: mean Dice over clips, 95 % bootstrap intervals ` +
      'over patients.',
    table('trained on', result.dice),
    '## Differences, clip by clip', table('difference', result.differences), verdict(result), '',
  ].join('\n\n');
}

/** What the intervals allow to be said. */
function verdict({ differences }: Usefulness): string {
  return Object.entries(differences).map(([name, row]) => {
    const parts = structures.flatMap((structure) => {
      const found = row[structure];
      if (found === null) return [];
      const { mean, low, high } = found;
      const side = low > 0 ? 'better' : high < 0 ? 'worse' : 'not told apart';
      return [`${structure.toUpperCase()} ${side} (${fixed(mean, 3)})`];
    });
    return `${name.replace(' - ', ' against ')}: ${parts.join(', ')}.`;
  }).join(' ');
}
