import { z } from 'zod';
import { conditionOf, conditions, type ConditionName } from '../conditions/condition.ts';
import { followMaterial } from '../conditions/material.ts';
import {
  correlateFrames, gatherNoise, noisePriorConfig, noiseTravel, type NoiseTravel,
} from '../diffusion/noise-prior.ts';
import { NoiseSchedule, schedulerConfig } from '../diffusion/schedule.ts';
import type { Frames } from '../frames/frames.ts';
import { GlobalAdapter, GlobalAdapterConfig } from '../models/adapter.ts';
import { ClipText, clipTextConfig } from '../models/clip-text.ts';
import { ClipTokenizer, echoVocabulary } from '../models/clip-tokenizer.ts';
import type { TokenizerSource } from '../models/tokenizer-folder.ts';
import { LocalEncoder, LocalEncoderConfig } from '../models/local-encoder.ts';
import { ImageEncoder, imageEncoderConfig, imageEncoderInput } from '../models/medsam.ts';
import { UNet, UNetConfig } from '../models/unet.ts';
import { Vae, vaeConfig, vaeReduction, type Posterior } from '../models/vae.ts';
import { rootPath, type Path } from '../nn/path.ts';
import type { DType } from '../tensor/dtype.ts';
import { scope } from '../tensor/memory.ts';
import { cat, zeros } from '../tensor/ops.ts';
import { noise } from '../tensor/random.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';

/** A whole HeartBeat: every network's own configuration under its diffusers folder name. */
export const heartbeatConfig = z.strictObject({
  resolution: z.int().positive().default(256),
  frames: z.int().positive().default(16),
  /** What a clip's frames follow: a heart beat, or the slices of a volume from base to apex (cardiac MRI). */
  frameAxis: z.enum(['time', 'slice']).default('time'),
  /** Labels of the data set, background included. */
  classes: z.int().min(2).default(4),
  conditions: z.array(z.enum(conditions.map(({ name }) => name) as [ConditionName, ...ConditionName[]]))
    .default(conditions.map(({ name }) => name)),
  vae: vaeConfig,
  unet: UNetConfig,
  text_encoder: clipTextConfig,
  image_encoder: imageEncoderConfig,
  local_encoders: LocalEncoderConfig.prefault({}),
  global_adapter: GlobalAdapterConfig,
  scheduler: schedulerConfig.prefault({}),
  noisePrior: noisePriorConfig.prefault({}),
});
export type HeartBeatConfig = z.infer<typeof heartbeatConfig>;

/** Folder names of a saved model, as diffusers writes them; each has a registry of parameters of its own. */
export const componentNames = [
  'vae', 'unet', 'text_encoder', 'image_encoder', 'local_encoders', 'global_adapter',
] as const;
export type ComponentName = (typeof componentNames)[number];

/** What the U-Net is told: the summed local features and the context of its two cross-attentions. */
export interface Control {
  readonly local: Tensor | null; // (b f) 8 h w
  readonly text: Tensor;         // b tokens d
  readonly image: Tensor | null; // b 64 d
}

/** One batch of conditions after extraction. What is absent is dropped for the whole batch. */
export interface ConditionBatch {
  /** By name: (b f) c H W, or b c H W for a condition of one frame. */
  readonly local: ReadonlyMap<ConditionName, Tensor>;
  readonly prompts: readonly string[];
  /** The image encoder's embedding of the prior, b c g g. */
  readonly image: Tensor | null;
}

/** What moves in a clip: the flow condition, 2 f h w, and its strength. */
export interface Motion { readonly flow: Frames; readonly strength: number }

export interface ClipNoiseOptions {
  /** The model's number of frames by default. */
  readonly frames?: number;
  /** Null where nothing moves. */
  readonly travel?: NoiseTravel | null;
  /**
   * Who draws the noise that travels, of which there is a number for each pixel: the processor, so that every
   * device samples the same clip, or the device itself, whose own numbers train as well and cost nothing.
   */
  readonly fineDrawnBy?: string;
}

/** Strength of a condition for each clip of the batch: 0 drops it, 1 is as trained. */
export type Strength = (name: ConditionName) => readonly number[];

