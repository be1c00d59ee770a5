/** A whole study: trains what is missing, evaluates what is missing, writes the table. */
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { drawPhantoms } from '../data/phantom-drawing.ts';
import { splitNumbers, writePhantomLists } from '../data/phantom/phantom.ts';
import { writeAtomic } from '../frames/atomic.ts';
import type { DType } from '../tensor/dtype.ts';
import { firstDifference } from '../training/loop.ts';
import { claimFolder } from '../training/stage-folder.ts';
import { methodConfig } from './budget.ts';
import { cellsOf, measuredClips, openInstruments, runCells, testClips, type Cell } from './cells.ts';
import { drawFigure, figureRows } from './figure.ts';
import { chooseParts, type ChosenParts } from './parts.ts';
import type { StudyConfig } from './study-config.ts';
import { collectTable } from './table.ts';
import { csvTable, latexTable, markdownTable, type TableContext } from './table-text.ts';
import { prepareShared, runTrainings, trainingState, trainingTasks, type TrainingTask } from './trainings.ts';
import { Stopped, watched, type Watch } from './watch.ts';

const studyFile = 'study.json';

export interface StudyOptions extends Watch {
  readonly study: StudyConfig;
  readonly output: string;
  readonly device?: string;
  /** Of the U-Net while it samples. */
  readonly dtype?: DType;
}

export interface StudyFiles {
  readonly markdown: string;
  readonly csv: string;
  readonly latex: string;
  /** Null where the study asks for none. */
  readonly figure: string | null;
}

/** The folder of the study's data; a phantom lies in the study's own. */
export function dataFolder({ data }: StudyConfig, output: string): string {
  return typeof data === 'string' ? data : join(output, 'data');
}

/**
 * Runs a study to its end. What an earlier call finished is taken over: trainings at their last
 * checkpoint, cells clip by clip.
 *
 * @returns the files written; null when a stop was asked for
 * @throws when another process works on the folder or one of its parts
 */
export async function runStudy(options: StudyOptions): Promise<StudyFiles | null> {
  const { study, output } = options;
  begin(options);
  const release = claimFolder(output, false);
  try {
    const data = await provideData(options);
    const cells = cellsOf(study, output);
    await trainAndMeasure(options, data, { tasks: trainingTasks(study, output, options), cells });
    const figure = study.figure === null ? null : await drawFigure({ ...options, data });
    return { ...writeTables(options, cells, data), figure };
  } catch (error) {
    if (error instanceof Stopped) return null;
    throw error;
  } finally {
    release();
  }
}

/**
 * Runs parts of a study alone, without its figure and table, so that several processes can share the work: on a card
 * that one of them does not fill, or a card each. `runStudy` then takes over what they made. What all parts
 * stand on (the data, the shared networks, the prepared clips) is made by one process, the folder's holder.
 *
 * @param only `shared`, methods, or cells such as `heartbeat/T-S-I`
 * @returns false when a stop was asked for
 * @throws for a name that the study does not have, and when another process works on the same part
 */
export async function runStudyParts(options: StudyOptions, only: readonly string[]): Promise<boolean> {
  const { study, output } = options;
  const tasks = trainingTasks(study, output, options);
  const parts = chooseParts(only, tasks, cellsOf(study, output));
  begin(options);
  try {
    const data = await onceForAll(options, tasks);
    await trainAndMeasure(options, data, parts);
    return true;
  } catch (error) {
    if (error instanceof Stopped) return false;
    throw error;
  }
}

function begin({ study, output }: StudyOptions): void {
  if (typeof study.data === 'string' && !existsSync(study.data)) {
    throw new Error(`data: expected a folder, got no such folder: ${study.data}`);
  }
  openStudy(study, output);
}

/** Makes what all parts stand on, or finds that it is there. */
async function onceForAll(options: StudyOptions, tasks: readonly TrainingTask[]): Promise<string> {
  const mark = join(options.output, 'prepared');
  if (existsSync(mark)) return dataFolder(options.study, options.output);
  const release = claimFolder(options.output, false);
  try {
    const data = await provideData(options);
    await prepareShared(tasks, { ...options, data });
    write(mark, '');
    return data;
  } finally {
    release();
  }
}

async function trainAndMeasure(
  options: StudyOptions, data: string, { tasks, cells }: ChosenParts,
): Promise<void> {
  await runTrainings(tasks, { ...options, data });
  if (cells.length === 0) return;
  const instruments = openInstruments(options.study, options.output, options.device);
  try {
    await runCells(cells, instruments, { ...options, data });
  } finally {
    instruments.dispose();
  }
}

/**
 * Begins a study's folder, or goes on with one of the same study: methods and sets of conditions may
 * be added, and what was declared of a method before stays.
 */
function openStudy(study: StudyConfig, output: string): void {
  const file = join(output, studyFile);
  const wanted = comparable(study);
  if (existsSync(file)) {
    const kept = JSON.parse(readFileSync(file, 'utf8')) as ReturnType<typeof comparable>;
    const common = Object.keys(kept.methods).filter((name) => name in wanted.methods);
    const pick = (of: typeof kept) =>
      ({ ...of, methods: Object.fromEntries(common.map((name) => [name, of.methods[name]])) });
    const difference = firstDifference(pick(wanted), pick(kept), '');
    if (difference !== null) {
      throw new Error(`${file}: this study was begun otherwise ` +
        `(${difference.replace(' in the checkpoint', '')}); take another --output, or the same file`);
    }
    wanted.methods = { ...kept.methods, ...wanted.methods };
  }
  mkdirSync(output, { recursive: true });
  write(file, `${JSON.stringify(wanted, null, 2)}\n`);
}

