/** A drawn four-chamber heart, and other shapes whose answers are known. */
import { byteFrames, floatFrames, joinFrames, labelFrames } from '../../src/frames/frames.ts';
import type { Frames, Labels } from '../../src/frames/frames.ts';

export interface HeartShape {
  /** Picture side in pixels; lengths below are shares of it. */
  readonly side: number;
  /** Height of the mitral plane. */
  readonly annulus: number;
  /** Half width of the cavity at the annulus. */
  readonly cavity: number;
  /** Wall thickness. */
  readonly wall: number;
  /** Depth of the atrium. */
  readonly atrium: number;
  /** Tilt of the long axis in radians. */
  readonly tilt?: number;
}

export const ED: HeartShape = { side: 96, annulus: 0.62, cavity: 0.17, wall: 0.05, atrium: 0.2 };
export const ES: HeartShape = { ...ED, annulus: 0.54, cavity: 0.12, wall: 0.075, atrium: 0.3 };

/** Half ellipses: cavity and wall above the annulus, atrium below it. */
export function drawHeart(shape: HeartShape): Labels {
  const { side, annulus, cavity, wall, atrium, tilt = 0 } = shape;
  const labels = labelFrames(1, side, side);
  const apex = 0.15;
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      const dx = (column + 0.5) / side - 0.5;
      const dy = (row + 0.5) / side - annulus;
      const x = Math.cos(tilt) * dx + Math.sin(tilt) * dy;
      const y = Math.cos(tilt) * dy - Math.sin(tilt) * dx;
      const inner = (x / cavity) ** 2 + (y / (annulus - apex - wall)) ** 2;
      const outer = (x / (cavity + wall)) ** 2 + (y / (annulus - apex)) ** 2;
      const below = (x / (cavity * 0.9)) ** 2 + (y / atrium) ** 2;
      labels.data[row * side + column] =
        y < 0 ? (inner < 1 ? 1 : outer < 1 ? 2 : 0) : below < 1 ? 3 : 0;
    }
  }
  return labels;
}

export function joinLabels(...masks: Labels[]): Labels {
  return joinFrames(masks);
}

/** 1 f h w of a function of pixel and frame. */
export function paintVideo(
  frames: number,
  height: number,
  width: number,
  value: (x: number, y: number, t: number) => number,
): Frames {
  const video = floatFrames({ channels: 1, frames, height, width });
  let at = 0;
  for (let t = 0; t < frames; t++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) video.data[at++] = value(x, y, t);
    }
  }
  return video;
}

/** Sector of one frame that is everywhere. */
export function everywhere(height: number, width: number): Labels {
  const labels = byteFrames({ channels: 1, frames: 1, height, width });
  labels.data.fill(1);
  return labels;
}

/** The waves of test/golden/conditions.py, moved by (dx, dy). */
export function wavesAt(x: number, y: number): number {
  const waves =
    Math.sin(0.61 * x + 0.13 * y) + Math.sin(0.29 * x - 0.47 * y + 1) +
    Math.sin(-0.17 * x + 0.71 * y + 2) + Math.sin(0.43 * x + 0.39 * y + 3);
  return 0.5 + waves / 8;
}
