import type { Preset } from '../presets.ts';
import { imageEncoder, textEncoder } from './shapes.ts';

/** Seconds on two cores: for tests. 32x32, 4 frames. */
export function tiny(): Preset {
  const recipe = { trainBatchSize: 4, maxTrainSteps: 20, learningRate: 2e-3, lrWarmupSteps: 4, emaDecay: 0.9 };
  const loop = { checkpointingSteps: 10, validationSteps: 10, previewSteps: 20, loggingSteps: 5 };
  return {
    model: {
      resolution: 32,
      frames: 4,
      vae: {
        in_channels: 1, out_channels: 1, block_out_channels: [8, 16], layers_per_block: 1,
        latent_channels: 4, norm_num_groups: 4, sample_size: 32, scaling_factor: 1,
      },
      unet: {
        sample_size: 16, in_channels: 4, out_channels: 4, localChannels: 8, block_out_channels: [16, 32],
        down_block_types: ['CrossAttnDownBlock2D', 'CrossAttnDownBlock2D'],
        up_block_types: ['CrossAttnUpBlock2D', 'CrossAttnUpBlock2D'],
        layers_per_block: 1, cross_attention_dim: 16, attention_head_dim: 2, norm_num_groups: 4,
      },
      text_encoder: textEncoder(16, 1, 2),
      image_encoder: imageEncoder(32, 4, 16, 16),
      global_adapter: { channels: 16, grid: 8, tokenGrid: 8, contextWidth: 16 },
      noisePrior: { shared: 0.5, progressive: 0.5, alongFlow: { shared: 0.9, progressive: 0.5 } },
    },
    vae: {
      generator: recipe, discriminator: recipe, textureStart: 10, loop,
      patch: { input_nc: 1, ndf: 8, n_layers: 2, norm_num_groups: 4 },
    },
    imageEncoder: { optimization: recipe, loop, decoderChannels: [16, 16] },
    image: { optimization: recipe, loop, trainTextEncoder: true },
    video: { optimization: { ...recipe, trainBatchSize: 2 }, loop },
    segmenter: { network: { widths: [8, 12, 16], groups: 4 }, optimization: recipe, loop },
    echoVideo: { network: { size: 32, widths: [8, 12], groups: 4 }, optimization: recipe, loop },
    fewShot: { optimization: { ...recipe, trainBatchSize: 2 }, loop },
  };
}
