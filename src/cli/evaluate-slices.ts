/** `evaluate` of a model of slices on a data set in the M&Ms layout. */
import { resolve } from 'node:path';
import { startProgress } from './console/progress.ts';
import { catchSignals, receivedSignal } from './console/signals.ts';
import { Interrupted, UserError } from './console/user-error.ts';
import { chooseDType } from './dtype-choice.ts';
import type { EvaluateFlags } from './evaluate-flags.ts';

/** Whether the flags name volumes of slices: their data set, or an evaluation of such. */
export async function isOfSlices({ data, output, reportOnly }: EvaluateFlags): Promise<boolean> {
  const { isMnms } = await import('../data/mnms-folder.ts');
  const { holdsSlices } = await import('../evaluation/slice-results.ts');
  return reportOnly ? holdsSlices(output) : data !== undefined && isMnms(data);
}

/** Generates and measures, unless only a report is asked for, and prints the table. */
export async function evaluateVolumes(flags: EvaluateFlags): Promise<void> {
  if (!flags.reportOnly) await generateAndMeasure(flags);
  const { SliceResults, sliceReport, writeSliceReport } = await import('../evaluation/slice-results.ts');
  const summary = new SliceResults(resolve(flags.output)).summarize();
  writeSliceReport(resolve(flags.output), summary);
  process.stdout.write(sliceReport(summary));
}

async function generateAndMeasure(flags: EvaluateFlags): Promise<void> {
  const { segmenter: segmenterFolder, data, device, seed, split, sampler, sheets } = flags;
  if (segmenterFolder === undefined || data === undefined) {
    throw new UserError('--segmenter: expected a folder, got nothing (see evaluate --help)', { exitCode: 2 });
  }
  catchSignals();
  const { findCheckpoint } = await import('./model-choice.ts');
  const { evaluateSlices } = await import('../evaluation/slices.ts');
  const { loadModelFolder, modelHash, readModelIndex } = await import('../heartbeat/model-folder.ts');
  const { loadSegmenter, segmenterWeights } = await import('../metrics/segmenter-folder.ts');
  const { setThreads } = await import('../tensor/device.ts');
  const { sha256 } = await import('../frames/file-hash.ts');
  if (flags.threads !== undefined) setThreads(flags.threads);
  const asked = { float32: 'float32', bf16: 'bfloat16' } as const;
  const dtype = flags.dtype === undefined ? chooseDType(device) : asked[flags.dtype];
  const checkpoint = findCheckpoint(flags.checkpoint);
  const { volumes } = readModelIndex(checkpoint).card;
  const loaded = loadSegmenter(segmenterFolder, device);
  const model = loadModelFolder(checkpoint, { device, dtype });
  let progress: ReturnType<typeof startProgress> | null = null;
  try {
    const { done, total } = await evaluateSlices({
      model, modelHash: modelHash(checkpoint), segmenter: loaded.segmenter,
      segmenterHash: sha256(segmenterWeights(segmenterFolder)),
      trainedOn: Array.isArray(volumes) ? volumes.map(String) : [],
      data, output: resolve(flags.output), volumes: flags.clips, split, seed, sampler, sheets,
      numInferenceSteps: flags.steps, guidanceScale: flags.guidanceScale,
      stopRequested: () => receivedSignal() !== null,
      report: (line) => process.stderr.write(`${line}\n`),
      onProgress: (made, of, note) => {
        progress ??= startProgress({ label: 'evaluate', total: of, unit: 'volumes' });
        progress.update(made, note);
      },
    });
    const signal = receivedSignal();
    if (signal !== null && done < total) {
      throw new Interrupted(signal,
        `stopped after ${done} of ${total} volumes, all kept: the same command goes on`);
    }
    (progress as ReturnType<typeof startProgress> | null)?.finish();
  } finally {
    model.dispose();
    loaded.dispose();
  }
}
