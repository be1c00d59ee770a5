/** `./heartbeat evaluate`: how well generated videos obey, and how like ultrasound they look. */
import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { integer, number } from './console/flags.ts';
import { startProgress } from './console/progress.ts';
import { catchSignals, receivedSignal } from './console/signals.ts';
import { Interrupted, UserError } from './console/user-error.ts';
import { chooseDType } from './dtype-choice.ts';
import { addExtractorFlags, extractorsOf, type ExtractorFlags } from './extractor-flags.ts';
import { evaluateVolumes, isOfSlices } from './evaluate-slices.ts';

const examples = `
Examples:
  ./heartbeat train segmenter --data data/phantom --output runs/small
  ./heartbeat evaluate --checkpoint runs/small/video/model --segmenter runs/small/segmenter/model \\
    --data data/phantom --clips 40 --output runs/small/evaluation
  ./heartbeat evaluate --report-only --output runs/small/evaluation

Every video is kept below --output, with the figures of each finished clip: Ctrl+C loses nothing,
and the same command goes on. Printed: tables with 95 % intervals; written: report.json, report.md,
sheets/. What each figure means stands in docs/evaluation.md.`;

export interface EvaluateFlags extends ExtractorFlags {
  checkpoint?: string; segmenter?: string; data?: string; output: string; clips: number;
  split: 'training' | 'validation' | 'testing'; view: 'both' | '2CH' | '4CH'; base: string;
  steps: number; guidanceScale: number; sampler: 'ddim' | 'dpm-solver++'; seed: number;
  sheets: number; dtype?: 'float32' | 'bf16'; device: string; threads?: number;
  reportOnly?: boolean;
}

export function register(command: Command): void {
  addExtractorFlags(command)
    .description('Generate videos for held-out clips and measure them against what was asked.')
    .option('--checkpoint <folder>', 'model folder, or a run (default: the released small model)')
    .option('--segmenter <folder>', 'the trained segmenter, <run>/segmenter/model')
    .option('--data <folder>', 'data set in the layout of CAMUS or M&Ms (see `phantom`)')
    .requiredOption('--output <folder>', 'videos, figures and the report; may hold earlier ones')
    .option('--clips <n>', 'how many clips', integer({ min: 1 }), 40)
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
      '(default: bf16 where the processor computes it, else float32)').choices(['float32', 'bf16']))
    .option('--device <name>', 'cpu, cuda, cuda:0 or mps', 'cpu')
    .option('--threads <n>', 'CPU threads (default: all cores)', integer({ min: 1 }))
    .option('--report-only', 'no videos: only report on the clips measured so far')
    .addHelpText('after', examples)
    .action(run);
}

async function run(flags: EvaluateFlags): Promise<void> {
  if (await isOfSlices(flags)) return evaluateVolumes(flags);
  if (!flags.reportOnly) await generateAndMeasure(flags);
  const { Results } = await import('../evaluation/results.ts');
  const { summarize } = await import('../evaluation/summary.ts');
  const { textReport, writeReport } = await import('../evaluation/report.ts');
  const results = new Results(resolve(flags.output));
  const summary = summarize(results.all(), results.settings(), (id) => results.masks(id));
  writeReport(results.folder, summary);
  process.stdout.write(textReport(summary));
}

async function generateAndMeasure(flags: EvaluateFlags): Promise<void> {
  for (const name of ['segmenter', 'data'] as const) {
    if (flags[name] !== undefined) continue;
    throw new UserError(`--${name}: expected a folder, got nothing (see evaluate --help)`,
      { exitCode: 2 });
  }
  catchSignals();
  const { findCheckpoint } = await import('./model-choice.ts');
  const { conditionNames } = await import('../conditions/condition.ts');
  const { evaluate } = await import('../evaluation/evaluation.ts');
  const { openExtractors } = await import('../extractors/extractors.ts');
  const { loadModelFolder, modelHash } = await import('../heartbeat/model-folder.ts');
  const { loadSegmenter, segmenterWeights } = await import('../metrics/segmenter-folder.ts');
  const { setThreads } = await import('../tensor/device.ts');
  const { sha256 } = await import('../training/checkpoint.ts');
  const { segmenter: segmenterFolder, data, device } = flags as Required<EvaluateFlags>;
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
  const checkpoint = findCheckpoint(flags.checkpoint);
  const loaded = loadSegmenter(segmenterFolder, device);
  const model = loadModelFolder(checkpoint, { device, dtype });
  let progress: ReturnType<typeof startProgress> | null = null;
  let extractors: ReturnType<typeof openExtractors> | null = null;
  try {
    extractors = openExtractors(chosen);
    const { done, total } = await evaluate({
      model, modelHash: modelHash(checkpoint), segmenter: loaded.segmenter,
      segmenterHash: sha256(segmenterWeights(segmenterFolder)), data, extractors,
      output: resolve(flags.output), clips: flags.clips, split: flags.split,
      views: flags.view === 'both' ? undefined : [flags.view], base, seed: flags.seed,
      numInferenceSteps: flags.steps, guidanceScale: flags.guidanceScale, sampler: flags.sampler,
      sheets: flags.sheets, stopRequested: () => receivedSignal() !== null,
      report: (line) => process.stderr.write(`${line}\n`),
      onProgress: (videos, of, note) => {
        progress ??= startProgress({ label: 'evaluate', total: of, unit: 'videos' });
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
    extractors?.dispose();
    model.dispose();
    loaded.dispose();
  }
}
