import { imageEncoderConfig, type ImageEncoderConfig } from '../../models/medsam.ts';

/**
 * The configuration of a SAM image encoder, read off the shapes of its weights by our keys: what
 * segment_anything's checkpoints, which are bare states, leave to the program.
 *
 * @throws one sentence when a shape is missing, or relative positions are, without which the number
 *   of heads and the windows cannot be known
 */
export function imageEncoderOfShapes(
  file: string, shapes: ReadonlyMap<string, readonly number[]>,
): ImageEncoderConfig {
  const shape = (key: string, rank: number): readonly number[] => {
    const found = shapes.get(key);
    if (found?.length === rank) return found;
    const got = found === undefined ? 'no such key' : `shape ${found.join('x')}`;
    throw new Error(`${file}: expected ${key} of ${rank} axes, as SAM's image encoder has it, got ${got}`);
  };
  const [width, channels, patch] = shape('patch_embed.proj.weight', 4);
  const [, side] = shape('pos_embed', 4);
  const depth = new Set([...shapes.keys()].flatMap((key) => /^blocks\.(\d+)\./.exec(key)?.[1] ?? [])).size;
  const spans = Array.from({ length: depth }, (_, block) => shape(`blocks.${block}.attn.rel_pos_h`, 2));
  const sides = spans.map(([offsets]) => (offsets + 1) / 2);
  const windows = new Set(sides.filter((each) => each !== side));
  if (windows.size > 1) {
    throw new Error(`${file}: expected windows of one size, got ${[...windows].join(' and ')}`);
  }
  const [inner] = depth === 0 ? [width * 4] : shape('blocks.0.mlp.lin1.weight', 2);
  const parsed = imageEncoderConfig.safeParse({
    img_size: side * patch, patch_size: patch, in_chans: channels, embed_dim: width, depth,
    num_heads: depth === 0 ? 1 : width / spans[0][1], mlp_ratio: inner / width,
    out_chans: shape('neck.0.weight', 4)[0], qkv_bias: depth === 0 || shapes.has('blocks.0.attn.qkv.bias'),
    use_rel_pos: true, window_size: [...windows][0] ?? 0,
    global_attn_indexes: sides.flatMap((each, block) => (each === side && windows.size > 0 ? [block] : [])),
  });
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0];
  throw new Error(`${file}: ${path.join('.')}, read off the shapes: ${message}`);
}
