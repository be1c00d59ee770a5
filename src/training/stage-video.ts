import { z } from 'zod';
import type { HeartBeat } from '../heartbeat/heartbeat.ts';
import type { Sample } from './denoising.ts';
import { loopConfig } from './loop.ts';
import { optimizationConfig } from './optimization.ts';
import { shuffledOrder } from './order.ts';
import type { PreparedClip } from './prepared-clip.ts';
import { DenoisingStage, type Training } from './stage-denoising.ts';

/** Stage 2: the inflated network on clips (PAPER section 1); the one stage of a method that has no other. */
export const videoStageConfig = z.strictObject({
  optimization: optimizationConfig,
  loop: loopConfig,
  conditionDropout: z.enum(['heartbeat', 'none']).default('heartbeat'),
  /** Computes the U-Net's layers a second time in the backward pass in place of keeping what they made. */
  gradientCheckpointing: z.boolean().default(false),
  /** The figure shows the cross-attention without a snowflake, the review says frozen. */
  trainCrossAttention: z.boolean().default(false),
  validationClips: z.int().positive().default(16),
});
export type VideoStageConfig = z.infer<typeof videoStageConfig>;

/** @param training what of the model trains (`trainingOf`) */
export function videoStage(
  model: HeartBeat, clips: readonly PreparedClip[], held: readonly PreparedClip[],
  config: VideoStageConfig, seed: number, training: Training,
): DenoisingStage {
  const length = model.config.frames;
  const usable = clips.filter((clip) => !clip.stills && clip.frames === length);
  if (usable.length === 0) {
    throw new Error(`stage video: expected clips of ${length} frames, got ${clips.length} clips without one`);
  }
  const frames = Array.from({ length }, (_, i) => i);
  const order = shuffledOrder(seed, usable.length);
  const sampleAt = (index: number): Sample => {
    const clip = usable[order(index)];
    return { clip, frames, prior: 0, key: [clip.id, index] };
  };
  const heldClips = held.filter((clip) => !clip.stills && clip.frames === length);
  const validation = heldClips.slice(0, config.validationClips)
    .map((clip, i): Sample => ({ clip, frames, prior: 0, key: ['validation', i] }));
  return new DenoisingStage({
    name: 'video', model, seed, sampleAt, validation, training,
    optimization: config.optimization,
    gradientCheckpointing: config.gradientCheckpointing,
    dropout: config.conditionDropout,
    preview: heldClips[0] ?? usable[0],
  });
}
