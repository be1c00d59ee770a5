import type { TrainingConfig } from './config.ts';
import type { LookCosts } from './loop.ts';
import { trainingOf } from './methods.ts';
import type { StageName } from './run-folder.ts';

/** What is held out: frames and whole clips. */
export interface Held { readonly frames: number; readonly clips: number }

/** Passes of the U-Net that a preview's clip takes: 20 steps, each with and without guidance. */
const previewPasses = 40;

/**
 * What validations and previews cost beside a stage's steps, in the time of one step. Counted in passes: a
 * step is a forward pass, as long a pass back to the inputs, another to the weights where most of them train,
 * and a second forward pass under gradient checkpointing.
 */
export function lookCosts(name: StageName, config: TrainingConfig, held: Held): LookCosts {
  const least = (wanted: number, there: number) => Math.min(wanted, there);
  if (name === 'image' || name === 'video') {
    const { optimization, gradientCheckpointing } = config[name];
    const { trainBatchSize, gradientAccumulationSteps } = optimization;
    const most = trainingOf(name, config).unet.includes('spatial-convolution');
    const forward = 1 / ((2 + (most ? 1 : 0) + (gradientCheckpointing ? 1 : 0)) * trainBatchSize *
      gradientAccumulationSteps);
    const samples = name === 'image'
      ? least(config.image.validationFrames, held.frames) : least(config.video.validationClips, held.clips);
    const perClip = name === 'image' ? config.model.frames : 1;
    return { validation: samples * forward, preview: previewPasses * perClip * forward };
  }
  if (name === 'vae') {
    const { generator, cropSize, validationFrames } = config.vae;
    const share = cropSize === null ? 1 : Math.min(1, (cropSize / config.model.resolution) ** 2);
    const forward = 1 / (3 * generator.trainBatchSize * generator.gradientAccumulationSteps * share);
    const frames = least(validationFrames, held.frames);
    return { validation: 2 * frames * forward, preview: least(6, frames) * forward };
  }
  if (name === 'echo-video') {
    const { optimization, validationClips } = config.echoVideo;
    const forward = 1 / (3 * optimization.trainBatchSize * optimization.gradientAccumulationSteps);
    return { validation: least(validationClips, held.clips) * forward, preview: 0 };
  }
  const { optimization, validationFrames } = name === 'segmenter' ? config.segmenter : config.imageEncoder;
  const forward = 1 / (3 * optimization.trainBatchSize * optimization.gradientAccumulationSteps);
  return { validation: least(validationFrames, held.frames) * forward, preview: 0 };
}
