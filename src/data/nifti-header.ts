/** The fixed header of NIfTI-1 and NIfTI-2, checked, in plain fields. */
import { NIFTI1, NIFTI2 } from 'nifti-reader-js';

export type NiftiArray =
  | Uint8Array
  | Int8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array;

export interface NiftiHeader {
  /** Sizes of the used axes, axis 0 (fastest) first. */
  readonly shape: readonly number[];
  readonly typeCode: number;
  readonly bytesPerVoxel: number;
  readonly headerSize: number;
  readonly voxelOffset: number;
  readonly littleEndian: boolean;
  readonly slope: number;
  readonly intercept: number;
  /** mm along axes 0, 1, 2. */
  readonly spacing: readonly [number, number, number];
  /** Seconds between frames along axis 3; null where the file does not say. */
  readonly frameTime: number | null;
  readonly intent: number;
  readonly description: string;
}

/** Bytes of a voxel by NIfTI type code; what is absent here is not read. */
const VOXEL_BYTES: Readonly<Record<number, number>> = {
  2: 1,
  4: 2,
  8: 4,
  16: 4,
  64: 8,
  256: 1,
  512: 2,
  768: 4,
  1024: 8,
  1280: 8,
};

const LARGEST_FILE = 2 ** 31 - 2 ** 20;

/** NIFTI_INTENT_VECTOR: axis 4 holds the components of a vector. */
export const VECTOR_INTENT = 1007;

/**
 * Parses the first bytes of an uncompressed NIfTI file (540 are enough).
 * Throws one sentence naming `path` when they are not a readable header.
 */
export function parseHeader(bytes: Uint8Array, path: string): NiftiHeader {
  const version = headerVersion(bytes, path);
  const headerSize = version === 1 ? 348 : 540;
  if (bytes.length < headerSize) {
    throw new Error(`${path}: expected a header of ${headerSize} bytes, got ${bytes.length}`);
  }
  const raw = version === 1 ? new NIFTI1() : new NIFTI2();
  // Exactly the fixed part: the library's walk through the extensions trusts their sizes.
  raw.readHeader(bytes.slice(0, headerSize).buffer);
  const shape = checkShape(raw.dims, path);
  const bytesPerVoxel = VOXEL_BYTES[raw.datatypeCode];
  if (bytesPerVoxel === undefined) {
    const types = Object.keys(VOXEL_BYTES).join(', ');
    throw new Error(
      `${path}: expected whole or real voxels (NIfTI types ${types}), got type ${raw.datatypeCode}`,
    );
  }
  const voxelOffset = raw.vox_offset;
  if (!Number.isInteger(voxelOffset) || voxelOffset < headerSize || voxelOffset > LARGEST_FILE) {
    throw new Error(
      `${path}: expected the voxels to start at byte ${headerSize + 4} or later, ` +
        `got ${voxelOffset}`,
    );
  }
  const total = voxelOffset + bytesPerVoxel * shape.reduce((a, b) => a * b, 1);
  if (total > LARGEST_FILE) {
    throw new Error(`${path}: expected at most ${LARGEST_FILE} bytes, got sizes for ${total}`);
  }
  const unit = unitScale(raw.xyzt_units);
  return {
    shape,
    typeCode: raw.datatypeCode,
    bytesPerVoxel,
    headerSize,
    voxelOffset,
    littleEndian: raw.littleEndian,
    ...scaling(raw.scl_slope, raw.scl_inter),
    spacing: [1, 2, 3].map((axis) => positive(raw.pixDims[axis]) * unit.length) as [
      number,
      number,
      number,
    ],
    frameTime: frameTime(shape, raw.pixDims[4], unit.time),
    intent: raw.intent_code,
    description: raw.description,
  };
}

