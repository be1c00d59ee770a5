import { Conv3d } from '../nn/convolution.ts';
import { zeros } from '../nn/init.ts';
import { Module } from '../nn/module.ts';
import { BatchNorm3d } from '../nn/normalization.ts';
import type { Path } from '../nn/path.ts';
import { avgPool3d, cat, maxPool3d, pad, upsampleBilinear2d } from '../tensor/ops.ts';
import type { Tensor } from '../tensor/tensor.ts';

type Triple = readonly [number, number, number];
/** Widths of a block: 1x1, its own and that of the 3x3 twice, and of the pooled branch. */
type Widths = readonly [number, number, number, number, number, number];

/** The least clip of which the last pool has one window. */
const LEAST = { frames: 9, side: 193 };

const blocks: Readonly<Record<string, Widths>> = {
  Mixed_3b: [64, 96, 128, 16, 32, 32],
  Mixed_3c: [128, 128, 192, 32, 96, 64],
  Mixed_4b: [192, 96, 208, 16, 48, 64],
  Mixed_4c: [160, 112, 224, 24, 64, 64],
  Mixed_4d: [128, 128, 256, 24, 64, 64],
  Mixed_4e: [112, 144, 288, 32, 64, 64],
  Mixed_4f: [256, 160, 320, 32, 128, 128],
  Mixed_5b: [256, 160, 320, 32, 128, 128],
  Mixed_5c: [384, 192, 384, 48, 128, 128],
};

/** Pools, by the block that they stand before. */
const pools: Readonly<Record<string, { readonly kernel: Triple; readonly stride: Triple }>> = {
  Mixed_3b: { kernel: [1, 3, 3], stride: [1, 2, 2] },
  Mixed_4b: { kernel: [3, 3, 3], stride: [2, 2, 2] },
  Mixed_5b: { kernel: [2, 2, 2], stride: [2, 2, 2] },
};

/**
 * I3D (Carreira and Zisserman 2017): Inception v1 inflated, 400 classes of Kinetics, the network of
 * FVD. Every convolution and pool has TensorFlow's `same` padding. Keys are those of
 * `i3d_pretrained_400.pt` (pytorch-i3d's `InceptionI3d`). Parameters begin at zero: it is there to
 * be loaded, and is frozen.
 */
export class I3d extends Module<[Tensor], Tensor> {
  private readonly stem: Unit;
  private readonly reduce: Unit;
  private readonly widen: Unit;
  private readonly mixed: readonly { readonly name: string; readonly block: Mixed }[];
  private readonly classes: Conv3d;

  constructor(path: Path) {
    super();
    this.stem = new Unit(path.sub('Conv3d_1a_7x7'), 3, 64, 7, 2);
    this.reduce = new Unit(path.sub('Conv3d_2b_1x1'), 64, 64, 1);
    this.widen = new Unit(path.sub('Conv3d_2c_3x3'), 64, 192, 3);
    let from = 192;
    this.mixed = Object.entries(blocks).map(([name, widths]) => {
      const block = new Mixed(path.sub(name), from, widths);
      from = widths[0] + widths[2] + widths[4] + widths[5];
      return { name, block };
    });
    this.classes = new Conv3d(path.sub('logits.conv3d'), from, 400, 1, { init: zeros });
    path.freeze(() => true);
  }

  /**
   * @param x clips from `i3dInput`, (n, 3, f, h, w) in [-1, 1]; 224 x 224 in FVD
   * @returns logits before the softmax, mean over time, (n, 400): FVD's features
   * @throws for a clip of fewer than 9 frames or sides below 193
   */
  forward(x: Tensor): Tensor {
    const [, channels, frames, height, width] = x.shape;
    const small = frames < LEAST.frames || Math.min(height, width) < LEAST.side;
    if (x.rank !== 5 || channels !== 3 || small) {
      throw new Error(
        `i3d: expected clips (n, 3, f, h, w) of at least ${LEAST.frames} frames and sides of at ` +
          `least ${LEAST.side}, got ${x.shape.join('x')}`,
      );
    }
    return this.head(this.trunk(x));
  }

  /** Clips (n, 3, f, h, w) -> features of the last block (n, 1024, f / 8, h / 32, w / 32). */
  trunk(x: Tensor): Tensor {
    const pooled = maxPoolSame(this.stem.call(x), [1, 3, 3], [1, 2, 2]);
    const start = this.widen.call(this.reduce.call(pooled));
    return this.mixed.reduce((h, { name, block }) => {
      const pool = pools[name];
      return block.call(pool === undefined ? h : maxPoolSame(h, pool.kernel, pool.stride));
    }, start);
  }

