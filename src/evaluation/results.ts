/**
 * What an evaluation keeps on disk, so that a stopped one goes on where it was:
 * settings.json, and a folder a clip: clip.json (which clip this is), strips of frames under each
 * other, lossless (`asked.png` the mask's labels, `text-mask.png` a video), and result.json once it
 * is measured, beside it the features of the clip's videos, `features-<extractor>.safetensors`.
 */
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { floatFrames, labelFrames } from '../frames/frames.ts';
import type { Frames, Labels } from '../frames/frames.ts';
import { readJson, writeJson } from '../frames/json.ts';
import { readPng, readPngIndices, writePng } from '../frames/png.ts';
import type { FeatureRows } from '../metrics/features.ts';
import { scope } from '../tensor/memory.ts';
import { readSafetensors, writeSafetensors } from '../tensor/safetensors.ts';
import { tensor } from '../tensor/tensor.ts';
import { firstDifference } from '../training/loop.ts';
import type { ExtractorAbout } from './feature-extractors.ts';
import type { LpipsAbout } from './lpips.ts';
import type { Measurement } from './measure.ts';
import type { Plan } from './runs.ts';
import type { Phase } from './subject.ts';

/** What the generated videos depend on, apart from the clips. */
export interface Settings {
  /** sha256 over the model's weights. */
  readonly model: string;
  readonly seed: number;
  readonly numInferenceSteps: number;
  readonly guidanceScale: number;
  readonly sampler: string;
  readonly precision: string;
  readonly base: readonly string[];
  readonly split: string;
  readonly resolution: number;
  /** 1 where the ED and ES frames of clips were made, one by one. */
  readonly frames: number;
  readonly plan: Plan;
  /** Of the conditions given, where a network found them. */
  readonly extractors?: Readonly<Partial<Record<'flow' | 'sketch', string>>>;
}

/** Bumped when a figure is computed in another way: kept videos are then measured again. */
export const measuring = 2;

export interface ClipResult {
  readonly id: string;
  readonly patient: string;
  readonly view: string;
  /** Of a single frame. */
  readonly phase?: Phase;
  /** mm per pixel; null where the data set does not know. */
  readonly pixel: number | null;
  /** sha256 of the prepared clip, and of each file of the data set that it was read from. */
  readonly hash: string;
  readonly files: Readonly<Record<string, string>>;
  /** By run, and `real` for the clip itself. */
  readonly runs: Readonly<Record<string, Measurement>>;
}

/** What measures: sha256 of the networks' weights. Single frames have no video network. */
export interface MeasuredWith {
  readonly segmenter: string;
  readonly echoVideo: string | null;
  /** Absent where its weights were not given. */
  readonly lpips?: LpipsAbout;
}

/** A clip's result as it lies on the disk. */
export type KeptResult = ClipResult & MeasuredWith & { readonly measuring: number };

export interface KeptFeatures {
  readonly about: ExtractorAbout;
  /** By run, and `real`. */
  readonly rows: ReadonlyMap<string, FeatureRows>;
}

export class Results {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /**
   * Begins a folder with these settings, or goes on with one that has them.
   * @throws when its videos were made in another way
   */
  open(settings: Settings): void {
    const file = join(this.folder, 'settings.json');
    const plain = JSON.parse(JSON.stringify(settings)) as unknown;
    if (existsSync(file)) {
      const difference = firstDifference(plain, readJson(file), '');
      if (difference === null) return;
      const got = difference.replace(' in the checkpoint', '');
      throw new Error(`${file}: these videos were made otherwise (${got}); ` +
        'take another --output, or the same flags');
    }
    mkdirSync(this.folder, { recursive: true });
    writeJson(file, plain);
  }

  settings(): Settings {
    const file = join(this.folder, 'settings.json');
    if (!existsSync(file)) {
      throw new Error(`${file}: expected the settings of an evaluation, got no such file`);
    }
    return readJson(file) as Settings;
  }

  /** Says that the folder of this clip is of the clip with this hash, and keeps what was asked. */
  claim(id: string, hash: string, masks: Labels): void {
    const file = join(this.of(id), 'clip.json');
    if (existsSync(file)) {
      const kept = (readJson(file) as { hash: string }).hash;
      if (kept === hash) return;
      throw new Error(`${file}: expected the results of another ${id} (the data set has changed ` +
        'since); take another --output');
    }
    mkdirSync(this.of(id), { recursive: true });
    const { frames, height, width, data } = masks;
    const strip = { channels: 1, frames: 1, height: frames * height, width, data };
    writePng(this.strip(id, 'asked'), strip);
    writeJson(file, { id, hash });
  }

