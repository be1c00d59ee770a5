/** Generates videos for held-out clips, measures them, and keeps what is done. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ConditionInputs, ConditionName } from '../conditions/condition.ts';
import { loadFlowEstimator } from '../conditions/flow.ts';
import type { Extractors } from '../extractors/extractors.ts';
import type { Split, View } from '../data/camus-folder.ts';
import { listClips, type ClipSource } from '../data/clips.ts';
import type { SamplerName } from '../diffusion/sampler.ts';
import type { Frames } from '../frames/frames.ts';
import { randomStream } from '../frames/random.ts';
import type { HeartBeat } from '../heartbeat/heartbeat.ts';
import { synthesize } from '../heartbeat/synthesis.ts';
import type { Segmenter } from '../metrics/segmenter.ts';
import type { EchoVideo } from '../models/echo-video.ts';
import { sourceFiles } from '../training/prepare.ts';
import { drawContactSheet } from './contact-sheet.ts';
import type { FeatureExtractor } from './feature-extractors.ts';
import type { MemorisationGate } from './memorisation/gate.ts';
import { finishMemorisation, keepVerdicts, keptVerdicts } from './memorisation/section.ts';
import { measureVideo, type Measurement } from './measure.ts';
import { Results, type ClipResult } from './results.ts';
import { planRuns, type Run } from './runs.ts';
import { readSubject, type Subject } from './subject.ts';

export interface EvaluationOptions {
  readonly model: HeartBeat;
  /** sha256 over the model's weights, and of the segmenter's. */
  readonly modelHash: string;
  readonly segmenter: Segmenter;
  readonly segmenterHash: string;
  /** Reads the view of a clip; the sha256 of its weights. */
  readonly echoVideo: EchoVideo;
  readonly echoVideoHash: string;
  /** Whose features sets of videos are compared by; none when absent. */
  readonly featureExtractors?: readonly FeatureExtractor[];
  /** Says of every video which training clip it is nearest to; nothing does when absent. */
  readonly memorisation?: MemorisationGate;
  /** Root of a data set in the CAMUS layout. */
  readonly data: string;
  readonly output: string;
  readonly clips: number;
  readonly split?: Split;
  readonly views?: readonly View[];
  /** Beside which each condition is switched on and off. */
  readonly base?: readonly ConditionName[];
  readonly seed?: number;
  readonly numInferenceSteps?: number;
  readonly guidanceScale?: number;
  readonly sampler?: SamplerName;
  /** How many clips get a contact sheet. */
  readonly sheets?: number;
  /**
   * Of the conditions given: those that the model was trained with, the built-in ones by default.
   * Measured is with the built-in ones always.
   */
  readonly extractors?: Extractors;
  readonly onProgress?: (done: number, total: number, note: string) => void;
  readonly report?: (line: string) => void;
  readonly stopRequested?: () => boolean;
}

export interface EvaluationResult {
  readonly results: Results;
  /** Clips measured, and asked for; fewer when a stop was asked for. */
  readonly done: number;
  readonly total: number;
}

/**
 * Evaluates up to `clips` clips of a split; finished ones of an earlier call are taken over. Which
 * clips are chosen, and the noise of each, are functions of the seed and the clip's name, so that a
 * longer evaluation goes on from a shorter one.
 */
