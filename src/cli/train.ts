/** `train vae | image-encoder | image | video | segmenter`, in this order, and `train few-shot`. */
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import type { StageName } from '../training/runs.ts';
import { addRunFlags, clipStore, throwIfSignalled, type RunFlags } from './clip-loading.ts';
import { expectWritable } from './console/output-folder.ts';
import { catchSignals } from './console/signals.ts';
import { extractorOverrides } from './extractor-flags.ts';
import { addRecipeFlags, recipeOverrides, watchTraining, type RecipeFlags } from './recipe-flags.ts';
import { registerFewShot } from './train-few-shot.ts';

const stages: readonly { name: StageName; summary: string }[] = [
  { name: 'vae', summary: 'the autoencoder: pictures to latents and back' },
  { name: 'image-encoder', summary: 'the small image encoder, as the encoder of a mask decoder' },
  { name: 'image', summary: 'stage 1: the image network and its conditions' },
  { name: 'video', summary: 'stage 2: temporal attention and optical flow' },
  { name: 'segmenter', summary: 'the network that measures generated videos' },
];

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
    addRecipeFlags(addRunFlags(sub, `the run; this part writes below <output>/${name}`))
      .addHelpText('after', examples).action((flags: TrainFlags) => train(name, flags));
  }
  registerFewShot(command);
}

type TrainFlags = RunFlags & RecipeFlags;

/** The flags of the recipe as overrides of the stage's optimizers. */
function recipeOf(name: StageName, flags: TrainFlags): string[] {
  const key = name === 'image-encoder' ? 'imageEncoder' : name;
  const optimizers = name === 'vae' ? ['generator', 'discriminator'] : ['optimization'];
  return recipeOverrides(flags, optimizers.map((of) => `${key}.${of}`));
}

async function train(name: StageName, flags: TrainFlags): Promise<void> {
  expectWritable(flags.output);
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
  const { setThreads } = await import('../tensor/device.ts');
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

  await watchTraining(join(run, name), name, flags.resumeFromCheckpoint, (watched) => trainStage(name, {
    ...watched, config, run, train: clips, validation, device: flags.device,
    stopRequested: () => store.stopRequested?.() ?? false,
  }));
}