  /** The mask that was asked for. */
  masks(id: string): Labels {
    const { frames } = this.settings();
    const { height, width, data } = readPngIndices(this.strip(id, 'asked'));
    return labelFrames(frames, height / frames, width, data);
  }

  /** A video made earlier; null when there is none. */
  video(id: string, run: string, frames: number): Frames | null {
    const file = this.strip(id, run);
    if (!existsSync(file)) return null;
    const { height, width, data } = readPng(file);
    return floatFrames({ channels: 1, frames, height: height / frames, width }, data, file);
  }

  /** Keeps a video, and returns it as it will be read: rounded to 8 bits. */
  keepVideo(id: string, run: string, video: Frames): Frames {
    const { frames, height, width, data } = video;
    const strip = { channels: 1, frames: 1, height: frames * height, width, data };
    writePng(this.strip(id, run), strip);
    return this.video(id, run, frames)!;
  }

  /** The figures of a clip, when they were taken by these networks and in today's way. */
  result(id: string, by: MeasuredWith): ClipResult | null {
    const file = join(this.of(id), 'result.json');
    if (!existsSync(file)) return null;
    const kept = readJson(file) as KeptResult;
    return kept.measuring === measuring && identity(kept) === identity(by) ? kept : null;
  }

  keepResult(result: ClipResult, by: MeasuredWith): void {
    const file = join(this.of(result.id), 'result.json');
    writeJson(file, { measuring, ...by, ...result });
  }

  /** The features of a clip's videos by an extractor; null when there are none. */
  features(id: string, extractor: ExtractorAbout['name']): KeptFeatures | null {
    const file = this.featureFile(id, extractor);
    if (!existsSync(file)) return null;
    return scope(() => {
      const { tensors, metadata } = readSafetensors(file);
      const rows = [...tensors].map(([run, value]) => [run, {
        rows: value.shape[0], dimension: value.shape[1], data: value.toFloat32(),
      }] as const);
      return { about: JSON.parse(metadata.extractor) as ExtractorAbout, rows: new Map(rows) };
    });
  }

  keepFeatures(id: string, { about, rows }: KeptFeatures): void {
    scope(() => {
      const tensors = [...rows].map(([run, { rows: count, dimension, data }]) =>
        [run, tensor(data, [count, dimension])] as const);
      writeSafetensors(this.featureFile(id, about.name), new Map(tensors),
        { extractor: JSON.stringify(about) });
    });
  }

  /**
   * Every measured clip, by name.
   *
   * @throws when some were measured by another segmenter or in another way than the rest
   */
  all(): KeptResult[] {
    const folder = join(this.folder, 'clips');
    if (!existsSync(folder)) return [];
    const kept = readdirSync(folder).sort().flatMap((id) => {
      const file = join(folder, id, 'result.json');
      return existsSync(file) ? [readJson(file) as KeptResult] : [];
    });
    const strange = kept.find((result) =>
      result.measuring !== kept[0].measuring || identity(result) !== identity(kept[0]));
    if (strange !== undefined) {
      throw new Error(`${this.folder}: ${strange.id} was measured otherwise than ${kept[0].id}; ` +
        'run evaluate again without --report-only, with as many --clips');
    }
    return kept;
  }

  /** The contact sheets that were drawn, by clip. */
  sheets(): string[] {
    const folder = join(this.folder, 'sheets');
    if (!existsSync(folder)) return [];
    return readdirSync(folder).filter((name) => name.endsWith('.png')).sort()
      .map((name) => join(folder, name));
  }

  private featureFile(id: string, extractor: string): string {
    return join(this.of(id), `features-${extractor}.safetensors`);
  }

  private of(id: string): string {
    return join(this.folder, 'clips', id);
  }

  private strip(id: string, run: string): string {
    return join(this.of(id), `${run.replaceAll('+', '-')}.png`);
  }
}

function identity({ segmenter, echoVideo, lpips }: MeasuredWith): string {
  return [segmenter, echoVideo, lpips?.sha256].join();
}
