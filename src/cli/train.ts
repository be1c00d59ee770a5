/** `train vae | image-encoder | image | video`: the trainings of a run, in this order. */
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import type { StageName } from '../training/runs.ts';
import { addRunFlags, clipStore, throwIfSignalled, type RunFlags } from './clip-loading.ts';
import { startProgress, type Progress } from './console/progress.ts';
import { catchSignals } from './console/signals.ts';
import { extractorOverrides } from './extractor-flags.ts';

const stages: readonly { name: StageName; summary: string }[] = [
  { name: 'vae', summary: 'the autoencoder: pictures to latents and back' },
  { name: 'image-encoder', summary: 'the small image encoder, as the encoder of a mask decoder' },
  { name: 'image', summary: 'stage 1: the image network and its conditions' },
  { name: 'video', summary: 'stage 2: temporal attention and optical flow' },
  { name: 'segmenter', summary: 'the network that measures generated videos' },
];

/** Flags in diffusers' words, and the key of a stage's optimizer that each sets. */
const recipeFlags = [
  ['--train-batch-size <n>', 'trainBatchSize', 'samples of one forward pass'],
  ['--gradient-accumulation-steps <n>', 'gradientAccumulationSteps', 'forward passes of one step'],
  ['--max-train-steps <n>', 'maxTrainSteps', 'optimizer steps in all'],
  ['--learning-rate <x>', 'learningRate', 'peak learning rate'],
  ['--lr-warmup-steps <n>', 'lrWarmupSteps', 'steps until the peak'],
  ['--lr-scheduler <name>', 'lrScheduler', 'cosine or constant'],
  ['--max-grad-norm <x>', 'maxGradNorm', 'gradient clipping'],
  ['--mixed-precision <type>', 'mixedPrecision', 'no or bf16'],
] as const;

const examples = `
Examples:
  ./heartbeat phantom --patients 200 --seed 1 --output data/phantom
  ./heartbeat train vae           --preset small --data data/phantom --output runs/small
  ./heartbeat train image-encoder --preset small --data data/phantom --output runs/small
  ./heartbeat train image         --preset small --data data/phantom --output runs/small
  ./heartbeat train video         --preset small --data data/phantom --output runs/small
  ./heartbeat sample --checkpoint runs/small/video/model --text "An ECHO with 4-chamber view."

Ctrl+C saves at the end of the step; --resume-from-checkpoint latest goes on from there.
Logs: <output>/<stage>/metrics.jsonl, TensorBoard events in <output>/<stage>/logs.`;

export function register(command: Command): void {
  command
    .description(
      'Train one part of a HeartBeat. The parts of one --output build on each other, in order.',
    )
    .addHelpText('after', examples);
  for (const { name, summary } of stages) {
    const sub = command.command(name).summary(summary).description(`Train ${summary}.`);
    addRunFlags(sub, `the run; this part writes below <output>/${name}`)
      .option('--resume-from-checkpoint <which>', '"latest", checkpoint-<step> or a path')
      .option('--device <name>', 'cpu, cuda, cuda:0 or mps', 'cpu');
    for (const [flag, , help] of recipeFlags) sub.option(flag, help);
    sub.addHelpText('after', examples).action((flags: TrainFlags) => train(name, flags));
  }
}

interface TrainFlags extends RunFlags, Partial<Record<RecipeFlag, string>> {
  readonly resumeFromCheckpoint?: string;
  readonly device: string;
}
type RecipeFlag = (typeof recipeFlags)[number][1];

/** The flags of the recipe as overrides of the stage's optimizers. */
function recipeOf(name: StageName, flags: TrainFlags): string[] {
  const key = name === 'image-encoder' ? 'imageEncoder' : name;
  const optimizers = name === 'vae' ? ['generator', 'discriminator'] : ['optimization'];
  return recipeFlags.flatMap(([, option]) => {
    const value = flags[option];
    return value === undefined ? [] : optimizers.map((of) => `${key}.${of}.${option}=${value}`);
  });
}

async function train(name: StageName, flags: TrainFlags): Promise<void> {
  const { claimFolder } = await import('../training/stage-folder.ts');
  const release = claimFolder(join(resolve(flags.output), name), flags.resumeFromCheckpoint === undefined);
  try {
    await trainClaimed(name, flags);
  } finally {
    release();
  }
}

async function trainClaimed(name: StageName, flags: TrainFlags): Promise<void> {
  catchSignals();
  const { resolveConfig } = await import('../training/config.ts');
  const { addLatents, loadSplit } = await import('../training/clip-store.ts');
  const { trainStage } = await import('../training/runs.ts');
  const { openRunLog } = await import('../training/run-log.ts');
  const { setThreads } = await import('../tensor/device.ts');
  const { findCheckpoint } = await import('../training/checkpoint.ts');
  if (flags.threads !== undefined) setThreads(flags.threads);
  const { preset, config: file, seed } = flags;
  const overrides = [...flags.set, ...extractorOverrides(flags), ...recipeOf(name, flags)];
  const config = resolveConfig({ preset, file, seed, overrides });

  const run = resolve(flags.output);
  const store = clipStore(flags, config);
  const clips = await loadSplit('training', store);
  const validation = await loadSplit('validation', store);
  const latent = name === 'image' || name === 'video';
  if (latent) await addLatents([...clips, ...validation], run, store);
  throwIfSignalled();

  const folder = join(run, name);
  const resumeFrom = flags.resumeFromCheckpoint ?? null;
  const from = resumeFrom === null ? null : findCheckpoint(folder, resumeFrom);
  const resumeStep = from === null ? undefined : Number(/(\d+)$/.exec(from)?.[1]);
  const log = openRunLog(folder, { resumeStep });
  const { device } = flags;
  let bar: Progress | null = null;
  try {
    const { step, finished } = await trainStage(name, {
      config, run, train: clips, validation, device, log, resumeFrom,
      stopRequested: () => store.stopRequested?.() ?? false,
      onProgress: (done, total, scalars) => {
        bar ??= startProgress({ label: name, total, unit: 'steps', initial: done });
        bar.update(done, describe(scalars));
      },
    });
    (bar as Progress | null)?.finish();
    if (!finished) {
      throwIfSignalled(`stopped at step ${step}, saved: --resume-from-checkpoint latest goes on`);
    }
    process.stdout.write(`${join(folder, 'model')}\n`);
  } finally {
    log.close();
  }
}

function describe(scalars: Record<string, number>): string {
  const parts = Object.entries(scalars).map(([name, value]) => `${name} ${value.toPrecision(4)}`);
  return parts.join(', ');
}
