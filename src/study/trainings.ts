/** The trainings of a study: shared networks once, then each method's stages, each in a run folder. */
import { existsSync, lstatSync, mkdirSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { readModelIndex } from '../heartbeat/model-folder.ts';
import { checkpointConfig, findCheckpoint, listCheckpoints } from '../training/checkpoint.ts';
import { addLatents, loadSplit, type ClipStoreOptions } from '../training/clip-store.ts';
import { expectSources } from '../training/components.ts';
import type { TrainingConfig } from '../training/config.ts';
import { resolveFor, type PrecisionOptions } from '../training/precision.ts';
import type { PreparedClip } from '../training/prepared-clip.ts';
import { configKey, modelOf, type StageName } from '../training/run-folder.ts';
import { openRunLog } from '../training/run-log.ts';
import { trainStage } from '../training/runs.ts';
import { claimFolder } from '../training/stage-folder.ts';
import { methodConfig, sharedConfig, type Resolve } from './budget.ts';
import { methodOf } from './methods.ts';
import type { StudyConfig } from './study-config.ts';
import { Stopped, watched, type Watch } from './watch.ts';

export interface TrainingTask {
  readonly stage: StageName;
  /** The run that it is part of: `shared`, or a method's name. */
  readonly of: string;
  readonly run: string;
  readonly config: TrainingConfig;
}

/** The two trainings whose networks every method takes as they are. */
const encoders = ['vae', 'image-encoder'] as const;

export function sharedRun(output: string): string {
  return join(output, 'shared');
}

export function methodRun(output: string, name: string): string {
  return join(output, 'runs', name);
}

/**
 * Every training of a study, in the order in which they build on each other. Where a number type is left to
 * the device, one that was begun keeps that of its checkpoint; `report` is told once of each choice.
 */
export function trainingTasks(
  study: StudyConfig, output: string, options: Pick<PrecisionOptions, 'device' | 'native' | 'report'> = {},
): TrainingTask[] {
  const { pretrained } = sharedConfig(study);
  const said = new Set<string>();
  const resolveIn = (run: string, stage: StageName): Resolve => (sources) => {
    const from = findCheckpoint(join(run, stage), 'latest');
    const report = (line: string) => {
      if (said.has(line) || existsSync(modelOf(run, stage))) return;
      said.add(line);
      options.report?.(line);
    };
    const checkpoint = from === null ? null : checkpointConfig(from);
    return resolveFor(configKey(stage), sources, { ...options, checkpoint, report });
  };
  const own = { vae: pretrained.vae === 'run', 'image-encoder': pretrained.image_encoder === 'run' };
  const shared: StageName[] = [
    ...(study.shared === undefined ? encoders.filter((stage) => own[stage]) : []),
    ...(study.echoFeatures === undefined ? (['segmenter', 'echo-video'] as const) : []),
  ];
  return [
    ...shared.map((stage) => {
      const run = sharedRun(output);
      return { stage, of: 'shared', run, config: sharedConfig(study, resolveIn(run, stage)) };
    }),
    ...study.methods.flatMap((method) => methodOf(method.method).stages.map((stage) => {
      const run = methodRun(output, method.name);
      return { stage, of: method.name, run, config: methodConfig(study, method, resolveIn(run, stage)).config };
    })),
  ];
}

export interface TrainingState {
  readonly done: number;
  readonly total: number;
  readonly finished: boolean;
}

/** How far a training is, from what lies on the disk. */
export function trainingState({ stage, run, config }: TrainingTask): TrainingState {
  const key = configKey(stage);
  const total = key === 'vae' ? config.vae.generator.maxTrainSteps
    : config[key].optimization.maxTrainSteps;
  if (existsSync(modelOf(run, stage))) return { done: total, total, finished: true };
  return { done: listCheckpoints(join(run, stage)).at(-1)?.step ?? 0, total, finished: false };
}

export interface TrainingOptions extends Watch {
  readonly study: StudyConfig;
  readonly output: string;
  /** The data set's folder. */
  readonly data: string;
  readonly device?: string;
}

/** Runs the trainings that are missing; what is there is taken as it is. Throws `Stopped`. */
export async function runTrainings(tasks: readonly TrainingTask[], options: TrainingOptions): Promise<void> {
  const missing = tasks.filter((task) => !trainingState(task).finished);
  if (missing.length === 0) return;
  const clips = new StudyClips(options);
  for (const task of tasks) {
    if (options.stopRequested?.()) throw new Stopped();
    if (task.of !== 'shared') linkEncoders(task, options);
    if (missing.includes(task)) await runTraining(task, clips, options, place(tasks, task));
  }
}

/** Runs the trainings that all methods share, and prepares the clips and latents that theirs read. Throws `Stopped`. */
export async function prepareShared(tasks: readonly TrainingTask[], options: TrainingOptions): Promise<void> {
  await runTrainings(tasks.filter(({ of }) => of === 'shared'), options);
  const first = tasks.find(({ of }) => of !== 'shared')!;
  linkEncoders(first, options);
  await new StudyClips(options).of(first);
}

function place(tasks: readonly TrainingTask[], task: TrainingTask): string {
  return `[${tasks.indexOf(task) + 1}/${tasks.length}] train ${task.of} ${task.stage}`;
}

async function runTraining(
  task: TrainingTask, clips: StudyClips, options: TrainingOptions, label: string,
): Promise<void> {
  const { stage, run, config } = task;
  const folder = join(run, stage);
  const { done, total } = trainingState(task);
  expectSources(stage, config, run);
  const { train, validation } = await clips.of(task);
  const release = claimFolder(folder, false);
  try {
    const from = findCheckpoint(folder, 'latest');
    const log = openRunLog(folder, { resumeStep: from === null ? undefined : done });
    try {
      const result = await watched(options, label, total, 'steps', done, () => trainStage(stage, {
        config, run, train, validation, log, device: options.device, cache: cacheOf(options.output),
        resumeFrom: from === null ? null : 'latest',
        onProgress: (at, _, scalars) => options.update?.(at, Object.entries(scalars)
          .map(([name, value]) => `${name} ${value.toPrecision(4)}`).join(', ')),
        stopRequested: () => options.stopRequested?.() ?? false,
      }));
      if (!result.finished) throw new Stopped();
    } finally {
      log.close();
    }
  } finally {
    release();
  }
}

/**
 * Puts the shared VAE and image encoder into a method's run, as links: the run is then as if it had
 * trained them itself.
 *
 * @throws when the given ones are not of the method's sizes
 */
function linkEncoders({ run, config }: TrainingTask, { study, output }: TrainingOptions): void {
  for (const stage of encoders) {
    const name = stage === 'vae' ? 'vae' : 'image_encoder';
    if (config.pretrained[name] !== 'run') continue;
    const source = study.shared === undefined ? modelOf(sharedRun(output), stage)
      : givenEncoder(study.shared, stage, config);
    const link = modelOf(run, stage);
    mkdirSync(dirname(link), { recursive: true });
    const target = study.shared === undefined ? relative(dirname(link), source) : source;
    if (lstatSync(link, { throwIfNoEntry: false })?.isSymbolicLink()) {
      if (readlinkSync(link) === target) continue;
      rmSync(link);
    }
    symlinkSync(target, link);
  }
}

/** The model folder in `folder`: one itself, that of a run's stage, or the run's last. */
function givenEncoder(folder: string, stage: (typeof encoders)[number], { model }: TrainingConfig): string {
  const places = [folder, modelOf(folder, stage), modelOf(folder, 'video')];
  const found = places.find((at) => existsSync(join(at, 'model_index.json')));
  if (found === undefined) {
    throw new Error(`shared: expected a model folder, or a run with its ${stage} stage, in ${folder}, got none`);
  }
  const { config } = readModelIndex(found);
  const sizes = ({ resolution, vae: { latent_channels: channels } }: typeof config) =>
    `pictures of ${resolution}x${resolution} and ${channels} latent channels`;
  if (sizes(config) !== sizes(model)) {
    throw new Error(`shared: expected networks of ${sizes(model)} (the preset's), got ${sizes(config)} in ${found}`);
  }
  return found;
}

export function cacheOf(output: string): string {
  return join(output, 'cache');
}

/** The prepared clips of a study, read when first asked for; latents when a denoising stage is. */
class StudyClips {
  private readonly options: TrainingOptions;
  private readonly config: TrainingConfig;
  private clips: { train: PreparedClip[]; validation: PreparedClip[] } | null = null;
  private encoded = false;

  constructor(options: TrainingOptions) {
    this.options = options;
    this.config = sharedConfig(options.study);
  }

  async of({ stage, run, config }: TrainingTask): Promise<{ train: PreparedClip[]; validation: PreparedClip[] }> {
    const store = this.store();
    this.clips ??= await watched(this.options, 'prepare', 1, 'data sets', 0, async () => ({
      train: await loadSplit('training', store), validation: await loadSplit('validation', store),
    }));
    this.expectRunning();
    if ((stage === 'image' || stage === 'video') && !this.encoded) {
      const { train, validation } = this.clips;
      await addLatents([...train, ...validation], run, { ...store, config });
      this.expectRunning();
      this.encoded = true;
    }
    return this.clips;
  }

  private store(): ClipStoreOptions {
    const { data, output, device, report, update, stopRequested } = this.options;
    return {
      config: this.config, data, cache: cacheOf(output), device, workers: availableParallelism(), report, stopRequested,
      onProgress: (done, total, id) => update?.(done / total, id),
      onSkip: (id, reason) => report?.(`left out ${id}: ${reason}`),
    };
  }

  private expectRunning(): void {
    if (this.options.stopRequested?.()) throw new Stopped();
  }
}
