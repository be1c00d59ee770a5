import { z } from 'zod';
import { byteFrames, type Frames } from '../frames/frames.ts';
import { dice } from '../metrics/dice.ts';
import { saveSegmenter } from '../metrics/segmenter-folder.ts';
import {
  oneHotPlanes, segmentationLoss, Segmenter, segmenterConfig,
} from '../metrics/segmenter.ts';
import { rootPath, type Path } from '../nn/path.ts';
import { noGrad, scope } from '../tensor/memory.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import { varyGrey } from './grey-variation.ts';
import { loopConfig, type Stage } from './loop.ts';
import { Optimization, optimizationConfig } from './optimization.ts';
import { shuffledOrder } from './order.ts';
import { allFrames, labels, pictures, type FrameOf, type PreparedClip } from './prepared-clip.ts';

/** The segmenter that measures generated videos: trained on real frames, apart from the model. */
export const segmenterStageConfig = z.strictObject({
  network: segmenterConfig.prefault({}),
  optimization: optimizationConfig,
  loop: loopConfig,
  /** Largest change of gain and of gamma, as a factor; 1 leaves the grey levels as they are. */
  greyRange: z.number().min(1).default(1.3),
  validationFrames: z.int().positive().default(96),
});
export type SegmenterStageConfig = z.infer<typeof segmenterStageConfig>;

const batch = 16;

interface Pool {
  readonly frames: readonly FrameOf[];
  readonly order: (index: number) => number;
}

export class SegmenterStage implements Stage {
  readonly name = 'segmenter';
  readonly maxTrainSteps: number;
  readonly optimization: Optimization;
  readonly segmenter: Segmenter;
  private readonly path: Path;
  private readonly config: SegmenterStageConfig;
  private readonly seed: number;
  private readonly pools: readonly Pool[];
  private readonly held: readonly FrameOf[];

  /**
   * @param classes labels of the data set, background included
   * @param second other clips, which give every second frame of a batch
   */
  constructor(
    classes: number, clips: readonly PreparedClip[], held: readonly PreparedClip[],
    config: SegmenterStageConfig, seed: number, device = 'cpu', second: readonly PreparedClip[] = [],
  ) {
    const masked = (all: readonly PreparedClip[]) =>
      allFrames(all.filter(({ planes }) => planes.has('mask')));
    this.config = config;
    this.seed = seed;
    this.maxTrainSteps = config.optimization.maxTrainSteps;
    this.pools = [clips, ...(second.length > 0 ? [second] : [])].map((pool) => {
      const frames = masked(pool);
      return { frames, order: shuffledOrder(seed, frames.length) };
    });
    const heldFrames = masked(held);
    const count = Math.min(config.validationFrames, heldFrames.length);
    this.held = Array.from({ length: count }, (_, i) =>
      heldFrames[Math.floor((i * heldFrames.length) / count)]);
    this.path = rootPath({ device, seed: seed + 3 });
    this.segmenter = new Segmenter(this.path, { ...config.network, classes });
    this.optimization = new Optimization(this.path.trainable(), config.optimization);
  }

  step(step: number): Record<string, number> {
    const { optimization: { trainBatchSize: size, gradientAccumulationSteps: micros }, greyRange } = this.config;
    return { ...this.optimization.step(step, (micro) => {
      const first = (step * micros + micro) * size;
      const picks = Array.from({ length: size }, (_, i) => this.pick(first + i));
      return this.loss(varyGrey(pictures(picks), { range: greyRange, seed: this.seed, first }), picks);
    }) };
  }

  /** Loss, and Dice of each label over all held-out frames together. */
  validate(): Record<string, number> {
    if (this.held.length === 0) return {};
    const { size } = this.held[0].clip;
    const shape = { channels: 1, frames: this.held.length, height: size, width: size };
    const [asked, found] = [byteFrames(shape), byteFrames(shape)];
    let loss = 0;
    this.optimization.withEma(() => noGrad(() => {
      for (let first = 0; first < this.held.length; first += batch) {
        const picks = this.held.slice(first, first + batch);
        scope(() => {
          const shown = pictures(picks);
          const logits = this.segmenter.call(shown.to(this.path.device));
          loss += picks.length * segmentationLoss(logits, this.oneHot(picks)).item();
          found.data.set(logits.argmax(1).to('uint8').toUint8(), first * size * size);
          asked.data.set(labels(picks).toUint8(), first * size * size);
        });
      }
    }));
    const scores = Array.from({ length: this.segmenter.config.classes - 1 }, (_, i) =>
      [`dice-${i + 1}`, dice(asked, found, i + 1)]);
    return { loss: loss / this.held.length, ...Object.fromEntries(scores) };
  }

  async preview(): Promise<Record<string, Frames>> {
    return {};
  }

  state() {
    return { model: this.path.state(), ...this.optimization.state() };
  }

  load({ model, optimizer, ema }: Record<string, Map<string, Tensor>>): void {
    this.path.load(model, { strict: true });
    this.optimization.load({ optimizer, ema });
  }

  /** Writes the folder of the averaged weights. */
  save(folder: string, card: Record<string, unknown>): void {
    this.optimization.withEma(() =>
      saveSegmenter(folder, this.path, this.segmenter.config, card));
  }

  dispose(): void {
    this.optimization.dispose();
    this.path.dispose();
  }

  /** The frame at a place of the endless training, from the pools in turn. */
  private pick(index: number): FrameOf {
    const { frames, order } = this.pools[index % this.pools.length];
    return frames[order(Math.floor(index / this.pools.length))];
  }

  private loss(shown: Tensor, picks: readonly FrameOf[]): Tensor {
    const { mixedPrecision } = this.config.optimization;
    const x = shown.to(this.path.device).to(mixedPrecision === 'bf16' ? 'bfloat16' : 'float32');
    return segmentationLoss(this.segmenter.call(x), this.oneHot(picks));
  }

  private oneHot(picks: readonly FrameOf[]): Tensor {
    const { size } = picks[0].clip;
    const { classes } = this.segmenter.config;
    const asked = byteFrames(
      { channels: 1, frames: picks.length, height: size, width: size }, labels(picks).toUint8());
    const planes = oneHotPlanes(asked, classes);
    return tensor(planes, [picks.length, classes, size, size], { device: this.path.device });
  }
}
