/**
 * TensorBoard event files: TFRecord framing around `tensorflow.Event` messages (event.proto,
 * summary.proto). Scalars, PNG images and texts; a run that resumes appends to its last file.
 * Golden: test/golden/tensorboard-events.py writes the same events with the tensorboard package.
 */
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  writeSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import {
  bytesField,
  doubleField,
  floatField,
  messageField,
  stringField,
  varintField,
} from './protobuf.ts';

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value >>> 0;
});

/** CRC-32C (Castagnoli), as in RFC 3720. */
export function crc32c(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) crc = crcTable[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/**
 * The rotated and shifted CRC that TFRecord stores, so that a CRC of data that holds CRCs stays a
 * good one.
 */
export function maskedCrc32c(data: Uint8Array): number {
  const crc = crc32c(data);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** uint64 length, its masked CRC, the data, the data's masked CRC; all little-endian. */
function record(data: Uint8Array): Buffer {
  const framed = Buffer.alloc(12 + data.length + 4);
  framed.writeBigUInt64LE(BigInt(data.length), 0);
  framed.writeUInt32LE(maskedCrc32c(framed.subarray(0, 8)), 8);
  framed.set(data, 12);
  framed.writeUInt32LE(maskedCrc32c(data), 12 + data.length);
  return framed;
}

/**
 * Bytes of the whole records at the start of `file`; what a killed process left half-written behind
 * them is not.
 */
export function wholeRecords(file: Buffer): number {
  let at = 0;
  while (at + 12 <= file.length) {
    const length = Number(file.readBigUInt64LE(at));
    const end = at + 12 + length + 4;
    if (file.readUInt32LE(at + 8) !== maskedCrc32c(file.subarray(at, at + 8)) || end > file.length)
      break;
    at = end;
  }
  return at;
}

function pngSize(png: Uint8Array): { width: number; height: number } {
  const header = Buffer.from(png.buffer, png.byteOffset, Math.min(png.byteLength, 24));
  if (header.length < 24 || header.toString('latin1', 1, 4) !== 'PNG') {
    throw new Error(
      `TensorBoard image: expected a PNG, got ${png.byteLength} bytes that do not start as one`,
    );
  }
  return { width: header.readUInt32BE(16), height: header.readUInt32BE(20) };
}

const sessionStart = 1;
const stringType = 7;
const rgb = 3;

export interface EventWriter {
  readonly path: string;
  scalar(name: string, value: number, step: number): void;
  /** `png` is a whole PNG file. */
  image(name: string, png: Uint8Array, step: number): void;
  /** Markdown. */
  text(name: string, text: string, step: number): void;
  close(): void;
}

export interface EventWriterOptions {
  /** The run goes on from this step: TensorBoard then forgets what was logged at later steps. */
  readonly resumeStep?: number;
  /** Seconds since 1970; for goldens. */
  readonly clock?: () => number;
}

/**
 * Opens the event file of a run folder: the newest one there, or a new one. Errors: those of the
 * file system.
 */
export function openEventWriter(folder: string, options: EventWriterOptions = {}): EventWriter {
  const clock = options.clock ?? (() => Date.now() / 1000);
  mkdirSync(folder, { recursive: true });
  const newest = readdirSync(folder)
    .filter((name) => name.startsWith('events.out.tfevents.'))
    .sort()
    .at(-1);
  const stamp = String(Math.floor(clock())).padStart(10, '0');
  const path = join(folder, newest ?? `events.out.tfevents.${stamp}.${hostname()}.${process.pid}`);
  const kept = existsSync(path) ? wholeRecords(readFileSync(path)) : 0;
  const file = openSync(path, kept > 0 ? 'r+' : 'w');
  ftruncateSync(file, kept);
  let position = kept;

  function event(step: number, body: Buffer): void {
    const bytes = record(Buffer.concat([doubleField(1, clock()), varintField(2, step), body]));
    position += writeSync(file, bytes, 0, bytes.length, position);
  }
  function summary(step: number, ...value: Buffer[]): void {
    event(step, messageField(5, messageField(1, ...value)));
  }

  if (kept === 0) event(0, stringField(3, 'brain.Event:2'));
  if (options.resumeStep !== undefined)
    event(options.resumeStep, messageField(7, varintField(1, sessionStart)));
  return {
    path,
    scalar(name, value, step) {
      summary(step, stringField(1, name), floatField(2, value));
    },
    image(name, png, step) {
      const { width, height } = pngSize(png);
      const image = [
        varintField(1, height),
        varintField(2, width),
        varintField(3, rgb),
        bytesField(4, png),
      ];
      summary(step, stringField(1, name), messageField(4, ...image));
    },
    text(name, text, step) {
      const tensor = messageField(
        8,
        varintField(1, stringType),
        messageField(2),
        stringField(8, text),
      );
      summary(
        step,
        stringField(1, name),
        tensor,
        messageField(9, messageField(1, stringField(1, 'text'))),
      );
    },
    close() {
      closeSync(file);
    },
  };
}
