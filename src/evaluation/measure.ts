/** Every figure of one video: a generated one, or the real clip itself. */
import type { FlowEstimator } from '../conditions/flow.ts';
import { interfaceLine } from '../conditions/interface.ts';
import { extractSketch } from '../conditions/sketch.ts';
import { frameAt, plane } from '../frames/frames.ts';
import type { Frames, Labels } from '../frames/frames.ts';
import { dice } from '../metrics/dice.ts';
import { readEchoClip } from '../metrics/echo-features.ts';
import { compareEdges } from '../metrics/edges.ts';
import { ejectionFraction } from '../metrics/ejection-fraction.ts';
import { hausdorffDistance } from '../metrics/hausdorff.ts';
import { compareFlow, frameDifference } from '../metrics/motion.ts';
import { psnr } from '../metrics/psnr.ts';
import type { Segmenter } from '../metrics/segmenter.ts';
import { greyHistogram, histogramDistance, tissueDistance } from '../metrics/similarity.ts';
import {
  compareStrokes, curveDistance, findRidge, searchReach,
} from '../metrics/skeleton-distance.ts';
import { areaRoughness, temporalRoughness } from '../metrics/smoothness.ts';
import { radialSpectrum } from '../metrics/spectrum.ts';
import { ssim } from '../metrics/ssim.ts';
import type { EchoVideo } from '../models/echo-video.ts';
import { figures, type FigureName } from './figures.ts';
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
  /** Reads the view. */
  readonly echoVideo: EchoVideo;
  readonly estimateFlow: FlowEstimator;
}

/** @param video 1 f h w in [0, 1], of the subject's shape */
export function measureVideo(
  subject: Subject, video: Frames, { segmenter, echoVideo, estimateFlow }: Instruments,
): Measurement {
  const { real, masks, inside, inputs, window } = subject;
  const found = segmenter.segment(video);
  const histogram = greyHistogram(video, inside);
  const prior = frameAt(real, 0);
  const priorMask = frameAt(masks, 0);
  const look = tissueDistance(
    video, masks, prior, priorMask, inside, segmenter.config.classes);
  const values: Partial<Record<FigureName, number | null>> = {
    'dice-lv': dice(masks, found, 1), 'dice-myo': dice(masks, found, 2),
    'dice-la': dice(masks, found, 3), ssim: ssim(video, real),
    psnr: finite(psnr(video, real)),
    ...shapeFigures(subject, found),
    'view-accuracy': readEchoClip(echoVideo, video).view === subject.view ? 1 : 0,
    roughness: temporalRoughness(video, inside), 'area-roughness': areaRoughness(found, 1),
    ...valveFigures(subject, video, found),
    ...flowFigures(subject, video, estimateFlow),
    'prior-ssim': ssim(frameAt(video, 0), prior),
    'prior-histogram': histogramDistance(histogram, greyHistogram(prior, inside)),
    'prior-mean': look?.mean, 'prior-deviation': look?.deviation,
    'grey-distance': histogramDistance(histogram, greyHistogram(real, inside)),
    'frame-difference': 255 ** 2 * frameDifference(video, inside),
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

/** Hausdorff distances in mm, and the ejection fraction found against the one of the asked mask. */
function shapeFigures(
  { masks, pixel, ed, es }: Subject, found: Labels,
): Partial<Record<FigureName, number | null>> {
  const values: Partial<Record<FigureName, number | null>> = {};
  (['lv', 'myo', 'la'] as const).forEach((structure, i) => {
    const distance = hausdorffDistance(masks, found, i + 1, pixel);
    values[`hausdorff-${structure}`] = distance?.most;
    values[`hausdorff95-${structure}`] = distance?.percentile95;
  });
  const [asked, got] = [masks, found].map((labels) => ejectionFraction(labels, ed, es));
  for (const [name, method] of [['discs', 'discs'], ['area-length', 'areaLength']] as const) {
    values[`ef-${name}`] = got?.[method];
    values[`ef-${name}-asked`] = asked?.[method];
    values[`ef-${name}-error`] = got === null || asked === null ? null
      : Math.abs(got[method] - asked[method]);
  }
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
    'stroke-offset-mm': stroke === null ? null : stroke.offset * pixel,
    'ridge-distance': distance, 'ridge-distance-mm': distance === null ? null : distance * pixel,
    'ridge-found': shut.length === 0 ? null : distances.length / shut.length,
  };
}

function flowFigures(
  { inputs, masks, sector, pixel }: Subject, video: Frames, estimateFlow: FlowEstimator,
): Partial<Record<FigureName, number | null>> {
  const asked = inputs.flow as Frames | undefined;
  if (asked === undefined || video.frames < 2) return {};
  const found = estimateFlow(video, sector, 'hold');
  const muscle = compareFlow(found, asked, masks, (label) => label === 2);
  const heart = compareFlow(found, asked, masks, (label) => label > 0);
  return {
    'flow-error': muscle?.error, 'flow-still': muscle?.still,
    'flow-error-mm': muscle === null ? null : muscle.error * pixel,
    'flow-following': muscle?.following, 'flow-error-heart': heart?.error,
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
