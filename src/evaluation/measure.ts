/** Every figure of one video or frame: a generated one, or the real one itself. */
import { interfaceLine } from '../conditions/interface.ts';
import { extractSketch } from '../conditions/sketch.ts';
import { frameAt, plane } from '../frames/frames.ts';
import type { Frames, Labels } from '../frames/frames.ts';
import { dice } from '../metrics/dice.ts';
import { compareEdges } from '../metrics/edges.ts';
import { hausdorffDistance } from '../metrics/hausdorff.ts';
import { psnr } from '../metrics/psnr.ts';
import type { Segmenter } from '../metrics/segmenter.ts';
import { greyHistogram, histogramDistance, tissueDistance } from '../metrics/similarity.ts';
import {
  compareStrokes, curveDistance, findRidge, searchReach,
} from '../metrics/skeleton-distance.ts';
import { radialSpectrum } from '../metrics/spectrum.ts';
import { ssim } from '../metrics/ssim.ts';
import { figures, type FigureName } from './figures.ts';
import type { LpipsMetric } from './lpips.ts';
import { measureOverTime, type TimeInstruments } from './measure-time.ts';
import type { Subject } from './subject.ts';

/** Pixels that an edge may be off, as a share of the side: 2 of 128. */
const TOLERANCE = 2 / 128;

export interface Measurement {
  /** Null where the clip cannot say: no valve, no flow. */
  readonly figures: Readonly<Record<FigureName, number | null>>;
  /** Radial power, r = 1 .. side / 2. */
  readonly spectrum: readonly number[];
  /** Shares of grey levels inside the sector. */
  readonly histogram: readonly number[];
}

export interface Instruments {
  readonly segmenter: Segmenter;
  /** Null where there is no time: single frames. */
  readonly overTime: TimeInstruments | null;
  /** Null where no weights are given. */
  readonly lpips: Pick<LpipsMetric, 'between'> | null;
}

/** @param video 1 f h w in [0, 1], of the subject's shape */
export function measureVideo(
  subject: Subject, video: Frames, { segmenter, overTime, lpips }: Instruments,
): Measurement {
  const { real, masks, inside, inputs, window } = subject;
  const found = segmenter.segment(video);
  const histogram = greyHistogram(video, inside);
  const { picture: prior, mask: priorMask } = subject.prior;
  const look = tissueDistance(
    video, masks, prior, priorMask, inside, segmenter.config.classes);
  const values: Partial<Record<FigureName, number | null>> = {
    'dice-lv': dice(masks, found, 1), 'dice-myo': dice(masks, found, 2),
    'dice-la': dice(masks, found, 3), ssim: ssim(video, real),
    psnr: finite(psnr(video, real)), lpips: lpips?.between(video, real),
    ...shapeFigures(subject, found),
    ...valveFigures(subject, video, found),
    ...(overTime === null ? {} : measureOverTime(subject, video, found, overTime)),
    'prior-ssim': ssim(frameAt(video, 0), prior),
    'prior-histogram': histogramDistance(histogram, greyHistogram(prior, inside)),
    'prior-mean': look?.mean, 'prior-deviation': look?.deviation,
    'grey-distance': histogramDistance(histogram, greyHistogram(real, inside)),
  };
  const asked = inputs.sketch as Frames | undefined;
  if (asked !== undefined) {
    const tolerance = TOLERANCE * Math.max(video.height, video.width);
    const sketch = extractSketch(frameAt(video, 0));
    const { f1, precision, recall } = compareEdges(sketch, asked, tolerance, subject.interior);
    Object.assign(values, { 'edge-f1': f1, 'edge-precision': precision, 'edge-recall': recall });
  }
  const whole = figures.map(({ name }) => [name, round(values[name] ?? null)]);
  return {
    figures: Object.fromEntries(whole) as Record<FigureName, number | null>,
    spectrum: [...radialSpectrum(video, window)].map((power) => round(power)!),
    histogram: [...histogram].map((share) => round(share)!),
  };
}

/** Hausdorff distances, in mm where the size of a pixel is known, else in pixels. */
function shapeFigures(
  { masks, pixel }: Subject, found: Labels,
): Partial<Record<FigureName, number | null>> {
  const values: Partial<Record<FigureName, number | null>> = {};
  (['lv', 'myo', 'la'] as const).forEach((structure, i) => {
    const distance = hausdorffDistance(masks, found, i + 1, pixel ?? 1);
    const unit = pixel === null ? '-px' : '';
    values[`hausdorff-${structure}${unit}`] = distance?.most;
    values[`hausdorff95-${structure}${unit}`] = distance?.percentile95;
  });
  return values;
}

function valveFigures(
  { strokes, shut, inputs, inside, pixel }: Subject, video: Frames, found: Labels,
): Partial<Record<FigureName, number | null>> {
  const drawn = inputs.skeleton as Frames | undefined;
  if (strokes === null || drawn === undefined) return {};
  const { height, width } = video;
  const stroke = compareStrokes(video, drawn, inside);
  const distances = shut.flatMap((t) => {
    const guide = interfaceLine(plane(found, 0, t), height, width, 1, 3);
    if (guide === null) return [];
    const ridge = findRidge(plane(video, 0, t), height, width, guide, searchReach(height, width));
    return curveDistance(strokes[t], [ridge]) ?? [];
  });
  const distance = distances.length === 0 ? null
    : distances.reduce((a, b) => a + b, 0) / distances.length;
  return {
    'stroke-contrast': stroke?.contrast, 'stroke-offset': stroke?.offset,
    'stroke-offset-mm': stroke === null || pixel === null ? null : stroke.offset * pixel,
    'ridge-distance': distance,
    'ridge-distance-mm': distance === null || pixel === null ? null : distance * pixel,
    'ridge-found': shut.length === 0 ? null : distances.length / shut.length,
  };
}

/** The PSNR of a clip to itself is no number. */
function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

/** Six digits: more would say nothing and make the records long. */
function round(value: number | null): number | null {
  return value === null ? null : Number(value.toPrecision(6));
}
