import type { Preset } from '../presets.ts';

/**
 * The paper's own model and recipe (PAPER section 1): Stable Diffusion 1.5's U-Net, autoencoder and text
 * encoder, MedSAM's image encoder, 256x256, 16 frames, on CAMUS' 793 training videos. Sizes that are not
 * written here are the defaults of each network, which are upstream's.
 */
export function paper(): Preset {
  const loop = { checkpointingSteps: 2500, validationSteps: 2500, previewSteps: 5000, loggingSteps: 50 };
  const recipe = { learningRate: 1e-4, lrWarmupSteps: 500, lrScheduler: 'cosine', mixedPrecision: 'auto' } as const;
  const epochs = 200;
  const videos = 793;
  const frames = 16;
  const steps = (samples: number, batch: number) => Math.ceil((samples * epochs) / batch);
  return {
    pretrained: { unet: 'upstream', vae: 'upstream', text_encoder: 'upstream', image_encoder: 'upstream' },
    model: {
      resolution: 256,
      frames,
      vae: { sample_size: 256 },
      unet: { sample_size: 32 },
      text_encoder: {},
      image_encoder: {},
      global_adapter: {},
    },
    // The frozen networks are given: these two stages are refused (training/components.ts).
    vae: { generator: {}, discriminator: {}, patch: {}, loop },
    imageEncoder: { optimization: {}, decoderChannels: [128, 64, 32, 16], loop },
    image: {
      optimization: { ...recipe, trainBatchSize: 64, maxTrainSteps: steps(videos * frames, 64) },
      gradientCheckpointing: true,
      loop,
    },
    video: {
      optimization: { ...recipe, trainBatchSize: 16, maxTrainSteps: steps(videos, 16) },
      gradientCheckpointing: true,
      loop: { ...loop, checkpointingSteps: 500, validationSteps: 500, previewSteps: 2500 },
    },
    segmenter: {
      network: { widths: [32, 64, 128, 256, 256], groups: 8 },
      optimization: { trainBatchSize: 16, maxTrainSteps: 10_000, learningRate: 1e-3, lrWarmupSteps: 500 },
      loop,
    },
    echoVideo: {
      network: { size: 112, widths: [32, 64, 128, 128], groups: 8 },
      optimization: { trainBatchSize: 16, maxTrainSteps: 10_000, learningRate: 1e-3, lrWarmupSteps: 500 },
      loop,
    },
    fewShot: {
      optimization: { ...recipe, trainBatchSize: 1, maxTrainSteps: 2000, lrWarmupSteps: 100 },
      gradientCheckpointing: true,
      loop: { ...loop, checkpointingSteps: 500, validationSteps: 500, previewSteps: 1000 },
    },
  };
}
