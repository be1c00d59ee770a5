/** Generates videos or frames for held-out clips, measures them, and keeps what is done. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ConditionInputs, ConditionName } from '../conditions/condition.ts';
import { loadFlowEstimator } from '../conditions/flow.ts';
import type { Extractors } from '../extractors/extractors.ts';
import type { Split, View } from '../data/camus-folder.ts';
import type { ClipSource } from '../data/clips.ts';
import type { SamplerName } from '../diffusion/sampler.ts';
import type { Frames } from '../frames/frames.ts';
import { randomStream } from '../frames/random.ts';
import type { HeartBeat } from '../heartbeat/heartbeat.ts';
import { synthesize } from '../heartbeat/synthesis.ts';
import type { Segmenter } from '../metrics/segmenter.ts';
import type { EchoVideo } from '../models/echo-video.ts';
import { sourceFiles } from '../training/prepare.ts';
import type { FeatureExtractor } from './feature-extractors.ts';
import type { LpipsMetric } from './lpips.ts';
import type { TimeInstruments } from './measure-time.ts';
import type { MemorisationGate } from './memorisation/gate.ts';
import { finishMemorisation, keepVerdicts, keptVerdicts } from './memorisation/section.ts';
import { measureVideo, type Measurement } from './measure.ts';
import { Results, type ClipResult } from './results.ts';
import { planRuns, planSubsets, type Run } from './runs.ts';
import type { Subject } from './subject.ts';
import { subjectsOf, type Shown, type Subjects } from './subjects.ts';

export interface EvaluationOptions {
  readonly model: HeartBeat;
  /** sha256 over the model's weights, and of the segmenter's. */
  readonly modelHash: string;
  readonly segmenter: Segmenter;
  readonly segmenterHash: string;
  /** Reads the view of a clip, with the sha256 of its weights; an image model's frames need none. */
  readonly echoVideo?: EchoVideo;
  readonly echoVideoHash?: string;
  /** Distance of each video to the real one; not measured when absent. */
  readonly lpips?: LpipsMetric;
  /** Whose features sets of videos are compared by; none when absent. */
  readonly featureExtractors?: readonly FeatureExtractor[];
  /** Says of every video which training clip it is nearest to; nothing does when absent. */
  readonly memorisation?: MemorisationGate;
  /** Root of a data set in the CAMUS layout. */
  readonly data: string;
  readonly output: string;
  /** How many clips; of an image model two frames of each. */
  readonly clips: number;
  readonly split?: Split;
  readonly views?: readonly View[];
  /** Beside which each condition is switched on and off. */
  readonly base?: readonly ConditionName[];
  /** Generated are exactly these sets of conditions, and `base` counts for nothing. */
  readonly subsets?: readonly (readonly ConditionName[])[];
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
 * Evaluates up to `clips` clips of a split; finished ones of an earlier call are taken over. A video
 * model makes clips; an image model makes the ED and the ES frame of each, one by one. Which clips
 * are chosen, and the noise of each, are functions of the seed and of names, so that a longer
 * evaluation goes on from a shorter one.
 */
