/**
 * The sketch condition: a soft grey edge map with the sector's outline, as a learned edge detector
 * (HED, PiDiNet) draws an echo frame (PAPER section 2). Built in: slopes of the speckle-smoothed
 * picture at three scales, thinned softly across the edge. Also how a drawn sketch is normalised.
 */
import { checkFrames, floatFrames, plane } from '../frames/frames.ts';
import type { Frames, Labels } from '../frames/frames.ts';
import { samplePlane } from '../frames/sample-plane.ts';
import {
  addOutline, clamp, ease, fadeAtBorder, fillOutside, hasFaded, percentile, sketchPlace, type SketchPlace,
} from './sketch-place.ts';
import { slopePlanes, smoothPlane } from './smoothing.ts';

/** How a sketch is found: `extractSketch`, or a network that does likewise. */
export type SketchExtractor = (frame: Frames, sector?: Labels | null) => Frames;

/** Scales in pixels of a picture 128 wide, with their shares; coarse ones vote speckle down. */
const SCALES = [
  { sigma: 1.6, share: 0.3 },
  { sigma: 2.6, share: 0.4 },
  { sigma: 4.2, share: 0.3 },
] as const;

/**
 * Sketch of one grey frame: (1 1 h w) in [0,1] -> (1 1 h w) in [0,1], bright lines on black.
 * `sector` (1 frame) says where the picture is; without it the sector is found.
 */
export function extractSketch(frame: Frames, sector: Labels | null = null): Frames {
  checkFrames(frame, 'sketch', { channels: 1, frames: 1 });
  const { height, width } = frame;
  const place = sketchPlace(frame, sector);
  const { inside, unit } = place;
  const edges = edgeStrength(fillOutside(frame.data, place), place);
  fadeAtBorder(edges, place);
  const strongest = percentile(edges, inside, 0.985);
  const around = smoothPlane(edges, height, width, 12 * unit);
  const lines = edges.map((edge, i) => {
    // Half way to the strength of the neighbourhood: faint walls in the dark part are drawn too.
    const measure = Math.sqrt(strongest * Math.max(4 * around[i], 0.35 * strongest));
    const value = strongest > 0 ? clamp(edge / measure) : 0;
    return 0.95 * ease(clamp((value - 0.12) / 0.75));
  });
  addOutline(lines, place);
  const data = smoothPlane(lines, height, width, 0.5 * unit);
  return floatFrames({ channels: 1, frames: 1, height, width }, data);
}

/** Mean over the scales of the thinned slope, each scale by its own spread; zero where it fades. */
function edgeStrength(values: Float32Array, place: SketchPlace): Float32Array {
  const { height, width, unit } = place;
  const total = new Float32Array(values.length);
  for (const { sigma, share } of SCALES) {
    const smooth = smoothPlane(values, height, width, sigma * unit);
    const slopes = slopePlanes(smooth, height, width);
    const thin = thinEdges(slopes, place, sigma * unit);
    // A slope falls with the scale as 1 / sigma: this puts the scales on one footing.
    for (let i = 0; i < total.length; i++) total[i] += share * thin[i] * sigma;
  }
  return total;
}

/**
 * Slope magnitude, less where the neighbours across the edge are steeper: thick, soft ridges. Of
 * the pixels that `fadeAtBorder` leaves.
 */
function thinEdges(
  slopes: { x: Float32Array; y: Float32Array }, place: SketchPlace, reach: number,
): Float32Array {
  const { height, width } = place;
  const size = lengths(slopes);
  const result = new Float32Array(size.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = y * width + x;
      if (size[at] < 1e-6 || hasFaded(at, place)) continue;
      const dx = (slopes.x[at] / size[at]) * reach;
      const dy = (slopes.y[at] / size[at]) * reach;
      // A wide ramp (depth gain, near-field haze) is as steep further on; a wall is not.
      const farAhead = samplePlane(size, height, width, x + 1.7 * dx, y + 1.7 * dy);
      const farBehind = samplePlane(size, height, width, x - 1.7 * dx, y - 1.7 * dy);
      const sharp = clamp((2 * size[at] - farAhead - farBehind) / size[at] - 0.15);
      if (sharp === 0) continue;
      const ahead = samplePlane(size, height, width, x + 0.8 * dx, y + 0.8 * dy);
      const behind = samplePlane(size, height, width, x - 0.8 * dx, y - 0.8 * dy);
      const crest = Math.min(1, size[at] / Math.max(ahead, behind, 1e-9)) ** 4;
      result[at] = size[at] * crest * sharp;
    }
  }
  return result;
}

/** Math.hypot of each pair, without a call for each. */
function lengths({ x, y }: { x: Float32Array; y: Float32Array }): Float32Array {
  const result = new Float32Array(x.length);
  for (let i = 0; i < result.length; i++) {
    const most = Math.max(Math.abs(x[i]), Math.abs(y[i]));
    const [across, down] = [x[i] / most, y[i] / most];
    if (most > 0) result[i] = Math.sqrt(across * across + down * down) * most;
  }
  return result;
}

/**
 * A drawn sketch (1 or 3 channels, 1 frame) as the model takes it: 1 1 h w, lines bright on black,
 * stretched to [0,1]. Paper is what most pixels are: a light picture is turned over. A picture of
 * one grey only is an empty sketch.
 */
export function normaliseSketch(drawing: Frames, where = 'sketch'): Frames {
  checkFrames(drawing, where, { frames: 1 });
  if (drawing.channels !== 1 && drawing.channels !== 3) {
    throw new Error(`${where}: expected 1 (grey) or 3 (RGB) channels, got ${drawing.channels}`);
  }
  const { height, width, channels } = drawing;
  const grey = new Float32Array(height * width);
  for (let c = 0; c < channels; c++) {
    const from = plane(drawing, c, 0);
    for (let i = 0; i < grey.length; i++) grey[i] += from[i] / channels;
  }
  let [least, most] = [Infinity, -Infinity];
  for (const value of grey) {
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  const result = floatFrames({ channels: 1, frames: 1, height, width });
  if (most - least < 1 / 255) return result;
  const paper = grey.slice().sort()[grey.length >> 1];
  const light = paper - least > most - paper;
  for (let i = 0; i < grey.length; i++) {
    const value = (grey[i] - least) / (most - least);
    result.data[i] = light ? 1 - value : value;
  }
  return result;
}
