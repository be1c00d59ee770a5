/**
 * Displacement fields (dx, dy), forward: the material at pixel p of frame t is at p + flow(p) in
 * the next frame. Reading the next frame at p + flow(p) brings it back to frame t.
 */
import { floatFrames, plane } from '../frames/frames.ts';
import type { Frames, Labels } from '../frames/frames.ts';
import { samplePlane } from '../frames/sample-plane.ts';

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
        sumX[i] += samplePlane(dx, height, width, atX, atY);
        sumY[i] += samplePlane(dy, height, width, atX, atY);
      }
    }
  }
  return total;
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
