/** NIfTI files (.nii, .nii.gz): images, masks, sequences and flow, in mm and seconds. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { constants, gunzipSync, gzipSync } from 'node:zlib';
import { writeAtomic } from '../frames/atomic.ts';
import { packExtensions, parseExtensions } from '../frames/nifti-extension.ts';
import type { NiftiExtension } from '../frames/nifti-extension.ts';
import { packHeader, parseHeader } from './nifti-header.ts';
import type { NiftiArray, NiftiHeader } from './nifti-header.ts';

export { VECTOR_INTENT } from './nifti-header.ts';
export type { NiftiArray } from './nifti-header.ts';

export interface Nifti {
  readonly path: string;
  /** Sizes of the used axes, axis 0 (fastest in `data`) first. */
  readonly shape: readonly number[];
  /** Voxels with scl_slope and scl_inter applied; the file's own type where they change nothing. */
  readonly data: NiftiArray;
  /** mm along axes 0, 1, 2; 1 where the file does not say. */
  readonly spacing: readonly [number, number, number];
  /** Seconds between frames along axis 3; null where the file does not say. */
  readonly frameTime: number | null;
  /** NIfTI intent code; 1007 says that axis 4 holds vector components. */
  readonly intent: number;
  readonly description: string;
  readonly extensions: readonly NiftiExtension[];
}

export interface NiftiContent {
  /**
   * Axis 0 first (fastest). A sequence is [x, y, t] as CAMUS has it, or [x, y, 1, t]; flow is
   * [x, y, 1, t, 2].
   */
  readonly shape: readonly number[];
  readonly data: Uint8Array | Int16Array | Float32Array;
  /** mm along axes 0, 1 (and 2). */
  readonly spacing: readonly number[];
  /** Seconds between frames, written to pixdim[4] in milliseconds. */
  readonly frameTime?: number | null;
  /** Value of a voxel = slope * stored + intercept. */
  readonly slope?: number;
  readonly intercept?: number;
  readonly intent?: number;
  /** Up to 79 bytes. */
  readonly description?: string;
  readonly extensions?: readonly NiftiExtension[];
  /** gzip effort 1..9 for names that end in .gz. */
  readonly compressionLevel?: number;
}

// deflate cannot do better than 1032 to 1, so a larger claim is a broken or hostile header.
const LARGEST_RATIO = 1032;

/**
 * Reads NIfTI-1 or NIfTI-2, gzipped or not, either byte order.
 * Throws one sentence with file, expected and got: not a NIfTI file, truncated, sizes that do not
 * fit, a type that is not read, NaN or infinite voxels.
 */
export function readNifti(path: string): Nifti {
  return decodeNifti(readBytes(path), path);
}

/** As `readNifti`, from the bytes of a file; `path` is for messages. */
export function decodeNifti(file: Uint8Array, path: string): Nifti {
  const gzipped = file[0] === 0x1f && file[1] === 0x8b;
  const start = gzipped ? unzipStart(file, path) : plainBytes(file).subarray(0, 4096);
  const header = parseHeader(start, path);
  const voxels = header.shape.reduce((a, b) => a * b, 1);
  const expected = header.voxelOffset + voxels * header.bytesPerVoxel;
  if (gzipped && expected > LARGEST_RATIO * file.length + 1024) {
    throw new Error(
      `${path}: expected ${expected} bytes for ${header.shape.join(' x ')} voxels, ` +
        `got a gzip file of ${file.length} bytes, which cannot hold them`,
    );
  }
  const bytes = gzipped ? unzip(file, expected, path) : plainBytes(file);
  if (bytes.length < expected) {
    throw new Error(
      `${path}: expected ${expected} bytes for ${header.shape.join(' x ')} voxels of ` +
        `${header.bytesPerVoxel} bytes, got ${bytes.length}: the file is truncated`,
    );
  }
  const data = scale(typedVoxels(bytes, header, voxels), header);
  checkFinite(data, header.shape, path);
  return {
    path,
    shape: header.shape,
    data,
    spacing: header.spacing,
    frameTime: header.frameTime,
    intent: header.intent,
    description: header.description,
    extensions: parseExtensions(bytes, header.headerSize, header.voxelOffset, header.littleEndian),
  };
}

/** Sizes of the used axes from the header alone; the voxels are not read. */
export function readNiftiShape(path: string): readonly number[] {
  return readHeader(path).shape;
}

/** mm along axes 0, 1, 2 from the header alone; 1 where the file does not say. */
export function readNiftiSpacing(path: string): readonly [number, number, number] {
  return readHeader(path).spacing;
}

function readHeader(path: string): NiftiHeader {
  const start = readBytes(path, 4096);
  const gzipped = start[0] === 0x1f && start[1] === 0x8b;
  return parseHeader(gzipped ? unzipStart(start, path) : start, path);
}

/** The file's size checked first, so that a huge file is refused before it is read. */
function readBytes(path: string, most = 2 ** 31 - 1): Uint8Array {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    throw new Error(
      `${path}: expected a NIfTI file, got ${code === 'ENOENT' ? 'no such file' : code}`,
    );
  }
  try {
    const { size } = fstatSync(descriptor);
    if (!fstatSync(descriptor).isFile() || size > 2 ** 31 - 1) {
      throw new Error(`${path}: expected a file below 2 GiB, got ${size} bytes or no plain file`);
    }
    const bytes = new Uint8Array(Math.min(size, most));
    let done = 0;
    while (done < bytes.length) {
      const count = readSync(descriptor, bytes, done, bytes.length - done, done);
      if (count === 0) break;
      done += count;
    }
    return bytes.subarray(0, done);
  } finally {
    closeSync(descriptor);
  }
}

