/** `./heartbeat sample`: a clip that obeys what is given. */
import { Option, type Command } from 'commander';
import { conditionNames, conditions } from '../conditions/condition.ts';
import type { ConditionFlags, UserInputs } from '../inputs/inputs.ts';
import { unknownName } from '../training/nearest-name.ts';
import { integer, namedNumber, number } from './console/flags.ts';
import { expectNewFolder } from './console/output-folder.ts';
import { catchSignals, throwIfStopped } from './console/signals.ts';
import { UserError } from './console/user-error.ts';
import { addExtractorFlags, extractorsOf, type ExtractorFlags } from './extractor-flags.ts';
import { addGateFlags, checkGateFlags, judgedSize, openSampleGate, type GateFlags } from './memorisation-gate.ts';
import type { SampledClips, SamplingFlags } from './sampling.ts';

type SampleFlags = ConditionFlags & SamplingFlags & ExtractorFlags & GateFlags & {
  readonly numInferenceSteps?: number;
  readonly checkpoint?: string;
  readonly time?: number;
  readonly count: number;
  readonly output: string;
};

const examples = `
Examples:
  ./heartbeat sample --text 4CH --output out
  ./heartbeat sample --text 4CH --mask ED_gt.nii.gz ES_gt.nii.gz --image ED.nii.gz \\
      --skeleton mask --flow mask --seed 7 --output out
  ./heartbeat sample --sketch drawing.png --arrow valve.json --count 4 --output out
  ./heartbeat sample --checkpoint runs/mri --text SAX --mask A0S9V9_sa_gt.nii.gz --output out

Every condition may be left out; any of them together is fine. Pictures of any size are centred
in the model's square. The folder gets video.mp4, video.gif, video.nii.gz, frames/, sheet.png (the
conditions under the frames) and recipe.json, which is inside every file as well; a model of slices
(train few-shot) writes volume.nii.gz and slices/ instead of the video, a model of stage 1
(RUN/image/model) a single frame, or a sequence where two masks or more are given. docs/sampling.md
tells the file formats. Ctrl+C stops after the step and leaves nothing half-written.`;

export function register(command: Command): void {
  command.description(
    'Make an echo clip that obeys any subset of a mask, a sketch, a mitral-valve stroke or ' +
      'moving direction, a flow field, an image and a sentence.',
  );
  for (const { flags } of conditions) {
    for (const { flag, help } of flags) command.option(flag, help);
  }
  addExtractorFlags(command);
  addGateFlags(addSamplingFlags(command))
    .option('--count <n>', 'clips, of seeds seed, seed + 1, ...', integer({ min: 1, max: 9999 }), 1)
    .option('--checkpoint <folder>', 'model folder or run (default: the released models/small)')
    .option('--time <t>', 'MRI: frame of a cine mask (default: the first with labels)',
      integer({ min: 0 }))
    .requiredOption('--output <folder>', 'where to write; a new or empty folder')
    .addHelpText('after', examples)
    .action(sample);
}

/** The flags that `demo` has as well. The defaults stand in the framework's `synthesisDefaults`. */
export function addSamplingFlags(command: Command): Command {
  return command
    .option(
      '--strength <name=x>',
      `factor of a condition, 0 drops it (repeatable): ${conditionNames.join(', ')}`,
      namedNumber({ min: 0 }),
    )
    .option('--seed <n>', 'of the noise (default: 0)', integer({ min: 0 }))
    .option('--steps <n>', 'steps of the sampler (default: 50)', integer({ min: 1, max: 999 }))
    .option('--num-inference-steps <n>', 'the same', integer({ min: 1, max: 999 }))
    .option(
      '--guidance-scale <x>',
      'weight of text and image; 1 is none and twice as fast (default: 2)',
      number({ min: 0 }),
    )
    .addOption(
      new Option('--sampler <name>', '(default: ddim)').choices(['ddim', 'dpm-solver++']),
    )
    .addOption(
      new Option('--dtype <name>', '(default: bf16 on CUDA and where the processor computes it, else float32)')
        .choices(['float32', 'bf16']),
    )
    .option('--device <name>', 'cpu, cuda, cuda:0 or mps (default: cpu)')
    .option('--threads <n>', 'CPU threads (default: all cores)', integer({ min: 1, max: 1024 }));
}

