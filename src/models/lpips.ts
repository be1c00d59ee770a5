import { Conv2d } from '../nn/convolution.ts';
import { zeros } from '../nn/init.ts';
import { Module } from '../nn/module.ts';
import type { Path } from '../nn/path.ts';
import { maxPool2d, tensor } from '../tensor/ops.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { expectPictures } from './pictures.ts';

/** A layer of a trunk at its place in torchvision's `features`. */
interface TrunkLayer {
  readonly at: number;
  readonly width: number;
  readonly kernel: number;
  readonly stride?: number;
  readonly padding: number;
  /** A max pool of this side and stride 2 before it. */
  readonly pool?: number;
  /** Whether its rectified output is compared. */
  readonly tap?: boolean;
}

const vggLayer = (at: number, width: number, more: Partial<TrunkLayer> = {}): TrunkLayer =>
  ({ at, width, kernel: 3, padding: 1, ...more });

const trunks = {
  /** Krizhevsky's one-weird-trick network, torchvision's `alexnet`. */
  alex: {
    title: 'AlexNet', leastSide: 31,
    layers: [
      { at: 0, width: 64, kernel: 11, stride: 4, padding: 2, tap: true },
      { at: 3, width: 192, kernel: 5, padding: 2, pool: 3, tap: true },
      { at: 6, width: 384, kernel: 3, padding: 1, pool: 3, tap: true },
      { at: 8, width: 256, kernel: 3, padding: 1, tap: true },
      { at: 10, width: 256, kernel: 3, padding: 1, tap: true },
    ],
  },
  /** Simonyan and Zisserman's 16 layers without batch norm, torchvision's `vgg16`. */
  vgg: {
    title: 'VGG-16', leastSide: 16,
    layers: [
      vggLayer(0, 64), vggLayer(2, 64, { tap: true }),
      vggLayer(5, 128, { pool: 2 }), vggLayer(7, 128, { tap: true }),
      vggLayer(10, 256, { pool: 2 }), vggLayer(12, 256), vggLayer(14, 256, { tap: true }),
      vggLayer(17, 512, { pool: 2 }), vggLayer(19, 512), vggLayer(21, 512, { tap: true }),
      vggLayer(24, 512, { pool: 2 }), vggLayer(26, 512), vggLayer(28, 512, { tap: true }),
    ],
  },
} as const satisfies Record<string, {
  readonly title: string; readonly leastSide: number; readonly layers: readonly TrunkLayer[];
}>;

/** The trunks by the names that the `lpips` package gives them. */
export type LpipsTrunk = keyof typeof trunks;

export function lpipsTrunkTitle(trunk: LpipsTrunk): string {
  return trunks[trunk].title;
}

/** Of RGB in [-1, 1]: the package's scaling layer, ImageNet's mean and deviation in that range. */
const SHIFT = [-0.03, -0.088, -0.188];
const SCALE = [0.458, 0.448, 0.45];
const EPSILON = 1e-10;

/**
 * LPIPS (Zhang et al. 2018, "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric"), version 0.1
 * of the `lpips` package: squared differences of a trunk's features, each position's vector at length 1, weighted
 * by channel, their means over the picture added up. Keys: `features.*` as torchvision has the trunk's, and
 * `lin0.model.1.weight` to `lin4.model.1.weight` as the package's file. Parameters begin at zero: it is there to
 * be loaded, and is frozen.
 */
export class Lpips extends Module<[Tensor, Tensor], Tensor> {
  readonly trunk: LpipsTrunk;
  /** Where its weights are, and where pictures must be. */
  readonly device: string;
  private readonly layers: readonly { readonly plan: TrunkLayer; readonly convolution: Conv2d }[];
  private readonly weights: readonly Conv2d[];

  constructor(path: Path, trunk: LpipsTrunk = 'alex') {
    super();
    this.trunk = trunk;
    this.device = path.device;
    const plans: readonly TrunkLayer[] = trunks[trunk].layers;
    this.layers = plans.map((plan, i) => {
      const { at, width, kernel, stride = 1, padding } = plan;
      const from = i === 0 ? 3 : plans[i - 1].width;
      const place = path.sub(`features.${at}`);
      return { plan, convolution: new Conv2d(place, from, width, kernel, { stride, padding, init: zeros }) };
    });
    this.weights = plans.filter(({ tap }) => tap).map(({ width }, i) =>
      new Conv2d(path.sub(`lin${i}.model.1`), width, 1, 1, { bias: false, init: zeros }));
    path.freeze(() => true);
  }

  /**
   * @param a pictures from `lpipsInput`, (n, 3, h, w) in [-1, 1]
   * @param b others of that shape
   * @returns a distance for each pair, (n)
   * @throws for other shapes
   */
  forward(a: Tensor, b: Tensor): Tensor {
    const { title, leastSide } = trunks[this.trunk];
    if (a.rank !== 4 || a.shape[1] !== 3 || Math.min(a.shape[2], a.shape[3]) < leastSide) {
      throw new Error(`lpips: expected pictures (n, 3, h, w) with sides of at least ${leastSide} for ${title}, ` +
        `got ${a.shape.join('x')}`);
    }
    if (a.shape.join() !== b.shape.join()) {
      throw new Error(`lpips: expected two sets of one shape, got ${a.shape.join('x')} and ${b.shape.join('x')}`);
    }
    const [first, second] = [this.features(a), this.features(b)];
    return this.weights.map((weight, i) => {
      const difference = first[i].sub(second[i]);
      return weight.call(difference.mul(difference)).mean([1, 2, 3]);
    }).reduce((sum, part) => sum.add(part));
  }

  /** Of each compared layer, vectors over the channels at length 1. */
  private features(pictures: Tensor): Tensor[] {
    const constant = (values: number[]) => tensor(values, [1, 3, 1, 1], { device: pictures.device });
    let h = pictures.sub(constant(SHIFT)).div(constant(SCALE));
    const taps: Tensor[] = [];
    for (const { plan: { pool, tap }, convolution } of this.layers) {
      if (pool !== undefined) h = maxPool2d(h, pool, 2);
      h = convolution.call(h).relu();
      if (tap) taps.push(h.div(h.mul(h).sum([1], true).sqrt().add(EPSILON)));
    }
    return taps;
  }
}

/**
 * @param pictures (n, 1 or 3, h, w) in [0, 1]
 * @returns (n, 3, h, w) in [-1, 1], grey repeated: the package's `normalize=True`
 */
export function lpipsInput(pictures: Tensor): Tensor {
  const [count, , height, width] = expectPictures('lpips', pictures);
  return pictures.mul(2).sub(1).expand([count, 3, height, width]).contiguous();
}