function unzipStart(file: Uint8Array, path: string): Uint8Array {
  try {
    // 4 KiB of deflate hold at most 4 MiB and always the fixed header.
    return plainBytes(gunzipSync(file.subarray(0, 4096), { finishFlush: constants.Z_SYNC_FLUSH }));
  } catch (error) {
    throw new Error(`${path}: expected a gzip file, got damaged data (${message(error)})`);
  }
}

function unzip(file: Uint8Array, expected: number, path: string): Uint8Array {
  try {
    const room = expected + 1024;
    return plainBytes(gunzipSync(file, { chunkSize: room, maxOutputLength: room }));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ERR_BUFFER_TOO_LARGE') {
      throw new Error(`${path}: expected ${expected} bytes after unzipping, got more`);
    }
    if (code === 'Z_BUF_ERROR') {
      throw new Error(
        `${path}: expected ${expected} bytes after unzipping, got fewer: the file is truncated`,
      );
    }
    throw new Error(`${path}: expected a whole gzip file, got damaged data (${message(error)})`);
  }
}

/** The same memory without Buffer's ways: a Buffer's slice is a view, not a copy. */
function plainBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function message(error: unknown): string {
  return (error as Error).message;
}

/** A copy, in this machine's byte order and aligned. */
function typedVoxels(bytes: Uint8Array, header: NiftiHeader, voxels: number): NiftiArray {
  const { voxelOffset, bytesPerVoxel, typeCode, littleEndian } = header;
  const raw = bytes.slice(voxelOffset, voxelOffset + voxels * bytesPerVoxel);
  if (!littleEndian) swapBytes(raw, bytesPerVoxel);
  const buffer = raw.buffer;
  switch (typeCode) {
    case 2:
      return raw;
    case 256:
      return new Int8Array(buffer);
    case 4:
      return new Int16Array(buffer);
    case 512:
      return new Uint16Array(buffer);
    case 8:
      return new Int32Array(buffer);
    case 768:
      return new Uint32Array(buffer);
    case 16:
      return new Float32Array(buffer);
    case 64:
      return new Float64Array(buffer);
    case 1024:
      return Float64Array.from(new BigInt64Array(buffer), Number);
    default:
      return Float64Array.from(new BigUint64Array(buffer), Number);
  }
}

function swapBytes(raw: Uint8Array, size: number): void {
  const bytes = Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength);
  if (size === 2) bytes.swap16();
  if (size === 4) bytes.swap32();
  if (size === 8) bytes.swap64();
}

function scale(data: NiftiArray, { slope, intercept }: NiftiHeader): NiftiArray {
  if (slope === 1 && intercept === 0) return data;
  const scaled = new Float32Array(data.length);
  for (let i = 0; i < data.length; i++) scaled[i] = data[i] * slope + intercept;
  return scaled;
}

function checkFinite(data: NiftiArray, shape: readonly number[], path: string): void {
  if (!(data instanceof Float32Array || data instanceof Float64Array)) return;
  // One pass without branches: a single NaN or infinity makes the sum NaN.
  let probe = 0;
  for (let i = 0; i < data.length; i++) probe += data[i] * 0;
  if (probe === 0) return;
  const index = data.findIndex((value) => !Number.isFinite(value));
  const place: number[] = [];
  let rest = index;
  for (const size of shape) {
    place.push(rest % size);
    rest = Math.floor(rest / size);
  }
  throw new Error(
    `${path}: expected finite voxels, got ${data[index]} at voxel (${place.join(', ')})`,
  );
}

/**
 * Writes NIfTI-1, little-endian, mm and milliseconds; gzipped when `path` ends in .gz, with no
 * time stamp, so that equal content gives equal bytes. Atomic (see `writeAtomic`).
 */
export function writeNifti(path: string, content: NiftiContent): void {
  writeAtomic(path, encodeNifti(content, path));
}

/** The bytes that `writeNifti` writes; `path` decides on gzip. */
export function encodeNifti(content: NiftiContent, path: string): Uint8Array {
  const { shape, data, spacing } = content;
  const voxels = shape.reduce((a, b) => a * b, 1);
  const whole = shape.every((size) => Number.isInteger(size) && size >= 1 && size <= 32767);
  if (shape.length < 1 || shape.length > 7 || !whole || voxels !== data.length) {
    throw new Error(
      `${path}: expected 1 to 7 sizes of 1..32767 for ${data.length} voxels, ` +
        `got ${shape.join(' x ')}`,
    );
  }
  if (spacing.length < 2 || !spacing.every((size) => Number.isFinite(size) && size > 0)) {
    throw new Error(`${path}: expected positive spacings in mm, got ${spacing.join(', ')}`);
  }
  checkFinite(data, shape, path);
  const extensions = packExtensions(content.extensions ?? []);
  const header = packHeader({
    shape,
    typeCode: data instanceof Uint8Array ? 2 : data instanceof Int16Array ? 4 : 16,
    bytesPerVoxel: data.BYTES_PER_ELEMENT,
    voxelOffset: 348 + extensions.length,
    slope: content.slope ?? 1,
    intercept: content.intercept ?? 0,
    spacing,
    frameTime: content.frameTime ?? null,
    intent: content.intent ?? 0,
    description: content.description ?? '',
  });
  const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const bytes = Buffer.concat([header, extensions, raw]);
  if (!path.endsWith('.gz')) return bytes;
  const zipped = gzipSync(bytes, { level: content.compressionLevel ?? 1 });
  // Byte 9 names the operating system; 255 (unknown) keeps it out of the bytes.
  zipped[9] = 255;
  return zipped;
}