/** What of a study decides its networks and its videos. */
function comparable(study: StudyConfig) {
  const { preset, data, views, seed, steps, set, shared, echoFeatures, test: { split }, sampling } = study;
  const methods = Object.fromEntries(study.methods.map(({ name, method, trainedWith, set: own }) =>
    [name, { method, trainedWith, set: own }]));
  const whole = {
    preset, data, views, seed, steps, set, shared: shared ?? null, echoFeatures: echoFeatures ?? null,
    test: { split }, sampling, methods,
  };
  return JSON.parse(JSON.stringify(whole)) as { methods: Record<string, unknown> };
}

async function provideData(options: StudyOptions): Promise<string> {
  const { study: { data }, output } = options;
  const folder = dataFolder(options.study, output);
  if (typeof data === 'string') return folder;
  const whole = join(folder, 'whole');
  if (existsSync(whole)) return folder;
  rmSync(folder, { recursive: true, force: true });
  const numbers = splitNumbers(data.phantom);
  const { seed } = data.phantom;
  const patients = await watched(options, 'phantom', numbers.length, 'patients', 0, () => drawPhantoms(
    folder, { modality: 'echo', views: ['2CH', '4CH'] }, numbers,
    { seed, onProgress: options.update, stopRequested: options.stopRequested }));
  if (options.stopRequested?.()) throw new Stopped();
  writePhantomLists(folder, patients);
  write(whole, '');
  return folder;
}

/** Writes the table in its three forms, and as JSON. */
function writeTables({ study, output }: StudyOptions, cells: readonly Cell[], data: string) {
  const clips = testClips(study, data);
  const table = collectTable(cells, clips.map(({ id }) => id), study.figure);
  const context = contextOf(study, clips.length);
  const files = {
    markdown: join(output, 'table.md'), csv: join(output, 'table.csv'), latex: join(output, 'table.tex'),
  };
  write(files.markdown, markdownTable(table, context));
  write(files.csv, csvTable(table, context));
  write(files.latex, latexTable(table, context));
  write(join(output, 'table.json'), `${JSON.stringify(table, null, 1)}\n`);
  return files;
}

function contextOf(study: StudyConfig, clips: number): TableContext {
  const budgets = study.methods.map((method) => ({ method, ...methodConfig(study, method) }));
  const { data, sampling: { sampler, steps, guidanceScale }, preset, seed, test: { split } } = study;
  const { resolution, frames } = budgets[0].config.model;
  const source = typeof data === 'string' ? 'the data set given'
    : `a phantom of ${data.phantom.training} training, ${data.phantom.validation} validation and ` +
      `${data.phantom.testing} test patients (seed ${data.phantom.seed})`;
  const trained = budgets.map(({ method, budget }) => `${method.title} ${budget.frames} ` +
    `(${Object.entries(budget.steps).map(([stage, count]) => `${count} steps of ${stage}`).join(', ')})`);
  return {
    title: study.title,
    frames: new Map(budgets.map(({ method, budget }) => [method.name, budget.frames])),
    notes: [
      `Data: ${source}; ${clips} clips of the ${split} split, ${frames} frames of ` +
        `${resolution}x${resolution}. Preset ${preset}, seed ${seed} for all methods; ${sampler}, ${steps} steps, ` +
        `guidance ${guidanceScale}; the same noise for a clip in every row.`,
      'Budget: frames of real clips through the optimizer, the same for all methods to the nearest step: ' +
        `${trained.join('; ')}. VAE, image encoder and the networks that measure are trained once and shared.`,
    ],
  };
}

export interface StudyPart {
  readonly label: string;
  readonly unit: 'steps' | 'clips';
  readonly done: number;
  readonly total: number;
  /** What an estimate is made of. */
  readonly task: TrainingTask | null;
}

/** What is done and what is missing; writes nothing. Clips of a phantom not yet made are counted. */
export function studyParts(
  study: StudyConfig, output: string, options: Pick<StudyOptions, 'device' | 'report'> = {},
): StudyPart[] {
  const trainings = trainingTasks(study, output, options).map((task): StudyPart => {
    const { done, total } = trainingState(task);
    return { label: `train ${task.of} ${task.stage}`, unit: 'steps', done, total, task };
  });
  const folder = dataFolder(study, output);
  const made = typeof study.data === 'string' || existsSync(join(folder, 'whole'));
  const clips = made ? testClips(study, folder) : null;
  const expected = typeof study.data === 'string' ? 0
    : study.data.phantom[study.test.split] * study.views.length;
  const total = clips?.length ?? Math.min(study.test.clips, expected);
  const cells = cellsOf(study, output).map((cell): StudyPart => ({
    label: `${cell.method.title} ${cell.letters}`, unit: 'clips',
    done: clips === null ? 0 : measuredClips(cell, clips), total, task: null,
  }));
  const figure = study.figure === null ? []
    : [{ label: 'figure', unit: 'clips' as const, ...figureRows(study, output), task: null }];
  return [...trainings, ...cells, ...figure];
}

/** The share of a training that is left. */
export function shareLeft({ done, total }: StudyPart): number {
  return total === 0 ? 0 : (total - done) / total;
}

function write(file: string, text: string): void {
  writeAtomic(file, new TextEncoder().encode(text));
}

