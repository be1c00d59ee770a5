/**
 * Displacement fields (dx, dy), forward: the material at pixel p of frame t is at p + flow(p) in
 * the next frame. Reading the next frame at p + flow(p) brings it back to frame t.
 */
import { floatFrames, plane } from '../frames/frames.ts';
import type { Frames, Labels } from '../frames/frames.ts';

/**
 * The displacement over several steps: `flow` holds one frame a step, in pixels of its own grid;
 * the result is one frame, p -> p + f0(p) -> ... by bilinear reading, borders repeated.
 */
export function composeFlow(flow: Frames): Frames {
  const { height, width } = flow;
  const total = floatFrames({ channels: 2, frames: 1, height, width });
  const sumX = plane(total, 0, 0);
  const sumY = plane(total, 1, 0);
  sumX.set(plane(flow, 0, 0));
  sumY.set(plane(flow, 1, 0));
  for (let step = 1; step < flow.frames; step++) {
    const dx = plane(flow, 0, step);
    const dy = plane(flow, 1, step);
    for (let y = 0, i = 0; y < height; y++) {
      for (let x = 0; x < width; x++, i++) {
        const atX = x + sumX[i];
        const atY = y + sumY[i];
        sumX[i] += readBilinear(dx, height, width, atX, atY);
        sumY[i] += readBilinear(dy, height, width, atX, atY);
      }
    }
  }
  return total;
}

/** Value of a plane [height][width] between pixel centres; outside, the nearest border value. */
export function readBilinear(
  values: Float32Array,
  height: number,
  width: number,
  x: number,
  y: number,
): number {
  const column = Math.min(Math.max(x, 0), width - 1);
  const row = Math.min(Math.max(y, 0), height - 1);
  const left = Math.min(Math.floor(column), Math.max(width - 2, 0));
  const top = Math.min(Math.floor(row), Math.max(height - 2, 0));
  const right = Math.min(left + 1, width - 1);
  const bottom = Math.min(top + 1, height - 1);
  const fx = column - left;
  const fy = row - top;
  const upper = values[top * width + left] * (1 - fx) + values[top * width + right] * fx;
  const lower = values[bottom * width + left] * (1 - fx) + values[bottom * width + right] * fx;
  return upper * (1 - fy) + lower * fy;
}

/** Multiplies by `scale` and sets everything outside the sector (0 in its one frame) to zero. */
export function confineFlow(flow: Frames, sector: Labels, scale: number): Frames {
  const result = floatFrames(flow);
  const size = flow.height * flow.width;
  for (let i = 0; i < result.data.length; i++) {
    result.data[i] = sector.data[i % size] ? flow.data[i] * scale : 0;
  }
  return result;
}