export interface HeartBeatOptions {
  readonly device?: string;
  /** Of the U-Net and the local encoders; the VAE has its own, what runs once a clip is float32. */
  readonly dtype?: DType;
  readonly vaeDtype?: DType;
  readonly seed?: number;
  /** Of the prompts; null is the small vocabulary of echocardiography that ships with the small models. */
  readonly tokenizer?: TokenizerSource | null;
  /** Without first values, for a model whose weights are all loaded next (see `PathOptions`). */
  readonly blank?: boolean;
}

/** The framework of the paper's figure 1: latent diffusion under local and global conditions (PAPER section 1). */
export class HeartBeat {
  readonly config: HeartBeatConfig;
  readonly schedule: NoiseSchedule;
  readonly tokenizer: ClipTokenizer;
  /** What the tokenizer was made of; null for the vocabulary that ships here. */
  readonly tokenizerSource: TokenizerSource | null;
  readonly components: Readonly<Record<ComponentName, Path>>;
  readonly vae: Vae;
  readonly unet: UNet;
  readonly textEncoder: ClipText;
  readonly imageEncoder: ImageEncoder;
  readonly adapter: GlobalAdapter;
  readonly localEncoders: ReadonlyMap<ConditionName, LocalEncoder>;
  private frozenText: ReadonlyMap<string, Tensor> = new Map();
  /** Mean over the training frames, (1, 1, resolution, resolution): where sampling starts without an image prior. */
  meanFrame: Frames | null = null;

  constructor(config: HeartBeatConfig, options: HeartBeatOptions = {}) {
    const { device = 'cpu', dtype = 'float32', vaeDtype = 'float32', seed = 0, tokenizer = null, blank } = options;
    const root = (type: DType) => rootPath({ device, dtype: type, seed, blank });
    this.config = config;
    this.schedule = new NoiseSchedule(config.scheduler);
    const { max_position_embeddings: maxLength, vocab_size: rows } = config.text_encoder;
    this.tokenizerSource = tokenizer;
    this.tokenizer = new ClipTokenizer(tokenizer?.vocabulary ?? echoVocabulary(), {
      maxLength, padToken: tokenizer?.padToken,
    });
    if (this.tokenizer.size > rows) {
      throw new Error(
        `text_encoder: expected vocab_size of at least the tokenizer's ${this.tokenizer.size}, got ${rows}`);
    }
    const { local_encoders: { featureChannels }, unet: { localChannels } } = config;
    const hasLocal = conditions.some(({ name, kind }) => kind === 'local' && config.conditions.includes(name));
    if (hasLocal && featureChannels !== localChannels) {
      throw new Error(`local_encoders: expected featureChannels of the U-Net's localChannels ${localChannels}, ` +
        `got ${featureChannels}`);
    }
    this.components = {
      vae: root(vaeDtype), unet: root(dtype), local_encoders: root(dtype),
      text_encoder: root('float32'), image_encoder: root('float32'), global_adapter: root('float32'),
    };
    this.vae = new Vae(this.components.vae, config.vae);
    this.unet = new UNet(this.components.unet, config.unet);
    this.textEncoder = new ClipText(this.components.text_encoder, config.text_encoder);
    this.imageEncoder = new ImageEncoder(this.components.image_encoder, config.image_encoder);
    this.adapter = new GlobalAdapter(this.components.global_adapter, config.global_adapter);
    this.localEncoders = new Map(
      conditions
        .filter(({ name, kind }) => kind === 'local' && config.conditions.includes(name))
        .map(({ name, channels }) => {
          const path = this.components.local_encoders.sub(name);
          return [name, new LocalEncoder(path, channels(config.classes), this.latentSize, config.local_encoders)];
        }));
  }

  /** Side of the latent grid in cells. */
  get latentSize(): number {
    return this.config.resolution / vaeReduction(this.config.vae);
  }

  /** (f, c, h, w) of one clip's latents. */
  latentShape(frames = this.config.frames): number[] {
    return [frames, this.config.vae.latent_channels, this.latentSize, this.latentSize];
  }

  /** How a clip's noise travels along its flow; null for a model whose noise stays in its place. */
  noiseTravel({ flow, strength }: Motion): NoiseTravel | null {
    if (this.config.noisePrior.alongFlow === null) return null;
    const { frames, height, width } = flow;
    return noiseTravel(followMaterial(flow, strength), [frames, height, width], [this.latentSize, this.latentSize]);
  }

