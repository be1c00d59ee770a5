/** What the readers of one patient's inputs share. */
import type { FlowEstimator } from '../conditions/flow.ts';
import type { SketchExtractor } from '../conditions/sketch.ts';
import type { ModelSize } from '../conditions/validation.ts';
import type { Labels } from '../frames/frames.ts';
import type { Beat } from './beat.ts';
import type { Square } from './square.ts';
import type { UserFiles } from './user-files.ts';

/** What follows a user's video and draws a user's frame; `openExtractors` opens such. */
export interface InputExtractors {
  readonly flowEstimator: () => Promise<FlowEstimator>;
  readonly extractSketch: SketchExtractor;
  /** What they are, where they are not the built-in ones. */
  readonly identity: Readonly<Partial<Record<'flow' | 'sketch', string>>>;
}

/** Masks as `--mask` gave them. */
export interface MaskInput {
  /** 1 f h w at the model's frames and side. */
  readonly masks: Labels;
  readonly beat: Beat;
  /** mm per pixel (x, y) of `masks`; null where no file says it. */
  readonly spacing: readonly [number, number] | null;
  /** Frames of the clip a second, where the file says it. */
  readonly frameRate: number | null;
}

/** How the slices of a volume became frames. */
export interface SliceLayout {
  /** The frames that show another slice than the frame before: each slice of the volume once. */
  readonly frames: readonly number[];
  /** mm from one of them to the next; null where no file says it. */
  readonly spacing: number | null;
  /** What was chosen of the file, in words; null where nothing was. */
  readonly note: string | null;
}

export interface InputContext {
  readonly model: ModelSize;
  readonly extractors: InputExtractors;
  /** The conditions that an extractor made of a picture. */
  readonly extracted: Set<'flow' | 'sketch'>;
  readonly files: UserFiles;
  readonly square: Square;
  /** Frame of a cine that the mask of a model of slices is; null: the first with labels. */
  readonly time: number | null;
  /** Of `--mask` in a model of slices. */
  slices: SliceLayout | null;
  /** Of `--mask`, which is read first: the others may be found in it. */
  masks: MaskInput | null;
  /** Where the ultrasound picture is (1 frame at the model's side), where a frame was given. */
  sector: Labels | null;
  /** mm per pixel (x, y) at the model's side, of the first file that says it. */
  spacing: readonly [number, number] | null;
}

/** The masks that another flag's word `mask` refers to. */
export function expectMasks(context: InputContext, flag: string): MaskInput {
  if (context.masks) return context.masks;
  throw new Error(`${flag} mask: expected masks to find it in (--mask), got none`);
}
