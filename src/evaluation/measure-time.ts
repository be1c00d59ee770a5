/** Figures of a video that a single frame does not have: motion, the beat, and the view as a clip shows it. */
import type { FlowEstimator } from '../conditions/flow.ts';
import type { Frames, Labels } from '../frames/frames.ts';
import { readEchoClip } from '../metrics/echo-features.ts';
import { ejectionFraction } from '../metrics/ejection-fraction.ts';
import { compareFlow, frameDifference } from '../metrics/motion.ts';
import { areaRoughness, temporalRoughness } from '../metrics/smoothness.ts';
import type { EchoVideo } from '../models/echo-video.ts';
import type { FigureName } from './figures.ts';
import type { Subject } from './subject.ts';

/** What measures over time. */
export interface TimeInstruments {
  /** Reads the view. */
  readonly echoVideo: EchoVideo;
  readonly estimateFlow: FlowEstimator;
}

/**
 * @param video 1 f h w in [0, 1], of the subject's shape
 * @param found the labels that the segmenter finds in it
 */
export function measureOverTime(
  subject: Subject, video: Frames, found: Labels, { echoVideo, estimateFlow }: TimeInstruments,
): Partial<Record<FigureName, number | null>> {
  const { inside } = subject;
  return {
    ...beatFigures(subject, found), ...flowFigures(subject, video, estimateFlow),
    'view-accuracy': readEchoClip(echoVideo, video).view === subject.view ? 1 : 0,
    roughness: temporalRoughness(video, inside), 'area-roughness': areaRoughness(found, 1),
    'frame-difference': 255 ** 2 * frameDifference(video, inside),
  };
}

/** The ejection fraction found against the one of the asked mask. */
function beatFigures(
  { masks, ed, es }: Subject, found: Labels,
): Partial<Record<FigureName, number | null>> {
  const values: Partial<Record<FigureName, number | null>> = {};
  const [asked, got] = [masks, found].map((labels) => ejectionFraction(labels, ed, es));
  for (const [name, method] of [['discs', 'discs'], ['area-length', 'areaLength']] as const) {
    values[`ef-${name}`] = got?.[method];
    values[`ef-${name}-asked`] = asked?.[method];
    values[`ef-${name}-error`] = got === null || asked === null ? null
      : Math.abs(got[method] - asked[method]);
  }
  return values;
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
    'flow-error-mm': muscle === null || pixel === null ? null : muscle.error * pixel,
    'flow-following': muscle?.following, 'flow-error-heart': heart?.error,
  };
}