  /**
   * The noise of one clip, (f, c, h, w) on the U-Net's device: a function of (seed, key), and of the motion when
   * the noise prior travels along a flow. The first frame's is the same whatever moves.
   */
  clipNoise(seed: number | bigint, key: readonly (string | number)[], options: ClipNoiseOptions = {}): Tensor {
    const { noisePrior: { alongFlow, ...still }, resolution } = this.config;
    const { frames = this.config.frames, travel = null, fineDrawnBy = 'cpu' } = options;
    const { device } = this.components.unet;
    const [f, c, h, w] = this.latentShape(frames);
    return scope(() => {
      if (alongFlow === null || frames === 1) {
        return correlateFrames(noise(seed, key, [f, c, h, w]).to(device), still);
      }
      const white = noise(seed, key, [f, c, resolution, resolution], fineDrawnBy).to(device);
      return gatherNoise(correlateFrames(white, travel === null ? still : alongFlow), travel, [h, w]);
    });
  }

  /**
   * z_T of a walk that begins at step `t`: q(z_t | z_0) with `noise` for epsilon and, for z_0, the latents of the
   * image prior, which `strength` below 1 blends with the mean training frame's. At the last step some of z_0 is
   * still there (0.07 of it with Stable Diffusion's betas), enough to tell a network the brightness: noise alone
   * tells it grey 0 (Lin et al. 2024, "Common diffusion noise schedules and sample steps are flawed").
   *
   * @param noise f c h w
   */
  start(noise: Tensor, t: number, prior: Frames | null, strength = 1): Tensor {
    const shown = prior === null || strength === 0 ? this.meanFrame : prior;
    if (shown === null) return noise;
    return scope(() => {
      const latents = (picture: Frames) => {
        const { device, dtype } = this.components.vae;
        const { height, width } = picture;
        const first = picture.data.subarray(0, height * width);
        const z = this.encode(tensor(first, [1, 1, height, width], { device }).to(dtype)).mean;
        return this.vae.scaleLatents(z).to(noise.dtype).to(noise.device);
      };
      const own = latents(shown);
      const blended = shown === this.meanFrame || this.meanFrame === null ? own
        : own.mul(strength).add(latents(this.meanFrame), 1 - strength);
      return noise.mul(this.schedule.noise(t)).add(blended, this.schedule.signal(t));
    });
  }

  /** Grey pictures in [0,1] to the posterior over latents (before the scale). n 1 H W -> n c h w */
  encode(pictures: Tensor): Posterior {
    const channels = this.config.vae.in_channels;
    const scaled = pictures.mul(2).sub(1);
    return this.vae.encode(channels === 1 ? scaled : scaled.expand([-1, channels, -1, -1]));
  }

  /** Scaled latents to grey pictures in [0,1]. n c h w -> n 1 H W */
  decode(latents: Tensor): Tensor {
    const pictures = this.vae.decode(this.vae.unscaleLatents(latents));
    return pictures.mean([1], true).add(1).div(2).clamp(0, 1);
  }

  /** The frozen image encoder's embedding of grey pictures in [0,1]. n 1 H W -> n c g g */
  embedImage(pictures: Tensor): Tensor {
    return this.imageEncoder.call(imageEncoderInput(pictures, this.config.image_encoder));
  }

  /** Conditions to what the U-Net takes; features are added, each times its strength (PAPER section 1). */
  control(
    batch: ConditionBatch, strength: Strength, frames: number, training = false,
  ): Control {
    const clips = batch.prompts.length;
    let local: Tensor | null = null; // b f 8 h w
    for (const [name, planes] of batch.local) {
      const encoder = this.localEncoders.get(name);
      if (encoder === undefined) {
        throw new Error(`condition ${name}: expected one of this model's local conditions ` +
          `(${[...this.localEncoders.keys()].join(', ')}), got ${name}`);
      }
      const { gain } = conditionOf(name);
      const scaled = encodeKept(encoder, gain === 1 ? planes : planes.mul(gain), strength(name), frames); // b 1|f 8 h w
      if (scaled !== null) local = local === null ? scaled : local.add(scaled);
    }
    const folded = local === null ? null : ((sum: Tensor) => {
      const [, , c, h, w] = sum.shape;
      return sum.expand([clips, frames, c, h, w]).reshape([clips * frames, c, h, w]);
    })(local);
    const image = batch.image === null ? this.noImage(clips)
      : ((tokens: Tensor) => tokens.mul(perClip(strength('image'), 3, tokens)))(
        this.adapter.call(batch.image, training));
    return { local: folded, text: this.embedText(batch.prompts, strength('text')), image };
  }