async function sample(flags: SampleFlags): Promise<void> {
  const { checkpoint, output, count } = flags;
  const { conflictOf, readInputs } = await import('../inputs/inputs.ts');
  const usage = conflictOf(flags);
  if (usage !== null) throw new UserError(usage, { exitCode: 2 });
  const sampling = checkSampling(flags, count);
  const chosen = extractorsOf(flags);
  checkGateFlags(flags);
  expectNewFolder(output);
  catchSignals();
  const { openModel, sampledSize } = await import('./model-choice.ts');
  const model = openModel(checkpoint);
  expectKnown(flags, model.conditions, model.folder);
  const size = sampledSize(model, flags.mask);
  const { openExtractors } = await import('../extractors/extractors.ts');
  const extractors = openExtractors(chosen);
  const given = await readInputs(flags, size, { extractors, time: flags.time })
    .finally(() => extractors.dispose());
  expectExtracted(extractors.identity, given);
  expectGiven(sampling, given);
  for (const note of given.notes) process.stderr.write(`note: ${note}\n`);
  await throwIfStopped();
  const { frames, frameAxis } = size;
  if (flags.memorisationIndex !== undefined && frameAxis === 'slice') {
    throw new UserError('--memorisation-index: expected a model of ultrasound, got one of cardiac MRI',
      { exitCode: 2 });
  }
  const gate = await openSampleGate(flags, judgedSize(size), sampling.device);
  try {
    const { runSampling } = await import('./sampling.ts');
    const job = { checkpoint: model.folder, given, flags: sampling, frames, count, output, gate };
    printClips(await runSampling({ command: 'sample', ...job }));
  } finally {
    gate?.dispose();
  }
}

/** The two spellings of steps as one, names of strengths known. */
export function checkSampling<T extends SamplingFlags & { numInferenceSteps?: number }>(
  flags: T,
  count = 1,
): T {
  const { steps, numInferenceSteps, strength = {}, seed = 0 } = flags;
  if (steps !== undefined && numInferenceSteps !== undefined && steps !== numInferenceSteps) {
    throw new UserError(
      `--steps: expected the same as --num-inference-steps ${numInferenceSteps}, got ${steps}`,
      { exitCode: 2 },
    );
  }
  for (const name of Object.keys(strength)) {
    if ((conditionNames as readonly string[]).includes(name)) continue;
    throw new UserError(`--strength: ${unknownName('condition', name, conditionNames)}`, {
      exitCode: 2,
    });
  }
  if (!Number.isSafeInteger(seed + count - 1)) {
    throw new UserError(`--seed: expected at most ${Number.MAX_SAFE_INTEGER}, got more`, {
      exitCode: 2,
    });
  }
  return { ...flags, steps: steps ?? numInferenceSteps };
}

/** A strength of what is not there is a mistake that would otherwise go unseen. */
export function expectGiven(flags: SamplingFlags, { inputs }: UserInputs): void {
  const given = Object.keys(inputs);
  const absent = Object.keys(flags.strength ?? {}).find((name) => !given.includes(name));
  if (absent === undefined) return;
  throw new UserError(
    `--strength ${absent}: expected a condition that is given ` +
      `(${given.join(', ') || 'none is'}), got ${absent}`,
    { exitCode: 2 },
  );
}

/** A network that had nothing to look at is a mistake that would otherwise go unseen. */
function expectExtracted(
  identity: Readonly<Partial<Record<'flow' | 'sketch', string>>>, { sources }: UserInputs,
): void {
  const pictures = { flow: 'a video to follow (--flow)', sketch: 'a frame to draw (--sketch-from)' };
  for (const kind of ['flow', 'sketch'] as const) {
    const used = sources.some((source) => source.condition === kind && source.extractor !== undefined);
    if (identity[kind] === undefined || used) continue;
    throw new UserError(`--${kind}-extractor: expected ${pictures[kind]}, got none`, { exitCode: 2 });
  }
}

/** Refuses the flag of a condition that the model does not have, before any file is read. */
function expectKnown(given: SampleFlags, known: readonly string[], folder: string): void {
  for (const { name, flags } of conditions) {
    if (known.includes(name)) continue;
    const strange = flags.map(({ flag }) => new Option(flag))
      .find((option) => given[option.attributeName() as keyof SampleFlags] !== undefined);
    if (strange === undefined) continue;
    throw new UserError(
      `${strange.long}: expected a condition that the model ${folder} knows (${known.join(', ')}), got ${name}`,
      { exitCode: 2 },
    );
  }
}

/** Paths and seconds, on standard output. */
export function printClips({ paths, seconds, settings, notes, blocked }: SampledClips): void {
  const lines = [...paths, ...notes, `sampled in ${seconds.toFixed(1)} s (${settings})`];
  process.stdout.write(`${lines.join('\n')}\n`);
  if (blocked.length === 0) return;
  throw new UserError('--on-memorised block: expected clips farther from every training clip, got ' +
    `${blocked.join(', and ')}: ${blocked.length === 1 ? 'it was' : 'they were'} not written`);
}
