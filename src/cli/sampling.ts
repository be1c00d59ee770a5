/** What `sample` and `demo` share: a model, conditions and seeds to clips on disk. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { conditionNames } from '../conditions/condition.ts';
import type { ConditionInputs, ConditionName } from '../conditions/condition.ts';
import { exportSlices } from '../data/export-slices.ts';
import { exportVideo } from '../data/export.ts';
import type { SamplerName } from '../diffusion/sampler.ts';
import { selectFrames, type Frames } from '../frames/frames.ts';
import type { Recipe } from '../frames/recipe.ts';
import type { HeartBeat } from '../heartbeat/heartbeat.ts';
import { loadModelFolder, modelHash } from '../heartbeat/model-folder.ts';
import { synthesisDefaults, synthesize } from '../heartbeat/synthesis.ts';
import type { UserInputs } from '../inputs/inputs.ts';
import { makeSheet, type SheetOptions } from '../inputs/sheet.ts';
import { availableDevices, getThreads, setThreads } from '../tensor/device.ts';
import { startProgress } from './console/progress.ts';
import { receivedSignal, throwIfStopped } from './console/signals.ts';
import { Interrupted, UserError } from './console/user-error.ts';
import { chooseDType } from './dtype-choice.ts';
import type { OpenedGate } from './memorisation-gate.ts';

/** The flags that `sample` and `demo` share, as commander gives them. */
export interface SamplingFlags {
  readonly seed?: number;
  readonly steps?: number;
  readonly guidanceScale?: number;
  readonly sampler?: SamplerName;
  readonly strength?: Readonly<Record<string, number>>;
  readonly dtype?: 'float32' | 'bf16';
  readonly device?: string;
  readonly threads?: number;
}

export interface SamplingJob {
  readonly command: 'sample' | 'demo';
  /** A model folder. */
  readonly checkpoint: string;
  readonly given: UserInputs;
  readonly flags: SamplingFlags;
  /** Of each clip; those of the model when absent. */
  readonly frames?: number;
  /** How many clips: seeds seed .. seed + count - 1. */
  readonly count: number;
  /** With one clip its folder; with more, they come to lie in it as seed-<n>. */
  readonly output: string;
  /** Judges every clip before it is written. */
  readonly gate?: OpenedGate | null;
}

export interface SampledClips {
  /** Files written, the frames' PNGs as their folder. */
  readonly paths: readonly string[];
  /** Seconds of sampling, decoding included; loading and writing are not. */
  readonly seconds: number;
  /** In words: `50 ddim steps, guidance 2, bfloat16, 2 threads`. */
  readonly settings: string;
  /** What the gate says of each clip that was written. */
  readonly notes: readonly string[];
  /** What the gate says of each clip that it kept from being written, by seed. */
  readonly blocked: readonly string[];
}

/** A heart at rest beats about once in 0.9 s: the playing speed where no file says one. */
const BEAT_SECONDS = 0.9;

/**
 * Samples and writes. Ctrl+C stops at a step's edge with `Interrupted`: the clip under way leaves
 * nothing, clips that were written before stay.
 */
export async function runSampling(job: SamplingJob): Promise<SampledClips> {
  const { flags, checkpoint, count, output } = job;
  const device = expectDevice(flags.device ?? 'cpu');
  if (flags.threads !== undefined) setThreads(flags.threads);
  const asked = { float32: 'float32', bf16: 'bfloat16' } as const;
  const dtype = flags.dtype === undefined ? chooseDType(device) : asked[flags.dtype];
  const settings = {
    seed: flags.seed ?? synthesisDefaults.seed,
    numInferenceSteps: flags.steps ?? synthesisDefaults.numInferenceSteps,
    guidanceScale: flags.guidanceScale ?? synthesisDefaults.guidanceScale,
    sampler: flags.sampler ?? synthesisDefaults.sampler,
  };
  const model = loadModelFolder(checkpoint, { device, dtype });
  try {
    const strength = flags.strength as Partial<Record<ConditionName, number>> | undefined;
    const inputs = dropSilent(job.given.inputs, flags.strength);
    const total = settings.numInferenceSteps * count;
    const progress = startProgress({ label: 'sample', total, unit: 'steps' });
    const hash = modelHash(checkpoint);
    const paths: string[] = [];
    const [notes, blocked]: [string[], string[]] = [[], []];
    let milliseconds = 0;
    for (let k = 0; k < count; k++) {
      await throwIfStopped();
      const seed = settings.seed + k;
      const began = performance.now();
      const video = await sampleOne(model, inputs, {
        ...settings,
        seed,
        strength,
        frames: job.frames,
        onStep: (done) => {
          progress.update(k * settings.numInferenceSteps + done, count > 1 ? `seed ${seed}` : '');
          return receivedSignal() === null;
        },
      });
      milliseconds += performance.now() - began;
      await throwIfStopped();
      const folder = count === 1 ? output : join(output, `seed-${seed}`);
      const answer = job.gate?.ask(video);
      if (answer?.blocked) {
        blocked.push(`seed ${seed} (${answer.note})`);
        continue;
      }
      const own = makeRecipe(job, model, { ...settings, seed, dtype, device }, hash);
      const recipe = answer === undefined ? own : { ...own, memorisation: { ...answer.recipe, note: answer.note } };
      paths.push(...(await writeClip(folder, video, inputs, job, recipe, model.config.frameAxis)));
      if (answer !== undefined) notes.push(`seed ${seed}: ${answer.note}`);
    }
    const seconds = milliseconds / 1000;
    progress.finish();
    const { numInferenceSteps: steps, sampler, guidanceScale } = settings;
    const threads = device === 'cpu' ? threadsText(getThreads()) : device;
    const words = `${steps} ${sampler} steps, guidance ${guidanceScale}, ${dtype}, ${threads}`;
    return { paths, seconds, settings: words, notes, blocked };
  } finally {
    model.dispose();
  }
}

