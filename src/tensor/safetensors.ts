import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { empty } from './creation.ts';
import { dtypeBytes, dtypeOfStored, storedName } from './dtype.ts';
import type { DType } from './dtype.ts';
import { noGrad, scope } from './memory.ts';
import { native } from './native.ts';
import { elements, shapeText } from './shape.ts';
import type { Tensor } from './tensor-class.ts';

/** One tensor of a header: bytes begin..end of the data that follows it. */
export interface StoredTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}
export interface Header {
  readonly tensors: Map<string, StoredTensor>;
  readonly metadata: Record<string, string>;
  /** Where the data begin in the file. */
  readonly offset: number;
}

/** The format's own limit. */
const largestHeader = 100_000_000;
/** Copies go through a buffer of this size, so a file is never in memory twice. */
const block = 4 * 1024 * 1024;

/**
 * Reads a safetensors file to CPU tensors. Throws one sentence that names the file when it is
 * truncated, its header is not what the format says, or a dtype is unknown.
 *
 * @param only which tensors, by name; without it all
 */
export function readSafetensors(
  path: string,
  only: (name: string) => boolean = () => true,
): {
  tensors: Map<string, Tensor>;
  metadata: Record<string, string>;
} {
  return withFile(path, (file, size) => {
    const { tensors: stored, metadata, offset } = readHeader(path, file, size);
    return scope(() => {
      const buffer = Buffer.allocUnsafe(block);
      const tensors = new Map<string, Tensor>();
      for (const [name, { dtype, shape, begin, end }] of stored) {
        if (!only(name)) continue;
        const made = empty(shape, { dtype });
        for (let at = begin; at < end; at += block) {
          const part = buffer.subarray(0, Math.min(block, end - at));
          readFully(path, file, part, offset + at);
          native().writeBytes(made.external, at - begin, part);
        }
        tensors.set(name, made);
      }
      return { tensors, metadata };
    });
  });
}

/**
 * Elements `first` to `first + count` of one tensor, flat, without the rest of the file.
 *
 * @throws one sentence that names the file when it has no such tensor, or no such elements
 */
export function readSafetensorsPart(path: string, name: string, first: number, count: number): Tensor {
  return withFile(path, (file, size) => {
    const { tensors, offset } = readHeader(path, file, size);
    const stored = tensors.get(name);
    if (stored === undefined) throw new Error(`${path}: expected a tensor ${name}, got none`);
    const { dtype, shape, begin } = stored;
    const width = dtypeBytes(dtype);
    if (first < 0 || count < 0 || first + count > elements(shape)) {
      throw new Error(`${path}: expected elements of ${name} below ${elements(shape)}, got ${first}..${first + count}`);
    }
    const buffer = Buffer.allocUnsafe(count * width);
    readFully(path, file, buffer, offset + begin + first * width);
    const made = empty([count], { dtype });
    if (count > 0) native().writeBytes(made.external, 0, buffer);
    return made;
  });
}

/** Names, dtypes and shapes alone; does not load libtorch. */
export function readSafetensorsHeader(path: string): Header {
  return withFile(path, (file, size) => readHeader(path, file, size));
}

/**
 * Writes tensors (any device) and text metadata: to a temporary name beside `path`, flushed to the
 * disk, then renamed, so that `path` is the old file or the whole new one.
 */
export function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> = {},
): void {
  const { header, order } = layOut(path, tensors, metadata);
  const temporary = `${path}.${process.pid}.partial`;
  const folder = dirname(path);
  if (!existsSync(folder))
    throw new Error(`${path}: cannot be written, the folder ${folder} does not exist`);
  try {
    const file = openSync(temporary, 'w');
    try {
      writeFully(file, header);
      for (const name of order) writeTensor(file, tensors.get(name)!);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw new Error(`${path}: cannot be written: ${(error as Error).message}`, { cause: error });
  }
  syncFolder(folder);
}

function withFile<T>(path: string, body: (file: number, size: number) => T): T {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(
      `${path}: ${code === 'ENOENT' ? 'no such file' : `cannot be opened (${code})`}`,
      { cause: error },
    );
  }
  try {
    const status = fstatSync(file);
    if (!status.isFile()) throw new Error(`${path}: expected a file`);
    return body(file, status.size);
  } finally {
    closeSync(file);
  }
}

