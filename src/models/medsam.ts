import { z } from 'zod';
import { gelu } from '../nn/activation.ts';
import { Conv2d } from '../nn/convolution.ts';
import { normal } from '../nn/init.ts';
import { Linear } from '../nn/linear.ts';
import { Module } from '../nn/module.ts';
import { LayerNorm } from '../nn/normalization.ts';
import type { Path } from '../nn/path.ts';
import { upsampleBicubic2d } from '../tensor/ops.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { GridAttention, joinWindows, partitionWindows } from './sam-attention.ts';

/** segment_anything's names for its image encoder; the defaults are ViT-B, MedSAM's size. */
export const imageEncoderConfig = z.strictObject({
  img_size: z.int().positive().default(1024),
  patch_size: z.int().positive().default(16),
  in_chans: z.int().positive().default(3),
  embed_dim: z.int().positive().default(768),
  depth: z.int().positive().default(12),
  num_heads: z.int().positive().default(12),
  mlp_ratio: z.number().positive().default(4),
  out_chans: z.int().positive().default(256),
  qkv_bias: z.boolean().default(true),
  use_rel_pos: z.boolean().default(true),
  window_size: z.int().nonnegative().default(14),
  global_attn_indexes: z.array(z.int().nonnegative()).readonly().default([2, 5, 8, 11]),
});
export type ImageEncoderConfig = z.infer<typeof imageEncoderConfig>;

/** Side of the embedding's grid, in patches. */
export function embeddingSide(config: ImageEncoderConfig): number {
  return config.img_size / config.patch_size;
}

/**
 * The image encoder of SAM (Kirillov et al. 2023) and MedSAM (Ma et al. 2024): a ViT in windows
 * with some global blocks. Keys are those below `image_encoder.` in segment_anything's checkpoints.
 */
export class ImageEncoder extends Module<[Tensor], Tensor> {
  readonly config: ImageEncoderConfig;
  private readonly patches: Conv2d;
  private readonly positions: Tensor;
  private readonly blocks: readonly EncoderBlock[];
  private readonly neck: Neck;

  /** @throws when the sizes do not divide. */
  constructor(path: Path, config: ImageEncoderConfig) {
    super();
    const { img_size: size, patch_size: patch, embed_dim: width, num_heads: heads } = config;
    if (size % patch !== 0) {
      throw new Error(
        `image encoder: expected img_size divisible by patch_size ${patch}, got ${size}`,
      );
    }
    if (width % heads !== 0) {
      throw new Error(
        `image encoder: expected embed_dim divisible by ${heads} heads, got ${width}`,
      );
    }
    const side = embeddingSide(config);
    this.config = config;
    this.patches = new Conv2d(path.sub('patch_embed.proj'), config.in_chans, width, patch, {
      stride: patch,
    });
    this.positions = path.parameter('pos_embed', [1, side, side, width], normal(0.02));
    this.blocks = Array.from({ length: config.depth },
      (_, index) => new EncoderBlock(path.sub('blocks').sub(index), config, index));
    this.neck = new Neck(path.sub('neck'), width, config.out_chans);
  }

  /**
   * @param x pictures from `imageEncoderInput`, (b, in_chans, img_size, img_size) in [0, 1]
   * @returns (b, out_chans, side, side)
   * @throws when the picture is not of the configured size
   */
  forward(x: Tensor): Tensor {
    const { img_size: size, in_chans: channels } = this.config;
    const picture = x.shape.slice(1).join('x');
    if (picture !== `${channels}x${size}x${size}`) {
      throw new Error(
        `image encoder: expected pictures of ${channels}x${size}x${size}, got ${picture}`,
      );
    }
    let h = this.patches.call(x).permute([0, 2, 3, 1]).add(this.positions.to(x.dtype)); // b g g c
    for (const block of this.blocks) h = block.call(h);
    return this.neck.call(h.permute([0, 3, 1, 2]));
  }
}

