/**
 * Pictures outside tensors: row-major typed arrays [channels][frames][height][width].
 * Images are grey in [0,1]; masks hold labels; flow holds (dx, dy).
 */

/**
 * Row-major [channels][frames][height][width]. Images are grey in [0,1]; masks hold labels; flow
 * holds (dx, dy).
 */
export interface Frames<T extends Float32Array | Uint8Array = Float32Array> {
  readonly channels: number;
  readonly frames: number;
  readonly height: number;
  readonly width: number;
  readonly data: T;
}

/** One channel: 0 background, 1 LV cavity, 2 myocardium, 3 left atrium. */
export type Labels = Frames<Uint8Array>;

/** Pixel coordinates, x right, y down, pixel centres at integers. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

export type Polyline = readonly Point[];

export interface Shape {
  readonly channels: number;
  readonly frames: number;
  readonly height: number;
  readonly width: number;
}

/** The size as people read it: `1x16x128x128` (channels, frames, height, width). */
export function shapeText(shape: Shape): string {
  return `${shape.channels}x${shape.frames}x${shape.height}x${shape.width}`;
}

/** Number of elements; throws when a size is not a positive whole number. */
export function elementCount(shape: Shape, what = 'frames'): number {
  const sizes = [shape.channels, shape.frames, shape.height, shape.width];
  if (sizes.some((size) => !Number.isSafeInteger(size) || size < 1)) {
    throw new Error(
      `${what}: expected positive whole sizes (channels x frames x height x width), ` +
        `got ${shapeText(shape)}`,
    );
  }
  return sizes.reduce((a, b) => a * b, 1);
}

/** Float pictures around `data` (not copied) or zeros; throws when the length does not fit. */
export function floatFrames(shape: Shape, data?: Float32Array, what = 'frames'): Frames {
  const count = elementCount(shape, what);
  return assemble(shape, fit(shape, count, data ?? new Float32Array(count), what));
}

/** Byte pictures (labels, 8-bit colour) around `data` (not copied) or zeros. */
export function byteFrames(shape: Shape, data?: Uint8Array, what = 'frames'): Frames<Uint8Array> {
  const count = elementCount(shape, what);
  return assemble(shape, fit(shape, count, data ?? new Uint8Array(count), what));
}

/** A label map of one channel, `data` as [frames][height][width]. */
export function labelFrames(
  frames: number,
  height: number,
  width: number,
  data?: Uint8Array,
  what = 'labels',
): Labels {
  return byteFrames({ channels: 1, frames, height, width }, data, what);
}

function fit<T extends Float32Array | Uint8Array>(
  shape: Shape,
  count: number,
  data: T,
  what: string,
): T {
  if (data.length !== count) {
    throw new Error(
      `${what}: expected ${count} values for ${shapeText(shape)}, got ${data.length}`,
    );
  }
  return data;
}

function assemble<T extends Float32Array | Uint8Array>(shape: Shape, data: T): Frames<T> {
  const { channels, frames, height, width } = shape;
  return { channels, frames, height, width, data };
}

/** What a picture must be; a field left out is not checked. */
export interface Expectation extends Partial<Shape> {
  readonly minimum?: number;
  readonly maximum?: number;
}

/**
 * Throws one sentence when the picture is not whole: sizes, length, NaN or infinite pixels, and
 * whatever `expected` names.
 */
export function checkFrames(
  picture: Frames<Float32Array | Uint8Array>,
  what: string,
  expected: Expectation = {},
): void {
  fit(picture, elementCount(picture, what), picture.data, what);
  for (const side of ['channels', 'frames', 'height', 'width'] as const) {
    if (expected[side] !== undefined && picture[side] !== expected[side]) {
      throw new Error(
        `${what}: expected ${side} ${expected[side]}, got ${picture[side]} ` +
          `(${shapeText(picture)})`,
      );
    }
  }
  const { data } = picture;
  const minimum = expected.minimum ?? -Infinity;
  const maximum = expected.maximum ?? Infinity;
  for (let i = 0; i < data.length; i++) {
    const value = data[i];
    if (!Number.isFinite(value) || value < minimum || value > maximum) {
      const range = Number.isFinite(minimum + maximum)
        ? `pixels in ${minimum}..${maximum}`
        : 'finite pixels';
      throw new Error(`${what}: expected ${range}, got ${value} at ${placeText(picture, i)}`);
    }
  }
}

