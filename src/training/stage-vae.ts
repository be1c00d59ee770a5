import { z } from 'zod';
import type { Frames } from '../frames/frames.ts';
import { randomStream } from '../frames/random.ts';
import type { HeartBeat } from '../heartbeat/heartbeat.ts';
import { Discriminator, discriminatorConfig } from '../models/discriminator.ts';
import { hingeDiscriminatorLoss, vaeLoss, vaeLossConfig } from '../models/vae-loss.ts';
import type { VaeConfig } from '../models/vae.ts';
import { rootPath, type Path } from '../nn/path.ts';
import { keep, noGrad, scope } from '../tensor/memory.ts';
import { cat } from '../tensor/ops.ts';
import { noise } from '../tensor/random.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { loopConfig, type Stage } from './loop.ts';
import { Optimization, optimizationConfig } from './optimization.ts';
import { shuffledOrder } from './order.ts';
import { allFrames, pictures, type FrameOf, type PreparedClip } from './prepared-clip.ts';

/** The autoencoder, trained as in latent diffusion: reconstruction, KL, patch-adversarial. */
export const vaeStageConfig = z.strictObject({
  generator: optimizationConfig,
  discriminator: optimizationConfig,
  loop: loopConfig,
  loss: vaeLossConfig.prefault({}),
  patch: discriminatorConfig,
  /**
   * Step from which the terms that ask for texture count, the discriminator (LDM's disc_start) and the
   * spectrum: before the reconstruction is right, texture is cheapest as a grid.
   */
  textureStart: z.int().nonnegative().default(1000),
  /** Side of the squares trained on, in pixels; null for whole pictures. */
  cropSize: z.int().positive().nullable().default(null),
  validationFrames: z.int().positive().default(64),
});
export type VaeStageConfig = z.infer<typeof vaeStageConfig>;

export class VaeStage implements Stage {
  readonly name = 'vae';
  readonly maxTrainSteps: number;
  readonly generator: Optimization;
  private readonly discriminator: Optimization;
  private readonly patch: Discriminator;
  private readonly patchPath: Path;
  private readonly model: HeartBeat;
  private readonly config: VaeStageConfig;
  private readonly seed: number;
  private readonly frames: readonly FrameOf[];
  private readonly held: readonly FrameOf[];
  private readonly order: (index: number) => number;

  constructor(
    model: HeartBeat, clips: readonly PreparedClip[], held: readonly PreparedClip[],
    config: VaeStageConfig, seed: number,
  ) {
    this.model = model;
    this.config = config;
    this.seed = seed;
    this.maxTrainSteps = config.generator.maxTrainSteps;
    this.frames = allFrames(clips);
    this.order = shuffledOrder(seed, this.frames.length);
    const heldFrames = allFrames(held);
    const count = Math.min(config.validationFrames, heldFrames.length);
    this.held = Array.from({ length: count }, (_, i) => heldFrames[Math.floor((i * heldFrames.length) / count)]);
    this.patchPath = rootPath({ device: model.components.vae.device, seed: seed + 1 });
    this.patch = new Discriminator(this.patchPath, config.patch);
    this.generator = new Optimization(model.components.vae.trainable(), config.generator);
    this.discriminator = new Optimization(this.patchPath.trainable(), config.discriminator);
  }

  step(step: number): Record<string, number> {
    const { gradientAccumulationSteps: micros } = this.config.generator;
    const { loss: every, textureStart } = this.config;
    const textured = step >= textureStart;
    const weights = textured ? every : { ...every, spectrumWeight: 0, adversarialWeight: 0 };
    const scalars: Record<string, number> = {};
    const fakes: Tensor[] = []; // what the generator made, for the discriminator
    const { loss, gradNorm, lr } = this.generator.step(step, (micro) => {
      const target = this.crops(step * micros + micro);
      const posterior = this.model.encode(this.cast(target));
      const drawn = noise(this.seed, ['vae', step, micro], posterior.mean.shape).to(this.device);
      const reconstruction = this.model.vae.decode(posterior.sample(drawn));
      const { total, terms } = vaeLoss({
        target: target.mul(2).sub(1), reconstruction, posterior,
        lastLayer: this.model.vae.lastLayer,
        scores: textured ? this.patch.call(reconstruction) : null,
      }, weights);
      for (const [name, term] of Object.entries(terms)) {
        scalars[name] = (scalars[name] ?? 0) + term.item() / micros;
      }
      if (textured) fakes.push(keep(reconstruction.detach()));
      return total;
    });
    if (textured) {
      this.discriminator.zeroGrad(); // the generator's pass left gradients here
      const report = this.discriminator.step(step - textureStart, (micro) => {
        const real = this.cast(this.crops(step * micros + micro).mul(2).sub(1));
        const [scoresOfReal, scoresOfFake] = [this.patch.call(real), this.patch.call(fakes[micro])];
        return hingeDiscriminatorLoss(scoresOfReal.to('float32'), scoresOfFake.to('float32'));
      });
      for (const fake of fakes) fake.dispose();
      scalars.discriminator = report.loss;
    }
    return { loss, gradNorm, lr, ...scalars };
  }

