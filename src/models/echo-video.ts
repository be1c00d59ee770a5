import { z } from 'zod';
import { silu } from '../nn/activation.ts';
import { Conv3d } from '../nn/convolution.ts';
import { Linear } from '../nn/linear.ts';
import { Module } from '../nn/module.ts';
import { GroupNorm } from '../nn/normalization.ts';
import type { Path } from '../nn/path.ts';
import { adaptiveAvgPool2d, cat, upsampleBilinear2d } from '../tensor/ops.ts';
import type { Tensor } from '../tensor/tensor.ts';

export const echoVideoConfig = z.strictObject({
  /** Side of the frames it is given, in pixels. */
  size: z.int().min(8).default(64),
  /** Width of each level; every level halves the sides. */
  widths: z.array(z.int().positive()).min(1).readonly().default([16, 24, 32, 32]),
  groups: z.int().positive().default(8),
  views: z.int().min(2).default(2),
});
export type EchoVideoConfig = z.infer<typeof echoVideoConfig>;

export interface EchoVideoReading {
  /** (cos, sin) of the cardiac phase of each frame, (n, 2, f). */
  readonly phase: Tensor;
  /** Ejection fraction as (EF - 50 %) / 15 %, (n). */
  readonly ejection: Tensor;
  /** Logits of the views, (n, views). */
  readonly view: Tensor;
}

/**
 * A small video network that reads a clip: the phase of every frame, the ejection fraction and the
 * view. Each level is a (2+1)D convolution (Tran et al. 2018): 3x3 of stride 2 within the frame,
 * then 3 over time, each with GroupNorm and SiLU. What a clip is compared by, its features, is the
 * mean over positions of the last level, and of that the mean and the standard deviation over time.
 * 0.03 M parameters at the default widths.
 */
export class EchoVideo extends Module<[Tensor], EchoVideoReading> {
  readonly config: EchoVideoConfig;
  /** Where its weights are, and where clips must be. */
  readonly device: string;
  private readonly levels: readonly Level[];
  private readonly phase: Linear;
  private readonly ejection: Linear;
  private readonly view: Linear;

  constructor(path: Path, config: EchoVideoConfig) {
    super();
    const { widths, groups, views } = config;
    const last = widths.at(-1)!;
    this.config = config;
    this.device = path.device;
    this.levels = widths.map((width, level) =>
      new Level(path.sub('levels').sub(level), widths[level - 1] ?? 1, width, groups));
    this.phase = new Linear(path.sub('phase'), last, 2);
    this.ejection = new Linear(path.sub('ejection'), 2 * last, 1);
    this.view = new Linear(path.sub('view'), 2 * last, views);
  }

  /** Features of a clip. */
  get dimension(): number {
    return 2 * this.config.widths.at(-1)!;
  }

  /** @param x clips from `echoVideoInput`, (n, 1, f, size, size) in [-1, 1], at least 2 frames */
  forward(x: Tensor): EchoVideoReading {
    const course = this.course(x); // n c f
    const features = overTime(course); // n 2c
    return {
      phase: this.phase.call(course.transpose(1, 2)).transpose(1, 2),
      ejection: this.ejection.call(features).reshape([x.shape[0]]),
      view: this.view.call(features),
    };
  }

  /** Clips as `forward` takes them -> features (n, 2 x last width). */
  features(x: Tensor): Tensor {
    return overTime(this.course(x));
  }

  /** Mean over positions of the last level, (n, c, f). */
  private course(x: Tensor): Tensor {
    const { size } = this.config;
    const [, channels, frames, height, width] = x.shape;
    if (x.rank !== 5 || channels !== 1 || frames < 2 || height !== size || width !== size) {
      throw new Error(`echo video: expected clips (n, 1, f, ${size}, ${size}) of at least 2 frames, ` +
        `got ${x.shape.join('x')}`);
    }
    return this.levels.reduce((h, level) => level.call(h), x).mean([3, 4]);
  }
}

/** Mean and standard deviation over the frames: (n, c, f) -> (n, 2c). */
function overTime(course: Tensor): Tensor {
  const deviation = course.var([2], { correction: 0 }).add(1e-6).sqrt();
  return cat([course.mean([2]), deviation], 1);
}

/**
 * Clips of any size as the network takes them: each frame to `size` by averaging over the area of
 * every new pixel where it is larger, bilinear without aligned corners where it is smaller; 2x - 1.
 *
 * @param clips (n, 1, f, h, w) in [0, 1]
 * @returns (n, 1, f, size, size)
 */
export function echoVideoInput(clips: Tensor, size: number): Tensor {
  const [count, channels, frames, height, width] = clips.shape;
  if (clips.rank !== 5 || channels !== 1) {
    throw new Error(`echo video: expected clips (n, 1, f, h, w), got ${clips.shape.join('x')}`);
  }
  const flat = clips.reshape([count, frames, height, width]);
  const smaller = height >= size && width >= size;
  const sized = smaller ? adaptiveAvgPool2d(flat, [size, size])
    : upsampleBilinear2d(flat, [size, size], false);
  return sized.mul(2).sub(1).reshape([count, 1, frames, size, size]);
}

/** Conv 1x3x3 of stride 2, then 3x1x1, each with GroupNorm and SiLU: (n, in, f, h, w) -> half. */
class Level extends Module<[Tensor], Tensor> {
  private readonly steps: readonly { readonly conv: Conv3d; readonly norm: GroupNorm }[];

  constructor(path: Path, inChannels: number, width: number, groups: number) {
    super();
    const inside = new Conv3d(path.sub('spatial'), inChannels, width, [1, 3, 3], {
      stride: [1, 2, 2], padding: [0, 1, 1],
    });
    const along = new Conv3d(path.sub('temporal'), width, width, [3, 1, 1], { padding: [1, 0, 0] });
    this.steps = [inside, along].map((conv, step) =>
      ({ conv, norm: new GroupNorm(path.sub('norm').sub(step), groups, width) }));
  }

  forward(x: Tensor): Tensor {
    return this.steps.reduce((h, { conv, norm }) => silu(norm.call(conv.call(h))), x);
  }
}
