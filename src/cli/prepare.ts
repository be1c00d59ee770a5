/** `prepare`: clips, conditions and latents, extracted once and cached. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import {
  addMethodFlag, addRunFlags, clipStore, configSources, throwIfSignalled, type RunFlags,
} from './clip-loading.ts';
import { catchSignals } from './console/signals.ts';
import { extractorOverrides } from './extractor-flags.ts';

const examples = `
Examples:
  ./heartbeat prepare --data data/phantom --output runs/small
  ./heartbeat prepare --data CAMUS --output runs/camus --preset small
  ./heartbeat prepare --data CAMUS --output runs/raft --flow-extractor raft \\
      --flow-weights raft-small.pth

Reads every clip of the data set: letterboxed, resized, 16 frames over the cycle, with its masks,
the sketch of each frame, its mitral-valve skeleton and its flow. Once the autoencoder and the image
encoder of the run are trained (preset paper: given), their latents and embeddings are added. The
cache's keys are sha256 of the sources, the preprocessing and the networks, so that nothing stale is
ever read. What is prepared serves every --method. \`train\` prepares what is missing by itself; this
does it ahead, and Ctrl+C loses nothing. Clips are extracted by several threads (--workers), by one
where a network is an extractor; what is found is the same.`;

export function register(command: Command): void {
  command.description(
    'Extract clips and their conditions once, and their latents when there is a VAE.',
  );
  addMethodFlag(addRunFlags(command, 'the run; prepared clips go to <output>/cache'))
    .addHelpText('after', examples)
    .action(prepare);
}

async function prepare(flags: RunFlags): Promise<void> {
  catchSignals();
  const { resolveConfig } = await import('../training/config.ts');
  const { addLatents, loadSplit } = await import('../training/clip-store.ts');
  const { hasEncoders } = await import('../training/components.ts');
  const { SPLITS } = await import('../data/camus-folder.ts');
  const { setThreads } = await import('../tensor/device.ts');
  if (flags.threads !== undefined) setThreads(flags.threads);
  const config = resolveConfig(configSources(flags, extractorOverrides(flags)));
  const store = clipStore(flags, config);
  const run = resolve(flags.output);
  const encoders = hasEncoders(config, run);
  let count = 0;
  for (const split of SPLITS) {
    const clips = await loadSplit(split, store);
    if (encoders) await addLatents(clips, run, store);
    throwIfSignalled();
    count += clips.length;
  }
  const latents = encoders ? 'with latents' : 'no latents yet: the VAE and the image encoder come first';
  process.stdout.write(`${count} clips in ${store.cache}, ${latents}\n`);
}
