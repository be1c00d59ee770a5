/** Grey levels compared: histograms over a sector, means and spreads in each tissue. */
import { plane, shapeText } from '../frames/frames.ts';
import type { Frames, Labels } from '../frames/frames.ts';

/** Bins of a histogram over [0, 1]. */
export const HISTOGRAM_BINS = 64;

/**
 * Shares of the grey levels of all frames inside the sector, `HISTOGRAM_BINS` bins over [0, 1].
 *
 * @param inside h w, not 0 inside; the same in every frame
 * @throws at a pixel that is not in [0, 1], and where nothing is inside
 */
export function greyHistogram(video: Frames, inside: Uint8Array): Float64Array {
  const counts = new Float64Array(HISTOGRAM_BINS);
  let total = 0;
  for (let t = 0; t < video.frames; t++) {
    const grey = plane(video, 0, t);
    for (let i = 0; i < grey.length; i++) {
      if (inside[i] === 0) continue;
      if (!(grey[i] >= -1e-3 && grey[i] <= 1 + 1e-3)) {
        throw new Error(`histogram: expected pixels in 0..1, got ${grey[i]} in frame ${t}`);
      }
      const bin = Math.floor(grey[i] * HISTOGRAM_BINS);
      counts[Math.min(HISTOGRAM_BINS - 1, Math.max(0, bin))]++;
      total++;
    }
  }
  if (total === 0) throw new Error('histogram: expected pixels inside the sector, got none');
  return counts.map((count) => count / total);
}

/**
 * Earth mover's distance between two histograms of grey levels: the area between their cumulative
 * sums, in grey levels of 0..255.
 */
export function histogramDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) {
    throw new Error(`histogram: expected as many bins, got ${a.length} and ${b.length}`);
  }
  let [ahead, area] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    ahead += a[i] - b[i];
    area += Math.abs(ahead);
  }
  return (255 * area) / a.length;
}

export interface GreyStatistics {
  readonly mean: number;
  readonly deviation: number;
  readonly pixels: number;
}

/** Mean and standard deviation of the grey levels under one label; null where it does not occur. */
export function tissueStatistics(
  video: Frames, labels: Labels, label: number, inside: Uint8Array,
): GreyStatistics | null {
  if (shapeText(video) !== shapeText(labels)) {
    throw new Error(
      `tissue: expected a video and labels of one shape, got ${shapeText(video)} and ` +
        shapeText(labels),
    );
  }
  const area = inside.length;
  let [sum, squares, pixels] = [0, 0, 0];
  for (let i = 0; i < video.data.length; i++) {
    if (labels.data[i] !== label || inside[i % area] === 0) continue;
    sum += video.data[i];
    squares += video.data[i] ** 2;
    pixels++;
  }
  if (pixels === 0) return null;
  if (!Number.isFinite(sum)) throw new Error('tissue: expected finite pixels, got NaN');
  const mean = sum / pixels;
  return { mean, deviation: Math.sqrt(Math.max(0, squares / pixels - mean * mean)), pixels };
}

/**
 * How far the look of a video is from that of the prior: mean over the tissues that both have of
 * the difference of mean grey level and of the difference of standard deviation, in 0..255.
 */
export function tissueDistance(
  video: Frames, videoLabels: Labels, prior: Frames, priorLabels: Labels, inside: Uint8Array,
  classes: number,
): { readonly mean: number; readonly deviation: number } | null {
  let [mean, deviation, count] = [0, 0, 0];
  for (let label = 0; label < classes; label++) {
    const a = tissueStatistics(video, videoLabels, label, inside);
    const b = tissueStatistics(prior, priorLabels, label, inside);
    if (a === null || b === null) continue;
    mean += Math.abs(a.mean - b.mean);
    deviation += Math.abs(a.deviation - b.deviation);
    count++;
  }
  return count === 0 ? null : { mean: (255 * mean) / count, deviation: (255 * deviation) / count };
}
