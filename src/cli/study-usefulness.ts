/** `./heartbeat study usefulness`: what synthetic pairs are worth to a segmenter. */
import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { presetNames, type PresetName } from '../training/presets.ts';
import { integer, number, repeated } from './console/flags.ts';
import { expectWritable } from './console/output-folder.ts';
import { catchSignals, receivedSignal } from './console/signals.ts';
import { Interrupted, ofFlag, UserError } from './console/user-error.ts';
import { consoleWatch } from './console-watch.ts';
import { chooseDType } from './dtype-choice.ts';

const examples = `
Examples:
  ./heartbeat study usefulness --data data/phantom --output runs/usefulness
  ./heartbeat study usefulness --data CAMUS --checkpoint runs/camus/image/model --output runs/useful

Three segmenters, the same seed, first weights and number of steps: on the real training pairs, on pairs
that the model generates for their masks, and on both, half of each batch. Tested on the real frames of
the testing split. A video model works on sequences, an image model (stage 1) on stills too. Written:
usefulness.md, usefulness.json, the generated pairs and the segmenters; the same command goes on.`;

interface UsefulnessFlags {
  readonly data?: string;
  readonly checkpoint?: string;
  readonly output?: string;
  readonly conditions: string;
  readonly clips?: number;
  readonly preset: PresetName;
  readonly set: readonly string[];
  readonly maxTrainSteps?: number;
  readonly steps: number;
  readonly guidanceScale: number;
  readonly sampler: 'ddim' | 'dpm-solver++';
  readonly seed: number;
  readonly device: string;
  readonly dtype?: 'float32' | 'bf16';
  readonly threads?: number;
}

export function registerUsefulness(parent: Command): void {
  parent.command('usefulness')
    .summary('a segmenter trained on real, on synthetic and on both pairs, tested on real frames')
    .description('Train a segmenter on real, on synthetic and on both pairs; test each on real frames.')
    .option('--data <folder>', 'data set in the layout of CAMUS (see `phantom`)')
    .option('--checkpoint <folder>', 'model folder, or a run (default: the released small model)')
    .option('--output <folder>', 'pairs, segmenters and the table; may hold a part of them')
    .option('--conditions <names>', 'what the model is given of each real clip, the mask among them', 'T M')
    .option('--clips <n>', 'clips to train on, real and synthetic alike (default: all)', integer({ min: 1 }))
    .addOption(new Option('--preset <name>', 'recipe and size of the segmenter').choices(presetNames)
      .default('small'))
    .option('--set <key=value>', 'change one value, such as segmenter.greyRange=1 (repeatable)', repeated, [])
    .option('--max-train-steps <n>', 'of each segmenter (default: the preset\'s)', integer({ min: 1 }))
    .option('--steps <n>', 'sampling steps', integer({ min: 1 }), 50)
    .option('--guidance-scale <x>', 'strength of guidance', number({ min: 0 }), 2)
    .addOption(new Option('--sampler <name>', 'how the noise is removed')
      .choices(['ddim', 'dpm-solver++']).default('ddim'))
    .option('--seed <n>', 'of noise, first weights and order', integer({ min: 0 }), 0)
    .addOption(new Option('--dtype <name>',
      'of sampling (default: bf16 on CUDA and where the processor computes it, else float32)').choices(['float32', 'bf16']))
    .option('--device <name>', 'cpu, cuda, cuda:0 or mps', 'cpu')
    .option('--threads <n>', 'CPU threads (default: all cores)', integer({ min: 1 }))
    .addHelpText('after', examples)
    .action((_: unknown, command: Command) => run(command.optsWithGlobals()));
}

async function run(flags: UsefulnessFlags): Promise<void> {
  for (const name of ['data', 'output'] as const) {
    if (flags[name] !== undefined) continue;
    throw new UserError(`--${name}: expected a folder, got nothing (see study usefulness --help)`,
      { exitCode: 2 });
  }
  const { findCheckpoint } = await import('./model-choice.ts');
  const { parseConditions } = await import('../study/letters.ts');
  const checkpoint = findCheckpoint(flags.checkpoint);
  const conditions = ofFlag('--conditions', () => parseConditions(flags.conditions));
  if (!conditions.includes('mask')) {
    throw new UserError('--conditions: expected the mask (M) among them, since it is the label, ' +
      `got ${flags.conditions}`, { exitCode: 2 });
  }
  expectWritable(flags.output!);
  const { loadModelFolder, modelHash, readModelIndex } = await import('../heartbeat/model-folder.ts');
  const { config: model } = readModelIndex(checkpoint);
  const stranger = conditions.find((name) => !model.conditions.includes(name));
  if (stranger !== undefined) {
    throw new UserError(`--conditions: expected conditions of this model (${model.conditions.join(', ')}), ` +
      `got ${stranger}`, { exitCode: 2 });
  }
  const { checkpointConfig } = await import('../training/checkpoint.ts');
  const { resolveFor } = await import('../training/precision.ts');
  const { setThreads } = await import('../tensor/device.ts');
  const { latestOfArms, studyUsefulness } = await import('../study/usefulness.ts');
  const { claimFolder } = await import('../training/stage-folder.ts');
  if (flags.threads !== undefined) setThreads(flags.threads);
  const { maxTrainSteps: most } = flags;
  const output = resolve(flags.output!);
  const watch = consoleWatch();
  const begun = latestOfArms(output);
  const config = resolveFor('segmenter', {
    preset: flags.preset, seed: flags.seed, overrides: [...flags.set,
      ...(most === undefined ? [] : [`segmenter.optimization.maxTrainSteps=${most}`])],
  }, { device: flags.device, checkpoint: begun === null ? null : checkpointConfig(begun), report: watch.report });
  catchSignals();
  const asked = { float32: 'float32', bf16: 'bfloat16' } as const;
  const dtype = flags.dtype === undefined ? chooseDType(flags.device) : asked[flags.dtype];
  const release = claimFolder(output, false);
  const loaded = loadModelFolder(checkpoint, { device: flags.device, dtype });
  try {
    const result = await studyUsefulness({
      model: loaded, modelHash: modelHash(checkpoint), config, conditions, data: flags.data!, output,
      clips: flags.clips, seed: flags.seed, numInferenceSteps: flags.steps,
      guidanceScale: flags.guidanceScale, sampler: flags.sampler, device: flags.device, ...watch,
    });
    if (result === null) {
      throw new Interrupted(receivedSignal() ?? 'SIGINT',
        'stopped, everything finished is kept: the same command goes on');
    }
    const { usefulnessText } = await import('../study/usefulness.ts');
    process.stdout.write(usefulnessText(result, config));
  } finally {
    loaded.dispose();
    release();
  }
}
