/** What `prepare` and `train` share: flags of a run, and its clips with progress. */
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { methodNames, type MethodName } from '../training/methods.ts';
import { presetNames, type PresetName } from '../training/presets.ts';
import type { ConfigSources, TrainingConfig } from '../training/config.ts';
import type { ClipStoreOptions } from '../training/clip-store.ts';
import { integer, repeated } from './console/flags.ts';
import { addExtractorFlags, type ExtractorFlags } from './extractor-flags.ts';
import { startProgress, type Progress } from './console/progress.ts';
import { receivedSignal } from './console/signals.ts';
import { Interrupted } from './console/user-error.ts';

export interface RunFlags extends ExtractorFlags {
  readonly data: string;
  readonly output: string;
  readonly preset: PresetName;
  readonly method?: MethodName;
  readonly pretrained?: 'none';
  readonly config?: string;
  readonly set: readonly string[];
  readonly seed?: number;
  readonly cache?: string;
  readonly workers?: number;
  readonly threads?: number;
  readonly device: string;
}

/** Flags of every command that works on a run. */
export function addRunFlags(
  command: Command, output: string, data = 'data set in the layout of CAMUS or M&Ms (see `phantom`)',
): Command {
  addExtractorFlags(command)
    .requiredOption('--data <folder>', data)
    .requiredOption('--output <folder>', output);
  return addConfigFlags(command)
    .option('--cache <folder>', 'prepared clips (default: <output>/cache)')
    .option('--workers <n>', 'threads that prepare clips (default: one for each hardware thread)', integer({ min: 1 }));
}

/** Flags that say what is trained, with which sizes and recipe, and where it runs. */
export function addConfigFlags(command: Command): Command {
  return command
    .addOption(new Option('--preset <name>', 'sizes and recipe').choices(presetNames).default('small'))
    .addOption(
      new Option('--pretrained <which>', 'none: random weights where the preset starts from public ones')
        .choices(['none']),
    )
    .option('--config <file>', 'YAML that changes parts of the preset')
    .option('--set <key=value>', 'change one value (repeatable)', repeated, [])
    .option('--seed <n>', 'of weights, order and noise', Number)
    .option('--threads <n>', 'CPU threads (default: all cores)', Number)
    .option('--device <name>', 'cpu, cuda, cuda:0 or mps', 'cpu');
}

/** What a run is a training of. The autoencoder, the image encoder and the segmenter are the same for all. */
export function addMethodFlag(command: Command): Command {
  return command.addOption(new Option('--method <name>',
    'what `train image` and `train video` make: HeartBeat (default: heartbeat) or a baseline of docs/baselines.md')
    .choices(methodNames));
}

/** The flags as sources of a configuration; `more` are overrides that win over `--set`. */
export function configSources(
  { preset, method, config: file, seed, set, pretrained }:
    Pick<RunFlags, 'preset' | 'method' | 'config' | 'seed' | 'set' | 'pretrained'>,
  more: readonly string[] = [],
): ConfigSources {
  const random = pretrained === 'none'
    ? ['unet', 'vae', 'text_encoder', 'image_encoder'].map((name) => `pretrained.${name}=random`) : [];
  return { preset, method, file, seed, overrides: [...random, ...set, ...more] };
}

/** Where clips come from and go to, and what is said while they are prepared. */
export function clipStore(flags: RunFlags, config: TrainingConfig): ClipStoreOptions {
  let bar: Progress | null = null;
  const say = (line: string) => process.stderr.write(`${line}\n`);
  return {
    config,
    data: flags.data,
    device: flags.device,
    workers: flags.workers ?? availableParallelism(),
    cache: flags.cache ?? resolve(flags.output, 'cache'),
    stopRequested: () => receivedSignal() !== null,
    onProgress: (done, total) => {
      bar ??= startProgress({ label: 'prepare', total, unit: 'clips' });
      bar.update(done);
      if (done < total) return;
      bar.finish();
      bar = null;
    },
    report: say,
    onSkip: (id, reason) => say(`left out ${id}: ${reason}`),
  };
}

/** Throws when Ctrl+C or SIGTERM has come; what is in the cache stays there. */
export function throwIfSignalled(message?: string): void {
  const signal = receivedSignal();
  if (signal !== null) throw new Interrupted(signal, message);
}
