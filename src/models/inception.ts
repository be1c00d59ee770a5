import { Conv2d } from '../nn/convolution.ts';
import { zeros } from '../nn/init.ts';
import { Linear } from '../nn/linear.ts';
import { Module } from '../nn/module.ts';
import { BatchNorm2d } from '../nn/normalization.ts';
import type { Path } from '../nn/path.ts';
import { avgPool2d, cat, maxPool2d, upsampleBilinear2d } from '../tensor/ops.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { expectPictures } from './pictures.ts';

/** Where the features are taken, by their number: pytorch-fid's `--dims`. */
export const inceptionLayers = [64, 192, 768, 2048] as const;
export type InceptionLayer = (typeof inceptionLayers)[number];

/** The least side that leaves a position at the end. */
const LEAST_SIDE = 75;

/**
 * Inception v3 (Szegedy et al. 2016) as TensorFlow's 2015-12-05 graph has it and pytorch-fid ports
 * it. Against torchvision's: average pools leave the padding out of their mean, the last block has
 * a max pool in its pooled branch, and there are 1008 classes. Keys are those of pytorch-fid's
 * weights. Parameters begin at zero: it is there to be loaded, and is frozen.
 */
export class InceptionV3 extends Module<[Tensor, InceptionLayer?], Tensor> {
  private readonly stages: readonly (readonly Stage[])[];
  private readonly classes: Linear;

  constructor(path: Path) {
    super();
    const unit = (name: string, from: number, width: number, kernel: Size, options?: UnitOptions) =>
      new Unit(path.sub(name), from, width, kernel, options);
    const mixed = (name: string, from: number, branches: readonly Branch[]) =>
      new Mixed(path.sub(name), from, branches);
    this.stages = [
      [
        unit('Conv2d_1a_3x3', 3, 32, 3, { stride: 2, padded: false }),
        unit('Conv2d_2a_3x3', 32, 32, 3, { padded: false }),
        unit('Conv2d_2b_3x3', 32, 64, 3),
        new Halve(),
      ],
      [
        unit('Conv2d_3b_1x1', 64, 80, 1),
        unit('Conv2d_4a_3x3', 80, 192, 3, { padded: false }),
        new Halve(),
      ],
      [
        mixed('Mixed_5b', 192, blockA(32)),
        mixed('Mixed_5c', 256, blockA(64)),
        mixed('Mixed_5d', 288, blockA(64)),
        mixed('Mixed_6a', 288, blockB),
        mixed('Mixed_6b', 768, blockC(128)),
        mixed('Mixed_6c', 768, blockC(160)),
        mixed('Mixed_6d', 768, blockC(160)),
        mixed('Mixed_6e', 768, blockC(192)),
      ],
      [
        mixed('Mixed_7a', 768, blockD),
        mixed('Mixed_7b', 1280, blockE('average')),
        mixed('Mixed_7c', 2048, blockE('max')),
      ],
    ];
    this.classes = new Linear(path.sub('fc'), 2048, 1008, { init: zeros });
    path.freeze(() => true);
  }

  /**
   * @param x pictures from `inceptionInput`, (n, 3, h, w) in [-1, 1], sides of at least 75
   * @returns mean over positions of the layer's features, (n, layer)
   * @throws for another shape or layer
   */
  forward(x: Tensor, layer: InceptionLayer = 2048): Tensor {
    const last = inceptionLayers.indexOf(layer);
    if (last < 0) {
      throw new Error(`inception: expected a layer of ${inceptionLayers.join(', ')}, got ${layer}`);
    }
    if (x.rank !== 4 || x.shape[1] !== 3 || Math.min(x.shape[2], x.shape[3]) < LEAST_SIDE) {
      throw new Error(
        `inception: expected pictures (n, 3, h, w) with sides of at least ${LEAST_SIDE}, ` +
          `got ${x.shape.join('x')}`,
      );
    }
    const stages = this.stages.slice(0, last + 1).flat();
    return stages.reduce((h, stage) => stage.call(h), x).mean([2, 3]);
  }

  /** Features (n, 2048) -> logits (n, 1008). */
  logits(features: Tensor): Tensor {
    return this.classes.call(features);
  }
}

/**
 * Pictures as pytorch-fid prepares them: bilinear to 299 x 299 without aligned corners and without
 * a low-pass filter (TensorFlow 1 placed the pixels otherwise), then 2x - 1; grey repeated.
 *
 * @param pictures (n, 1 or 3, h, w) in [0, 1]
 * @returns (n, 3, 299, 299)
 */
export function inceptionInput(pictures: Tensor): Tensor {
  const [count] = expectPictures('inception', pictures);
  const resized = upsampleBilinear2d(pictures, [299, 299], false).mul(2).sub(1);
  return resized.expand([count, 3, 299, 299]).contiguous();
}

type Size = number | readonly [number, number];
type Stage = Module<[Tensor], Tensor>;

interface UnitOptions {
  readonly stride?: number;
  /** By half the kernel, so that the size stays. */
  readonly padded?: boolean;
}

/** Convolution without bias, batch norm (eps 0.001), ReLU. */
class Unit extends Module<[Tensor], Tensor> {
  private readonly conv: Conv2d;
  private readonly bn: BatchNorm2d;

