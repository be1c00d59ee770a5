/** `./heartbeat evaluate`: how well generated videos obey, and how like ultrasound they look. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { integer, number } from './console/flags.ts';
import { startProgress } from './console/progress.ts';
import { catchSignals, receivedSignal } from './console/signals.ts';
import { Interrupted, UserError } from './console/user-error.ts';
import { chooseDType } from './dtype-choice.ts';
import { addExtractorFlags, extractorsOf } from './extractor-flags.ts';
import type { EvaluateFlags } from './evaluate-flags.ts';
import { evaluateVolumes, isOfSlices } from './evaluate-slices.ts';
import { openClipNetworks, openFrameNetworks } from './evaluation-networks.ts';
import { openEvaluationGate } from './memorisation-gate.ts';

const examples = `
Examples:
  ./heartbeat evaluate --preset tiny --output runs/tiny           what a card looks like, in seconds
  ./heartbeat evaluate --checkpoint runs/small/video/model --data data/phantom --clips 40 \\
    --output runs/small/evaluation
  ./heartbeat evaluate --checkpoint runs/camus/image/model --segmenter runs/camus/segmenter/model \\
    --data data/camus --output runs/camus/frames                  stage 1, on the ED and ES frames
  ./heartbeat evaluate --report-only --output runs/small/evaluation

Every video is kept below --output, with the figures of each finished clip: Ctrl+C loses nothing,
and the same command goes on. Printed: tables with 95 % intervals; written: card.json, card.html,
card.png, report.md, sheets/; "compare" puts two cards beside each other. What each figure means
stands in docs/evaluation.md.`;

export function register(command: Command): void {
  addExtractorFlags(command)
    .description('Generate videos (or frames) for held-out clips and measure them against what was asked.')
    .option('--checkpoint <folder>', 'model folder, or a run (default: the released small model)')
    .option('--segmenter <folder>',
      'the trained segmenter, <run>/segmenter/model (default: the one of --echo-features)')
    .option('--echo-features <folder>', 'networks of the echo features, segmenter/ and echo-video/; for an ' +
      'image model segmenter/ alone (default: the released ones; for an image model the --segmenter)')
    .option('--inception <file>', 'weights of Inception v3, for FID and KID')
    .option('--i3d <file>', 'weights of I3D, for FVD')
    .option('--lpips <file>', 'linear layers of LPIPS 0.1, alex.pth or vgg.pth of the lpips package')
    .option('--lpips-trunk <file>', 'with it, torchvision\'s AlexNet or VGG-16')
    .addOption(new Option('--preset <name>', 'no --checkpoint and no --data: an untrained model of ' +
      'this size on a phantom made for it, to try the instruments').choices(['tiny']))
    .option('--data <folder>', 'data set in the layout of CAMUS or M&Ms (see `phantom`)')
    .requiredOption('--output <folder>', 'videos, figures and the report; may hold earlier ones')
    .option('--clips <n>', 'how many clips; of an image model ED and ES of each', integer({ min: 1 }), 40)
    .addOption(new Option('--split <name>', 'which patients')
      .choices(['training', 'validation', 'testing']).default('testing'))
    .addOption(new Option('--view <name>', 'which views').choices(['both', '2CH', '4CH'])
      .default('both'))
    .option('--base <names>', 'beside which each condition is switched, comma-separated',
      'text,mask')
    .option('--steps <n>', 'sampling steps', integer({ min: 1 }), 50)
    .option('--guidance-scale <x>', 'strength of guidance', number({ min: 0 }), 2)
    .addOption(new Option('--sampler <name>', 'how the noise is removed')
      .choices(['ddim', 'dpm-solver++']).default('ddim'))
    .option('--seed <n>', 'of the noise and of the choice of clips', integer({ min: 0 }), 0)
    .option('--sheets <n>', 'clips that get a contact sheet', integer({ min: 0 }), 4)
    .addOption(new Option('--dtype <name>',
      '(default: bf16 on CUDA and where the processor computes it, else float32)').choices(['float32', 'bf16']))
    .option('--device <name>', 'cpu, cuda, cuda:0 or mps', 'cpu')
    .option('--threads <n>', 'CPU threads (default: all cores)', integer({ min: 1 }))
    .option('--memorisation-index <folder>', 'index of the training clips (memorisation build; default: one ' +
      'of the training split of --data, kept in the output)')
    .option('--no-memorisation', 'do not look for the nearest training clip of each video')
    .option('--report-only', 'no videos: only report on the clips measured so far')
    .addHelpText('after', examples)
    .action(run);
}

async function run(flags: EvaluateFlags): Promise<void> {
  if (await isOfSlices(flags)) return evaluateVolumes(flags);
  if (!flags.reportOnly) await generateAndMeasure(flags);
  const { Results } = await import('../evaluation/results.ts');
  const { collectCard, textReport, writeCard } = await import('../evaluation/report.ts');
  const results = new Results(resolve(flags.output));
  const content = collectCard(results);
  writeCard(results, content);
  process.stdout.write(textReport(content));
}

async function generateAndMeasure(flags: EvaluateFlags): Promise<void> {
  if (flags.preset !== undefined) checkTrial(flags);
  if (flags.preset === undefined && flags.data === undefined) {
    throw new UserError('--data: expected a folder, got nothing (see evaluate --help)',
      { exitCode: 2 });
  }
  catchSignals();
  const { findCheckpoint } = await import('./model-choice.ts');
  const { conditionNames } = await import('../conditions/condition.ts');
  const { evaluate } = await import('../evaluation/evaluation.ts');
  const { openExtractors } = await import('../extractors/extractors.ts');
  const { loadModelFolder, modelHash, readModelIndex } = await import('../heartbeat/model-folder.ts');
  const { setThreads } = await import('../tensor/device.ts');
  const { device } = flags;
  const base = flags.base.split(',').map((name) => {
    const known = conditionNames.find((condition) => condition === name.trim());
    if (known !== undefined) return known;
    throw new UserError(`--base: expected some of ${conditionNames.join(', ')}, got ${name}`,
      { exitCode: 2 });
  });
  if (flags.threads !== undefined) setThreads(flags.threads);
  const asked = { float32: 'float32', bf16: 'bfloat16' } as const;
  const dtype = flags.dtype === undefined ? chooseDType(device) : asked[flags.dtype];
  const chosen = extractorsOf(flags);
  const { folder: checkpoint, data, steps, split } = flags.preset === undefined
    ? { ...flags, folder: findCheckpoint(flags.checkpoint), data: flags.data! }
    : { ...flags, ...await makeTrial(resolve(flags.output), device) };
  const open: { dispose: () => void }[] = [];
  const keep = <T extends { dispose: () => void }>(loaded: T): T => {
    open.push(loaded);
    return loaded;
  };
  let progress: ReturnType<typeof startProgress> | null = null;
  try {
    const extractors = keep(openExtractors(chosen));
    const { temporal } = readModelIndex(checkpoint).config.unet;
    const networks = temporal ? await openClipNetworks(flags, keep) : await openFrameNetworks(flags, data, keep);
    const model = keep(loadModelFolder(checkpoint, { device, dtype }));
    const gate = !flags.memorisation ? null : await openEvaluationGate({
      index: flags.memorisationIndex, data, output: resolve(flags.output), extractors: networks.gate,
      resolution: model.config.resolution, frames: temporal ? model.config.frames : 1,
    });
    if (gate !== null) keep(gate);
    const { done, total } = await evaluate({
      ...networks.measuring, model, modelHash: modelHash(checkpoint), extractors, data,
      memorisation: gate ?? undefined,
      output: resolve(flags.output), clips: flags.clips, split,
      views: flags.view === 'both' ? undefined : [flags.view], base, seed: flags.seed,
      numInferenceSteps: steps, guidanceScale: flags.guidanceScale, sampler: flags.sampler,
      sheets: flags.sheets, stopRequested: () => receivedSignal() !== null,
      report: (line) => process.stderr.write(`${line}\n`),
      onProgress: (videos, of, note) => {
        progress ??= startProgress({ label: 'evaluate', total: of, unit: temporal ? 'videos' : 'frames' });
        progress.update(videos, note);
      },
    });
    const signal = receivedSignal();
    if (signal !== null && done < total) {
      throw new Interrupted(signal,
        `stopped after ${done} of ${total} clips, all kept: the same command goes on`);
    }
    (progress as ReturnType<typeof startProgress> | null)?.finish();
  } finally {
    for (const loaded of open) loaded.dispose();
  }
}

/** @throws (exit 2) when flags ask for another model or other data than a trial makes */
function checkTrial(flags: EvaluateFlags): void {
  for (const name of ['checkpoint', 'data'] as const) {
    if (flags[name] === undefined) continue;
    throw new UserError(`--preset and --${name}: expected one of them, got both`, { exitCode: 2 });
  }
}

/**
 * The model and the data of a trial, below the evaluation's folder: an untrained network of preset
 * tiny, and four phantom patients. Nothing was trained on any of them.
 */
async function makeTrial(output: string, device: string) {
  const { writePhantom } = await import('../data/phantom/phantom.ts');
  const { HeartBeat } = await import('../heartbeat/heartbeat.ts');
  const { saveModelFolder } = await import('../heartbeat/model-folder.ts');
  const { resolveConfig } = await import('../training/config.ts');
  const [folder, data] = [join(output, 'model'), join(output, 'phantom')];
  if (!existsSync(join(data, 'database_split'))) writePhantom(data, { patients: 4, seed: 1 });
  if (!existsSync(folder)) {
    const { model: shape } = resolveConfig({ preset: 'tiny' });
    const model = new HeartBeat({ ...shape, unet: { ...shape.unet, temporal: true } }, { device, seed: 1 });
    try {
      saveModelFolder(model, folder, 'float32', { preset: 'tiny', trained: false });
    } finally {
      model.dispose();
    }
  }
  return { folder, data, split: 'training' as const, steps: 4 };
}
