import { conditions, type ConditionInputs } from '../conditions/condition.ts';
import type { Frames } from '../frames/frames.ts';
import type { HeartBeat } from '../heartbeat/heartbeat.ts';
import { scope } from '../tensor/memory.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { conditionPlanes, pictures, type FrameOf, type PreparedClip } from './prepared-clip.ts';

/**
 * Every condition a prepared clip can give, as `synthesize` takes them: a preview's and an evaluation's.
 * The image prior and the single sketch are of the first frame (ED).
 */
export function conditionInputsOf(clip: PreparedClip, model: HeartBeat): ConditionInputs {
  const count = model.config.frames;
  const every: FrameOf[] = Array.from({ length: count }, (_, i) => ({ clip, frame: Math.min(i, clip.frames - 1) }));
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
    if (model.config.conditions.includes('image')) inputs.image = framesOf(pictures(every.slice(0, 1)));
  });
  return inputs;
}
