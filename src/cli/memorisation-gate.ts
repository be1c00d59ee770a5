/** The memorisation gate as verbs open it: of an evaluation, of a sampling. */
import { join } from 'node:path';
import { Option, type Command } from 'commander';
import { fileURLToPath } from 'node:url';
import { existsSync } from 'node:fs';
import type { ModelSize } from '../conditions/validation.ts';
import type { GateExtractor } from '../evaluation/memorisation/fingerprint.ts';
import type { MemorisationGate } from '../evaluation/memorisation/gate.ts';
import type { Frames } from '../frames/frames.ts';
import { startProgress, type Progress } from './console/progress.ts';
import { receivedSignal } from './console/signals.ts';
import { Interrupted, UserError } from './console/user-error.ts';

/** The networks of features that are shipped. */
export const releasedEchoFeatures = fileURLToPath(new URL('../../models/echo-features', import.meta.url));

export interface GateFlags {
  readonly memorisationIndex?: string;
  readonly onMemorised?: 'mark' | 'block';
  readonly echoFeatures?: string;
}

/** Flags of a verb that writes clips. */
export function addGateFlags(command: Command): Command {
  return command
    .option('--memorisation-index <folder>',
      'index of the training clips (memorisation build): say which one a clip is nearest to')
    .addOption(new Option('--on-memorised <what>', 'a clip too near to one: mark it, or do not write it ' +
      '(default: mark)').choices(['mark', 'block']))
    .option('--echo-features <folder>', 'networks of the index (default: the released ones)');
}

/** What of a model's size an index is of: an image model is judged picture by picture. */
export function judgedSize({ stage, width, frames }: Pick<ModelSize, 'stage' | 'width' | 'frames'>) {
  return { resolution: width, frames: stage === 'image' ? 1 : frames };
}

/**
 * The networks whose features an index compares: of clips both that are in the folder; of pictures (`frames` of 1)
 * the encoder of its segmenter.
 */
export async function openGateNetworks(
  folder: string, frames: number, device = 'cpu',
): Promise<{ readonly extractors: readonly GateExtractor[]; readonly dispose: () => void }> {
  if (frames === 1) {
    const { loadFrameInstruments } = await import('../evaluation/frame-features.ts');
    return loadFrameInstruments({ echoFeatures: folder, released: releasedEchoFeatures }, device);
  }
  const { loadEchoFeatures } = await import('../evaluation/feature-extractors.ts');
  return loadEchoFeatures(folder, device);
}

/** What is done with one clip. */
export interface GateAnswer {
  /** Whether it must not be written. */
  readonly blocked: boolean;
  /** Goes into the recipe; the nearest clip is named where it is marked only. */
  readonly recipe: Readonly<Record<string, unknown>>;
  /** A line for the terminal and the contact sheet. */
  readonly note: string;
}

export interface OpenedGate {
  /** @param video 1 f h w in [0, 1] */
  readonly ask: (video: Frames) => GateAnswer;
  readonly dispose: () => void;
}

/** @throws (exit 2) when a flag of the gate comes without its index */
export function checkGateFlags({ memorisationIndex, onMemorised, echoFeatures }: GateFlags): void {
  if (memorisationIndex !== undefined) return;
  const alone = onMemorised !== undefined ? '--on-memorised' : echoFeatures !== undefined ? '--echo-features' : null;
  if (alone === null) return;
  throw new UserError(`${alone}: expected --memorisation-index as well, got none`, { exitCode: 2 });
}