async function sampleOne(
  model: HeartBeat,
  inputs: ConditionInputs,
  options: Parameters<typeof synthesize>[2],
): Promise<Frames> {
  try {
    return await synthesize(model, inputs, options);
  } catch (error) {
    const signal = receivedSignal();
    if ((error as Error).name === 'AbortError' && signal !== null) throw new Interrupted(signal);
    throw error;
  }
}

/** Strength 0 is the condition dropped, so that it costs nothing and gives the very same bytes. */
export function dropSilent(
  inputs: ConditionInputs,
  strength: SamplingFlags['strength'],
): ConditionInputs {
  const kept = Object.entries(inputs).filter(([name]) => strength?.[name] !== 0);
  return Object.fromEntries(kept) as ConditionInputs;
}

async function writeClip(
  folder: string,
  video: Frames,
  inputs: ConditionInputs,
  job: SamplingJob,
  recipe: Recipe,
  frameAxis: 'time' | 'slice',
): Promise<string[]> {
  const { given } = job;
  const flow = inputs.flow as Frames | undefined;
  const { seed } = recipe.sampling as { seed: number };
  const asked = conditionNames.filter((name) => inputs[name] !== undefined);
  const sheet = {
    title: 'HeartBeat',
    notes: [
      `seed ${seed}; ` +
        (asked.length > 0 ? `conditions: ${asked.join(', ')}` : 'no condition'),
      ...memorisationNote(recipe),
    ],
    strength: job.flags.strength ?? {},
    es: given.es,
    kind: given.kind,
  };
  if (frameAxis === 'slice') return writeSlices(folder, clampVideo(video), inputs, given, recipe, sheet);
  const written = await exportVideo(folder, {
    video: clampVideo(video),
    frameRate: given.frameRate ?? video.frames / BEAT_SECONDS,
    spacing: given.spacing ?? undefined,
    recipe,
    masks: inputs.mask === undefined ? null : given.masks,
    flow: flow ?? null,
    sheet: makeSheet(video, inputs, sheet),
  });
  return withoutPictures(written, join(folder, 'frames'));
}

function memorisationNote({ memorisation }: Recipe): string[] {
  return memorisation === undefined ? [] : [(memorisation as { note: string }).note];
}

/** Each slice of the asked volume once; without a mask all that the model made. */
async function writeSlices(
  folder: string, video: Frames, inputs: ConditionInputs, given: UserInputs, recipe: Recipe,
  sheet: SheetOptions,
): Promise<string[]> {
  const frames = given.slices?.frames ?? Array.from({ length: video.frames }, (_, t) => t);
  const slices = selectFrames(video, frames);
  const mask = inputs.mask as Frames | undefined;
  const shown = { ...inputs, ...(mask && { mask: selectFrames(mask, frames) }) };
  const [x, y] = given.spacing ?? [1, 1];
  const written = await exportSlices(folder, {
    slices, recipe, spacing: [x, y, given.slices?.spacing ?? 1],
    masks: mask && given.masks ? selectFrames(given.masks, frames) : null,
    sheet: makeSheet(slices, shown, {
      ...sheet, frameNames: { 0: 'base', ...(frames.length > 1 && { [frames.length - 1]: 'apex' }) },
    }),
  });
  return withoutPictures(written, join(folder, 'slices'));
}

/** The files, and in place of a folder's pictures the folder. */
function withoutPictures(paths: readonly string[], folder: string): string[] {
  return [...paths.filter((path) => !path.startsWith(folder)), join(folder, '/')];
}

function threadsText(count: number): string {
  return `${count} thread${count === 1 ? '' : 's'}`;
}

/** Rounding in bfloat16 can leave [0,1] by a hair. */
function clampVideo(video: Frames): Frames {
  return { ...video, data: video.data.map((value) => Math.min(1, Math.max(0, value))) };
}

function expectDevice(name: string): string {
  const devices = availableDevices();
  if (devices.includes(name) || (name === 'cuda' && devices.includes('cuda:0'))) return name;
  throw new UserError(`--device: expected one of ${devices.join(', ')}, got ${name}`, {
    exitCode: 2,
  });
}

function makeRecipe(
  job: SamplingJob,
  model: HeartBeat,
  sampling: Record<string, unknown>,
  sha256: string,
): Recipe {
  return {
    program: 'heartbeat',
    version: programVersion(),
    command: job.command,
    sampling,
    strength: job.flags.strength ?? {},
    text: job.given.inputs.text ?? '',
    conditions: job.given.sources,
    checkpoint: { folder: job.checkpoint, sha256 },
    config: model.config,
  };
}

function programVersion(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
