/**
 * What an evaluation of slices keeps on disk, so that a stopped one goes on where it was, and the
 * table it prints: slices.json (settings), and a folder a volume with strips of slices, lossless,
 * and result.json once it is measured.
 */
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { floatFrames, type Frames } from '../frames/frames.ts';
import { readJson, writeJson } from '../frames/json.ts';
import { readPng, writePng } from '../frames/png.ts';
import { bootstrapMean, type Estimate } from '../metrics/bootstrap.ts';
import { firstDifference } from '../training/loop.ts';

/** `real` is the volume itself: what the segmenter finds in it is the best that can be reached. */
export type SliceRun = 'real' | 'mask' | 'no mask';

export type SliceFigure = 'dice-lv' | 'dice-myo' | 'dice-rv' | 'ssim' | 'psnr';
export type SliceFigures = Readonly<Record<SliceFigure, number | null>>;

export interface VolumeResult {
  readonly id: string;
  readonly patient: string;
  readonly phase: string;
  readonly vendor: string;
  /** Slices behind the figures, each once. */
  readonly slices: number;
  readonly runs: Readonly<Record<SliceRun, SliceFigures>>;
}

/** What the generated volumes depend on, apart from the data. */
export interface SliceSettings {
  readonly model: string;
  readonly seed: number;
  readonly numInferenceSteps: number;
  readonly guidanceScale: number;
  readonly sampler: string;
  readonly split: string;
  readonly resolution: number;
  readonly frames: number;
  readonly precision: string;
}

interface Kept extends VolumeResult {
  /** sha256 of pictures and masks, and of the segmenter's weights. */
  readonly hash: string;
  readonly segmenter: string;
}

/** Means over volumes with 95 % bootstrap intervals over patients. */
export interface SliceSummary {
  readonly settings: SliceSettings;
  readonly volumes: number;
  readonly patients: number;
  readonly runs: Readonly<Record<SliceRun, Readonly<Partial<Record<SliceFigure, Estimate>>>>>;
}

const settingsFile = 'slices.json';
const chosenFile = 'volumes.json';

/** Whether a folder holds an evaluation of slices. */
export function holdsSlices(folder: string): boolean {
  return existsSync(join(folder, settingsFile));
}

export class SliceResults {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** @throws when the folder's volumes were made otherwise */
  open(settings: SliceSettings): void {
    const file = join(this.folder, settingsFile);
    if (!existsSync(file)) {
      mkdirSync(this.folder, { recursive: true });
      writeJson(file, settings);
      return;
    }
    const difference = firstDifference(settings, readJson(file), '');
    if (difference === null) return;
    throw new Error(`${file}: these volumes were made otherwise ` +
      `(${difference.replace(' in the checkpoint', '')}); take another --output, or the same flags`);
  }

  /** The volumes of a finished evaluation, which the summary is of. */
  keepVolumes(ids: readonly string[]): void {
    writeJson(join(this.folder, chosenFile), ids);
  }

  /** The figures of a volume, when they are of these pictures and by this segmenter. */
  result(id: string, hash: string, segmenter: string): VolumeResult | null {
    const file = join(this.of(id), 'result.json');
    if (!existsSync(file)) return null;
    const kept = readJson(file) as Kept;
    return kept.hash === hash && kept.segmenter === segmenter ? kept : null;
  }

  keepResult(result: VolumeResult, hash: string, segmenter: string): void {
    writeJson(join(this.of(result.id), 'result.json'), { hash, segmenter, ...result });
  }

  /** Slices made earlier for exactly this volume; null when there are none. */
  video(id: string, hash: string, run: SliceRun, frames: number): Frames | null {
    const file = this.strip(id, hash, run);
    if (!existsSync(file)) return null;
    const { height, width, data } = readPng(file);
    return floatFrames({ channels: 1, frames, height: height / frames, width }, data, file);
  }

  /** Keeps slices, and returns them as they will be read: rounded to 8 bits. */
  keepVideo(id: string, hash: string, run: SliceRun, video: Frames): Frames {
    const { frames, height, width, data } = video;
    mkdirSync(this.of(id), { recursive: true });
    writePng(this.strip(id, hash, run), { channels: 1, frames: 1, height: frames * height, width, data });
    return this.video(id, hash, run, frames)!;
  }

