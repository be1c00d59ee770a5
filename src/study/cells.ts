/** The cells of a study's table: one method with one set of conditions, an evaluation folder each. */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ConditionName } from '../conditions/condition.ts';
import { chooseClips, evaluate, type EvaluationOptions } from '../evaluation/evaluation.ts';
import {
  loadEchoFeatures, loadPublished, measuringNetwork, type EchoFeatures, type FeatureExtractor,
} from '../evaluation/feature-extractors.ts';
import { cardFile } from '../evaluation/card.ts';
import { collectCard, writeCard } from '../evaluation/report.ts';
import { Results, type MeasuredWith } from '../evaluation/results.ts';
import { listSequences } from '../evaluation/subjects.ts';
import { openExtractors } from '../extractors/extractors.ts';
import type { ClipSource } from '../data/clips.ts';
import { loadModelFolder, modelHash } from '../heartbeat/model-folder.ts';
import { loadSegmenter, segmenterWeights, type LoadedSegmenter } from '../metrics/segmenter-folder.ts';
import type { DType } from '../tensor/dtype.ts';
import { sha256 } from '../frames/file-hash.ts';
import { modelOf } from '../training/run-folder.ts';
import { claimFolder } from '../training/stage-folder.ts';
import { sharedConfig } from './budget.ts';
import { lettersOf } from './letters.ts';
import { methodOf } from './methods.ts';
import type { StudyConfig, StudyMethod } from './study-config.ts';
import { methodRun, sharedRun } from './trainings.ts';
import { Stopped, watched, type Watch } from './watch.ts';

export interface Cell {
  readonly method: StudyMethod;
  readonly conditions: readonly ConditionName[];
  /** `T S I` */
  readonly letters: string;
  /** An evaluation's, of one run. */
  readonly folder: string;
}

export function cellsOf({ methods }: StudyConfig, output: string): Cell[] {
  return methods.flatMap((method) => method.subsets.map((conditions) => {
    const letters = lettersOf(conditions);
    return {
      method, conditions, letters,
      folder: join(output, 'cells', method.name, letters.replaceAll(' ', '-')),
    };
  }));
}

/** The model folder that a method is sampled from. */
export function finalModel(output: string, { name, method }: StudyMethod): string {
  return modelOf(methodRun(output, name), methodOf(method).stages.at(-1)!);
}

/** The test clips of a study, the same for every cell. */
export function testClips(study: StudyConfig, data: string, report?: (line: string) => void): ClipSource[] {
  const { test: { split, clips }, views, seed } = study;
  const { frames } = sharedConfig(study).model;
  return chooseClips({ data, clips, views, report }, { frames, list: listSequences(frames) }, split, seed);
}

/** What measures the clips of a study, loaded once. */
export interface Instruments {
  readonly echo: EchoFeatures;
  readonly segmenter: LoadedSegmenter;
  readonly measuredWith: MeasuredWith;
  readonly featureExtractors: readonly FeatureExtractor[];
  readonly dispose: () => void;
}

export function openInstruments(study: StudyConfig, output: string, device?: string): Instruments {
  const folder = study.echoFeatures ?? sharedRun(output);
  const open: { dispose: () => void }[] = [];
  const keep = <T extends { dispose: () => void }>(loaded: T): T => {
    open.push(loaded);
    return loaded;
  };
  const dispose = () => open.forEach((loaded) => loaded.dispose());
  try {
    const segmenterFolder = measuringNetwork(folder, 'segmenter');
    const echo = keep(loadEchoFeatures(folder, device));
    const segmenter = keep(loadSegmenter(segmenterFolder, device));
    const published = (['inception', 'i3d'] as const).flatMap((name) =>
      (study[name] === undefined ? [] : [keep(loadPublished(name, study[name]!, device))]));
    const measuredWith = { segmenter: sha256(segmenterWeights(segmenterFolder)), echoVideo: echo.echoVideoHash };
    return { echo, segmenter, measuredWith, featureExtractors: [...echo.extractors, ...published], dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** Clips of a cell that are measured whole, by today's instruments where they are given. */
export function measuredClips(
  { folder }: Cell, clips: readonly ClipSource[], instruments?: Pick<Instruments, 'measuredWith' | 'featureExtractors'>,
): number {
  const results = new Results(folder);
  return clips.filter(({ id }) => {
    if (instruments === undefined) return existsSync(join(folder, 'clips', id, 'result.json'));
    return results.result(id, instruments.measuredWith) !== null
      && instruments.featureExtractors.every(({ about }) =>
        results.features(id, about.name)?.about.sha256 === about.sha256);
  }).length;
}

export interface CellOptions extends Watch {
  readonly study: StudyConfig;
  readonly output: string;
  readonly data: string;
  readonly device?: string;
  /** Of the U-Net while it samples. */
  readonly dtype?: DType;
}

/**
 * Generates and measures what the cells lack, a model loaded once for all cells of its method, and
 * writes their cards.
 */
export async function runCells(
  cells: readonly Cell[], instruments: Instruments, options: CellOptions,
): Promise<void> {
  const { study, output, data, device, dtype, report } = options;
  const sources = testClips(study, data, report);
  const missing = cells.filter((cell) => measuredClips(cell, sources, instruments) < sources.length);
  const extractors = openExtractors(sharedConfig(study).extractors);
  try {
    for (const method of study.methods) {
      const own = missing.filter((cell) => cell.method === method);
      if (own.length === 0) continue;
      const folder = finalModel(output, method);
      const model = loadModelFolder(folder, { device, dtype });
      try {
        const common: Omit<EvaluationOptions, 'subsets' | 'output'> = {
          model, modelHash: modelHash(folder), extractors, data,
          segmenter: instruments.segmenter.segmenter, segmenterHash: instruments.measuredWith.segmenter,
          echoVideo: instruments.echo.echoVideo, echoVideoHash: instruments.echo.echoVideoHash,
          featureExtractors: instruments.featureExtractors, clips: study.test.clips,
          split: study.test.split, views: study.views, seed: study.seed,
          numInferenceSteps: study.sampling.steps, guidanceScale: study.sampling.guidanceScale,
          sampler: study.sampling.sampler, sheets: 2, stopRequested: options.stopRequested,
        };
        for (const cell of own) {
          const label = `[${cells.indexOf(cell) + 1}/${cells.length}] ${method.title} ${cell.letters}`;
          const before = measuredClips(cell, sources, instruments);
          const release = claimFolder(cell.folder, false);
          try {
            const { done, total } = await watched(options, label, sources.length, 'clips', before, () =>
              evaluate({
                ...common, output: cell.folder, subsets: [cell.conditions],
                onProgress: (made, _, note) => options.update?.(made, note),
              }));
            if (done < total) throw new Stopped();
          } finally {
            release();
          }
          rmSync(join(cell.folder, cardFile), { force: true }); // of fewer clips
        }
      } finally {
        model.dispose();
      }
    }
  } finally {
    extractors.dispose();
  }
  for (const { folder } of cells) {
    if (existsSync(join(folder, cardFile))) continue;
    const results = new Results(folder);
    writeCard(results, collectCard(results));
  }
}