  /** Features of the last block, at least (n, 1024, 2, 7, 7) -> logits (n, 400). */
  head(features: Tensor): Tensor {
    return this.classes.call(avgPool3d(features, [2, 7, 7], 1)).mean([2, 3, 4]);
  }
}

/**
 * Clips as PyTorch's FVD code prepares them: each frame bilinear to 224 x 224 without aligned
 * corners and without a low-pass filter (TensorFlow 1 placed the pixels otherwise; some ports keep
 * the aspect and cut the middle out), then 2x - 1; grey repeated.
 *
 * @param clips (n, 1 or 3, f, h, w) in [0, 1]
 * @returns (n, 3, f, 224, 224)
 */
export function i3dInput(clips: Tensor): Tensor {
  const [count, channels, frames, height, width] = clips.shape;
  if (clips.rank !== 5 || (channels !== 1 && channels !== 3)) {
    throw new Error(`i3d: expected clips (n, 1 or 3, f, h, w), got ${clips.shape.join('x')}`);
  }
  const flat = clips.reshape([count, channels * frames, height, width]);
  const resized = upsampleBilinear2d(flat, [224, 224], false).mul(2).sub(1);
  const shaped = resized.reshape([count, channels, frames, 224, 224]);
  return shaped.expand([count, 3, frames, 224, 224]).contiguous();
}

/** Convolution without bias under `same` padding, batch norm (eps 0.001), ReLU. */
class Unit extends Module<[Tensor], Tensor> {
  private readonly kernel: Triple;
  private readonly stride: Triple;
  private readonly conv: Conv3d;
  private readonly bn: BatchNorm3d;

  constructor(path: Path, from: number, width: number, kernel: number, stride = 1) {
    super();
    this.kernel = [kernel, kernel, kernel];
    this.stride = [stride, stride, stride];
    this.conv = new Conv3d(path.sub('conv3d'), from, width, kernel, {
      stride, bias: false, init: zeros,
    });
    this.bn = new BatchNorm3d(path.sub('bn'), width, 1e-3);
  }

  forward(x: Tensor): Tensor {
    return this.bn.call(this.conv.call(padSame(x, this.kernel, this.stride))).relu();
  }
}

/** Four branches: 1x1; 1x1 and 3x3; 1x1 and 3x3; max pool and 1x1. */
class Mixed extends Module<[Tensor], Tensor> {
  private readonly b0: Unit;
  private readonly b1a: Unit;
  private readonly b1b: Unit;
  private readonly b2a: Unit;
  private readonly b2b: Unit;
  private readonly b3b: Unit;

  constructor(path: Path, from: number, widths: Widths) {
    super();
    this.b0 = new Unit(path.sub('b0'), from, widths[0], 1);
    this.b1a = new Unit(path.sub('b1a'), from, widths[1], 1);
    this.b1b = new Unit(path.sub('b1b'), widths[1], widths[2], 3);
    this.b2a = new Unit(path.sub('b2a'), from, widths[3], 1);
    this.b2b = new Unit(path.sub('b2b'), widths[3], widths[4], 3);
    this.b3b = new Unit(path.sub('b3b'), from, widths[5], 1);
  }

  forward(x: Tensor): Tensor {
    return cat([
      this.b0.call(x),
      this.b1b.call(this.b1a.call(x)),
      this.b2b.call(this.b2a.call(x)),
      this.b3b.call(maxPoolSame(x, [3, 3, 3], [1, 1, 1])),
    ], 1);
  }
}

/** Zeros are as good as minus infinity here: what is pooled has been through a ReLU. */
function maxPoolSame(x: Tensor, kernel: Triple, stride: Triple): Tensor {
  return maxPool3d(padSame(x, kernel, stride), kernel, stride);
}

/**
 * TensorFlow's `same`: zeros such that ceil(size / stride) windows fit, half of them before
 * (rounded down) and the rest behind.
 */
function padSame(x: Tensor, kernel: Triple, stride: Triple): Tensor {
  const sizes = [2, 1, 0].flatMap((axis) => {
    const size = x.shape[2 + axis];
    const windows = Math.ceil(size / stride[axis]);
    const wanted = Math.max(0, (windows - 1) * stride[axis] + kernel[axis] - size);
    return [Math.floor(wanted / 2), Math.ceil(wanted / 2)];
  });
  return sizes.some((size) => size > 0) ? pad(x, sizes) : x;
}
