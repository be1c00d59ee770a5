/** `./heartbeat phantom`: synthetic echocardiograms (CAMUS layout) or cardiac MRI (M&Ms layout). */
import { Option, type Command } from 'commander';
import type { WrittenMriPatient } from '../data/mri-phantom/mri-phantom.ts';
import type { PhantomContent } from '../data/phantom-drawing.ts';
import { integer } from './console/flags.ts';
import { expectNewFolder } from './console/output-folder.ts';
import { startProgress } from './console/progress.ts';
import { temporaryOutput } from './console/temporary-output.ts';
import { UserError } from './console/user-error.ts';

interface PhantomFlags {
  readonly patients: number;
  readonly seed: number;
  readonly modality: 'echo' | 'mri';
  readonly view?: 'both' | '2CH' | '4CH';
  readonly frames?: number;
  readonly workers?: number;
  readonly output: string;
}

const examples = `
Examples:
  ./heartbeat phantom --output phantom                      40 patients, both views
  ./heartbeat phantom --patients 4 --seed 7 --output small  four others
  ./heartbeat phantom --modality mri --output phantom-mri   40 short-axis stacks

Of echo, the folder holds database_nifti/ and database_split/ as CAMUS does; beside each half sequence stand
the whole cycle (_sequence), its masks in every frame (_sequence_gt), the true flow (_sequence_flow)
and the true mitral leaflets (_sequence_leaflets.json). Of MRI, it holds OpenDataset/ as M&Ms does:
short-axis stacks with masks in every frame, ED and ES alone unless --frames says more. The same
flags give the same bytes on every machine, with any number of --workers. A run that is stopped
leaves nothing.`;

export function register(command: Command): void {
  command
    .description(
      'Write synthetic echocardiograms in the CAMUS layout, with what CAMUS lacks:\n' +
        'true masks in every frame, true flow, true mitral leaflets, EF and frame rate;\n' +
        'or, with --modality mri, synthetic cardiac MRI in the layout of M&Ms.',
    )
    .option('--patients <n>', 'how many patients', integer({ min: 1, max: 9999 }), 40)
    .option('--seed <n>', 'other numbers give other patients', integer({ min: 0 }), 0)
    .addOption(
      new Option('--modality <name>', 'ultrasound (CAMUS layout) or cardiac MRI (M&Ms layout)')
        .choices(['echo', 'mri'])
        .default('echo'),
    )
    .addOption(
      new Option('--view <name>', 'echo: which views to write (default: both)')
        .choices(['both', '2CH', '4CH']),
    )
    .option('--frames <n>', 'mri: frames of a beat (default: 2, ED and ES)',
      integer({ min: 2, max: 100 }))
    .option('--workers <n>', 'threads that draw patients (default: one for each hardware thread)',
      integer({ min: 1 }))
    .requiredOption('--output <folder>', 'where to write; a new or empty folder')
    .addHelpText('after', examples)
    .action(write);
}

async function write(flags: PhantomFlags): Promise<void> {
  const { patients, output } = flags;
  const content = contentOf(flags);
  expectNewFolder(output);
  const { writeMriPhantomTable } = await import('../data/mri-phantom/mri-phantom.ts');
  const { drawPhantoms } = await import('../data/phantom-drawing.ts');
  const { writePhantomLists } = await import('../data/phantom/phantom.ts');
  const target = temporaryOutput(output);
  const progress = startProgress({ label: 'phantom', total: patients, unit: 'patients' });
  const numbers = Array.from({ length: patients }, (_, i) => i + 1);
  const drawing = { ...flags, onProgress: (done: number, id: string) => progress.update(done, id) };
  try {
    if (content.modality === 'mri') {
      writeMriPhantomTable(target.path, await drawPhantoms<WrittenMriPatient>(target.path, content, numbers, drawing));
    } else {
      writePhantomLists(target.path, await drawPhantoms(target.path, content, numbers, drawing));
    }
    target.commit();
  } catch (error) {
    target.discard();
    throw error;
  }
  progress.finish(`in ${output}`);
}

/** What to draw of each patient; a flag of the other modality is refused. */
function contentOf({ modality, view, frames }: PhantomFlags): PhantomContent {
  const refuse = (flag: string, other: string, got: string | number) => {
    throw new UserError(
      `${flag}: expected with --modality ${other} only, got ${got} with --modality ${modality}`,
      { exitCode: 2 },
    );
  };
  if (modality === 'mri') {
    if (view !== undefined) refuse('--view', 'echo', view);
    return { modality, frames: frames ?? 2 };
  }
  if (frames !== undefined) refuse('--frames', 'mri', frames);
  return { modality, views: view === undefined || view === 'both' ? ['2CH', '4CH'] : [view] };
}
