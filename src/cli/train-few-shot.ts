/** `train few-shot`: a cardiac MRI model from an ultrasound model and few volumes. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { addRunFlags, clipStore, type RunFlags } from './clip-loading.ts';
import { integer } from './console/flags.ts';
import { expectWritable } from './console/output-folder.ts';
import { catchSignals } from './console/signals.ts';
import { addRecipeFlags, type RecipeFlags } from './recipe-flags.ts';
import { resolveTraining } from './training-config.ts';
import { addResumeFlag, watchTraining, type ResumeFlags } from './watch-training.ts';

const examples = `
Examples:
  ./heartbeat phantom --modality mri --patients 40 --seed 1 --output data/mri
  ./heartbeat train few-shot --data data/mri --volumes 24 --output runs/mri
  ./heartbeat train few-shot --data MNMS --volumes 50 --checkpoint runs/small --output runs/mnms
  ./heartbeat sample --checkpoint runs/mri/few-shot/model --text SAX --mask A0S9V9_sa_gt.nii.gz \\
    --output out

The slices of a volume are its frames, from base to apex, and the mask is the only local condition.
The ultrasound model's U-Net and mask encoder train on; its autoencoder and text encoder stay as
they are. The mask's third label, the left atrium there, is the right ventricle here. Volumes are
chosen even over the vendors. docs/few-shot.md tells the rest.`;

interface FewShotFlags extends RunFlags, RecipeFlags, ResumeFlags {
  readonly checkpoint?: string;
  readonly volumes?: number;
  readonly fromScratch?: boolean;
}

export function registerFewShot(parent: Command): void {
  const sub = parent.command('few-shot')
    .summary('cardiac MRI from an ultrasound model and at most 50 volumes')
    .description('Train a cardiac MRI model on few volumes, from the weights of an ultrasound model.')
    .option('--checkpoint <folder>', 'ultrasound model folder or run (default: the released models/small)')
    .option('--volumes <n>', 'volumes to train on; ED and ES of a patient are two (default: 50)',
      integer({ min: 1, max: 50 }))
    .option('--from-scratch', 'a newborn U-Net and mask encoder, to compare with');
  addRecipeFlags(addResumeFlag(addRunFlags(sub, 'the run; this part writes below <output>/few-shot',
    'data set in the M&Ms layout (see `phantom --modality mri`)')))
    .addHelpText('after', examples)
    .action(trainFewShotClaimed);
}

async function trainFewShotClaimed(flags: FewShotFlags): Promise<void> {
  expectWritable(flags.output);
  const { findCheckpoint } = await import('./model-choice.ts');
  const checkpoint = findCheckpoint(flags.checkpoint);
  const { claimFolder } = await import('../training/stage-folder.ts');
  const { fewShotFolder } = await import('../training/few-shot.ts');
  const folder = fewShotFolder(resolve(flags.output));
  const release = claimFolder(folder, flags.resumeFromCheckpoint === undefined);
  try {
    await train(flags, checkpoint, folder);
  } finally {
    release();
  }
}

async function train(flags: FewShotFlags, checkpoint: string, folder: string): Promise<void> {
  catchSignals();
  const { trainFewShot } = await import('../training/few-shot.ts');
  const { setThreads } = await import('../tensor/device.ts');
  if (flags.threads !== undefined) setThreads(flags.threads);
  const { volumes, fromScratch } = flags;
  const config = await resolveTraining('few-shot', flags, [
    ...(volumes === undefined ? [] : [`fewShot.volumes=${volumes}`]),
    ...(fromScratch ? ['fewShot.fromScratch=true'] : []),
  ], folder);
  const { onProgress: onPrepare, ...store } = clipStore(flags, config);
  const stopRequested = () => store.stopRequested?.() ?? false;
  await watchTraining(folder, 'few-shot', flags.resumeFromCheckpoint, (watched) => trainFewShot({
    ...store, ...watched, run: resolve(flags.output), checkpoint, device: flags.device,
    onPrepare, stopRequested,
  }));
}
