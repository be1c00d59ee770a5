/** Changing the size of pictures, and pictures of any shape in a square and back. */
import { byteFrames, elementCount, floatFrames, plane } from './frames.ts';
import type { Frames, Labels, Point } from './frames.ts';
import { resizeFrames, resizeLabels } from './resampling.ts';

export { resizeFrames, resizeLabels } from './resampling.ts';

/** How a picture was centred in a square and resized; made by `letterbox`. */
export interface Letterbox {
  readonly height: number;
  readonly width: number;
  /** The source with square pixels: as above where its pixels are square. */
  readonly squareHeight: number;
  readonly squareWidth: number;
  /** Side of the square in square pixels: the longer side. */
  readonly side: number;
  readonly left: number;
  readonly top: number;
  /** Side of the result in pixels. */
  readonly size: number;
}

/**
 * Makes pixels square where `spacing` (mm along x, y) says that they are not (CAMUS was recorded
 * with pixels twice as wide as high), centres the picture in a square by whole pixels, and brings
 * that to `size`.
 */
export function letterbox(
  height: number,
  width: number,
  size: number,
  spacing: readonly [number, number] = [1, 1],
): Letterbox {
  elementCount({ channels: 1, frames: 1, height, width }, 'letterbox');
  elementCount({ channels: 1, frames: 1, height: size, width: size }, 'letterbox');
  const coarse = Math.max(...spacing);
  // Spacings that differ by rounding are equal.
  const uneven = Math.abs(spacing[0] - spacing[1]) > 0.005 * coarse;
  const squareHeight = uneven ? Math.max(1, Math.round((height * spacing[1]) / coarse)) : height;
  const squareWidth = uneven ? Math.max(1, Math.round((width * spacing[0]) / coarse)) : width;
  const side = Math.max(squareHeight, squareWidth);
  return {
    height,
    width,
    squareHeight,
    squareWidth,
    side,
    left: Math.floor((side - squareWidth) / 2),
    top: Math.floor((side - squareHeight) / 2),
    size,
  };
}

/** Pads with zeros (black, background) to a square and resizes by `resizeFrames`. */
export function letterboxFrames(picture: Frames, box: Letterbox): Frames {
  const square = floatFrames({ ...picture, height: box.side, width: box.side });
  fits(picture, box.height, box.width);
  const even = resizeFrames(picture, box.squareHeight, box.squareWidth);
  return resizeFrames(pasteSquare(even, square, box), box.size, box.size);
}

/** As `letterboxFrames`, by `resizeLabels`. */
export function letterboxLabels(labels: Labels, box: Letterbox): Labels {
  const square = byteFrames({ ...labels, height: box.side, width: box.side });
  fits(labels, box.height, box.width);
  const even = resizeLabels(labels, box.squareHeight, box.squareWidth);
  return resizeLabels(pasteSquare(even, square, box), box.size, box.size);
}

function pasteSquare<T extends Float32Array | Uint8Array>(
  picture: Frames<T>,
  square: Frames<T>,
  box: Letterbox,
): Frames<T> {
  for (let c = 0; c < picture.channels; c++) {
    for (let t = 0; t < picture.frames; t++) {
      const from = plane(picture, c, t);
      const to = plane(square, c, t);
      for (let y = 0; y < picture.height; y++) {
        const row = from.subarray(y * picture.width, (y + 1) * picture.width);
        to.set(row as Uint8Array & Float32Array, (box.top + y) * box.side + box.left);
      }
    }
  }
  return square;
}

/** Back to the source's size: resized to the square, borders cut off. */
export function unletterboxFrames(picture: Frames, box: Letterbox): Frames {
  fits(picture, box.size, box.size);
  const square = resizeFrames(picture, box.side, box.side);
  const even = cutSquare(square, floatFrames({ ...picture, ...squareSize(box) }), box);
  return resizeFrames(even, box.height, box.width);
}

/** As `unletterboxFrames`, for labels. */
export function unletterboxLabels(labels: Labels, box: Letterbox): Labels {
  fits(labels, box.size, box.size);
  const square = resizeLabels(labels, box.side, box.side);
  const even = cutSquare(square, byteFrames({ ...labels, ...squareSize(box) }), box);
  return resizeLabels(even, box.height, box.width);
}

function squareSize(box: Letterbox): { height: number; width: number } {
  return { height: box.squareHeight, width: box.squareWidth };
}

function cutSquare<T extends Float32Array | Uint8Array>(
  square: Frames<T>,
  result: Frames<T>,
  box: Letterbox,
): Frames<T> {
  for (let c = 0; c < result.channels; c++) {
    for (let t = 0; t < result.frames; t++) {
      const from = plane(square, c, t);
      const to = plane(result, c, t);
      for (let y = 0; y < result.height; y++) {
        const start = (box.top + y) * box.side + box.left;
        const row = from.subarray(start, start + result.width);
        to.set(row as Uint8Array & Float32Array, y * result.width);
      }
    }
  }
  return result;
}

function fits(picture: Frames<Float32Array | Uint8Array>, height: number, width: number): void {
  if (picture.height !== height || picture.width !== width) {
    throw new Error(
      `letterbox: expected a picture of ${width} x ${height} (width x height), ` +
        `got ${picture.width} x ${picture.height}`,
    );
  }
}

/** Pixels of the letterboxed picture per source pixel, along x and y. */
export function letterboxScale(box: Letterbox): Point {
  return {
    x: ((box.squareWidth / box.width) * box.size) / box.side,
    y: ((box.squareHeight / box.height) * box.size) / box.side,
  };
}

/** A source pixel position in the letterboxed picture. */
export function toLetterbox(point: Point, box: Letterbox): Point {
  const scale = letterboxScale(box);
  return {
    x: (point.x + 0.5) * scale.x + (box.left * box.size) / box.side - 0.5,
    y: (point.y + 0.5) * scale.y + (box.top * box.size) / box.side - 0.5,
  };
}

/** A position in the letterboxed picture back in source pixels. */
export function fromLetterbox(point: Point, box: Letterbox): Point {
  const scale = letterboxScale(box);
  return {
    x: (point.x + 0.5 - (box.left * box.size) / box.side) / scale.x - 0.5,
    y: (point.y + 0.5 - (box.top * box.size) / box.side) / scale.y - 0.5,
  };
}

/** mm per pixel after letterboxing. */
export function letterboxSpacing(
  spacing: readonly [number, number],
  box: Letterbox,
): readonly [number, number] {
  const scale = letterboxScale(box);
  return [spacing[0] / scale.x, spacing[1] / scale.y];
}
