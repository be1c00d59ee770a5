/** A training seen from the command line: its log, its progress, where it went on. */
import { join } from 'node:path';
import type { Command } from 'commander';
import type { RunLog } from '../training/run-log.ts';
import type { LoopResult } from '../training/loop.ts';
import { throwIfSignalled } from './clip-loading.ts';
import { startProgress, type Progress } from './console/progress.ts';

export interface ResumeFlags {
  readonly resumeFromCheckpoint?: string;
}

export function addResumeFlag(command: Command): Command {
  return command.option('--resume-from-checkpoint <which>', '"latest", checkpoint-<step> or a path');
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
  const { describeForecast } = await import('../training/loop.ts');
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
    else if (result.forecast !== null) process.stderr.write(`${describeForecast(result.forecast)}\n`);
    process.stdout.write(`${join(folder, 'model')}\n`);
  } finally {
    log.close();
  }
}

function describe(scalars: Record<string, number>): string {
  const parts = Object.entries(scalars).map(([name, value]) => `${name} ${value.toPrecision(4)}`);
  return parts.join(', ');
}
