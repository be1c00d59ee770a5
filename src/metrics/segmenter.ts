import { z } from 'zod';
import { byteFrames } from '../frames/frames.ts';
import type { Frames, Labels } from '../frames/frames.ts';
import { silu } from '../nn/activation.ts';
import { Conv2d } from '../nn/convolution.ts';
import { Module } from '../nn/module.ts';
import { GroupNorm } from '../nn/normalization.ts';
import type { Path } from '../nn/path.ts';
import { noGrad, scope } from '../tensor/memory.ts';
import { cat, maxPool2d, upsampleNearest2d } from '../tensor/ops.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';

export const segmenterConfig = z.strictObject({
  /** Width of each level; each but the first halves the sides. */
  widths: z.array(z.int().positive()).min(2).readonly().default([16, 32, 48, 64, 96]),
  classes: z.int().min(2).default(4),
  groups: z.int().positive().default(8),
});
export type SegmenterConfig = z.infer<typeof segmenterConfig>;

/**
 * A small U-Net (Ronneberger et al. 2015) that finds the labels in a frame: with it we measure
 * whether a generated video obeys its mask. 0.5 M parameters at the default widths.
 */
export class Segmenter extends Module<[Tensor], Tensor> {
  readonly config: SegmenterConfig;
  /** Where its weights are, and where frames must be. */
  readonly device: string;
  private readonly down: readonly Level[];
  private readonly up: readonly Level[];
  private readonly logits: Conv2d;

  constructor(path: Path, config: SegmenterConfig) {
    super();
    const { widths, groups } = config;
    this.config = config;
    this.device = path.device;
    this.down = widths.map((width, level) =>
      new Level(path.sub('down').sub(level), widths[level - 1] ?? 1, width, groups));
    this.up = widths.slice(0, -1).map((width, level) =>
      new Level(path.sub('up').sub(level), width + widths[level + 1], width, groups));
    this.logits = new Conv2d(path.sub('logits'), widths[0], config.classes, 1);
  }

  /**
   * @param x frames (n, 1, h, w) in [0, 1], sides divisible by 2^(levels - 1)
   * @returns logits (n, classes, h, w)
   * @throws when the sides do not divide
   */
  forward(x: Tensor): Tensor {
    const skips = this.contract(x);
    let h = skips.pop()!;
    for (const level of [...this.up].reverse()) {
      const skip = skips.pop()!;
      h = level.call(cat([upsampleNearest2d(h, [skip.shape[2], skip.shape[3]]), skip], 1));
    }
    return this.logits.call(h);
  }

  /**
   * What a frame is compared by: the lowest level of the encoder, mean over its positions.
   *
   * @param x as `forward` takes it
   * @returns (n, last width)
   */
  features(x: Tensor): Tensor {
    return this.contract(x).at(-1)!.mean([2, 3]);
  }

  /** Every level of the encoder, the largest first. */
  private contract(x: Tensor): Tensor[] {
    const [, channels, height, width] = x.shape;
    const reduction = 2 ** (this.config.widths.length - 1);
    if (channels !== 1 || height % reduction !== 0 || width % reduction !== 0) {
      throw new Error(
        `segmenter: expected frames (n, 1, h, w) with sides divisible by ${reduction}, ` +
          `got ${x.shape.join('x')}`,
      );
    }
    const levels: Tensor[] = [];
    for (const level of this.down) {
      const above = levels.at(-1);
      levels.push(level.call(above === undefined ? x.mul(2).sub(1) : maxPool2d(above, [2, 2])));
    }
    return levels;
  }

  /** The label of every pixel of a grey video, `batch` frames at a time. */
  segment(video: Frames, batch = 16): Labels {
    const { channels, frames, height, width } = video;
    if (channels !== 1) throw new Error(`segmenter: expected 1 channel, got ${channels}`);
    const result = new Uint8Array(video.data.length);
    const size = height * width;
    for (let start = 0; start < frames; start += batch) {
      const count = Math.min(batch, frames - start);
      const pixels = video.data.subarray(start * size, (start + count) * size);
      const labels = scope(() => noGrad(() => {
        const x = tensor(pixels, [count, 1, height, width], { device: this.device });
        return this.call(x).argmax(1).toUint8();
      }));
      result.set(labels, start * size);
    }
    return byteFrames({ channels: 1, frames, height, width }, result);
  }
}

/** Conv3x3 GroupNorm SiLU, twice. (n, in, h, w) -> (n, out, h, w) */
class Level extends Module<[Tensor], Tensor> {
  private readonly steps: readonly { readonly conv: Conv2d; readonly norm: GroupNorm }[];

  constructor(path: Path, inChannels: number, width: number, groups: number) {
    super();
    this.steps = [inChannels, width].map((from, step) => ({
      conv: new Conv2d(path.sub('conv').sub(step), from, width, 3, { padding: 1 }),
      norm: new GroupNorm(path.sub('norm').sub(step), groups, width),
    }));
  }

  forward(x: Tensor): Tensor {
    return this.steps.reduce((h, { conv, norm }) => silu(norm.call(conv.call(h))), x);
  }
}

/**
 * Cross-entropy plus soft Dice: mean over pixels of -log p(label), plus 1 - the mean over classes
 * of (2 sum p g + 1) / (sum p + sum g + 1), sums over the batch, so that a small cavity counts as
 * much as the background. Float32.
 *
 * @param logits (n, classes, h, w)
 * @param oneHot true labels as planes (n, classes, h, w), from `oneHotPlanes`
 */
export function segmentationLoss(logits: Tensor, oneHot: Tensor): Tensor {
  const log = logits.to('float32').logSoftmax(1);
  const pixels = oneHot.numel / oneHot.shape[1];
  const entropy = log.mul(oneHot).sum().mul(-1 / pixels);
  const p = log.exp();
  const overlap = p.mul(oneHot).sum([0, 2, 3]).mul(2).add(1); // classes
  const total = p.sum([0, 2, 3]).add(oneHot.sum([0, 2, 3])).add(1);
  return entropy.add(overlap.div(total).mean().neg().add(1));
}

/**
 * Labels as planes: (frames, classes, h, w) in 0 and 1, for `tensor(...)`.
 * @throws naming the first label that is not one of the classes
 */
export function oneHotPlanes(labels: Labels, classes: number): Float32Array {
  const size = labels.height * labels.width;
  const planes = new Float32Array(labels.data.length * classes);
  labels.data.forEach((label, index) => {
    if (label >= classes) {
      throw new Error(
        `segmenter: expected labels below ${classes}, got ${label} at voxel ${index}`,
      );
    }
    planes[(Math.floor(index / size) * classes + label) * size + (index % size)] = 1;
  });
  return planes;
}