  /** @throws when nothing has been measured */
  summarize(): SliceSummary {
    if (!holdsSlices(this.folder)) {
      throw new Error(`${join(this.folder, settingsFile)}: expected an evaluation of slices, got no such file`);
    }
    const folder = join(this.folder, 'volumes');
    const chosen = join(this.folder, chosenFile);
    const ids = existsSync(chosen) ? (readJson(chosen) as string[])
      : existsSync(folder) ? readdirSync(folder).sort() : [];
    const results = ids.map((id) => join(this.of(id), 'result.json')).filter((file) => existsSync(file))
      .map((file) => readJson(file) as Kept);
    if (results.length === 0) throw new Error(`${this.folder}: expected at least 1 measured volume, got none`);
    const strange = results.find(({ segmenter }) => segmenter !== results[0].segmenter);
    if (strange !== undefined) {
      throw new Error(`${this.folder}: ${strange.id} was measured by another segmenter than ` +
        `${results[0].id}; run evaluate again without --report-only`);
    }
    const patients = results.map(({ patient }) => patient);
    const row = (run: SliceRun) => Object.fromEntries(figures.flatMap(({ name }) => {
      const estimate = bootstrapMean(results.map(({ runs }) => runs[run][name]), patients);
      return estimate === null ? [] : [[name, estimate]];
    }));
    return {
      settings: readJson(join(this.folder, settingsFile)) as SliceSettings,
      volumes: results.length, patients: new Set(patients).size,
      runs: { real: row('real'), mask: row('mask'), 'no mask': row('no mask') },
    };
  }

  private of(id: string): string {
    return join(this.folder, 'volumes', id);
  }

  private strip(id: string, hash: string, run: SliceRun): string {
    return join(this.of(id), `${run.replace(' ', '-')}-${hash.slice(0, 12)}.png`);
  }
}

const figures: readonly { readonly name: SliceFigure; readonly title: string; readonly digits: number }[] = [
  { name: 'dice-lv', title: 'LV Dice', digits: 3 },
  { name: 'dice-myo', title: 'MYO Dice', digits: 3 },
  { name: 'dice-rv', title: 'RV Dice', digits: 3 },
  { name: 'ssim', title: 'SSIM to real', digits: 3 },
  { name: 'psnr', title: 'PSNR to real, dB', digits: 2 },
];

/** The summary's rows as cells: run, then every figure with its interval. */
export function sliceRows({ runs }: SliceSummary): { head: string[]; rows: string[][] } {
  const written = (estimate: Estimate | undefined, digits: number) => (estimate === undefined ? '-'
    : `${estimate.mean.toFixed(digits)} [${estimate.low.toFixed(digits)}, ${estimate.high.toFixed(digits)}]`);
  return {
    head: ['volumes', ...figures.map(({ title }) => title)],
    rows: Object.entries(runs).map(([run, row]) => [run === 'real' ? 'real' : `generated, ${run}`,
      ...figures.map(({ name, digits }) => written(row[name], digits))]),
  };
}

/** Cells as aligned lines: the first column to the left, the others to the right. */
export function alignCells(lines: readonly (readonly string[])[]): string {
  const widths = lines[0].map((_, c) => Math.max(...lines.map((cells) => cells[c].length)));
  return lines.map((cells) => cells.map((cell, c) =>
    (c === 0 ? cell.padEnd(widths[c]) : cell.padStart(widths[c]))).join('  ').trimEnd()).join('\n');
}

/** The summary in words, as it is printed. */
export function sliceReport(summary: SliceSummary): string {
  const { settings, volumes, patients } = summary;
  const { head, rows } = sliceRows(summary);
  return `${volumes} volumes of ${patients} patients (${settings.split} split), ${settings.sampler}, ` +
    `${settings.numInferenceSteps} steps, guidance ${settings.guidanceScale}, ${settings.precision}, seed ` +
    `${settings.seed}, model ${settings.model.slice(0, 12)}.\nMeans with 95 % bootstrap intervals over ` +
    `patients; Dice between the mask asked for and the one found.\n\n${alignCells([head, ...rows])}\n`;
}

/** Writes report.json into the evaluation's folder. */
export function writeSliceReport(folder: string, summary: SliceSummary): void {
  writeJson(join(folder, 'report.json'), summary);
}
