/**
 * The small model whose exported folder test/golden/export.py loads with the reference libraries:
 * `node --import tsx test/heartbeat/exported-model.ts FOLDER` writes the folder.
 */
import { pathToFileURL } from 'node:url';
import { exportPipeline } from '../../src/heartbeat/export.ts';
import { HeartBeat, heartbeatConfig, type HeartBeatConfig } from '../../src/heartbeat/heartbeat.ts';
import { fill } from '../support/reference-fill.ts';

export function exportedConfig(): HeartBeatConfig {
  return heartbeatConfig.parse({
    resolution: 16, frames: 3,
    vae: {
      in_channels: 1, out_channels: 1, block_out_channels: [8, 16], layers_per_block: 1, latent_channels: 4,
      norm_num_groups: 4, sample_size: 16, scaling_factor: 0.7,
    },
    unet: {
      sample_size: 8, block_out_channels: [16, 32], layers_per_block: 1, attention_head_dim: 2,
      down_block_types: ['CrossAttnDownBlock2D', 'DownBlock2D'], up_block_types: ['UpBlock2D', 'CrossAttnUpBlock2D'],
      cross_attention_dim: 12, norm_num_groups: 8, imageQuery: 'own', temporal: true,
    },
    text_encoder: {
      vocab_size: 1024, hidden_size: 12, intermediate_size: 20, num_hidden_layers: 2, num_attention_heads: 3,
      max_position_embeddings: 16,
    },
    image_encoder: {
      img_size: 16, patch_size: 4, in_chans: 1, embed_dim: 8, depth: 1, num_heads: 2, out_chans: 8, window_size: 0,
      global_attn_indexes: [],
    },
    global_adapter: { channels: 8, grid: 4, tokenGrid: 2, contextWidth: 12 },
    scheduler: { prediction_type: 'v_prediction' },
  });
}

/** With the reference weights in every network, temporal layers included. */
export function exportedModel(config = exportedConfig()): HeartBeat {
  const model = new HeartBeat(config, { blank: true });
  for (const path of Object.values(model.components)) fill(path.state());
  return model;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const model = exportedModel();
  await exportPipeline(model, process.argv[2]);
  model.dispose();
}
