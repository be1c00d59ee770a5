/**
 * What an evaluation keeps on disk, so that a stopped one goes on where it was:
 * settings.json, and a folder a clip: clip.json (which clip this is), strips of frames under each
 * other, lossless (`asked.png` the mask's labels, `text-mask.png` a video), and result.json once it
 * is measured.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeAtomic } from '../frames/atomic.ts';
import { floatFrames, labelFrames } from '../frames/frames.ts';
import type { Frames, Labels } from '../frames/frames.ts';
import { readPng, readPngIndices, writePng } from '../frames/png.ts';
import { firstDifference } from '../training/loop.ts';
import type { Measurement } from './measure.ts';
import type { Plan } from './runs.ts';

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
  readonly frames: number;
  readonly plan: Plan;
  /** Of the conditions given, where a network found them. */
  readonly extractors?: Readonly<Partial<Record<'flow' | 'sketch', string>>>;
}

/** Bumped when a figure is computed in another way: kept videos are then measured again. */
const measuring = 1;

export interface ClipResult {
  readonly id: string;
  readonly patient: string;
  readonly view: string;
  /** mm per pixel. */
  readonly pixel: number;
  /** By run, and `real` for the clip itself. */
  readonly runs: Readonly<Record<string, Measurement>>;
}

interface Kept extends ClipResult {
  readonly measuring: number;
  /** sha256 of its weights. */
  readonly segmenter: string;
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

  /** The figures of a clip, when they were taken by this segmenter and in today's way. */
  result(id: string, segmenter: string): ClipResult | null {
    const file = join(this.of(id), 'result.json');
    if (!existsSync(file)) return null;
    const kept = readJson(file) as Kept;
    return kept.measuring === measuring && kept.segmenter === segmenter ? kept : null;
  }

  keepResult(result: ClipResult, segmenter: string): void {
    writeJson(join(this.of(result.id), 'result.json'), { measuring, segmenter, ...result });
  }

  /**
   * Every measured clip, by name.
   * @throws when some were measured by another segmenter or in another way than the rest
   */
  all(): ClipResult[] {
    const folder = join(this.folder, 'clips');
    if (!existsSync(folder)) return [];
    const kept = readdirSync(folder).sort().flatMap((id) => {
      const file = join(folder, id, 'result.json');
      return existsSync(file) ? [readJson(file) as Kept] : [];
    });
    const strange = kept.find((result) => result.segmenter !== kept[0].segmenter
      || result.measuring !== kept[0].measuring);
    if (strange !== undefined) {
      throw new Error(`${this.folder}: ${strange.id} was measured otherwise than ${kept[0].id}; ` +
        'run evaluate again without --report-only, with as many --clips');
    }
    return kept;
  }

  private of(id: string): string {
    return join(this.folder, 'clips', id);
  }

  private strip(id: string, run: string): string {
    return join(this.of(id), `${run.replaceAll('+', '-')}.png`);
  }
}

function writeJson(file: string, value: unknown): void {
  writeAtomic(file, new TextEncoder().encode(`${JSON.stringify(value)}\n`));
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    throw new Error(`${file}: expected JSON, got something else`);
  }
}