/** The gate of a verb that writes clips of this size; null where none was asked for. */
export async function openSampleGate(
  { memorisationIndex, onMemorised = 'mark', echoFeatures = releasedEchoFeatures }: GateFlags,
  size: { readonly resolution: number; readonly frames: number }, device = 'cpu',
): Promise<OpenedGate | null> {
  if (memorisationIndex === undefined) return null;
  const { openGate, verdictText } = await import('../evaluation/memorisation/gate.ts');
  const { readIndex } = await import('../evaluation/memorisation/index-file.ts');
  const where = `--memorisation-index ${memorisationIndex}`;
  const index = readIndex(memorisationIndex);
  expectThresholds(index.about, where);
  const echo = await openGateNetworks(echoFeatures, index.about.frames, device);
  let gate: MemorisationGate;
  try {
    gate = openGate(index, echo.extractors, size, where);
  } catch (error) {
    echo.dispose();
    throw error;
  }
  const ask = (video: Frames): GateAnswer => {
    const verdict = gate.check(video)!;
    const marked = verdict.marked!;
    const { thresholds } = index.about.calibration!;
    const distances = { pixel: verdict.pixel.distance, feature: verdict.feature.distance };
    const nearest = { pixel: verdict.pixel.nearest, feature: verdict.feature.nearest };
    const is = marked.length > 0;
    return {
      blocked: is && onMemorised === 'block',
      recipe: {
        index: index.hash, marked, distances, thresholds, ...(is ? { nearest } : {}),
      },
      note: is ? `MARKED as memorised by ${marked.join(' and ')}: ${verdictText(verdict, index)}`
        : 'not marked as memorised: ' + `pixel ${distances.pixel.toFixed(3)} above ` +
          `${thresholds.pixel.toFixed(3)}, feature ${distances.feature.toFixed(3)} above ` +
          `${thresholds.feature.toFixed(3)}`,
    };
  };
  return { ask, dispose: () => [gate, echo].forEach((opened) => opened.dispose()) };
}

/** @throws when the index cannot mark anything */
export function expectThresholds(
  { calibration, reason }: { readonly calibration: object | null; readonly reason: string | null }, where: string,
): void {
  if (calibration !== null) return;
  throw new UserError(`${where}: expected an index with thresholds, got one without (${reason})`);
}

export interface EvaluationGateOptions {
  /** An index that was built before; one is made of the data below the output when absent. */
  readonly index?: string;
  readonly data: string;
  readonly output: string;
  readonly resolution: number;
  readonly frames: number;
  readonly extractors: readonly GateExtractor[];
}

/**
 * The gate of an evaluation: of the index given, else of one in `<output>/memorisation`, made of the
 * training split where it is not there or stale. Null, with a line on standard error, where the data
 * have no training split.
 */
export async function openEvaluationGate(options: EvaluationGateOptions): Promise<MemorisationGate | null> {
  const { index: given, output, extractors, data, resolution, frames } = options;
  const { openGate } = await import('../evaluation/memorisation/gate.ts');
  const { readIndex, staleness } = await import('../evaluation/memorisation/index-file.ts');
  const { memorisationFolder } = await import('../evaluation/memorisation/section.ts');
  if (given !== undefined) {
    return openGate(readIndex(given), extractors, { resolution, frames }, `--memorisation-index ${given}`);
  }
  const { buildIndex, indexSources } = await import('../evaluation/memorisation/build.ts');
  const say = (line: string) => process.stderr.write(`${line}\n`);
  const folder = memorisationFolder(output);
  let sources: ReturnType<typeof indexSources>;
  try {
    sources = indexSources({ data, resolution, frames });
  } catch (error) {
    say(`no memorisation gate: ${(error as Error).message}`);
    return null;
  }
  if (existsSync(join(folder, 'index.json'))) {
    try {
      const index = readIndex(folder);
      const stale = staleness(index, extractors, sources);
      if (stale === null) return openGate(index, extractors, sources, folder);
      say(`${folder}: the memorisation index is stale (${stale}), and is built again`);
    } catch (error) {
      say(`${(error as Error).message}; it is built again`);
    }
  }
  const index = await buildIndex({
    data, resolution, frames, output: folder, extractors, onProgress: showIndexing(),
    stopRequested: () => receivedSignal() !== null,
  }, sources);
  if (index === null) throw new Interrupted(receivedSignal()!, 'stopped while the training clips were indexed');
  if (index.about.reason !== null) say(`no clip will be marked: ${index.about.reason}`);
  return openGate(index, extractors, sources, folder);
}

/** A progress bar that appears with the first clip. */
export function showIndexing(): (done: number, total: number, note: string) => void {
  let bar: Progress | null = null;
  return (done, total, note) => {
    bar ??= startProgress({ label: 'index', total, unit: 'clips' });
    bar.update(done, note);
    if (done === total) bar.finish();
  };
}
