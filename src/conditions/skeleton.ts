/**
 * The mitral-valve skeleton: a short thick soft curve where the valve is (PAPER section 2). From
 * masks it is the LV/LA border from hinge to hinge; from a phantom, its true leaflets.
 */
import { plane } from '../frames/frames.ts';
import type { Frames, Labels, Polyline } from '../frames/frames.ts';
import { interfaceLine } from './interface.ts';
import { drawStrokes } from './stroke.ts';
import type { StrokeSequence } from './stroke.ts';

const CAVITY = 1;
const ATRIUM = 3;

/**
 * The valve's stroke in every frame of `masks`, hinge to hinge. A frame where cavity and atrium do
 * not meet takes the nearest frame's stroke; throws when they meet in none.
 */
export function skeletonsFromMasks(masks: Labels, where = 'skeleton'): Polyline[][] {
  const lines = Array.from({ length: masks.frames }, (_, t) => {
    const labels = plane(masks, 0, t);
    return interfaceLine(labels, masks.height, masks.width, CAVITY, ATRIUM);
  });
  if (lines.every((line) => line === null)) {
    throw new Error(`${where}: ${absence(masks)}`);
  }
  return lines.map((_, t) => {
    for (let step = 0; ; step++) {
      const line = lines[t - step] ?? lines[t + step];
      if (line) return [line];
    }
  });
}

function absence(masks: Labels): string {
  const found = new Set(masks.data);
  const missing = [
    ...(found.has(CAVITY) ? [] : ['LV cavity (label 1)']),
    ...(found.has(ATRIUM) ? [] : ['left atrium (label 3)']),
  ];
  return missing.length > 0
    ? `expected masks with LV cavity and left atrium to find the mitral valve between them, ` +
        `got no ${missing.join(' and no ')}`
    : 'expected the LV cavity to touch the left atrium at the mitral valve, ' +
        'got the two apart in every frame';
}

/**
 * Strokes, interfaces or true leaflets (pixel coordinates), all drawn the same way: 1 plane a
 * frame in [0,1], 1 f h w.
 */
export function drawSkeleton(
  strokes: StrokeSequence,
  height: number,
  width: number,
  thickness?: number,
): Frames {
  return drawStrokes(strokes, { height, width, thickness });
}
