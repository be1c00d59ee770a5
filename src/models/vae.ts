import { z } from 'zod';
import { Conv2d } from '../nn/convolution.ts';
import { Module } from '../nn/module.ts';
import type { Path } from '../nn/path.ts';
import { scope } from '../tensor/memory.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import { pixelShuffle, pixelUnshuffle } from './pixel-shuffle.ts';
import { downLayers, middleLayers, OutputHead, upLayers } from './vae-blocks.ts';
import type { Layer, StackOptions } from './vae-blocks.ts';

/** diffusers' names for `AutoencoderKL`; the defaults are Stable Diffusion 1.x. */
export const vaeConfig = z.strictObject({
  in_channels: z.int().positive().default(3),
  out_channels: z.int().positive().default(3),
  block_out_channels: z.array(z.int().positive()).min(1).readonly().default([128, 256, 512, 512]),
  layers_per_block: z.int().positive().default(2),
  latent_channels: z.int().positive().default(4),
  norm_num_groups: z.int().positive().default(32),
  sample_size: z.int().positive().default(512),
  scaling_factor: z.number().positive().default(0.18215),
  /** Of each latent channel, measured on frames when the VAE has finished; null for 0 and 1. */
  latents_mean: z.array(z.number()).readonly().nullable().default(null),
  latents_std: z.array(z.number().positive()).readonly().nullable().default(null),
  mid_block_add_attention: z.boolean().default(true),
  /**
   * Ours, absent from AutoencoderKL: a linear map past the encoder, added to its mean, and one past
   * the decoder, each a convolution over the pixels that a latent covers and their neighbours (the
   * way up is Shi et al.'s sub-pixel convolution, 2016). Speckle is close to Gaussian, for which the
   * best code is linear: the network begins near it and learns the rest.
   */
  linearShortcut: z.boolean().default(false),
});
export type VaeConfig = z.infer<typeof vaeConfig>;

/** How many pixels of a side one latent covers: a halving between each two blocks. */
export function vaeReduction(config: VaeConfig): number {
  return 2 ** (config.block_out_channels.length - 1);
}

/**
 * The encoder's answer: a diagonal Gaussian, mean and logvar (n, latent_channels, h, w).
 * A plain record, so that scopes see its tensors.
 */
export interface Posterior {
  readonly mean: Tensor;
  /** Held in [-30, 20], as LDM does, so that exp stays finite. */
  readonly logvar: Tensor;
  /** mean + exp(logvar / 2) noise, with noise of the mean's shape. */
  sample(noise: Tensor): Tensor;
  /** The most likely latents: the mean. */
  mode(): Tensor;
}

/** The Gaussian of these moments, with `logvar` clamped. */
export function posterior(mean: Tensor, logvar: Tensor): Posterior {
  const held = logvar.clamp(-30, 20);
  return {
    mean,
    logvar: held,
    sample: (noise) =>
      scope(() => mean.add(held.mul(0.5).exp().mul(noise.to(mean.dtype)))),
    mode: () => mean,
  };
}

/**
 * The autoencoder of latent diffusion (Rombach et al. 2022), diffusers' `AutoencoderKL` key by key, with
 * `linear_encoder` and `linear_decoder` added where the configuration asks for the shortcut.
 * Latents are unscaled here: `scaleLatents` and `unscaleLatents` are for who diffuses them.
 */
export class Vae extends Module<[Tensor], Tensor> {
  readonly config: VaeConfig;
  private readonly encoder: Encoder;
  private readonly decoder: Decoder;
  private readonly quantize: Conv2d;
  private readonly dequantize: Conv2d;
  private readonly linear: { encoder: Conv2d; decoder: Conv2d } | null;

  constructor(path: Path, config: VaeConfig) {
    super();
    const latents = config.latent_channels;
    this.config = config;
    this.encoder = new Encoder(path.sub('encoder'), config);
    this.decoder = new Decoder(path.sub('decoder'), config);
    this.quantize = new Conv2d(path.sub('quant_conv'), 2 * latents, 2 * latents, 1);
    this.dequantize = new Conv2d(path.sub('post_quant_conv'), latents, latents, 1);
    const pixels = vaeReduction(config) ** 2;
    const linear = (key: string, from: number, to: number) =>
      new Conv2d(path.sub(key), from, to, 3, { padding: 1 });
    this.linear = config.linearShortcut
      ? {
          encoder: linear('linear_encoder', config.in_channels * pixels, latents),
          decoder: linear('linear_decoder', latents, config.out_channels * pixels),
        }
      : null;
  }

