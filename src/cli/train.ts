/** `train vae | image-encoder | image | video`: the trainings of a run, in this order. */
import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import type { StageName } from '../training/runs.ts';
import { startProgress } from './console/progress.ts';
import { catchSignals, receivedSignal } from './console/signals.ts';
import { Interrupted } from './console/user-error.ts';

const stages: readonly { name: StageName; summary: string }[] = [
  { name: 'vae', summary: 'the autoencoder: pictures to latents and back' },
  { name: 'image-encoder', summary: 'the small image encoder, as the encoder of a mask decoder' },
  { name: 'image', summary: 'stage 1: the image network and its conditions' },
  { name: 'video', summary: 'stage 2: temporal attention and optical flow' },
  { name: 'segmenter', summary: 'the network that measures generated videos, apart from the model' },
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
    .description('Train one part of a HeartBeat. The parts of one --output build on each other, in this order.')
    .addHelpText('after', examples);
  for (const { name, summary } of stages) {
    const sub = command.command(name).summary(summary).description(`Train ${summary}.`);
    sub
      .requiredOption('--data <folder>', 'data set in the CAMUS layout (see `phantom`)')
      .requiredOption('--output <folder>', 'the run; this part writes below <output>/' + name)
      .addOption(new Option('--preset <name>', 'sizes and recipe').choices(['tiny', 'small']).default('small'))
      .option('--config <file>', 'YAML that changes parts of the preset')
      .option('--set <key=value>', 'change one value, e.g. image.conditionDropout=none (repeatable)', collect, [])
      .option('--seed <n>', 'of weights, order and noise', Number)
      .option('--cache <folder>', 'prepared clips (default: <output>/cache)')
      .option('--resume-from-checkpoint <which>', '"latest", checkpoint-<step> or a path')
      .option('--device <name>', 'cpu, cuda, cuda:0 or mps', 'cpu')
      .option('--threads <n>', 'CPU threads (default: all cores)', Number);
    for (const [flag, , help] of recipeFlags) sub.option(flag, help);
    sub.addHelpText('after', examples).action((options) => train(name, options));
  }
}

function collect(value: string, earlier: string[]): string[] {
  return [...earlier, value];
}

interface TrainFlags {
  data: string; output: string; preset: 'tiny' | 'small'; config?: string; set: string[]; seed?: number;
  cache?: string; resumeFromCheckpoint?: string; device: string; threads?: number;
}

async function train(name: StageName, flags: TrainFlags & Record<string, unknown>): Promise<void> {
  catchSignals();
  const { resolveConfig } = await import('../training/config.ts');
  const { addLatents, loadSplit } = await import('../training/clip-store.ts');
  const { trainStage } = await import('../training/runs.ts');
  const { openRunLog } = await import('../training/run-log.ts');
  const { setThreads } = await import('../tensor/device.ts');
  const { findCheckpoint } = await import('../training/checkpoint.ts');
  if (flags.threads !== undefined) setThreads(flags.threads);

  const key = name === 'image-encoder' ? 'imageEncoder' : name;
  const optimizers = name === 'vae' ? ['generator', 'discriminator'] : ['optimization'];
  const recipe = recipeFlags.flatMap(([, option]) => flags[option] === undefined ? []
    : optimizers.map((optimizer) => `${key}.${optimizer}.${option}=${String(flags[option])}`));
  const config = resolveConfig({
    preset: flags.preset, file: flags.config, seed: flags.seed, overrides: [...flags.set, ...recipe],
  });

  const stop = () => receivedSignal() !== null;
  const run = resolve(flags.output);
  const prepare = (label: string, total: number) => startProgress({ label, total, unit: 'clips' });
  let bar: ReturnType<typeof startProgress> | null = null;
  const store = {
    config, data: flags.data, cache: flags.cache ?? `${run}/cache`, stopRequested: stop,
    onProgress: (done: number, total: number) => {
      bar ??= prepare('prepare', total);
      bar.update(done);
      if (done === total) { bar.finish(); bar = null; }
    },
    report: (line: string) => process.stderr.write(`${line}\n`),
    onSkip: (id: string, reason: string) => process.stderr.write(`left out ${id}: ${reason}\n`),
  };
  const clips = await loadSplit('training', store);
  const validation = await loadSplit('validation', store);
  if (name === 'image' || name === 'video') await addLatents([...clips, ...validation], run, store);
  const signal = receivedSignal();
  if (signal !== null) throw new Interrupted(signal);

  const folder = `${run}/${name}`;
  const resumeFrom = flags.resumeFromCheckpoint ?? null;
  const from = resumeFrom === null ? null : findCheckpoint(folder, resumeFrom);
  const log = openRunLog(folder, { resumeStep: from === null ? undefined : Number(/(\d+)$/.exec(from)?.[1]) });
  let progress: ReturnType<typeof startProgress> | null = null;
  try {
    const result = await trainStage(name, {
      config, run, train: clips, validation, device: flags.device, log, resumeFrom, stopRequested: stop,
      onProgress: (step, total, scalars) => {
        progress ??= startProgress({ label: name, total, unit: 'steps', initial: step });
        progress.update(step, describe(scalars));
      },
    });
    (progress as ReturnType<typeof startProgress> | null)?.finish();
    const stopped = receivedSignal();
    if (stopped !== null && !result.finished) {
      throw new Interrupted(stopped, `stopped at step ${result.step}, saved: --resume-from-checkpoint latest goes on`);
    }
    process.stdout.write(`${folder}/model\n`);
  } finally {
    log.close();
  }
}

function describe(scalars: Record<string, number>): string {
  return Object.entries(scalars).map(([name, value]) => `${name} ${value.toPrecision(4)}`).join(', ');
}
