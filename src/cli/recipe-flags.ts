/** Flags of a training in diffusers' words, shared by every verb that trains. */
import { join } from 'node:path';
import type { Command } from 'commander';
import type { RunLog } from '../training/run-log.ts';
import type { LoopResult } from '../training/loop.ts';
import { throwIfSignalled } from './clip-loading.ts';
import { startProgress, type Progress } from './console/progress.ts';

/** Each flag, and the key of a stage's optimizer that it sets. */
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

export interface RecipeFlags extends Partial<Record<(typeof recipeFlags)[number][1], string>> {
  readonly resumeFromCheckpoint?: string;
  readonly device: string;
}

export function addRecipeFlags(command: Command): Command {
  command
    .option('--resume-from-checkpoint <which>', '"latest", checkpoint-<step> or a path')
    .option('--device <name>', 'cpu, cuda, cuda:0 or mps', 'cpu');
  for (const [flag, , help] of recipeFlags) command.option(flag, help);
  return command;
}

/** The flags that were given, as overrides of these optimizers (`image.optimization`). */
export function recipeOverrides(flags: RecipeFlags, optimizers: readonly string[]): string[] {
  return recipeFlags.flatMap(([, option]) => {
    const value = flags[option];
    return value === undefined ? [] : optimizers.map((of) => `${of}.${option}=${value}`);
  });
}

export interface Watched {
  readonly log: RunLog;
  readonly resumeFrom: string | null;
  readonly onProgress: (done: number, total: number, scalars: Record<string, number>) => void;
}

/**
 * Runs one training with its log and progress and prints the model's folder; a training that a signal
 * ended is `Interrupted`, with what was saved. Null means that it had not begun.
 */
export async function watchTraining(
  folder: string, label: string, resume: string | undefined,
  train: (watched: Watched) => Promise<LoopResult | null>,
): Promise<void> {
  const { openRunLog } = await import('../training/run-log.ts');
  const { findCheckpoint } = await import('../training/checkpoint.ts');
  const resumeFrom = resume ?? null;
  const from = resumeFrom === null ? null : findCheckpoint(folder, resumeFrom);
  const resumeStep = from === null ? undefined : Number(/(\d+)$/.exec(from)?.[1]);
  const log = openRunLog(folder, { resumeStep });
  let bar: Progress | null = null;
  try {
    const result = await train({
      log, resumeFrom,
      onProgress: (done, total, scalars) => {
        bar ??= startProgress({ label, total, unit: 'steps', initial: done });
        bar.update(done, describe(scalars));
      },
    });
    (bar as Progress | null)?.finish();
    if (result === null) throwIfSignalled();
    else if (!result.finished) {
      throwIfSignalled(`stopped at step ${result.step}, saved: --resume-from-checkpoint latest goes on`);
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
