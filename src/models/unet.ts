import { z } from 'zod';
import { silu } from '../nn/activation.ts';
import { Conv2d } from '../nn/convolution.ts';
import { timestepEmbedding } from '../nn/embedding.ts';
import { Linear } from '../nn/linear.ts';
import { Module } from '../nn/module.ts';
import { GroupNorm } from '../nn/normalization.ts';
import type { Path } from '../nn/path.ts';
import { cat, zeros } from '../tensor/ops.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Context } from './cross-attention.ts';
import { DownBlock, MiddleBlock, UpBlock, type BlockConfig } from './unet-blocks.ts';
import { blindTo } from './unet-weights.ts';

const count = z.int().positive();

/**
 * Names in snake_case are diffusers' UNet2DConditionModel's, with its meaning and Stable Diffusion
 * 1.5's values.
 */
export const UNetConfig = z.strictObject({
  /** Side of the latents it is trained for; the network itself takes any. */
  sample_size: count.default(64),
  /** Channels of z_t, without the local features. */
  in_channels: count.default(4),
  out_channels: count.default(4),
  block_out_channels: z.array(count).min(1).default([320, 640, 1280, 1280]),
  layers_per_block: count.default(2),
  down_block_types: z
    .array(z.enum(['CrossAttnDownBlock2D', 'DownBlock2D']))
    .default([...Array(3).fill('CrossAttnDownBlock2D'), 'DownBlock2D']),
  up_block_types: z
    .array(z.enum(['CrossAttnUpBlock2D', 'UpBlock2D']))
    .default(['UpBlock2D', ...Array(3).fill('CrossAttnUpBlock2D')]),
  /**
   * The NUMBER of heads, of all blocks or one a down block, in spite of its name: diffusers keeps
   * the misnomer for the sake of the published SD 1 and 2 configurations. A head is channels /
   * heads wide.
   */
  attention_head_dim: z.union([count, z.array(count)]).default(8),
  cross_attention_dim: count.default(768),
  norm_num_groups: count.default(32),
  norm_eps: z.number().positive().default(1e-5),
  use_linear_projection: z.boolean().default(false),
  downsample_padding: z.int().min(0).default(1),
  /**
   * Channels of the local conditions' summed features, concatenated with z_t before conv_in; 0 for
   * none.
   */
  localChannels: z.int().min(0).default(8),
  /** How the cross-attention sees the image prior's tokens (`ImageQuery`). */
  imageQuery: z.enum(['own', 'shared', 'joint', 'none']).default('own'),
  /**
   * Whether the frames of a clip meet in temporal attention (stage 2), or are images apart (stage
   * 1).
   */
  temporal: z.boolean().default(false),
  /** Whether the layers without spatial attention then have temporal attention as well. */
  temporalWithoutSpatial: z.boolean().default(false),
  /** Whether the residual blocks then end in a temporal convolution, as VideoComposer's do. */
  temporalConvolution: z.boolean().default(false),
});
/** What a caller writes: everything has a default. */
export type UNetConfig = z.input<typeof UNetConfig>;

/**
 * The denoiser. Frames are folded into the batch: z_t is (b * frames, c, h, w), the frames of a
 * clip side by side, because all layers but the temporal ones work on pictures and 2-D convolution
 * is the fast one; how many frames a clip has follows from the number of rows of t. Inside it
 * computes in the channels-last memory format, in which the tokens of the attentions are views of
 * the picture.
 *
 * Keys are diffusers', with `attn2.to_{q,k,v}_image`, `temporal_attentions.<layer>` and, from its
 * UNet3DConditionModel, `temp_convs.<layer>` added. A network with temporal layers starts out as the
 * network without them, and loads its weights with `strict: false`.
 */
export class UNet extends Module<[Tensor, Tensor, Context, (Tensor | null)?], Tensor> {
  readonly config: z.output<typeof UNetConfig>;
  private readonly convIn: Conv2d;
  private readonly time1: Linear;
  private readonly time2: Linear;
  private readonly down: DownBlock[];
  private readonly middle: MiddleBlock;
  private readonly up: UpBlock[];
  private readonly normOut: GroupNorm;
  private readonly convOut: Conv2d;

