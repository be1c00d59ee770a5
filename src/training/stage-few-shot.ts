import { z } from 'zod';
import type { HeartBeat } from '../heartbeat/heartbeat.ts';
import { parameterGroups } from '../models/unet-weights.ts';
import type { Sample } from './denoising.ts';
import { loopConfig } from './loop.ts';
import { optimizationConfig } from './optimization.ts';
import { shuffledOrder } from './order.ts';
import type { PreparedClip } from './prepared-clip.ts';
import { DenoisingStage } from './stage-denoising.ts';

/** The paper's transfer to cardiac MRI takes 50 volumes (PAPER section 2). */
export const MOST_VOLUMES = 50;

const probability = z.number().min(0).max(1);

/**
 * Few-shot transfer from ultrasound to cardiac MRI: slices as frames, the mask alone as local
 * condition (PAPER section 2). What the paper leaves open is a value here.
 */
export const fewShotStageConfig = z.strictObject({
  optimization: optimizationConfig,
  loop: loopConfig,
  /** Volumes trained on; ED and ES of a patient are two. */
  volumes: z.int().min(1).max(MOST_VOLUMES).default(MOST_VOLUMES),
  /** Volumes of other patients that are looked at in validation. */
  heldVolumes: z.int().nonnegative().default(8),
  /**
   * Parts of the U-Net that train. All that take part: a slice follows the slice before it otherwise
   * than a frame of a beat does, and its tissues look otherwise. No image prior is given, so its
   * cross-attention has nothing to learn from.
   */
  trainUnet: z.array(z.enum(parameterGroups)).nonempty().default([
    'spatial-convolution', 'spatial-self-attention', 'text-cross-attention', 'temporal-attention',
  ]),
  trainTextEncoder: z.boolean().default(false),
  /** Each is dropped by itself; the mask seldom, since it is what there is to learn. */
  conditionDropout: z.strictObject({
    text: probability.default(0.2), mask: probability.default(0.1),
  }).prefault({}),
  /** U-Net and mask encoder are newborn; autoencoder and text encoder are the ultrasound model's. */
  fromScratch: z.boolean().default(false),
  gradientCheckpointing: z.boolean().default(false),
  /** sha256 of the ultrasound model's weights; the command fills it in. */
  start: z.string().nullable().default(null),
});
export type FewShotStageConfig = z.infer<typeof fewShotStageConfig>;

/** @throws when no volume has as many slices as the model has frames, and a mask */
export function fewShotStage(
  model: HeartBeat, clips: readonly PreparedClip[], held: readonly PreparedClip[],
  config: FewShotStageConfig, seed: number,
): DenoisingStage {
  const length = model.config.frames;
  const isWhole = (clip: PreparedClip) => clip.frames === length && clip.planes.has('mask');
  const [usable, heldUsable] = [clips.filter(isWhole), held.filter(isWhole)];
  if (usable.length === 0) {
    throw new Error(
      `stage few-shot: expected volumes of ${length} slices with masks, got ${clips.length} without one`);
  }
  const frames = Array.from({ length }, (_, i) => i);
  const order = shuffledOrder(seed, usable.length);
  const sampleAt = (index: number): Sample => {
    const clip = usable[order(index)];
    return { clip, frames, prior: 0, key: [clip.id, index] };
  };
  const validation = heldUsable
    .map((clip, i): Sample => ({ clip, frames, prior: 0, key: ['validation', i] }));
  return new DenoisingStage({
    name: 'few-shot', model, seed, sampleAt, validation,
    optimization: config.optimization,
    gradientCheckpointing: config.gradientCheckpointing,
    dropout: config.conditionDropout,
    preview: heldUsable[0] ?? usable[0],
    training: {
      unet: config.trainUnet,
      components: ['local_encoders.mask', ...(config.trainTextEncoder ? ['text_encoder'] : [])],
    },
  });
}