export async function evaluate(options: EvaluationOptions): Promise<EvaluationResult> {
  const {
    model, segmenter, output, split = 'testing', base, seed = 0, numInferenceSteps = 50,
    guidanceScale = 2, sampler = 'ddim', sheets = 4, featureExtractors = [], memorisation,
    stopRequested = () => false,
  } = options;
  const { resolution, frames, conditions: known } = model.config;
  const plan = planRuns(known, base);
  const identity = options.extractors?.identity ?? {};
  const results = new Results(output);
  results.open({
    model: options.modelHash, seed, numInferenceSteps, guidanceScale, sampler,
    precision: model.components.unet.dtype, base: base ?? ['text', 'mask'], split, resolution,
    frames, plan,
    ...(Object.keys(identity).length > 0 ? { extractors: identity } : {}),
  });
  const sources = chooseClips(options, split, seed);
  const { echoVideo, segmenterHash, echoVideoHash } = options;
  const instruments = { segmenter, echoVideo, estimateFlow: await loadFlowEstimator() };
  const hashes = { segmenter: segmenterHash, echoVideo: echoVideoHash };
  const total = sources.length * plan.runs.length;
  let done = 0;
  for (const [index, source] of sources.entries()) {
    if (stopRequested()) return { results, done: index, total: sources.length };
    const missing = featureExtractors.filter(({ about }) =>
      results.features(source.id, about.name)?.about.sha256 !== about.sha256);
    const judged = memorisation === undefined ||
      keptVerdicts(output, source.id, memorisation.index.hash) !== null;
    if (missing.length === 0 && judged && results.result(source.id, hashes) !== null) {
      done += plan.runs.length;
      options.onProgress?.(done, total, source.id);
      continue;
    }
    const subject = await readSubject(source, model, options.extractors);
    results.claim(subject.id, subject.hash, subject.masks);
    const videos = new Map<string, Frames>();
    for (const run of plan.runs) {
      const video = results.video(subject.id, run.name, frames) ?? await generate(subject, run);
      if (video === null) return { results, done: index, total: sources.length };
      videos.set(run.name, video);
      options.onProgress?.(++done, total, `${subject.id} ${run.name}`);
    }
    const shown = new Map([['real', subject.real], ...videos]);
    for (const { about, extract } of missing) {
      const rows = [...shown].map(([run, video]) => [run, extract(video)] as const);
      results.keepFeatures(subject.id, { about, rows: new Map(rows) });
    }
    if (memorisation !== undefined) keepVerdicts(output, subject, shown, memorisation);
    results.keepResult(measureAll(subject, sourceFiles(source), shown, instruments), hashes);
    if (index < sheets) {
      mkdirSync(join(output, 'sheets'), { recursive: true });
      drawContactSheet(join(output, 'sheets', `${subject.id}.png`), subject, videos);
    }
  }
  if (memorisation !== undefined) {
    const { hash, about } = memorisation.index;
    const judged = results.all().map(({ id }) => id).filter((id) => keptVerdicts(output, id, hash) !== null);
    finishMemorisation(output, memorisation, judged,
      (id, run) => results.video(id, run, about.frames), options.data);
  }
  return { results, done: sources.length, total: sources.length };

  /** One video, or null when a stop was asked for meanwhile. */
  async function generate(subject: Subject, { name, given }: Run): Promise<Frames | null> {
    const { inputs } = subject;
    const shown: ConditionInputs = Object.fromEntries(
      given.flatMap((condition) => (condition in inputs ? [[condition, inputs[condition]]] : [])));
    try {
      const video = await synthesize(model, shown, {
        seed: randomStream('evaluation', seed, subject.id).integer(2 ** 31),
        numInferenceSteps, guidanceScale, sampler, onStep: () => !stopRequested(),
      });
      return results.keepVideo(subject.id, name, video);
    } catch (error) {
      if ((error as Error).name === 'AbortError') return null;
      throw new Error(`${subject.id}, ${name}: ${(error as Error).message}`, { cause: error });
    }
  }
}

/** Clips of the split in an order that the seed and their names decide; the first so many. */
function chooseClips(
  { data, clips, views, model, report }: EvaluationOptions, split: Split, seed: number,
): ClipSource[] {
  const { frames } = model.config;
  const kinds = ['sequence', 'half_sequence'] as const;
  const sources = listClips(data, { split, views, frames, kinds, report });
  const place = new Map(sources.map(({ id }) => [id, randomStream('clips', seed, id).uniform()]));
  if (sources.length === 0) {
    throw new Error(`${data}: expected clips of at least ${frames} frames in the ${split} split, ` +
      'got none');
  }
  if (sources.length < clips) {
    report?.(`the ${split} split of ${data} has ${sources.length} clips, fewer than ${clips}`);
  }
  return sources.sort((a, b) => place.get(a.id)! - place.get(b.id)!).slice(0, clips);
}

function measureAll(
  subject: Subject, files: Readonly<Record<string, string>>, videos: ReadonlyMap<string, Frames>,
  instruments: Parameters<typeof measureVideo>[2],
): ClipResult {
  const runs: Record<string, Measurement> = {};
  for (const [name, video] of videos) runs[name] = measureVideo(subject, video, instruments);
  const { id, patient, view, pixel, hash } = subject;
  return { id, patient, view, pixel, hash, files, runs };
}
