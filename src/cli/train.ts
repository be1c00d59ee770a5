/** `train vae | image-encoder | image | video | segmenter`, in this order, and `train few-shot`. */
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import type { StageName } from '../training/runs.ts';
import { addMethodFlag, addRunFlags, clipStore, throwIfSignalled, type RunFlags } from './clip-loading.ts';
import { expectWritable } from './console/output-folder.ts';
import { catchSignals } from './console/signals.ts';
import { extractorOverrides } from './extractor-flags.ts';
import { addRecipeFlags, type RecipeFlags } from './recipe-flags.ts';
import { registerFewShot } from './train-few-shot.ts';
import { resolveTraining } from './training-config.ts';
import { addResumeFlag, watchTraining, type ResumeFlags } from './watch-training.ts';

const stages: readonly { name: StageName; summary: string }[] = [
  { name: 'vae', summary: 'the autoencoder: pictures to latents and back' },
  { name: 'image-encoder', summary: 'the small image encoder, as the encoder of a mask decoder' },
  { name: 'image', summary: 'stage 1: the image network and its conditions' },
  { name: 'video', summary: 'stage 2: temporal attention and optical flow' },
  { name: 'segmenter', summary: 'the network that measures generated videos' },
  { name: 'echo-video', summary: 'the network that measures clips by phase, EF and view' },
];

const examples = `
Examples:
  ./heartbeat phantom --patients 200 --seed 1 --output data/phantom
  ./heartbeat train vae           --preset small --data data/phantom --output runs/small
  ./heartbeat train image-encoder --preset small --data data/phantom --output runs/small
  ./heartbeat train image         --preset small --data data/phantom --output runs/small
  ./heartbeat train video         --preset small --data data/phantom --output runs/small
  ./heartbeat sample --checkpoint runs/small/video/model --text "An ECHO with 4-chamber view."

Baselines of the paper's table, in runs of their own; vae/ and image-encoder/ are the same for all
methods and may be copied from another run. A method of one stage has no \`train image\`:
  ./heartbeat train image --method moonshot      --data data/phantom --output runs/moonshot
  ./heartbeat train video --method moonshot      --data data/phantom --output runs/moonshot
  ./heartbeat train video --method videocomposer --data data/phantom --output runs/videocomposer

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
    addResumeFlag(addMethodFlag(addRunFlags(sub, `the run; this part writes below <output>/${name}`)))
      .option('--dry-run', 'two steps on made-up clips: parameters, memory, time and disk, then nothing');
    addRecipeFlags(sub).addHelpText('after', examples)
      .action((flags: TrainFlags) => train(name, flags));
  }
  registerFewShot(command);
}

interface TrainFlags extends RunFlags, RecipeFlags, ResumeFlags {
  readonly dryRun?: boolean;
}

async function train(name: StageName, flags: TrainFlags): Promise<void> {
  if (flags.dryRun) return dryRun(name, flags);
  expectWritable(flags.output);
  const { claimFolder } = await import('../training/stage-folder.ts');
  const release = claimFolder(join(resolve(flags.output), name), flags.resumeFromCheckpoint === undefined);
  try {
    await trainClaimed(name, flags);
  } finally {
    release();
  }
}

const resolveStage = (name: StageName, flags: TrainFlags) =>
  resolveTraining(name, flags, extractorOverrides(flags), join(resolve(flags.output), name));

/** What this training takes, with the held-out patients of its data; neither reads clips nor writes. */
async function dryRun(name: StageName, flags: TrainFlags): Promise<void> {
  const { setThreads } = await import('../tensor/device.ts');
  const { listClips } = await import('../data/clips.ts');
  const { expectGivenOptions } = await import('../training/components.ts');
  const { printEstimate } = await import('./estimate.ts');
  if (flags.threads !== undefined) setThreads(flags.threads);
  const config = await resolveStage(name, flags);
  expectGivenOptions(config);
  const { frames } = config.model;
  const listed = (split: 'training' | 'validation') => listClips(flags.data, { split, views: config.views, frames });
  const [clips, held] = [listed('training').length, listed('validation').length];
  await printEstimate(name, config, flags, { frames: held * frames, clips: held });
  process.stdout.write(`${'data'.padEnd(12)}${clips} clips to train on, ${held} held out\n`);
}

async function trainClaimed(name: StageName, flags: TrainFlags): Promise<void> {
  catchSignals();
  const { addLatents, loadSplit } = await import('../training/clip-store.ts');
  const { expectSources } = await import('../training/components.ts');
  const { dataSetName } = await import('../data/naming.ts');
  const { trainStage } = await import('../training/runs.ts');
  const { setThreads } = await import('../tensor/device.ts');
  if (flags.threads !== undefined) setThreads(flags.threads);
  const config = await resolveStage(name, flags);

  const run = resolve(flags.output);
  expectSources(name, config, run);
  const store = clipStore(flags, config);
  const clips = await loadSplit('training', store);
  const validation = await loadSplit('validation', store);
  const latent = name === 'image' || name === 'video';
  if (latent) await addLatents([...clips, ...validation], run, store);
  throwIfSignalled();

  await watchTraining(join(run, name), name, flags.resumeFromCheckpoint, (watched) => trainStage(name, {
    ...watched, config, run, train: clips, validation, device: flags.device, cache: store.cache,
    data: dataSetName(flags.data),
    stopRequested: () => store.stopRequested?.() ?? false,
  }));
}