  /** Batch number `batch`: a square of each frame at a place that is a function of (seed, index). */
  private crops(batch: number): Tensor {
    const { trainBatchSize: count } = this.config.generator;
    const indexes = Array.from({ length: count }, (_, i) => batch * count + i);
    const whole = pictures(indexes.map((index) => this.frames[this.order(index)]), this.device);
    const [, , height, width] = whole.shape;
    const side = Math.min(this.config.cropSize ?? height, height, width);
    if (side === height && side === width) return whole;
    const cut = indexes.map((index, i) => {
      const stream = randomStream('crop', this.seed, index);
      const [top, left] = [stream.integer(height - side + 1), stream.integer(width - side + 1)];
      return whole.narrow(0, i, 1).narrow(2, top, side).narrow(3, left, side);
    });
    return cat(cut, 0);
  }

  validate(): Record<string, number> {
    const error = this.onHeld((target, decoded) => decoded.sub(target).abs().mean([1, 2, 3]));
    const squared = this.onHeld((target, decoded) => decoded.sub(target).square().mean([1, 2, 3]));
    const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
    if (error.length === 0) return {};
    return { meanAbsoluteError: mean(error), psnr: mean(squared.map((e) => -10 * Math.log10(e))) };
  }

  /** Held-out frames above, their reconstructions below. */
  async preview(): Promise<Record<string, Frames>> {
    const picks = this.held.slice(0, 6);
    if (picks.length === 0) return {};
    const pair = this.generator.withEma(() => noGrad(() => scope(() => {
      const target = pictures(picks, this.device);
      const decoded = this.model.decode(this.model.vae.scaleLatents(this.model.encode(target).mode()));
      return [target, decoded].map((rows) => rows.to('float32').permute([1, 2, 0, 3]).contiguous().toFloat32());
    })));
    const { size } = picks[0].clip;
    const shape = { channels: 1, frames: 1, height: size, width: size * picks.length };
    const data = new Float32Array(pair[0].length * 2);
    data.set(pair[0]);
    data.set(pair[1], pair[0].length);
    return { reconstruction: { ...shape, height: 2 * size, data } };
  }

  state() {
    const generator = this.generator.state();
    const discriminator = this.discriminator.state();
    return {
      model: this.model.components.vae.state(), optimizer: generator.optimizer, ema: generator.ema,
      discriminator: this.patchPath.state(), 'discriminator-optimizer': discriminator.optimizer,
      'discriminator-ema': discriminator.ema,
    };
  }

  load(tensors: Record<string, Map<string, Tensor>>): void {
    this.model.components.vae.load(tensors.model, { strict: true });
    this.patchPath.load(tensors.discriminator, { strict: true });
    this.generator.load({ optimizer: tensors.optimizer, ema: tensors.ema });
    this.discriminator.load({
      optimizer: tensors['discriminator-optimizer'], ema: tensors['discriminator-ema'],
    });
  }

  /** Mean and standard deviation of each latent channel, so that diffusion sees them all as N(0, 1). */
  measureLatents(): Required<Pick<VaeConfig, 'latents_mean' | 'latents_std' | 'scaling_factor'>> {
    const frames = this.held.length > 0 ? this.held : this.frames.slice(0, 64);
    const { latent_channels: channels } = this.model.config.vae;
    const average = (figure: (latents: Tensor) => Tensor): number[] => {
      const rows = this.onFrames(frames, (target) => figure(this.model.encode(target).mode().to('float32')));
      return Array.from({ length: channels }, (_, c) =>
        rows.filter((_, i) => i % channels === c).reduce((a, b) => a + b, 0) / frames.length);
    };
    const mean = average((z) => z.mean([2, 3]));
    const square = average((z) => z.square().mean([2, 3]));
    const std = square.map((value, c) => Math.sqrt(Math.max(value - mean[c] ** 2, 1e-12)));
    return { latents_mean: mean, latents_std: std, scaling_factor: 1 };
  }

  dispose(): void {
    this.generator.dispose();
    this.discriminator.dispose();
    this.patchPath.dispose();
  }

  private get device(): string {
    return this.model.components.vae.device;
  }

  private cast(x: Tensor): Tensor {
    return x.to(this.config.generator.mixedPrecision === 'bf16' ? 'bfloat16' : 'float32');
  }

  private onHeld(figure: (target: Tensor, decoded: Tensor) => Tensor): number[] {
    return this.onFrames(this.held, (target) => {
      return figure(target, this.model.decode(this.model.vae.scaleLatents(this.model.encode(target).mode())));
    });
  }

  /** `figure` of all frames in order, flat, with the EMA weights. */
  private onFrames(frames: readonly FrameOf[], figure: (target: Tensor) => Tensor): number[] {
    return this.generator.withEma(() => noGrad(() => {
      const out: number[] = [];
      for (let first = 0; first < frames.length; first += 8) {
        out.push(...scope(() => [...figure(pictures(frames.slice(first, first + 8), this.device)).toFloat32()]));
      }
      return out;
    }));
  }
}
