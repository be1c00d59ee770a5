import type { Preset } from '../presets.ts';
import { measuring, shortTraining } from './recipes.ts';
import { autoencoder, imageEncoder, textEncoder, unet } from './shapes.ts';

/**
 * The paper's size, 256x256 and 16 frames, without anybody's weights: preset `small` with one level more and
 * wider. For one data-centre GPU, or a night on a few cores.
 */
export function base(): Preset {
  const loop = { checkpointingSteps: 500, validationSteps: 500, previewSteps: 1000, loggingSteps: 10 };
  const width = 128;
  const recipe = { trainBatchSize: 4, maxTrainSteps: 4000, learningRate: 1e-3, lrWarmupSteps: 100 };
  return {
    model: {
      resolution: 256,
      frames: 16,
      vae: autoencoder(256, [32, 64, 128]),
      unet: unet(256, [64, 128, 256, 384], width),
      text_encoder: textEncoder(width, 2, 4),
      image_encoder: imageEncoder(256, 16, 128, 64),
      global_adapter: { channels: 64, grid: 16, tokenGrid: 8, contextWidth: width },
      ...shortTraining,
    },
    vae: {
      generator: { ...recipe, emaDecay: 0.995 },
      discriminator: { ...recipe, learningRate: 5e-4 },
      loss: { spectrumWeight: 0.01, adversarialWeight: 0.1 },
      cropSize: 96,
      textureStart: 3000,
      patch: { input_nc: 1, ndf: 32, n_layers: 2, norm_num_groups: 8 },
      loop,
    },
    imageEncoder: {
      optimization: {
        trainBatchSize: 16, maxTrainSteps: 400, learningRate: 1e-3, lrWarmupSteps: 50, emaDecay: 0.99,
      },
      decoderChannels: [64, 32, 16, 16],
      loop,
    },
    image: {
      optimization: {
        trainBatchSize: 8, maxTrainSteps: 5000, learningRate: 4e-4, lrWarmupSteps: 200, emaDecay: 0.998,
        mixedPrecision: 'auto',
      },
      trainTextEncoder: true,
      loop,
    },
    video: {
      optimization: {
        trainBatchSize: 2, maxTrainSteps: 2500, learningRate: 6e-4, lrWarmupSteps: 100, emaDecay: 0.998,
        mixedPrecision: 'auto',
      },
      loop,
    },
    segmenter: {
      network: { widths: [16, 24, 32, 48, 64, 96], groups: 8 }, optimization: { ...measuring, maxTrainSteps: 1000 }, loop,
    },
    echoVideo: {
      network: { size: 64, widths: [16, 24, 32, 32], groups: 8 },
      optimization: { ...measuring, maxTrainSteps: 1500 }, loop,
    },
    fewShot: {
      optimization: {
        trainBatchSize: 1, maxTrainSteps: 600, learningRate: 4e-4, lrWarmupSteps: 30, emaDecay: 0.99,
        mixedPrecision: 'auto',
      },
      loop,
    },
  };
}
