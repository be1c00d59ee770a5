/** What `prepare` and `train` share: flags of a run, and its clips with progress. */
import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import type { TrainingConfig } from '../training/config.ts';
import type { ClipStoreOptions } from '../training/clip-store.ts';
import { repeated } from './console/flags.ts';
import { addExtractorFlags, type ExtractorFlags } from './extractor-flags.ts';
import { startProgress, type Progress } from './console/progress.ts';
import { receivedSignal } from './console/signals.ts';
import { Interrupted } from './console/user-error.ts';

export interface RunFlags extends ExtractorFlags {
  readonly data: string;
  readonly output: string;
  readonly preset: 'tiny' | 'small';
  readonly config?: string;
  readonly set: readonly string[];
  readonly seed?: number;
  readonly cache?: string;
  readonly threads?: number;
}

/** Flags of every command that works on a run. */
export function addRunFlags(
  command: Command, output: string, data = 'data set in the layout of CAMUS or M&Ms (see `phantom`)',
): Command {
  return addExtractorFlags(command)
    .requiredOption('--data <folder>', data)
    .requiredOption('--output <folder>', output)
    .addOption(
      new Option('--preset <name>', 'sizes and recipe').choices(['tiny', 'small']).default('small'),
    )
    .option('--config <file>', 'YAML that changes parts of the preset')
    .option('--set <key=value>', 'change one value (repeatable)', repeated, [])
    .option('--seed <n>', 'of weights, order and noise', Number)
    .option('--cache <folder>', 'prepared clips (default: <output>/cache)')
    .option('--threads <n>', 'CPU threads (default: all cores)', Number);
}

/** Where clips come from and go to, and what is said while they are prepared. */
export function clipStore(flags: RunFlags, config: TrainingConfig): ClipStoreOptions {
  let bar: Progress | null = null;
  const say = (line: string) => process.stderr.write(`${line}\n`);
  return {
    config,
    data: flags.data,
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
