/** `./heartbeat phantom`: synthetic echocardiograms in the CAMUS layout. */
import { existsSync, readdirSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { Option, type Command } from 'commander';
import { integer } from './console/flags.ts';
import { startProgress } from './console/progress.ts';
import { temporaryOutput } from './console/temporary-output.ts';
import { UserError } from './console/user-error.ts';
import type { PhantomMessage, PhantomTask } from './phantom-worker.ts';

interface PhantomFlags {
  readonly patients: number;
  readonly seed: number;
  readonly view: 'both' | '2CH' | '4CH';
  readonly output: string;
}

const examples = `
Examples:
  ./heartbeat phantom --output phantom                      40 patients, both views
  ./heartbeat phantom --patients 4 --seed 7 --output small  four others

The folder holds database_nifti/ and database_split/ as CAMUS does; beside each half sequence stand
the whole cycle (_sequence), its masks in every frame (_sequence_gt), the true flow (_sequence_flow)
and the true mitral leaflets (_sequence_leaflets.json). The same flags give the same bytes on every
machine. A run that is stopped leaves nothing.`;

export function register(command: Command): void {
  command
    .description(
      'Write synthetic echocardiograms in the CAMUS layout, with what CAMUS lacks:\n' +
        'true masks in every frame, true flow, true mitral leaflets, EF and frame rate.',
    )
    .option('--patients <n>', 'how many patients', integer({ min: 1, max: 9999 }), 40)
    .option('--seed <n>', 'other numbers give other patients', integer({ min: 0 }), 0)
    .addOption(
      new Option('--view <name>', 'which views to write')
        .choices(['both', '2CH', '4CH'])
        .default('both'),
    )
    .requiredOption('--output <folder>', 'where to write; a new or empty folder')
    .addHelpText('after', examples)
    .action(write);
}

async function write({ patients, seed, view, output }: PhantomFlags): Promise<void> {
  if (existsSync(output) && readdirSync(output).length > 0) {
    throw new UserError(
      `--output: expected a new or empty folder, got ${output}, which holds files`,
      { exitCode: 2 },
    );
  }
  const target = temporaryOutput(output);
  const progress = startProgress({ label: 'phantom', total: patients, unit: 'patients' });
  const task: PhantomTask = {
    directory: target.path,
    patients,
    seed,
    views: view === 'both' ? ['2CH', '4CH'] : [view],
  };
  try {
    await work(task, (done, id) => progress.update(done, id));
    target.commit();
  } catch (error) {
    target.discard();
    throw error;
  }
  progress.finish(`in ${output}`);
}

/**
 * Runs the task on a thread of its own, so that Ctrl+C and the progress are not held up by a
 * patient being drawn.
 */
function work(task: PhantomTask, onProgress: (done: number, id: string) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./phantom-worker.ts', import.meta.url), {
      workerData: task,
    });
    worker.on('message', (message: PhantomMessage) => {
      if ('error' in message)
        reject(Object.assign(new Error(message.error.message), message.error));
      else onProgress(message.done, message.id);
    });
    worker.on('error', reject);
    worker.on('exit', () => resolve());
  });
}
