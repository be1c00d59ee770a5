/** What the readers of one patient's inputs share. */
import type { ModelSize } from '../conditions/validation.ts';
import type { Labels } from '../frames/frames.ts';
import type { MaskInput } from './mask-input.ts';
import type { Square } from './square.ts';
import type { UserFiles } from './user-files.ts';

export interface InputContext {
  readonly model: ModelSize;
  readonly files: UserFiles;
  readonly square: Square;
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
