import { Conv2d, type Convolution2dOptions } from '../nn/convolution.ts';
import { zeros } from '../nn/init.ts';
import { Module } from '../nn/module.ts';
import type { Path } from '../nn/path.ts';
import { cat, maxPool2d, tensor, upsampleBilinear2d } from '../tensor/ops.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { expectPictures } from './pictures.ts';
import { pixelDifferenceAt } from './pixel-difference.ts';

export interface PidinetConfig {
  /** Channels of the first stage: 60, 30 (small) or 20 (tiny) in the published ones. */
  readonly width: number;
  /** Channels of the dilated convolutions (CDCM) of each side; null without them. */
  readonly dilation: number | null;
  /** Whether the sides are weighted by spatial attention (CSAM). */
  readonly attention: boolean;
}

/** Blocks of the four stages; the first layer of all stands before them. */
const BLOCKS = [3, 4, 4, 4];
const DILATIONS = [5, 7, 9, 11];
const LEAST_SIDE = 8;

/** What its pictures were normalised by: mean and standard deviation of ImageNet's RGB. */
const MEAN = [0.485, 0.456, 0.406];
const DEVIATION = [0.229, 0.224, 0.225];

/**
 * PiDiNet (Su et al. 2021, "Pixel Difference Networks for Efficient Edge Detection") of the layer
 * sequence `carv4`: central, angular and radial difference, plain, four times over. Difference
 * convolutions stand here as the plain ones that do the same (radial ones 5x5), as in the
 * authors' converted checkpoints, whose keys these are. Parameters begin at zero: it is there to
 * be loaded, and is frozen.
 */
export class Pidinet extends Module<[Tensor], Tensor> {
  readonly config: PidinetConfig;
  private readonly first: Conv2d;
  private readonly stages: readonly (readonly Block[])[];
  private readonly sides: readonly Side[];
  private readonly classifier: Conv2d;

  constructor(path: Path, config: PidinetConfig) {
    super();
    this.config = config;
    const { width } = config;
    const widths = [width, 2 * width, 4 * width, 4 * width];
    this.first = convolution(path.sub('init_block'), 3, width, 3, { bias: false });
    let layer = 1;
    let from = width;
    this.stages = BLOCKS.map((count, s) => Array.from({ length: count }, (_, k) => {
      const shrinks = s > 0 && k === 0;
      const at = path.sub(`block${s + 1}_${k + 1}`);
      const kernel = pixelDifferenceAt(layer++) === 'radial' ? 5 : 3;
      const block = new Block(at, from, widths[s], kernel, shrinks);
      from = widths[s];
      return block;
    }));
    this.sides = widths.map((each, s) => new Side(path, s, each, config));
    this.classifier = convolution(path.sub('classifier'), 4, 1, 1);
    path.freeze(() => true);
  }

  /**
   * @param x pictures from `pidinetInput`, (n, 3, h, w), sides of at least 8
   * @returns edges in [0, 1], (n, 1, h, w)
   * @throws for another shape
   */
  forward(x: Tensor): Tensor {
    return this.logits(x).narrow(1, 4, 1).sigmoid();
  }

  /** The edge maps of the four sides and the fused one before their sigmoid, (n, 5, h, w). */
  logits(x: Tensor): Tensor {
    const [, channels, height, width] = x.shape;
    if (x.rank !== 4 || channels !== 3 || Math.min(height, width) < LEAST_SIDE) {
      throw new Error(
        `pidinet: expected pictures (n, 3, h, w) with sides of at least ${LEAST_SIDE}, ` +
          `got ${x.shape.join('x')}`,
      );
    }
    let h = this.first.call(x);
    const maps = this.stages.map((blocks, s) => {
      h = blocks.reduce((before, block) => block.call(before), h);
      return upsampleBilinear2d(this.sides[s].call(h), [height, width], false);
    });
    const all = cat(maps, 1);
    return cat([all, this.classifier.call(all)], 1);
  }
}

