import { z } from 'zod';
import type { Frames } from '../frames/frames.ts';
import type { HeartBeat } from '../heartbeat/heartbeat.ts';
import { segmentationLoss } from '../metrics/segmenter.ts';
import { MaskDecoder, maskDecoderConfig } from '../models/mask-decoder.ts';
import { rootPath, type Path } from '../nn/path.ts';
import { noGrad, scope } from '../tensor/memory.ts';
import { cat } from '../tensor/ops.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { loopConfig, type Stage } from './loop.ts';
import { Optimization, optimizationConfig } from './optimization.ts';
import { shuffledOrder } from './order.ts';
import { allFrames, labels, pictures, type FrameOf, type PreparedClip } from './prepared-clip.ts';

/** The small image encoder, trained as the encoder of a mask decoder, which is what MedSAM's is. */
export const imageEncoderStageConfig = z.strictObject({
  optimization: optimizationConfig,
  loop: loopConfig,
  /** Widths of the mask decoder's doublings, one for each halving of the image encoder's patch. */
  decoderChannels: z.array(z.int().positive()).min(1).default([32, 16, 16]),
  validationFrames: z.int().positive().default(64),
});
export type ImageEncoderStageConfig = z.infer<typeof imageEncoderStageConfig>;

export class ImageEncoderStage implements Stage {
  readonly name = 'image-encoder';
  readonly maxTrainSteps: number;
  readonly optimization: Optimization;
  private readonly model: HeartBeat;
  private readonly decoder: MaskDecoder;
  private readonly decoderPath: Path;
  private readonly config: ImageEncoderStageConfig;
  private readonly frames: readonly FrameOf[];
  private readonly held: readonly FrameOf[];
  private readonly order: (index: number) => number;

  constructor(
    model: HeartBeat, clips: readonly PreparedClip[], held: readonly PreparedClip[],
    config: ImageEncoderStageConfig, seed: number,
  ) {
    const masked = (all: readonly PreparedClip[]) => allFrames(all.filter(({ planes }) => planes.has('mask')));
    this.model = model;
    this.config = config;
    this.maxTrainSteps = config.optimization.maxTrainSteps;
    this.frames = masked(clips);
    if (this.frames.length === 0) {
      throw new Error(
        `stage image-encoder: expected clips with masks, got ${clips.length} clips without one`);
    }
    this.order = shuffledOrder(seed, this.frames.length);
    const heldFrames = masked(held);
    const count = Math.min(config.validationFrames, heldFrames.length);
    this.held = Array.from({ length: count }, (_, i) => heldFrames[Math.floor((i * heldFrames.length) / count)]);
    this.decoderPath = rootPath({ device: model.components.image_encoder.device, seed: seed + 2 });
    this.decoder = new MaskDecoder(this.decoderPath, maskDecoderConfig.parse({
      in_channels: model.config.image_encoder.out_chans,
      block_out_channels: config.decoderChannels,
      num_classes: model.config.classes,
    }));
    this.optimization = new Optimization(new Map([
      ...[...model.components.image_encoder.trainable()].map(([key, value]) => [`encoder.${key}`, value] as const),
      ...[...this.decoderPath.trainable()].map(([key, value]) => [`decoder.${key}`, value] as const),
    ]), config.optimization);
  }

  step(step: number): Record<string, number> {
    const { trainBatchSize: size, gradientAccumulationSteps: micros } = this.config.optimization;
    const report = this.optimization.step(step, (micro) => {
      const first = (step * micros + micro) * size;
      const picks = Array.from({ length: size }, (_, i) => this.frames[this.order(first + i)]);
      return segmentationLoss(this.logits(picks), this.oneHot(picks));
    });
    return { ...report };
  }

  validate(): Record<string, number> {
    if (this.held.length === 0) return {};
    const losses = this.optimization.withEma(() => noGrad(() => {
      const out: number[] = [];
      for (let first = 0; first < this.held.length; first += 8) {
        const picks = this.held.slice(first, first + 8);
        out.push(scope(() => segmentationLoss(this.logits(picks), this.oneHot(picks)).item()));
      }
      return out;
    }));
    return { loss: losses.reduce((a, b) => a + b, 0) / losses.length };
  }

  async preview(): Promise<Record<string, Frames>> {
    return {};
  }

  state() {
    const prefixed = (path: Path, name: string) =>
      [...path.state()].map(([key, value]) => [`${name}.${key}`, value] as const);
    const encoder = prefixed(this.model.components.image_encoder, 'encoder');
    return {
      model: new Map([...encoder, ...prefixed(this.decoderPath, 'decoder')]), ...this.optimization.state(),
    };
  }

  load({ model, optimizer, ema }: Record<string, Map<string, Tensor>>): void {
    const below = (name: string) => new Map([...model]
      .filter(([key]) => key.startsWith(`${name}.`)).map(([key, value]) => [key.slice(name.length + 1), value]));
    this.model.components.image_encoder.load(below('encoder'), { strict: true });
    this.decoderPath.load(below('decoder'), { strict: true });
    this.optimization.load({ optimizer, ema });
  }

  dispose(): void {
    this.optimization.dispose();
    this.decoderPath.dispose();
  }

  private logits(picks: readonly FrameOf[]): Tensor {
    const { device } = this.model.components.image_encoder;
    return this.decoder.call(this.model.embedImage(pictures(picks, device)));
  }

  private oneHot(picks: readonly FrameOf[]): Tensor {
    const found = labels(picks).to(this.model.components.image_encoder.device);
    return cat(Array.from({ length: this.model.config.classes }, (_, label) => found.eq(label).to('float32')), 1);
  }
}
