/**
 * Changing the size of pictures: area average when a side shrinks, bilinear when it grows
 * (OpenCV's INTER_AREA and INTER_LINEAR), area vote for labels.
 */
import { floatFrames, labelFrames, plane } from './frames.ts';
import type { Frames, Labels } from './frames.ts';

/** Output position i takes `counts[i]` inputs from `first[i]`, weights from `offsets[i]` on. */
interface AxisWeights {
  readonly first: Int32Array;
  readonly counts: Int32Array;
  readonly offsets: Int32Array;
  readonly weights: Float64Array;
}

/**
 * Float pictures to `height` x `width`: per axis area average (shrinking) or bilinear with
 * half-pixel centres and repeated borders (growing). Flow values are not rescaled.
 */
export function resizeFrames(picture: Frames, height: number, width: number): Frames {
  if (picture.height === height && picture.width === width) {
    return { ...picture, data: picture.data.slice() };
  }
  const result = floatFrames({ ...picture, height, width }, undefined, 'resizeFrames');
  const across = axisWeights(picture.width, width, 'bilinear');
  const down = axisWeights(picture.height, height, 'bilinear');
  const rows = new Float32Array(picture.height * width);
  for (let c = 0; c < picture.channels; c++) {
    for (let t = 0; t < picture.frames; t++) {
      shrinkRows(plane(picture, c, t), picture.width, rows, width, picture.height, across);
      shrinkColumns(rows, plane(result, c, t), width, height, down);
    }
  }
  return result;
}

function shrinkRows(
  from: Float32Array,
  fromWidth: number,
  to: Float32Array,
  toWidth: number,
  height: number,
  { first, counts, offsets, weights }: AxisWeights,
): void {
  for (let y = 0; y < height; y++) {
    const row = y * fromWidth;
    for (let x = 0; x < toWidth; x++) {
      const at = row + first[x];
      const offset = offsets[x];
      const count = counts[x];
      let sum = 0;
      for (let k = 0; k < count; k++) sum += weights[offset + k] * from[at + k];
      to[y * toWidth + x] = sum;
    }
  }
}

function shrinkColumns(
  from: Float32Array,
  to: Float32Array,
  width: number,
  toHeight: number,
  { first, counts, offsets, weights }: AxisWeights,
): void {
  const sums = new Float64Array(width);
  for (let y = 0; y < toHeight; y++) {
    sums.fill(0);
    for (let k = 0; k < counts[y]; k++) {
      const weight = weights[offsets[y] + k];
      const at = (first[y] + k) * width;
      for (let x = 0; x < width; x++) sums[x] += weight * from[at + x];
    }
    to.set(sums, y * width);
  }
}

/**
 * Labels to `height` x `width`: the label that covers most of each output pixel; an equal vote
 * goes to the larger label, so that a thin structure is not lost to the background. Where a side
 * grows, the nearest pixel.
 */
export function resizeLabels(labels: Labels, height: number, width: number): Labels {
  if (labels.height === height && labels.width === width) {
    return { ...labels, data: labels.data.slice() };
  }
  const result = labelFrames(labels.frames, height, width, undefined, 'resizeLabels');
  const across = axisWeights(labels.width, width, 'nearest');
  const down = axisWeights(labels.height, height, 'nearest');
  for (let t = 0; t < labels.frames; t++) {
    const to = plane(result, 0, t);
    const from = plane(labels, 0, t);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        to[y * width + x] = voteLabel(from, labels.width, across, x, down, y);
      }
    }
  }
  return result;
}

const votes = new Float64Array(256);

function voteLabel(
  from: Uint8Array,
  width: number,
  across: AxisWeights,
  x: number,
  down: AxisWeights,
  y: number,
): number {
  const left = across.first[x];
  const right = left + across.counts[x];
  const top = down.first[y];
  const bottom = top + down.counts[y];
  const columns = across.offsets[x] - left;
  const rows = down.offsets[y] - top;
  const start = from[top * width + left];
  let mixed = false;
  for (let j = top; j < bottom; j++) {
    for (let i = left; i < right; i++) {
      const label = from[j * width + i];
      if (label !== start) mixed = true;
      votes[label] += down.weights[rows + j] * across.weights[columns + i];
    }
  }
  let best = start;
  if (mixed) {
    for (let j = top; j < bottom; j++) {
      for (let i = left; i < right; i++) {
        const label = from[j * width + i];
        // Weights are sums of fractions: votes closer than rounding are equal votes.
        const lead = votes[label] - votes[best];
        if (lead > 1e-9 || (lead > -1e-9 && label > best)) best = label;
      }
    }
    votes.fill(0);
  }
  votes[start] = 0;
  return best;
}

function axisWeights(from: number, to: number, growth: 'bilinear' | 'nearest'): AxisWeights {
  const scale = from / to;
  const first = new Int32Array(to);
  const counts = new Int32Array(to);
  const offsets = new Int32Array(to);
  const weights: number[] = [];
  for (let i = 0; i < to; i++) {
    offsets[i] = weights.length;
    if (to < from) {
      const start = i * scale;
      const end = Math.min((i + 1) * scale, from);
      first[i] = Math.floor(start + 1e-9);
      const last = Math.max(first[i] + 1, Math.ceil(end - 1e-9));
      for (let pixel = first[i]; pixel < last; pixel++) {
        weights.push((Math.min(pixel + 1, end) - Math.max(pixel, start)) / (end - start));
      }
    } else if (growth === 'nearest' || from === 1) {
      first[i] = Math.min(from - 1, Math.floor((i + 0.5) * scale));
      weights.push(1);
    } else {
      const centre = Math.min(Math.max((i + 0.5) * scale - 0.5, 0), from - 1);
      first[i] = Math.min(Math.floor(centre), from - 2);
      weights.push(1 - (centre - first[i]), centre - first[i]);
    }
    counts[i] = weights.length - offsets[i];
  }
  return { first, counts, offsets, weights: Float64Array.from(weights) };
}