  constructor(path: Path, from: number, width: number, kernel: Size, options: UnitOptions = {}) {
    super();
    const { stride = 1, padded = true } = options;
    const [height, across] = typeof kernel === 'number' ? [kernel, kernel] : kernel;
    this.conv = new Conv2d(path.sub('conv'), from, width, [height, across], {
      stride, padding: padded ? [(height - 1) / 2, (across - 1) / 2] : 0, bias: false, init: zeros,
    });
    this.bn = new BatchNorm2d(path.sub('bn'), width, 1e-3);
  }

  forward(x: Tensor): Tensor {
    return this.bn.call(this.conv.call(x)).relu();
  }
}

/** Max pool 3 x 3, stride 2, no padding. */
class Halve extends Module<[Tensor], Tensor> {
  forward(x: Tensor): Tensor {
    return maxPool2d(x, 3, 2);
  }
}

const pools = {
  average: (x: Tensor) => avgPool2d(x, 3, 1, 1, false, false),
  max: (x: Tensor) => maxPool2d(x, 3, 1, 1),
  halve: (x: Tensor) => maxPool2d(x, 3, 2),
};

interface UnitPlan {
  readonly name: string;
  readonly width: number;
  readonly kernel: Size;
  readonly options?: UnitOptions;
}

/** A pool, then units one after another, then two side by side. */
interface Branch {
  readonly pool?: keyof typeof pools;
  readonly units?: readonly UnitPlan[];
  readonly fork?: readonly UnitPlan[];
}

/** Branches side by side, their outputs joined on channels. */
class Mixed extends Module<[Tensor], Tensor> {
  private readonly branches: readonly ((x: Tensor) => Tensor)[];

  constructor(path: Path, from: number, branches: readonly Branch[]) {
    super();
    this.branches = branches.map(({ pool, units = [], fork = [] }) => {
      let width = from;
      const build = ({ name, width: out, kernel, options }: UnitPlan) =>
        new Unit(path.sub(name), width, out, kernel, options);
      const chain = units.map((plan) => {
        const unit = build(plan);
        width = plan.width;
        return unit;
      });
      const ends = fork.map(build);
      return (x) => {
        const start = pool === undefined ? x : pools[pool](x);
        const h = chain.reduce((y, unit) => unit.call(y), start);
        return ends.length === 0 ? h : cat(ends.map((unit) => unit.call(h)), 1);
      };
    });
  }

  forward(x: Tensor): Tensor {
    return cat(this.branches.map((branch) => branch(x)), 1);
  }
}

function plan(name: string, width: number, kernel: Size, options?: UnitOptions): UnitPlan {
  return { name, width, kernel, options };
}

const wide = [1, 7] as const;
const tall = [7, 1] as const;
const down: UnitOptions = { stride: 2, padded: false };

/** 35 x 35: 224 channels and those of the pooled branch. */
function blockA(pooled: number): readonly Branch[] {
  return [
    { units: [plan('branch1x1', 64, 1)] },
    { units: [plan('branch5x5_1', 48, 1), plan('branch5x5_2', 64, 5)] },
    { units: [
      plan('branch3x3dbl_1', 64, 1), plan('branch3x3dbl_2', 96, 3), plan('branch3x3dbl_3', 96, 3),
    ] },
    { pool: 'average', units: [plan('branch_pool', pooled, 1)] },
  ];
}

/** 35 x 35 to 17 x 17, 768 channels. */
const blockB: readonly Branch[] = [
  { units: [plan('branch3x3', 384, 3, down)] },
  { units: [
    plan('branch3x3dbl_1', 64, 1), plan('branch3x3dbl_2', 96, 3),
    plan('branch3x3dbl_3', 96, 3, down),
  ] },
  { pool: 'halve' },
];

/** 17 x 17, 768 channels, `width` inside. */
function blockC(width: number): readonly Branch[] {
  return [
    { units: [plan('branch1x1', 192, 1)] },
    { units: [
      plan('branch7x7_1', width, 1), plan('branch7x7_2', width, wide),
      plan('branch7x7_3', 192, tall),
    ] },
    { units: [
      plan('branch7x7dbl_1', width, 1), plan('branch7x7dbl_2', width, tall),
      plan('branch7x7dbl_3', width, wide), plan('branch7x7dbl_4', width, tall),
      plan('branch7x7dbl_5', 192, wide),
    ] },
    { pool: 'average', units: [plan('branch_pool', 192, 1)] },
  ];
}

/** 17 x 17 to 8 x 8, 1280 channels. */
const blockD: readonly Branch[] = [
  { units: [plan('branch3x3_1', 192, 1), plan('branch3x3_2', 320, 3, down)] },
  { units: [
    plan('branch7x7x3_1', 192, 1), plan('branch7x7x3_2', 192, wide),
    plan('branch7x7x3_3', 192, tall), plan('branch7x7x3_4', 192, 3, down),
  ] },
  { pool: 'halve' },
];

/** 8 x 8, 2048 channels. */
function blockE(pool: 'average' | 'max'): readonly Branch[] {
  const ends = (name: string) => [plan(`${name}a`, 384, [1, 3]), plan(`${name}b`, 384, [3, 1])];
  return [
    { units: [plan('branch1x1', 320, 1)] },
    { units: [plan('branch3x3_1', 384, 1)], fork: ends('branch3x3_2') },
    {
      units: [plan('branch3x3dbl_1', 448, 1), plan('branch3x3dbl_2', 384, 3)],
      fork: ends('branch3x3dbl_3'),
    },
    { pool, units: [plan('branch_pool', 192, 1)] },
  ];
}
