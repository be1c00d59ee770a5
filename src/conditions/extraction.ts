/** All conditions of a clip, as a model takes them. */
import { frameAt, selectFrames } from '../frames/frames.ts';
import type { Frames, Labels, Polyline } from '../frames/frames.ts';
import { conditionsOfStage } from './condition.ts';
import type { ConditionInputs, ConditionName } from './condition.ts';
import type { FlowEstimator } from './flow.ts';
import { imagePrior } from './image-prior.ts';
import { flowFromMasks } from './mask-flow.ts';
import { CAMUS_CLASSES, oneHot } from './mask.ts';
import { drawSkeleton, skeletonsFromMasks } from './skeleton.ts';
import { extractSketch } from './sketch.ts';
import { defaultPrompt } from './text.ts';

/** What of a clip the extractors look at; a `Clip` of the data room is one. */
export interface ClipLike {
  readonly view: '2CH' | '4CH';
  /** In a `sequence` (a whole cycle) the last frame leads to the first of the next beat. */
  readonly kind?: 'sequence' | 'half_sequence' | 'stills';
  /** 1 f h w in [0,1]. */
  readonly video: Frames;
  /** f h w, where the clip has masks. */
  readonly masks: Labels | null;
  /** True leaflets, lines a frame, where they are known. */
  readonly leaflets: readonly (readonly Polyline[])[] | null;
  /** True forward flow over the side, where it is known. */
  readonly flow: Frames | null;
  /** 1 frame: where the ultrasound picture is. */
  readonly sector: Labels;
}

export interface ExtractionOptions {
  /** `image`: conditions of one frame (stage 1); `video` (default): of the whole clip. */
  readonly stage?: 'image' | 'video';
  /** Frame of the sketch, and the only one in the image stage; the first (ED) by default. */
  readonly frame?: number;
  /** Frame of the image prior; the first (ED) by default. */
  readonly priorFrame?: number;
  /** Labels of the data set, background included. */
  readonly classes?: number;
  /** For a clip without true flow: from its video; without this, from its masks. */
  readonly estimateFlow?: FlowEstimator | null;
}

type Extractor = (clip: ClipLike, chosen: Chosen) => Frames | string | null;

interface Chosen {
  readonly frames: readonly number[];
  readonly frame: number;
  readonly priorFrame: number;
  readonly classes: number;
  readonly estimateFlow: FlowEstimator | null;
}

/** How each condition comes from a clip; null where the clip cannot give it. */
const extractors: Record<ConditionName, Extractor> = {
  text: ({ view }) => defaultPrompt(view),
  image: ({ video }, { priorFrame }) => imagePrior(frameAt(video, priorFrame)),
  sketch: ({ video, sector }, { frame }) => extractSketch(frameAt(video, frame), sector),
  mask: ({ masks }, { frames, classes }) => masks && oneHot(selectFrames(masks, frames), classes),
  skeleton: ({ masks, leaflets, video }, { frames }) => {
    const strokes = leaflets
      ? frames.map((t) => leaflets[t])
      : valveOf(masks && selectFrames(masks, frames));
    return strokes && drawSkeleton(strokes, video.height, video.width);
  },
  flow: ({ flow, video, masks, sector, kind }, { estimateFlow }) => {
    const last = kind === 'sequence' ? 'loop' : 'hold';
    if (flow) return flow;
    if (estimateFlow) return estimateFlow(video, sector, last);
    return masks && flowFromMasks(masks, { sector, last });
  },
};

/** A clip whose masks show no valve (no atrium) has no skeleton; that is no error of the clip. */
function valveOf(masks: Labels | null): Polyline[][] | null {
  if (!masks || !masks.data.includes(1) || !masks.data.includes(3)) return null;
  return skeletonsFromMasks(masks);
}

/** Every condition of the stage that the clip can give. */
export function extractConditions(
  clip: ClipLike,
  options: ExtractionOptions = {},
): ConditionInputs {
  const { stage = 'video', frame = 0, priorFrame = 0, classes = CAMUS_CLASSES } = options;
  const count = clip.video.frames;
  for (const [what, wanted] of [['frame', frame], ['prior frame', priorFrame]] as const) {
    if (!Number.isInteger(wanted) || wanted < 0 || wanted >= count) {
      throw new Error(`conditions: expected a ${what} in 0..${count - 1}, got ${wanted}`);
    }
  }
  const frames = stage === 'image' ? [frame] : Array.from({ length: count }, (_, t) => t);
  const chosen = { frames, frame, priorFrame, classes, estimateFlow: options.estimateFlow ?? null };
  const found = conditionsOfStage(stage).map(({ name }) => [name, extractors[name](clip, chosen)]);
  return Object.fromEntries(found.filter(([, input]) => input !== null)) as ConditionInputs;
}
