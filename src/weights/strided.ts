/** The elements of a strided view, row by row. */
import { dtypeBytes } from '../tensor/dtype.ts';
import { Refusal } from './bytes.ts';
import type { Bytes } from './bytes.ts';
import type { StoredTensor } from './pickle-values.ts';

/** Copies go through a buffer of this size. */
const block = 4 * 1024 * 1024;
/** Elements that lie further apart than this on average are read page by page. */
const sparsest = 4;
const smallestSpan = 64 * 1024;
const page = 4096;

/** Where a run of elements goes. */
export type Write = (at: number, bytes: Buffer) => void;

/** Bytes of a tensor when its elements follow each other. */
export function tensorBytes({ shape, dtype }: Pick<StoredTensor, 'shape' | 'dtype'>): number {
  return shape.reduce((product, size) => product * size, 1) * dtypeBytes(dtype);
}

/**
 * Reads the elements of `tensor` in row-major order, little-endian, and hands them to `write` from
 * first to last; a buffer is good until `write` returns. Memory: one block where the elements
 * already follow each other, else the tensor and the stretch of the storage that it lies in.
 *
 * @param source the bytes of the tensor's storage
 */
export function readElements(tensor: StoredTensor, source: Bytes, bigEndian: boolean, write: Write) {
  const bytes = tensorBytes(tensor);
  if (bytes === 0) return;
  const swap = bigEndian ? swapBytes(tensor) : () => {};
  if (!followEachOther(tensor)) {
    const gathered = gather(tensor, source, bytes);
    swap(gathered);
    write(0, gathered);
    return;
  }
  const buffer = Buffer.allocUnsafe(Math.min(block, bytes));
  const start = firstByte(tensor);
  for (let at = 0; at < bytes; at += block) {
    const part = buffer.subarray(0, Math.min(block, bytes - at));
    source.readInto(part, start + at);
    swap(part);
    write(at, part);
  }
}

/** Zeros; a Refusal where there is no memory for so many. */
export function allocate(bytes: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(bytes);
  } catch {
    throw new Refusal(`expected memory for ${bytes} bytes, there is not so much`);
  }
}

function firstByte({ storage, offset, dtype }: StoredTensor): number {
  return storage.begin + offset * dtypeBytes(dtype);
}

/** Whether the tensor is contiguous; the stride of an axis of one element does not matter. */
function followEachOther({ shape, strides }: StoredTensor): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false;
    expected *= shape[axis];
  }
  return true;
}

function gather(tensor: StoredTensor, source: Bytes, bytes: number): Buffer {
  const { shape, strides, dtype } = tensor;
  const width = dtypeBytes(dtype);
  const start = firstByte(tensor);
  const last = shape.reduce((sum, size, axis) => sum + (size - 1) * strides[axis], 0);
  const span = (last + 1) * width;
  if (span > sparsest * bytes + smallestSpan) {
    const out = Buffer.from(allocate(bytes).buffer);
    const near = Buffer.alloc(page);
    let nearAt = -page;
    let at = 0;
    forEachElement(shape, strides, (element) => {
      const place = element * width;
      if (place < nearAt || place + width > nearAt + page) {
        nearAt = Math.min(place, span - page);
        source.readInto(near, start + nearAt);
      }
      near.copy(out, at, place - nearAt, place - nearAt + width);
      at += width;
    });
    return out;
  }
  const stretch = allocate(span);
  source.readInto(stretch, start);
  const out = allocate(bytes);
  // Copied by the widest words that an element is made of; never as floats, which would change NaNs.
  const Words = width === 1 ? Uint8Array : width === 2 ? Uint16Array : Uint32Array;
  const from = new Words(stretch.buffer);
  const to = new Words(out.buffer);
  const words = width / Words.BYTES_PER_ELEMENT;
  let next = 0;
  forEachElement(shape, strides, (element) => {
    for (let word = 0; word < words; word++) to[next++] = from[element * words + word];
  });
  return Buffer.from(out.buffer);
}

/** Calls `visit` with the place of every element, counted from the first, the last axis fastest. */
function forEachElement(
  shape: readonly number[],
  strides: readonly number[],
  visit: (element: number) => void,
): void {
  const inner = shape.length - 1;
  const index = new Array<number>(shape.length).fill(0);
  for (let row = 0; row >= 0;) {
    for (let i = 0; i < shape[inner]; i++) visit(row + i * strides[inner]);
    let axis = inner - 1;
    for (; axis >= 0; axis--) {
      row += strides[axis];
      if (++index[axis] < shape[axis]) break;
      row -= shape[axis] * strides[axis];
      index[axis] = 0;
    }
    if (axis < 0) return;
  }
}

/** Turns elements that a big-endian machine wrote around, in place. */
function swapBytes({ dtype }: StoredTensor): (bytes: Buffer) => void {
  const complex = dtype === 'complex64' || dtype === 'complex128';
  const width = dtypeBytes(dtype) / (complex ? 2 : 1);
  if (width === 2) return (bytes) => void bytes.swap16();
  if (width === 4) return (bytes) => void bytes.swap32();
  return width === 8 ? (bytes) => void bytes.swap64() : () => {};
}
