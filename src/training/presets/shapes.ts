/** A small CLIP text encoder; its vocabulary is the echo sentences'. */
export function textEncoder(width: number, layers: number, heads: number) {
  return {
    hidden_size: width, intermediate_size: 4 * width, num_hidden_layers: layers, num_attention_heads: heads,
    max_position_embeddings: 32, vocab_size: 1024,
  };
}

/** A small SAM image encoder: its map has size / patch positions a side. */
export function imageEncoder(size: number, patch: number, width: number, out: number) {
  return {
    img_size: size, patch_size: patch, in_chans: 1, embed_dim: width, depth: 4, num_heads: 4, mlp_ratio: 3,
    out_chans: out, use_rel_pos: true, window_size: 4, global_attn_indexes: [1, 3],
  };
}

/**
 * An autoencoder that starts from newborn weights: 4x less in each direction and 8 channels, what speckle needs so
 * that decoding does not blur it.
 */
export function autoencoder(size: number, widths: [number, number, number]) {
  return {
    in_channels: 1, out_channels: 1, block_out_channels: widths, layers_per_block: 1, latent_channels: 8,
    norm_num_groups: 8, sample_size: size, scaling_factor: 1, linearShortcut: true,
  };
}

/** A U-Net on its latents; every level but the highest has attention. */
export function unet(size: number, widths: number[], contextWidth: number) {
  const lower = widths.length - 1;
  return {
    sample_size: size / 4, in_channels: 8, out_channels: 8, localChannels: 8, block_out_channels: widths,
    down_block_types: ['DownBlock2D' as const, ...Array<'CrossAttnDownBlock2D'>(lower).fill('CrossAttnDownBlock2D')],
    up_block_types: [...Array<'CrossAttnUpBlock2D'>(lower).fill('CrossAttnUpBlock2D'), 'UpBlock2D' as const],
    layers_per_block: 1, cross_attention_dim: contextWidth, attention_head_dim: 4, norm_num_groups: 16,
    temporalWithoutSpatial: true,
  };
}