function readHeader(path: string, file: number, size: number): Header {
  const broken = (why: string) => new Error(`${path}: not a whole safetensors file: ${why}`);
  if (size < 8) throw broken(`expected 8 bytes of header length, got ${size}`);
  const prefix = Buffer.alloc(8);
  readFully(path, file, prefix, 0);
  const length = prefix.readBigUInt64LE(0);
  if (length > largestHeader)
    throw broken(`expected a header of at most ${largestHeader} bytes, got ${length}`);
  const offset = 8 + Number(length);
  if (offset > size)
    throw broken(`expected a header of ${length} bytes, the file has ${size - 8} after its length`);
  const text = Buffer.alloc(Number(length));
  readFully(path, file, text, 8);
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(text));
  } catch {
    throw broken('its header is not JSON');
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw broken('expected an object as header');
  }
  const tensors = new Map<string, StoredTensor>();
  let metadata: Record<string, string> = {};
  for (const [name, entry] of Object.entries(parsed)) {
    if (name === '__metadata__') metadata = textRecord(entry, broken);
    else tensors.set(name, storedTensor(name, entry, broken));
  }
  // The data are the tensors in some order, without holes or overlaps.
  let at = 0;
  for (const [name, { begin, end }] of [...tensors].sort(
    ([, a], [, b]) => a.begin - b.begin || a.end - b.end,
  )) {
    if (begin !== at) throw broken(`expected ${name} to begin at byte ${at}, got ${begin}`);
    at = end;
  }
  if (offset + at !== size) throw broken(`expected ${at} bytes of data, got ${size - offset}`);
  return { tensors, metadata, offset };
}

function textRecord(entry: unknown, broken: (why: string) => Error): Record<string, string> {
  const plain = typeof entry === 'object' && entry !== null && !Array.isArray(entry);
  if (!plain || !Object.values(entry).every((value) => typeof value === 'string')) {
    throw broken('expected __metadata__ to be a table of strings');
  }
  return entry as Record<string, string>;
}

function storedTensor(name: string, entry: unknown, broken: (why: string) => Error): StoredTensor {
  const { dtype: stored, shape, data_offsets: offsets } = (entry ?? {}) as Record<string, unknown>;
  const dtype = typeof stored === 'string' ? dtypeOfStored(stored) : null;
  if (dtype === null)
    throw broken(`${name} has dtype ${JSON.stringify(stored)}, which is not known here`);
  if (!isSizes(shape)) throw broken(`${name} has shape ${JSON.stringify(shape)}`);
  if (!isSizes(offsets) || offsets.length !== 2 || offsets[0] > offsets[1]) {
    throw broken(`${name} has data_offsets ${JSON.stringify(offsets)}`);
  }
  const bytes = elements(shape) * dtypeBytes(dtype);
  if (offsets[1] - offsets[0] !== bytes) {
    const got = offsets[1] - offsets[0];
    throw broken(`${name} (${stored} ${shapeText(shape)}) expected ${bytes} bytes, got ${got}`);
  }
  return { dtype, shape, begin: offsets[0], end: offsets[1] };
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

/** The bytes before the data, and the order of the data: wide dtypes first, so all are aligned. */
function layOut(
  path: string,
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>>,
): { header: Buffer; order: string[] } {
  const width = (name: string) => dtypeBytes(tensors.get(name)!.dtype);
  const order = [...tensors.keys()].sort((a, b) => width(b) - width(a) || (a < b ? -1 : 1));
  const entries: [string, unknown][] =
    Object.keys(metadata).length > 0 ? [['__metadata__', metadata]] : [];
  let at = 0;
  for (const name of order) {
    const { dtype, shape, bytes } = tensors.get(name)!;
    const stored = storedName(dtype);
    if (stored === null)
      throw new Error(`${path}: ${name} has dtype ${dtype}, which safetensors does not have`);
    if (name === '__metadata__') throw new Error(`${path}: __metadata__ is no name for a tensor`);
    entries.push([name, { dtype: stored, shape, data_offsets: [at, at + bytes] }]);
    at += bytes;
  }
  const text = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const padded = Math.ceil(text.length / 8) * 8;
  const header = Buffer.alloc(8 + padded, ' ');
  header.writeBigUInt64LE(BigInt(padded), 0);
  text.copy(header, 8);
  return { header, order };
}

function writeTensor(file: number, tensor: Tensor): void {
  scope(() =>
    noGrad(() => {
      const plain = tensor.detach().to('cpu').contiguous();
      const { bytes } = plain;
      const buffer = Buffer.allocUnsafe(Math.min(block, bytes));
      for (let at = 0; at < bytes; at += block) {
        const part = buffer.subarray(0, Math.min(block, bytes - at));
        native().readBytes(plain.external, at, part);
        writeFully(file, part);
      }
    }),
  );
}

function readFully(path: string, file: number, target: Buffer, position: number): void {
  for (let done = 0; done < target.length;) {
    const count = readSync(file, target, done, target.length - done, position + done);
    if (count === 0) throw new Error(`${path}: ended at byte ${position + done} while it was read`);
    done += count;
  }
}

function writeFully(file: number, source: Buffer): void {
  for (let done = 0; done < source.length;) done += writeSync(file, source, done);
}

/** Makes the rename itself last; not every file system knows how. */
function syncFolder(folder: string): void {
  try {
    const handle = openSync(folder, 'r');
    try {
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
  } catch {
    // Windows and some network file systems cannot open a folder.
  }
}