class EncoderBlock extends Module<[Tensor], Tensor> {
  private readonly window: number;
  private readonly norm1: LayerNorm;
  private readonly attention: GridAttention;
  private readonly norm2: LayerNorm;
  private readonly expand: Linear;
  private readonly contract: Linear;

  constructor(path: Path, config: ImageEncoderConfig, index: number) {
    super();
    const { embed_dim: width, num_heads: heads, qkv_bias: qkvBias } = config;
    const inner = Math.trunc(width * config.mlp_ratio);
    this.window = config.global_attn_indexes.includes(index) ? 0 : config.window_size;
    this.norm1 = new LayerNorm(path.sub('norm1'), width, 1e-6);
    this.attention = new GridAttention(path.sub('attn'), width, {
      heads, qkvBias, side: this.window || embeddingSide(config),
      relativePositions: config.use_rel_pos,
    });
    this.norm2 = new LayerNorm(path.sub('norm2'), width, 1e-6);
    this.expand = new Linear(path.sub('mlp.lin1'), width, inner);
    this.contract = new Linear(path.sub('mlp.lin2'), inner, width);
  }

  forward(x: Tensor): Tensor {
    const [, height, width] = x.shape;
    const h = this.norm1.call(x); // b g g c
    const mixed = this.window === 0
      ? this.attention.call(h)
      : joinWindows(this.attention.call(partitionWindows(h, this.window)), height, width);
    const attended = x.add(mixed);
    return attended.add(this.contract.call(gelu(this.expand.call(this.norm2.call(attended)))));
  }
}

/** Conv1x1, LayerNorm, Conv3x3, LayerNorm, norms over channels: (b, c, g, g) -> (b, out, g, g). */
class Neck extends Module<[Tensor], Tensor> {
  private readonly conv1: Conv2d;
  private readonly norm1: LayerNorm;
  private readonly conv2: Conv2d;
  private readonly norm2: LayerNorm;

  constructor(path: Path, width: number, channels: number) {
    super();
    this.conv1 = new Conv2d(path.sub(0), width, channels, 1, { bias: false });
    this.norm1 = new LayerNorm(path.sub(1), channels, 1e-6);
    this.conv2 = new Conv2d(path.sub(2), channels, channels, 3, { padding: 1, bias: false });
    this.norm2 = new LayerNorm(path.sub(3), channels, 1e-6);
  }

  forward(x: Tensor): Tensor {
    const h = overChannels(this.norm1, this.conv1.call(x));
    return overChannels(this.norm2, this.conv2.call(h));
  }
}

function overChannels(norm: LayerNorm, x: Tensor): Tensor {
  return norm.call(x.permute([0, 2, 3, 1])).permute([0, 3, 1, 2]);
}

/**
 * Pictures as the encoder wants them (PAPER section 1): resized bicubically to img_size, each
 * stretched to [0, 1] by its own minimum and maximum, grey repeated over the channels; no ImageNet
 * mean or deviation.
 *
 * @param pictures (b, 1 or in_chans, h, w) of any range; a flat picture becomes 0
 * @returns (b, in_chans, img_size, img_size)
 */
export function imageEncoderInput(pictures: Tensor, config: ImageEncoderConfig): Tensor {
  const [batch, channels, height, width] = pictures.shape;
  const { img_size: size, in_chans: wanted } = config;
  if (channels !== 1 && channels !== wanted) {
    throw new Error(`image encoder: expected pictures of 1 or ${wanted} channels, got ${channels}`);
  }
  const same = height === size && width === size;
  const resized = same ? pictures : upsampleBicubic2d(pictures, [size, size]);
  const lowest = resized.amin([1, 2, 3], true);
  const range = resized.amax([1, 2, 3], true).sub(lowest).clamp(1e-8, null);
  return resized.sub(lowest).div(range).expand([batch, wanted, size, size]).contiguous();
}