  /** What the U-Net is given in place of an absent image prior: tokens of zeros where their number counts. */
  private noImage(clips: number): Tensor | null {
    const { unet: { imageQuery }, global_adapter: { tokenGrid, oneToken, contextWidth } } = this.config;
    if (imageQuery !== 'joint') return null;
    const { device } = this.components.unet;
    return zeros([clips, oneToken ? 1 : tokenGrid ** 2, contextWidth], { device });
  }

  /** Prompts to text context; strength s stands between the empty prompt's (0) and the prompt's own (1). */
  embedText(prompts: readonly string[], strength: readonly number[]): Tensor {
    const embed = (texts: readonly string[]) => {
      const known = texts.flatMap((text) => this.frozenText.get(text) ?? []);
      if (known.length === texts.length) return cat(known, 0);
      const ids = texts.flatMap((text) => [...this.tokenizer.encode(text)]);
      const { device } = this.components.text_encoder;
      const shape = [texts.length, this.tokenizer.maxLength];
      return this.textEncoder.call(tensor(ids, shape, { dtype: 'int64', device }));
    };
    const plain = prompts.map((prompt, i) => (strength[i] === 0 ? '' : prompt));
    if (strength.every((s) => s === 0 || s === 1)) return embed(plain);
    const empty = embed(prompts.map(() => ''));
    const context = embed(plain);
    return empty.add(context.sub(empty).mul(perClip(strength, 3, context)));
  }

  /**
   * Gives the tokens of prompts, (1, tokens, width) each, whose text encoder stays as it is: it then does not
   * run for them. The model releases them.
   */
  holdText(tokens: ReadonlyMap<string, Tensor>): void {
    for (const value of this.frozenText.values()) value.dispose();
    this.frozenText = tokens;
  }

  /** epsilon (or v) at z_t under `control`. zt: (b f) c h w; t: one step a clip. */
  denoise(zt: Tensor, t: readonly number[], control: Control): Tensor {
    const steps = tensor(Float32Array.from(t), [t.length], { device: zt.device });
    const { local, text, image } = control;
    const told = { text: text.to(zt.dtype), image: image === null ? null : image.to(zt.dtype) };
    return this.unet.call(zt, steps, told, local);
  }

  dispose(): void {
    this.holdText(new Map());
    for (const path of Object.values(this.components)) path.dispose();
  }
}

/**
 * A local condition's features times the strength of each clip. Clips of strength 0 are not encoded at all:
 * theirs are zeros. (b f') c H W -> b f' 8 h w, or null when no clip keeps it.
 */
function encodeKept(
  encoder: LocalEncoder, planes: Tensor, strength: readonly number[], frames: number,
): Tensor | null {
  const kept = strength.flatMap((factor, clip) => (factor === 0 ? [] : [clip]));
  if (kept.length === 0) return null;
  const clips = strength.length;
  const each = planes.shape[0] / clips;
  const rows = (of: readonly number[]) => tensor(of, [of.length], { dtype: 'int64', device: planes.device });
  const all = kept.length === clips;
  const shown = all ? planes
    : planes.indexSelect(0, rows(kept.flatMap((clip) => Array.from({ length: each }, (_, f) => clip * each + f))));
  const features = encoder.call(shown, kept.length, frames); // (kept f') 8 h w
  const split = features.reshape([kept.length, -1, ...features.shape.slice(1)])
    .mul(perClip(kept.map((clip) => strength[clip]), 5, features));
  if (all) return split;
  const [, ...shape] = split.shape;
  const nothing = zeros([1, ...shape], { dtype: split.dtype, device: split.device });
  const place = strength.map((factor, clip) => (factor === 0 ? kept.length : kept.indexOf(clip)));
  return cat([split, nothing], 0).indexSelect(0, rows(place)); // b f' 8 h w
}

/** One factor a clip, shaped to multiply a tensor of `rank` axes. */
function perClip(strength: readonly number[], rank: number, like: Tensor): Tensor {
  const shape = [strength.length, ...Array<number>(rank - 1).fill(1)];
  return tensor(Float32Array.from(strength), shape, { device: like.device }).to(like.dtype);
}
