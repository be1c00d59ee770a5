/**
 * What a run says about itself, to several listeners at once: JSONL (`metrics.jsonl`), TensorBoard
 * (`logs/`), preview pictures (`previews/`), and whoever else is given (the console's progress).
 */
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Picture } from '../frames/colour.ts';
import { encodePng } from '../frames/png.ts';
import { openEventWriter } from './tensorboard.ts';

export interface RunLog {
  /** One number of a curve; names have the form `train/loss`. */
  scalar(name: string, value: number, step: number): void;
  /** A picture: the bytes of a PNG file, or grey or RGB values (the first frame). */
  image(name: string, picture: Uint8Array | Picture, step: number): void;
  /** Markdown: the resolved configuration, a remark. */
  text(name: string, text: string, step: number): void;
  close(): void;
}

/** A listener: what `RunLog` takes, with every picture already a PNG. */
export interface LogSink extends Omit<RunLog, 'image'> {
  image(name: string, png: Uint8Array, step: number): void;
}

export interface RunLogOptions {
  /** The run goes on from this step: files are appended to, and a mark says from where. */
  readonly resumeStep?: number;
  /** Listeners besides the files, called after them. */
  readonly also?: readonly LogSink[];
  /** Seconds since 1970; for tests. */
  readonly clock?: () => number;
}

/** Every call goes to each of `logs` in turn. */
export function everyLog(logs: readonly LogSink[]): RunLog {
  return {
    scalar: (name, value, step) => logs.forEach((log) => log.scalar(name, value, step)),
    image(name, picture, step) {
      const png = picture instanceof Uint8Array ? picture : encodePng(picture);
      logs.forEach((log) => log.image(name, png, step));
    },
    text: (name, text, step) => logs.forEach((log) => log.text(name, text, step)),
    close: () => logs.forEach((log) => log.close()),
  };
}

/** `sample/all conditions` at step 40 -> `sample-all-conditions-00000040.png`. */
function previewName(name: string, step: number): string {
  return `${name.replace(/[^A-Za-z0-9._]+/g, '-')}-${String(step).padStart(8, '0')}.png`;
}

/** One JSON object a line; a line that a killed process left unfinished is cut off first. */
function openJsonLines(
  folder: string,
  { resumeStep, clock = () => Date.now() / 1000 }: RunLogOptions,
): LogSink {
  const path = join(folder, 'metrics.jsonl');
  const previews = join(folder, 'previews');
  const kept = existsSync(path) ? readFileSync(path).lastIndexOf('\n') + 1 : 0;
  const file = openSync(path, kept > 0 ? 'r+' : 'w');
  ftruncateSync(file, kept);
  let position = kept;

  function line(record: Record<string, unknown>): void {
    const time = Math.round(clock() * 1000) / 1000;
    position += writeSync(file, `${JSON.stringify({ time, ...record })}\n`, position);
  }

  if (resumeStep !== undefined) line({ step: resumeStep, event: 'resume' });
  return {
    // JSON has no NaN and no infinity, and a null would hide which of them it was.
    scalar: (name, value, step) =>
      line({ step, name, value: Number.isFinite(value) ? value : String(value) }),
    image(name, png, step) {
      mkdirSync(previews, { recursive: true });
      writeFileSync(join(previews, previewName(name, step)), png);
      line({ step, name, image: `previews/${previewName(name, step)}` });
    },
    text: (name, text, step) => line({ step, name, text }),
    close: () => closeSync(file),
  };
}

/** Opens the logs of a run folder (made when absent). Errors: those of the file system. */
export function openRunLog(folder: string, options: RunLogOptions = {}): RunLog {
  mkdirSync(folder, { recursive: true });
  const events = openEventWriter(join(folder, 'logs'), options);
  return everyLog([openJsonLines(folder, options), events, ...(options.also ?? [])]);
}
