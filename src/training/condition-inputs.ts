import { conditions, type ConditionInputs } from '../conditions/condition.ts';
import type { Frames } from '../frames/frames.ts';
import type { HeartBeat } from '../heartbeat/heartbeat.ts';
import { scope } from '../tensor/memory.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { conditionPlanes, pictures, type FrameOf, type PreparedClip } from './prepared-clip.ts';

/** Which frames of a clip are asked for, and which one its look is taken from. */
export interface PickedFrames { readonly frames: readonly number[]; readonly prior: number }

/**
 * Every condition a prepared clip can give, as `synthesize` takes them: a preview's and an evaluation's.
 * The single sketch is of the first frame asked for.
 *
 * @param picked by default as many frames as the model makes (the last again where the clip is shorter),
 *   and the first (ED) for the image prior
 */
export function conditionInputsOf(
  clip: PreparedClip, model: HeartBeat, picked: PickedFrames = wholeClip(clip, model),
): ConditionInputs {
  const every: FrameOf[] = picked.frames.map((frame) => ({ clip, frame }));
  const framesOf = (planes: Tensor): Frames => {
    const [frames, channels, height, width] = planes.shape;
    return { channels, frames, height, width, data: planes.transpose(0, 1).contiguous().toFloat32() };
  };
  const inputs: ConditionInputs = { text: clip.prompt };
  scope(() => {
    for (const { name, kind, single, channels } of conditions) {
      if (kind !== 'local' || !model.localEncoders.has(name) || !clip.planes.has(name)) continue;
      const picks = single ? every.slice(0, 1) : every;
      inputs[name] = framesOf(conditionPlanes(name, picks, channels(model.config.classes)));
    }
    if (model.config.conditions.includes('image')) inputs.image = framesOf(pictures([{ clip, frame: picked.prior }]));
  });
  return inputs;
}

function wholeClip(clip: PreparedClip, { config }: HeartBeat): PickedFrames {
  const frames = Array.from({ length: config.frames }, (_, i) => Math.min(i, clip.frames - 1));
  return { frames, prior: 0 };
}