/**
 * Pictures as PiDiNet's own code prepares them: normalised by ImageNet's mean and deviation; grey
 * repeated.
 *
 * @param pictures (n, 1 or 3, h, w) in [0, 1]
 * @returns (n, 3, h, w)
 */
export function pidinetInput(pictures: Tensor): Tensor {
  const [count, , height, width] = expectPictures('pidinet', pictures);
  const { device } = pictures;
  const shown = pictures.expand([count, 3, height, width]);
  return shown.sub(tensor(MEAN, [1, 3, 1, 1], { device }))
    .div(tensor(DEVIATION, [1, 3, 1, 1], { device }));
}

/** Depthwise convolution, ReLU, 1x1, beside a shortcut; the first of a stage halves the size. */
class Block extends Module<[Tensor], Tensor> {
  private readonly shortcut: Conv2d | null;
  private readonly conv1: Conv2d;
  private readonly conv2: Conv2d;

  constructor(path: Path, from: number, width: number, kernel: number, shrinks: boolean) {
    super();
    this.shortcut = shrinks ? convolution(path.sub('shortcut'), from, width, 1) : null;
    this.conv1 = convolution(path.sub('conv1'), from, from, kernel, { bias: false, groups: from });
    this.conv2 = convolution(path.sub('conv2'), from, width, 1, { bias: false });
  }

  forward(given: Tensor): Tensor {
    const x = this.shortcut ? maxPool2d(given, 2, 2) : given;
    const y = this.conv2.call(this.conv1.call(x).relu());
    return y.add(this.shortcut ? this.shortcut.call(x) : x);
  }
}

/** What a stage says of edges: CDCM, CSAM (where it has them) and one channel: (n, 1, h, w). */
class Side extends Module<[Tensor], Tensor> {
  private readonly steps: readonly Module<[Tensor], Tensor>[];

  constructor(path: Path, index: number, from: number, { dilation, attention }: PidinetConfig) {
    super();
    const width = dilation ?? from;
    this.steps = [
      ...(dilation === null ? [] : [new Cdcm(path.sub(`dilations.${index}`), from, dilation)]),
      ...(attention ? [new Csam(path.sub(`attentions.${index}`), width)] : []),
      convolution(path.sub(`conv_reduces.${index}.conv`), width, 1, 1),
    ];
  }

  forward(x: Tensor): Tensor {
    return this.steps.reduce((h, step) => step.call(h), x);
  }
}

/** Compact dilation convolutions: the sum of four reaches. */
class Cdcm extends Module<[Tensor], Tensor> {
  private readonly conv1: Conv2d;
  private readonly dilated: readonly Conv2d[];

  constructor(path: Path, from: number, width: number) {
    super();
    this.conv1 = convolution(path.sub('conv1'), from, width, 1);
    this.dilated = DILATIONS.map((dilation, k) =>
      convolution(path.sub(`conv2_${k + 1}`), width, width, 3, { bias: false, dilation }));
  }

  forward(x: Tensor): Tensor {
    const h = this.conv1.call(x.relu());
    return this.dilated.map((conv) => conv.call(h)).reduce((a, b) => a.add(b));
  }
}

/** Compact spatial attention: each place times a weight in [0, 1]. */
class Csam extends Module<[Tensor], Tensor> {
  private readonly conv1: Conv2d;
  private readonly conv2: Conv2d;

  constructor(path: Path, width: number) {
    super();
    this.conv1 = convolution(path.sub('conv1'), width, 4, 1);
    this.conv2 = convolution(path.sub('conv2'), 4, 1, 3, { bias: false });
  }

  forward(x: Tensor): Tensor {
    return x.mul(this.conv2.call(this.conv1.call(x.relu())).sigmoid());
  }
}

/** Padded by the kernel's reach, so that the size stays. */
function convolution(
  path: Path, from: number, width: number, kernel: number, options: Convolution2dOptions = {},
): Conv2d {
  const padding = ((kernel - 1) / 2) * (options.dilation ?? 1);
  return new Conv2d(path, from, width, kernel, { ...options, padding, init: zeros });
}