  /**
   * @param x pictures (n, in_channels, h, w) in [-1, 1], sides divisible by `vaeReduction`
   * @throws naming what was expected when the channels or the sides do not fit
   */
  encode(x: Tensor): Posterior {
    const { in_channels: channels } = this.config;
    const reduction = vaeReduction(this.config);
    const [, found, height, width] = x.shape;
    if (x.shape.length !== 4 || found !== channels || height % reduction || width % reduction) {
      throw new Error(
        `vae: expected pictures (n, ${channels}, h, w) with sides divisible by ${reduction}, ` +
          `got ${x.shape.join('x')}`,
      );
    }
    return scope(() => {
      const [mean, logvar] = this.quantize.call(this.encoder.call(x)).chunk(2, 1);
      return posterior(this.linear ? mean.add(this.linear.encoder.call(pixelUnshuffle(x, reduction))) : mean, logvar);
    });
  }

  /**
   * @param z unscaled latents (n, latent_channels, h, w)
   * @returns pictures (n, out_channels, h r, w r), about [-1, 1], not clamped
   */
  decode(z: Tensor): Tensor {
    const { latent_channels: channels } = this.config;
    if (z.shape.length !== 4 || z.shape[1] !== channels) {
      throw new Error(`vae: expected latents (n, ${channels}, h, w), got ${z.shape.join('x')}`);
    }
    return scope(() => {
      const decoded = this.decoder.call(this.dequantize.call(z));
      if (this.linear === null) return decoded;
      return decoded.add(pixelShuffle(this.linear.decoder.call(z), vaeReduction(this.config)));
    });
  }

  /** Decodes the mode of the encoding. */
  forward(x: Tensor): Tensor {
    return this.decode(this.encode(x).mode());
  }

  /** (z - latents_mean) scaling_factor / latents_std, as diffusers' pipelines have it. (n, c, h, w) -> same */
  scaleLatents(z: Tensor): Tensor {
    const { shift, scale } = this.statistics(z);
    return (shift === null ? z : z.sub(shift)).mul(scale);
  }

  /** The way back. (n, c, h, w) -> same */
  unscaleLatents(z: Tensor): Tensor {
    const { shift, scale } = this.statistics(z);
    const unscaled = z.div(scale);
    return shift === null ? unscaled : unscaled.add(shift);
  }

  private statistics(like: Tensor): { shift: Tensor | null; scale: Tensor } {
    const { latent_channels: channels, latents_mean: mean, latents_std: std, scaling_factor } = this.config;
    const perChannel = (values: readonly number[]): Tensor => {
      if (values.length !== channels) {
        throw new Error(`vae: expected latents_mean and latents_std of ${channels} channels, got ${values.length}`);
      }
      return tensor(Float32Array.from(values), [1, channels, 1, 1], { device: like.device }).to(like.dtype);
    };
    const deviations = std ?? Array<number>(channels).fill(1);
    return { shift: mean && perChannel(mean), scale: perChannel(deviations.map((s) => scaling_factor / s)) };
  }

  /** The weight of the decoder's last convolution, where LDM balances the adversarial gradient. */
  get lastLayer(): Tensor {
    return this.decoder.head.conv.weight;
  }
}

class Encoder extends Module<[Tensor], Tensor> {
  private readonly layers: readonly Layer[];

  constructor(path: Path, config: VaeConfig) {
    super();
    const stack = stackOptions(config);
    const { widths, groups } = stack;
    const first = new Conv2d(path.sub('conv_in'), config.in_channels, widths[0], 3, { padding: 1 });
    const head = new OutputHead(path, widths.at(-1)!, 2 * config.latent_channels, groups);
    this.layers = [
      (x) => first.call(x),
      ...downLayers(path.sub('down_blocks'), stack),
      ...middleLayers(path.sub('mid_block'), stack),
      (x) => head.call(x),
    ];
  }

  /** (n, in, h, w) -> (n, 2 latents, h/r, w/r) */
  forward(x: Tensor): Tensor {
    return this.layers.reduce((h, layer) => layer(h), x);
  }
}

class Decoder extends Module<[Tensor], Tensor> {
  private readonly layers: readonly Layer[];
  readonly head: OutputHead;

  constructor(path: Path, config: VaeConfig) {
    super();
    const stack = stackOptions(config);
    const { widths, groups } = stack;
    this.head = new OutputHead(path, widths[0], config.out_channels, groups);
    const { latent_channels: latents } = config;
    const first = new Conv2d(path.sub('conv_in'), latents, widths.at(-1)!, 3, { padding: 1 });
    this.layers = [
      (z) => first.call(z),
      ...middleLayers(path.sub('mid_block'), stack),
      ...upLayers(path.sub('up_blocks'), stack),
      (x) => this.head.call(x),
    ];
  }

  /** (n, latents, h, w) -> (n, out, h r, w r) */
  forward(z: Tensor): Tensor {
    return this.layers.reduce((h, layer) => layer(h), z);
  }
}

function stackOptions(config: VaeConfig): StackOptions {
  return {
    widths: config.block_out_channels, layers: config.layers_per_block,
    groups: config.norm_num_groups, attention: config.mid_block_add_attention,
  };
}