export async function evaluate(options: EvaluationOptions): Promise<EvaluationResult> {
  const {
    model, segmenter, output, split = 'testing', base, seed = 0, numInferenceSteps = 50,
    guidanceScale = 2, sampler = 'ddim', sheets = 4, featureExtractors = [], memorisation,
    stopRequested = () => false,
  } = options;
  const subjects = subjectsOf(model);
  const { frames } = subjects;
  const { subsets } = options;
  const plan = subsets === undefined ? planRuns(subjects.known, base, subjects.switched)
    : planSubsets(subjects.known, subsets);
  const { resolution } = model.config;
  const sources = chooseClips(options, subjects, split, seed);
  const identity = options.extractors?.identity ?? {};
  const results = new Results(output);
  results.open({
    model: options.modelHash, seed, numInferenceSteps, guidanceScale, sampler,
    precision: model.components.unet.dtype,
    base: subsets === undefined ? base ?? ['text', 'mask'] : [], split, resolution, frames, plan,
    ...(Object.keys(identity).length > 0 ? { extractors: identity } : {}),
  });
  const { segmenterHash, echoVideoHash = null, lpips = null } = options;
  const instruments = { segmenter, overTime: await timeInstruments(options, frames), lpips };
  const measuredWith = {
    segmenter: segmenterHash, echoVideo: echoVideoHash, ...(lpips === null ? {} : { lpips: lpips.about }),
  };
  const total = sources.length * subjects.idsOf(sources[0]).length * plan.runs.length;
  const missing = (id: string) => featureExtractors.filter(({ about }) =>
    results.features(id, about.name)?.about.sha256 !== about.sha256);
  const judged = (id: string) => memorisation === undefined ||
    keptVerdicts(output, id, memorisation.index.hash) !== null;
  let done = 0;
  for (const [index, source] of sources.entries()) {
    const stopped = { results, done: index, total: sources.length };
    if (stopRequested()) return stopped;
    const ids = subjects.idsOf(source);
    if (ids.every((id) => missing(id).length === 0 && judged(id) && results.result(id, measuredWith) !== null)) {
      done += ids.length * plan.runs.length;
      options.onProgress?.(done, total, source.id);
      continue;
    }
    const drawn: Shown[] = [];
    for (const subject of await subjects.read(source, options.extractors)) {
      results.claim(subject.id, subject.hash, subject.masks);
      const videos = new Map<string, Frames>();
      for (const run of plan.runs) {
        const video = results.video(subject.id, run.name, frames) ?? await generate(subject, run);
        if (video === null) return stopped;
        videos.set(run.name, video);
        options.onProgress?.(++done, total, `${subject.id} ${run.name}`);
      }
      const shown = new Map([['real', subject.real], ...videos]);
      for (const { about, extract } of missing(subject.id)) {
        const rows = [...shown].map(([run, video]) => [run, extract(video)] as const);
        results.keepFeatures(subject.id, { about, rows: new Map(rows) });
      }
      if (memorisation !== undefined) keepVerdicts(output, subject, shown, memorisation);
      results.keepResult(measureAll(subject, sourceFiles(source), shown, instruments), measuredWith);
      drawn.push({ subject, videos });
    }
    if (index < sheets) {
      mkdirSync(join(output, 'sheets'), { recursive: true });
      subjects.draw(join(output, 'sheets', `${source.id}.png`), drawn);
    }
  }
  if (memorisation !== undefined) {
    const { hash, about } = memorisation.index;
    const known = results.all().map(({ id }) => id).filter((id) => keptVerdicts(output, id, hash) !== null);
    finishMemorisation(output, memorisation, known,
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
        seed: noiseSeed(seed, subject.id),
        numInferenceSteps, guidanceScale, sampler, frames, onStep: () => !stopRequested(),
      });
      return results.keepVideo(subject.id, name, video);
    } catch (error) {
      if ((error as Error).name === 'AbortError') return null;
      throw new Error(`${subject.id}, ${name}: ${(error as Error).message}`, { cause: error });
    }
  }
}

/** @throws when a video model's clips have no network that reads their view */
async function timeInstruments(
  { echoVideo, model }: EvaluationOptions, frames: number,
): Promise<TimeInstruments | null> {
  if (!model.config.unet.temporal) return null;
  if (echoVideo === undefined) {
    throw new Error(`evaluate: expected a network that reads the view of clips of ${frames} frames, got none`);
  }
  return { echoVideo, estimateFlow: await loadFlowEstimator() };
}

/** The seed of a clip's noise, the same for every model, run and set of conditions. */
export function noiseSeed(seed: number, clip: string): number {
  return randomStream('evaluation', seed, clip).integer(2 ** 31);
}

/** Clips of the split in an order that the seed and their names decide; the first so many. */
export function chooseClips(
  { data, clips, views, report }: Pick<EvaluationOptions, 'data' | 'clips' | 'views' | 'report'>,
  { frames, list }: Pick<Subjects, 'frames' | 'list'>, split: Split, seed: number,
): ClipSource[] {
  const sources = list(data, { split, views, report });
  const place = new Map(sources.map(({ id }) => [id, randomStream('clips', seed, id).uniform()]));
  if (sources.length === 0) {
    const wanted = frames === 1 ? 'clips with ED and ES' : `clips of at least ${frames} frames`;
    throw new Error(`${data}: expected ${wanted} in the ${split} split, got none`);
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
  const { id, patient, view, phase, pixel, hash } = subject;
  return { id, patient, view, ...(phase === undefined ? {} : { phase }), pixel, hash, files, runs };
}