/** Throws when the picture is not one channel of the allowed labels. */
export function checkLabels(labels: Labels, allowed: readonly number[], what: string): void {
  fit(labels, elementCount(labels, what), labels.data, what);
  if (labels.channels !== 1) {
    throw new Error(`${what}: expected 1 channel of labels, got ${labels.channels}`);
  }
  const known = new Uint8Array(256);
  for (const label of allowed) known[label] = 1;
  const index = labels.data.findIndex((label) => known[label] === 0);
  if (index >= 0) {
    throw new Error(
      `${what}: expected labels ${allowed.join(', ')}, got ${labels.data[index]} ` +
        `at ${placeText(labels, index)}`,
    );
  }
}

function placeText(shape: Shape, index: number): string {
  const x = index % shape.width;
  const y = Math.floor(index / shape.width) % shape.height;
  const t = Math.floor(index / (shape.width * shape.height)) % shape.frames;
  return `frame ${t}, x ${x}, y ${y}`;
}

/** View of one channel of one frame, [height][width]; shares memory. */
export function plane<T extends Float32Array | Uint8Array>(
  picture: Frames<T>,
  channel: number,
  frame: number,
): T {
  const { channels, frames, height, width } = picture;
  if (channel < 0 || channel >= channels || frame < 0 || frame >= frames) {
    throw new Error(
      `plane: expected a channel below ${channels} and a frame below ${frames}, ` +
        `got channel ${channel}, frame ${frame}`,
    );
  }
  const size = height * width;
  const start = (channel * frames + frame) * size;
  return picture.data.subarray(start, start + size) as T;
}

/** A copy with only the named frames, in the given order; a frame may be named twice. */
export function selectFrames<T extends Float32Array | Uint8Array>(
  picture: Frames<T>,
  order: readonly number[],
): Frames<T> {
  return gather(picture, countUp(picture.channels), order);
}

/** A copy with only the named channels, in the given order. */
export function selectChannels<T extends Float32Array | Uint8Array>(
  picture: Frames<T>,
  order: readonly number[],
): Frames<T> {
  return gather(picture, order, countUp(picture.frames));
}

/** One frame as a picture of its own (a copy). */
export function frameAt<T extends Float32Array | Uint8Array>(
  picture: Frames<T>,
  frame: number,
): Frames<T> {
  return selectFrames(picture, [frame]);
}

/** The frames in reverse order (a copy). */
export function reverseFrames<T extends Float32Array | Uint8Array>(picture: Frames<T>): Frames<T> {
  return selectFrames(picture, countUp(picture.frames).reverse());
}

/** Pictures of equal channels and size, one after another in time. */
export function joinFrames<T extends Float32Array | Uint8Array>(
  pictures: readonly Frames<T>[],
  what = 'joinFrames',
): Frames<T> {
  if (pictures.length === 0) throw new Error(`${what}: expected at least one picture, got none`);
  const first = pictures[0];
  const frames = pictures.reduce((sum, picture) => sum + picture.frames, 0);
  const shape = { ...first, frames };
  const result = assemble(shape, allocate(first, elementCount(shape, what)));
  let at = 0;
  pictures.forEach((picture, index) => {
    const same = (['channels', 'height', 'width'] as const).every((k) => picture[k] === first[k]);
    if (!same) {
      throw new Error(
        `${what}: expected every picture like the first (${shapeText(first)}), ` +
          `got ${shapeText(picture)} at number ${index}`,
      );
    }
    for (let c = 0; c < first.channels; c++) {
      for (let t = 0; t < picture.frames; t++) {
        plane(result, c, at + t).set(plane(picture, c, t));
      }
    }
    at += picture.frames;
  });
  return result;
}

function gather<T extends Float32Array | Uint8Array>(
  picture: Frames<T>,
  channels: readonly number[],
  frames: readonly number[],
): Frames<T> {
  const shape = { ...picture, channels: channels.length, frames: frames.length };
  const result = assemble(shape, allocate(picture, elementCount(shape, 'selection')));
  channels.forEach((from, c) => {
    frames.forEach((time, t) => plane(result, c, t).set(plane(picture, from, time)));
  });
  return result;
}

function allocate<T extends Float32Array | Uint8Array>(like: Frames<T>, count: number): T {
  const blank = like.data instanceof Float32Array ? new Float32Array(count) : new Uint8Array(count);
  return blank as T;
}

function countUp(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}
