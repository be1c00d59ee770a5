/** `./heartbeat demo`: one command from nothing to a clip that obeys its conditions. */
import { Option, type Command } from 'commander';
import type { ConditionFlags, UserInputs } from '../inputs/inputs.ts';
import { expectNewFolder, freeFolder } from './console/output-folder.ts';
import { catchSignals, throwIfStopped } from './console/signals.ts';
import { styleFor } from './console/style.ts';
import { UserError } from './console/user-error.ts';
import type { OpenedModel } from './model-choice.ts';
import { addSamplingFlags, checkSampling, expectGiven, printClips } from './sample.ts';
import type { SamplingFlags } from './sampling.ts';

type View = '2CH' | '4CH';

interface DemoFlags extends SamplingFlags {
  readonly patient?: string;
  readonly view?: View;
  readonly with?: readonly ('sketch' | 'flow')[];
  readonly checkpoint?: string;
  readonly output?: string;
}

/** Drawn for this only: phantoms for training are numbered from 1. */
const PHANTOM = { seed: 0, index: 9001 } as const;

const examples = `
Examples:
  ./heartbeat demo                                         a phantom that no training has seen
  ./heartbeat demo --patient camus/database_nifti/patient0022 --output out
  ./heartbeat demo --patient patient0022 --with sketch flow --seed 3

Without --patient a phantom patient is drawn and gives every condition: masks of a whole beat, the
sketch of its ED frame, its leaflets, the flow of its tissue, its ED frame as image prior, and a
sentence. With --patient a CAMUS patient gives the ED frame as image prior, the ED and ES masks
joined over the beat, the mitral valve between them, and a sentence.`;

export function register(command: Command): void {
  command
    .description('Make a clip with the released model, of a phantom or of a CAMUS patient.')
    .option('--patient <folder>', 'a patient in the CAMUS layout, with ED and ES and their masks')
    .addOption(
      new Option('--view <name>', '(default: 4CH where there is one)').choices(['2CH', '4CH']),
    )
    .addOption(
      new Option('--with <names...>', 'of a patient also: the sketch of ED, the flow of the masks')
        .choices(['sketch', 'flow']),
    );
  addSamplingFlags(command)
    .option('--checkpoint <folder>', 'model folder or run (default: the released models/small)')
    .option('--output <folder>', 'a new or empty folder (default: heartbeat-demo, -2, -3, ...)')
    .addHelpText('after', examples)
    .action(demo);
}

async function demo(flags: DemoFlags): Promise<void> {
  const sampling = checkSampling(flags);
  const output = flags.output ?? freeFolder('heartbeat-demo');
  expectNewFolder(output);
  catchSignals();
  const { openModel } = await import('./model-choice.ts');
  const model = openModel(flags.checkpoint);
  if (model.size.frameAxis === 'slice') {
    throw new UserError(`${model.folder}: expected a model of ultrasound, got one of cardiac MRI ` +
      '(use `sample --mask`)', { exitCode: 2 });
  }
  const given =
    flags.patient === undefined
      ? await phantomInputs(flags.view ?? '4CH', model)
      : await patientInputs(flags.patient, flags, model);
  expectGiven(sampling, given);
  for (const note of given.notes) say(`note: ${note}`);
  await throwIfStopped();
  const { frames, width, height } = model.size;
  say(`sampling ${frames} frames of ${width} x ${height} with ${model.folder}`);
  const { runSampling } = await import('./sampling.ts');
  const job = { checkpoint: model.folder, given, flags: sampling, count: 1, output };
  printClips(await runSampling({ command: 'demo', ...job }));
}

function say(text: string): void {
  process.stderr.write(`${styleFor(process.stderr).dim(text)}\n`);
}

async function phantomInputs(view: View, model: OpenedModel): Promise<UserInputs> {
  const { index, seed } = PHANTOM;
  say(`drawing phantom patient ${index} of seed ${seed}, ${view}: in no training set`);
  const { readPhantom } = await import('../inputs/phantom-input.ts');
  const given = readPhantom({ ...PHANTOM, view }, model.size, model.conditions);
  say(`conditions: ${Object.keys(given.inputs).join(', ')}`);
  return given;
}

async function patientInputs(
  folder: string,
  { view, with: extra = [] }: DemoFlags,
  model: OpenedModel,
): Promise<UserInputs> {
  const { readInputs } = await import('../inputs/inputs.ts');
  const { patientFlags } = await import('../inputs/patient-input.ts');
  const flags: ConditionFlags = patientFlags(folder, { view, extra });
  const wanted = ['image', 'mask', 'skeleton', 'text', ...extra];
  const absent = wanted.find((name) => !(model.conditions as string[]).includes(name));
  if (absent !== undefined) {
    throw new UserError(
      `${model.folder}: expected a model that knows ${wanted.join(', ')}, ` +
        `got one without ${absent}`,
    );
  }
  say(`reading ${folder}: ED frame, ED and ES masks joined over ${model.size.frames} frames`);
  const given = await readInputs(flags, model.size);
  say(`as: ./heartbeat sample ${given.sources.map((source) => source.given).join(' ')}`);
  return given;
}