  constructor(path: Path, config: UNetConfig = {}) {
    super();
    const c = (this.config = UNetConfig.parse(config));
    const widths = c.block_out_channels;
    const levels = widths.length;
    for (const name of ['down_block_types', 'up_block_types'] as const) {
      expectOneEach(name, c[name].length, levels);
    }
    const heads =
      typeof c.attention_head_dim === 'number'
        ? Array<number>(levels).fill(c.attention_head_dim)
        : c.attention_head_dim;
    expectOneEach('attention_head_dim', heads.length, levels);
    const timeChannels = widths[0] * 4;
    const resnet = { groups: c.norm_num_groups, eps: c.norm_eps, timeChannels };
    const block = (level: number, attends: boolean, layers = c.layers_per_block): BlockConfig => ({
      layers,
      resnet,
      transformer: attends
        ? {
            heads: heads[level],
            groups: c.norm_num_groups,
            contextWidth: c.cross_attention_dim,
            imageQuery: c.imageQuery,
            linearProjection: c.use_linear_projection,
          }
        : null,
      temporalHeads: c.temporal && (attends || c.temporalWithoutSpatial) ? heads[level] : null,
      temporalConvolution: c.temporal && c.temporalConvolution,
    });

    this.convIn = new Conv2d(path.sub('conv_in'), c.in_channels + c.localChannels, widths[0], 3, {
      padding: 1,
      init: blindTo(c.in_channels, c.localChannels),
    });
    this.time1 = new Linear(path.sub('time_embedding.linear_1'), widths[0], timeChannels);
    this.time2 = new Linear(path.sub('time_embedding.linear_2'), timeChannels, timeChannels);
    this.down = widths.map((width, level) => {
      const attends = c.down_block_types[level] === 'CrossAttnDownBlock2D';
      const padding = level < levels - 1 ? c.downsample_padding : null;
      const at = path.sub('down_blocks').sub(level);
      return new DownBlock(
        at,
        widths[level - 1] ?? widths[0],
        width,
        block(level, attends),
        padding,
      );
    });
    this.middle = new MiddleBlock(
      path.sub('mid_block'),
      widths[levels - 1],
      block(levels - 1, true),
    );
    const skipChannels = [
      widths[0],
      ...widths.flatMap((width, level) =>
        Array<number>(c.layers_per_block + (level < levels - 1 ? 1 : 0)).fill(width),
      ),
    ];
    this.up = widths.map((_, index) => {
      const level = levels - 1 - index;
      const attends = c.up_block_types[index] === 'CrossAttnUpBlock2D';
      const skips = Array.from({ length: c.layers_per_block + 1 }, () => skipChannels.pop()!);
      const channels = { below: widths[level + 1] ?? widths[level], out: widths[level], skips };
      return new UpBlock(
        path.sub('up_blocks').sub(index),
        channels,
        block(level, attends),
        level > 0,
      );
    });
    this.normOut = new GroupNorm(
      path.sub('conv_norm_out'),
      c.norm_num_groups,
      widths[0],
      c.norm_eps,
    );
    this.convOut = new Conv2d(path.sub('conv_out'), widths[0], c.out_channels, 3, { padding: 1 });
  }

  /**
   * @param z z_t, (b * frames, in_channels, h, w); its dtype is the one computed in
   * @param t step of each clip, (b)
   * @param context tokens of each clip
   * @param local summed features of the local conditions, (b * frames, localChannels, h, w); null
   *   for none
   * @returns the prediction, (b * frames, out_channels, h, w)
   */
  forward(z: Tensor, t: Tensor, context: Context, local: Tensor | null = null): Tensor {
    const frames = this.framesOf(z, t, context);
    const time = timestepEmbedding(t, this.config.block_out_channels[0]).to(z.dtype); // b c0
    const temb = this.time2.call(silu(this.time1.call(time))); // b 4*c0
    const around = { activatedTime: silu(temb), context, frames };

    let h = this.convIn.call(this.withLocal(z, local).channelsLast()); // n c0 h w
    const skips = [h];
    for (const block of this.down) {
      skips.push(...block.call(h, around));
      h = skips[skips.length - 1]; // n c h/2^level w/2^level
    }
    h = this.middle.call(h, around);
    for (const block of this.up) {
      const used = Array.from({ length: this.config.layers_per_block + 1 }, () => skips.pop()!);
      const next = skips.at(-1);
      h = block.call(h, used, around, next && [next.shape[2], next.shape[3]]);
    }
    return this.convOut.call(silu(this.normOut.call(h))); // n out h w
  }

  private framesOf(z: Tensor, t: Tensor, context: Context): number {
    const [rows, clips] = [z.shape[0], t.shape[0]];
    if (rows % clips !== 0 || z.shape[1] !== this.config.in_channels) {
      throw new Error(
        `unet: expected z_t of (${clips} clips * frames)x${this.config.in_channels}xHxW, ` +
          `got ${z.shape.join('x')}`,
      );
    }
    for (const tokens of [context.text, context.image]) {
      if (tokens !== null && tokens.shape[0] !== clips) {
        throw new Error(`unet: expected context of ${clips} clips, got ${tokens.shape.join('x')}`);
      }
    }
    if (this.config.imageQuery === 'joint' && context.image === null) {
      throw new Error('unet: expected image tokens, zeros where there is no image, got none');
    }
    return rows / clips;
  }

  private withLocal(z: Tensor, local: Tensor | null): Tensor {
    const { localChannels } = this.config;
    if (localChannels === 0) return z;
    const [n, , height, width] = z.shape;
    const shape = [n, localChannels, height, width];
    const features = local ?? zeros(shape, { dtype: z.dtype, device: z.device });
    if (features.shape.join() !== shape.join()) {
      throw new Error(
        `unet: expected local features ${shape.join('x')}, got ${features.shape.join('x')}`,
      );
    }
    return cat([z, features.to(z.dtype)], 1); // n c+8 h w
  }
}

function expectOneEach(name: string, got: number, levels: number): void {
  if (got === levels) return;
  throw new Error(
    `unet: expected ${levels} ${name}, one for each of block_out_channels, got ${got}`,
  );
}
