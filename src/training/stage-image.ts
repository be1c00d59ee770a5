import { z } from 'zod';
import { randomStream } from '../frames/random.ts';
import type { HeartBeat } from '../heartbeat/heartbeat.ts';
import type { Sample } from './denoising.ts';
import { loopConfig } from './loop.ts';
import { optimizationConfig } from './optimization.ts';
import { shuffledOrder } from './order.ts';
import { allFrames, type PreparedClip } from './prepared-clip.ts';
import { DenoisingStage, type Training } from './stage-denoising.ts';

/** Stage 1: images (PAPER section 1). */
export const imageStageConfig = z.strictObject({
  optimization: optimizationConfig,
  loop: loopConfig,
  /** `none` is the paper's own reading: every condition, always. */
  conditionDropout: z.enum(['heartbeat', 'none']).default('heartbeat'),
  /** Computes the U-Net's layers a second time in the backward pass in place of keeping what they made. */
  gradientCheckpointing: z.boolean().default(false),
  /**
   * True where there is no pretrained text encoder: it is then trained here and frozen afterwards. A method
   * without this stage trains it in its video stage (`trainsTextEncoder`).
   */
  trainTextEncoder: z.boolean().default(false),
  validationFrames: z.int().positive().default(64),
});
export type ImageStageConfig = z.infer<typeof imageStageConfig>;

/** Another frame of the clip where there is one (PAPER section 1, [ours] image prior). */
function otherFrame(frame: number, frames: number, draw: number): number {
  return frames === 1 ? frame : (frame + 1 + draw) % frames;
}

/** @param training what of the model trains (`trainingOf`) */
export function imageStage(
  model: HeartBeat, clips: readonly PreparedClip[], held: readonly PreparedClip[],
  config: ImageStageConfig, seed: number, training: Training,
): DenoisingStage {
  const frames = allFrames(clips);
  const order = shuffledOrder(seed, frames.length);
  const sampleAt = (index: number): Sample => {
    const { clip, frame } = frames[order(index)];
    const draw = randomStream('prior', seed, index).integer(Math.max(1, clip.frames - 1));
    return { clip, frames: [frame], prior: otherFrame(frame, clip.frames, draw), key: [clip.id, frame, index] };
  };
  const heldFrames = allFrames(held);
  const count = Math.min(config.validationFrames, heldFrames.length);
  const validation = Array.from({ length: count }, (_, i): Sample => {
    const { clip, frame } = heldFrames[Math.floor((i * heldFrames.length) / count)];
    return { clip, frames: [frame], prior: otherFrame(frame, clip.frames, 0), key: ['validation', i] };
  });
  return new DenoisingStage({
    name: 'image', model, seed, sampleAt, validation, training,
    optimization: config.optimization,
    gradientCheckpointing: config.gradientCheckpointing,
    dropout: config.conditionDropout,
    preview: held[0] ?? clips[0],
  });
}
