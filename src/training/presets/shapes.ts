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
