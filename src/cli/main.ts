/**
 * The command line: `./heartbeat <verb> [flags]`.
 *
 * To add a verb, write `src/cli/<verb>.ts` that exports `register(command: Command)` (description,
 * flags, examples by `addHelpText('after', ...)`, action) and add one entry to the table below. The
 * file is imported only when its verb is asked for. A verb with verbs of its own (`train vae`)
 * calls `attachVerbs(command, table, remainingArguments(command))` in its `register`. Import what
 * is heavy inside the action, so that its help is quick.
 *
 * Exit codes: 0 done, 1 failed, 2 bad usage, 130 on Ctrl+C, 143 on SIGTERM. An action fails by
 * throwing: a `UserError` is printed as it is, in one line; HEARTBEAT_DEBUG=1 adds the stack.
 */
import { Command, CommanderError } from 'commander';
import { normalizeFlags } from './console/flags.ts';
import { installSignals } from './console/signals.ts';
import { styleFor } from './console/style.ts';
import { describeError, exitCodeOf, Interrupted, UserError } from './console/user-error.ts';
import {
  attachVerbs,
  oneLine,
  refuseUnknownFlags,
  usesTensors,
  type Verb,
} from './console/verbs.ts';

const verbs: readonly Verb[] = [
  {
    name: 'doctor',
    summary: 'say what this machine offers: libtorch, BLAS, threads, speed, devices, memory, disk',
    tensors: false,
    load: () => import('./doctor.ts'),
  },
  {
    name: 'phantom',
    summary:
      'write synthetic echocardiograms (CAMUS layout) or cardiac MRI (M&Ms layout), with the truth',
    tensors: false,
    load: () => import('./phantom.ts'),
  },
  {
    name: 'prepare',
    summary: 'extract clips, conditions and latents of a data set once',
    tensors: true,
    load: () => import('./prepare.ts'),
  },
  {
    name: 'train',
    summary: 'train the autoencoder, the image encoder, stage 1 (images) and stage 2 (video)',
    tensors: true,
    load: () => import('./train.ts'),
  },
  {
    name: 'estimate',
    summary: 'say what a training takes on this machine: parameters, memory, time, disk',
    tensors: true,
    load: () => import('./estimate.ts'),
  },
  {
    name: 'evaluate',
    summary: 'measure how well generated videos obey, and whether they look like ultrasound',
    tensors: true,
    load: () => import('./evaluate.ts'),
  },
  {
    name: 'compare',
    summary: 'compare two evaluation cards, where they were measured alike',
    tensors: false,
    load: () => import('./compare.ts'),
  },
  {
    name: 'memorisation',
    summary: 'index training clips, and check whether other clips are copies of them',
    tensors: true,
    load: () => import('./memorisation.ts'),
  },
  {
    name: 'study',
    summary: 'one file gives the whole table of methods and conditions; what synthetic pairs are worth',
    tensors: true,
    load: () => import('./study.ts'),
  },
  {
    name: 'sample',
    summary: 'make a clip that obeys a mask, a sketch, a valve stroke, flow, an image, a sentence',
    tensors: true,
    load: () => import('./sample.ts'),
  },
  {
    name: 'demo',
    summary: 'make a clip of a phantom, or of a CAMUS patient, with the released model',
    tensors: true,
    load: () => import('./demo.ts'),
  },
  {
    name: 'export',
    summary: 'write a model as the folder of a diffusers pipeline',
    tensors: true,
    load: () => import('./export.ts'),
  },
  {
    name: 'import',
    summary: 'read an exported folder back as a model',
    tensors: true,
    load: () => import('./import.ts'),
  },
  {
    name: 'weights',
    summary: 'list, fetch and verify the public pretrained weights that the paper starts from',
    tensors: false,
    load: () => import('./weights.ts'),
  },
  {
    name: 'pack',
    summary: 'make one archive that runs on a Linux machine without network, npm and Node',
    tensors: false,
    load: () => import('./pack.ts'),
  },
];

const introduction = `Controllable echocardiography video synthesis: a latent diffusion model
that obeys a mask, a sketch, a mitral-valve stroke, a flow field, an image
and a sentence.`;

const examples = `
Examples:
  ./heartbeat doctor                                       what this machine offers
  ./heartbeat phantom --patients 4 --seed 1 --output DIR   a small synthetic data set
  ./heartbeat help train                                   what a command does, its flags

Flags may be written with - or _. Exit codes: 0 done, 1 failed, 2 bad usage,
130 on Ctrl+C, 143 on SIGTERM. HEARTBEAT_DEBUG=1 prints stacks; NO_COLOR=1 turns colour off.`;

async function run(given: readonly string[]): Promise<void> {
  const args = given[0] === 'help' ? [...given.slice(1), '--help'] : given;
  const program = new Command('heartbeat')
    .description(introduction)
    .usage('<command> [flags]')
    .helpOption('-h, --help', 'show this help, or that of a command')
    .helpCommand(false)
    .configureHelp({ subcommandTerm: (command) => command.name(), showGlobalOptions: false })
    .configureOutput({ outputError: () => {} })
    .exitOverride()
    .addHelpText('after', examples)
    .hook('preAction', async (_, command) => {
      if (!usesTensors(command)) return;
      const { ensureNative } = await import('./console/native-setup.ts');
      ensureNative();
    });
  await attachVerbs(program, verbs, args);
  refuseUnknownFlags(program, args);
  await program.parseAsync(args, { from: 'user' });
}

/** Prints the error the way its kind asks for and returns the exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) {
    // Help that was asked for is no failure; help shown because the command was missing is.
    if (error.exitCode === 0) return 0;
    if (error.code !== 'commander.help') process.stderr.write(`heartbeat: ${oneLine(error)}\n`);
    return 2;
  }
  if (error instanceof UserError && error.shown) return error.exitCode;
  const style = styleFor(process.stderr);
  const paint = error instanceof Interrupted ? style.yellow : style.red;
  process.stderr.write(`${paint('heartbeat:')} ${describeError(error)}\n`);
  if (process.env.HEARTBEAT_DEBUG === '1' && error instanceof Error)
    process.stderr.write(`${error.stack}\n`);
  return exitCodeOf(error);
}

/** A reader that went away (`| head`) wants no more output, and no complaint. */
function ignoreClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
}

process.stdout.on('error', ignoreClosedPipe);
process.stderr.on('error', ignoreClosedPipe);
installSignals();
if (Number(process.versions.node.split('.')[0]) < 20) {
  process.stderr.write(
    `heartbeat: Node.js 20 or newer is needed, and this is Node.js ${process.versions.node}.\n`,
  );
  process.exitCode = 2;
} else {
  try {
    await run(normalizeFlags(process.argv.slice(2)));
  } catch (error) {
    process.exitCode = report(error);
  }
}
