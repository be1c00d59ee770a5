/** What every sketch has in common, however its lines are found: the sector and its outline. */
import { plane } from '../frames/frames.ts';
import type { Frames, Labels } from '../frames/frames.ts';
import { signedDistance } from './distance.ts';
import { findSector } from './sector.ts';
import { smoothPlane } from './smoothing.ts';

export interface SketchPlace {
  readonly height: number;
  readonly width: number;
  /** Where the ultrasound picture is, h w. */
  readonly inside: Uint8Array;
  /** Signed distance in pixels to the sector's border, positive inside, h w. */
  readonly depth: Float32Array;
  /** A pixel of a picture 128 wide. */
  readonly unit: number;
}

/** The sector of a frame: as given (1 frame), else found. */
export function sketchPlace(frame: Frames, sector: Labels | null): SketchPlace {
  const { height, width } = frame;
  const inside = sector ? plane(sector, 0, 0) : findSector(frame.data, height, width);
  const depth = signedDistance(inside, height, width);
  return { height, width, inside, depth, unit: Math.max(height, width) / 128 };
}

/** The outside takes on the nearby inside, so that the border makes no slope of its own. */
export function fillOutside(
  values: Float32Array, { inside, height, width }: SketchPlace,
): Float32Array {
  const spread = (sigma: number) => {
    const kept = values.map((value, i) => (inside[i] ? value : 0));
    const sums = smoothPlane(kept, height, width, sigma);
    const weights = smoothPlane(Float32Array.from(inside), height, width, sigma);
    return sums.map((sum, i) => (weights[i] > 1e-4 ? sum / weights[i] : 0));
  };
  const near = spread(Math.max(height, width) / 40);
  return values.map((value, i) => (inside[i] ? value : near[i]));
}

/** Slopes at the fan's border are the border's own: it is drawn once, as its outline. In place. */
export function fadeAtBorder(edges: Float32Array, { depth, unit }: SketchPlace): void {
  for (let i = 0; i < edges.length; i++) edges[i] *= clamp((depth[i] - 1.5 * unit) / (2 * unit));
}

/** Nothing is left of an edge there. */
export function hasFaded(index: number, { depth, unit }: SketchPlace): boolean {
  return depth[index] <= 1.5 * unit;
}

/** Adds the sector's outline to lines in [0,1], in place. */
export function addOutline(lines: Float32Array, place: SketchPlace): void {
  const { depth, unit } = place;
  for (let i = 0; i < lines.length; i++) {
    const outline = 0.8 * Math.exp(-(((depth[i] - 0.5) / (0.8 * unit)) ** 2) / 2);
    lines[i] = Math.max(lines[i], onBorder(i, place) ? 0 : outline);
  }
}

/** The picture's own frame is no outline of a sector that fills it. */
function onBorder(index: number, { height, width, unit }: SketchPlace): boolean {
  const x = index % width;
  const y = (index - x) / width;
  return Math.min(x, y, width - 1 - x, height - 1 - y) < 1.5 * unit;
}

/** The value that a share of the pixels inside does not exceed; 0 where nothing is inside. */
export function percentile(values: Float32Array, inside: Uint8Array, share: number): number {
  const sorted = values.filter((_, i) => inside[i]).sort();
  return sorted.length === 0 ? 0 : sorted[Math.floor(share * (sorted.length - 1))];
}

export function clamp(value: number): number {
  return Math.min(Math.max(value, 0), 1);
}

export function ease(value: number): number {
  return value * value * (3 - 2 * value);
}