function headerVersion(bytes: Uint8Array, path: string): 1 | 2 {
  if (bytes.length >= 12) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const sizes = [view.getInt32(0, true), view.getInt32(0, false)];
    const text = (at: number) => String.fromCharCode(...bytes.subarray(at, at + 3));
    if (sizes.includes(348) && (bytes.length < 348 || text(344) === 'n+1')) return 1;
    if (sizes.includes(540) && text(4) === 'n+2') return 2;
    if (sizes.includes(348) && text(344) === 'ni1') {
      throw new Error(`${path}: expected one .nii file (magic n+1), got half of a .hdr/.img pair`);
    }
  }
  const start = [...bytes.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, '0'));
  throw new Error(
    `${path}: expected a NIfTI file (header size 348 or 540, magic n+1 or n+2), ` +
      `got ${bytes.length === 0 ? 'an empty file' : `one that begins with ${start.join(' ')}`}`,
  );
}

function checkShape(dims: readonly number[], path: string): number[] {
  const rank = dims[0];
  const shape = dims.slice(1, rank + 1);
  if (rank < 1 || rank > 7 || shape.some((size) => !Number.isSafeInteger(size) || size < 1)) {
    throw new Error(
      `${path}: expected 1 to 7 axes with positive sizes, ` +
        `got ${rank} axes with sizes ${dims.slice(1).join(' x ')}`,
    );
  }
  return shape;
}

// A slope of 0 says "no scaling" (nifti1.h), and so must a slope that is no number.
function scaling(slope: number, intercept: number): { slope: number; intercept: number } {
  if (!Number.isFinite(slope) || slope === 0 || !Number.isFinite(intercept)) {
    return { slope: 1, intercept: 0 };
  }
  return { slope, intercept };
}

function positive(size: number): number {
  return Number.isFinite(size) && size !== 0 ? Math.abs(size) : 1;
}

// xyzt_units: bits 0..2 length (1 m, 2 mm, 3 um), bits 3..5 time (8 s, 16 ms, 24 us).
function unitScale(units: number): { length: number; time: number | null } {
  const length: Record<number, number> = { 1: 1000, 2: 1, 3: 1e-3 };
  const time: Record<number, number> = { 8: 1, 16: 1e-3, 24: 1e-6 };
  return { length: length[units & 7] ?? 1, time: time[units & 0x38] ?? null };
}

function frameTime(shape: readonly number[], size: number, unit: number | null): number | null {
  if (shape.length < 4 || shape[3] < 2 || unit === null) return null;
  return Number.isFinite(size) && size > 0 ? size * unit : null;
}

export interface HeaderFields {
  readonly shape: readonly number[];
  readonly typeCode: number;
  readonly bytesPerVoxel: number;
  readonly voxelOffset: number;
  readonly slope: number;
  readonly intercept: number;
  readonly spacing: readonly number[];
  readonly frameTime: number | null;
  readonly intent: number;
  readonly description: string;
}

/** A little-endian NIfTI-1 header of 348 bytes: mm, milliseconds, axes unrotated (sform). */
export function packHeader(fields: HeaderFields): Uint8Array {
  const bytes = new Uint8Array(348);
  const view = new DataView(bytes.buffer);
  const short = (at: number, value: number) => view.setInt16(at, value, true);
  const float = (at: number, value: number) => view.setFloat32(at, value, true);
  view.setInt32(0, 348, true);
  short(40, fields.shape.length);
  for (let axis = 0; axis < 7; axis++) short(42 + 2 * axis, fields.shape[axis] ?? 1);
  short(68, fields.intent);
  short(70, fields.typeCode);
  short(72, 8 * fields.bytesPerVoxel);
  const [x, y, z = 1] = fields.spacing;
  [1, x, y, z, (fields.frameTime ?? 0) * 1000].forEach((size, k) => float(76 + 4 * k, size));
  float(108, fields.voxelOffset);
  float(112, fields.slope);
  float(116, fields.intercept);
  bytes[123] = 2 | 16;
  new TextEncoder().encodeInto(fields.description, bytes.subarray(148, 227));
  short(254, 1);
  [x, y, z].forEach((size, row) => float(280 + 20 * row, size));
  bytes.set([0x6e, 0x2b, 0x31, 0], 344);
  return bytes;
}
