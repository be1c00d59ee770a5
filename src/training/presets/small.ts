import type { Preset } from '../presets.ts';
import { measuring, shortTraining } from './recipes.ts';
import { autoencoder, imageEncoder, textEncoder, unet } from './shapes.ts';

/** The released model: 128x128, 16 frames, 110 minutes on two cores, a clip in half a minute. */
export function small(): Preset {
  const loop = { checkpointingSteps: 250, validationSteps: 250, previewSteps: 500, loggingSteps: 10 };
  const width = 96;
  const recipe = {
    trainBatchSize: 4, maxTrainSteps: 3500, learningRate: 2e-3, lrWarmupSteps: 50,
  };
  return {
    model: {
      resolution: 128,
      frames: 16,
      vae: autoencoder(128, [16, 32, 64]),
      unet: unet(128, [48, 96, 192], width),
      text_encoder: textEncoder(width, 2, 4),
      image_encoder: imageEncoder(128, 8, 96, 64),
      global_adapter: { channels: 64, grid: 16, tokenGrid: 8, contextWidth: width },
      ...shortTraining,
    },
    vae: {
      generator: { ...recipe, emaDecay: 0.995 },
      discriminator: { ...recipe, learningRate: 1e-3 },
      loss: { spectrumWeight: 0.01, adversarialWeight: 0.1 },
      cropSize: 64,
      textureStart: 2700,
      patch: { input_nc: 1, ndf: 24, n_layers: 2, norm_num_groups: 8 },
      loop,
    },
    imageEncoder: {
      optimization: {
        trainBatchSize: 16, maxTrainSteps: 300, learningRate: 1e-3, lrWarmupSteps: 50, emaDecay: 0.99,
      },
      loop,
    },
    image: {
      optimization: {
        trainBatchSize: 8, maxTrainSteps: 3600, learningRate: 7e-4, lrWarmupSteps: 100, emaDecay: 0.998,
        mixedPrecision: 'auto',
      },
      trainTextEncoder: true,
      loop,
    },
    video: {
      optimization: {
        trainBatchSize: 2, maxTrainSteps: 2400, learningRate: 1e-3, lrWarmupSteps: 100, emaDecay: 0.998,
        mixedPrecision: 'auto',
      },
      loop,
    },
    segmenter: {
      network: { widths: [16, 24, 32, 48, 64], groups: 8 }, optimization: { ...measuring, maxTrainSteps: 1000 }, loop,
    },
    echoVideo: {
      network: { size: 64, widths: [16, 24, 32, 32], groups: 8 },
      optimization: { ...measuring, maxTrainSteps: 1500 }, loop,
    },
    // All of the U-Net trains, so the rate is stage 1's rather than stage 2's; a batch is one volume.
    fewShot: {
      optimization: {
        trainBatchSize: 1, maxTrainSteps: 600, learningRate: 7e-4, lrWarmupSteps: 30, emaDecay: 0.99,
        mixedPrecision: 'auto',
      },
      loop,
    },
  };
}
