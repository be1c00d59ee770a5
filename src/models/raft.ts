import { Conv2d } from '../nn/convolution.ts';
import { zeros } from '../nn/init.ts';
import { Module } from '../nn/module.ts';
import type { Path } from '../nn/path.ts';
import { scope } from '../tensor/memory.ts';
import {
  arange, avgPool2d, bmm, cat, gridSampler2d, groupNorm, stack, tensor, upsampleBilinear2d,
} from '../tensor/ops.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { upstreamKeys } from './upstream-keys.ts';

/** Levels of the correlation pyramid, and how far the window reaches at each of them. */
const LEVELS = 4;
const RADIUS = 3;
const HIDDEN = 96;
const CONTEXT = 64;
/** The least side of which the top of the pyramid has two pixels. */
export const RAFT_LEAST_SIDE = 128;
/** Steps of refinement, as it was trained. */
export const RAFT_UPDATES = 12;

/**
 * RAFT-small (Teed and Deng 2020, "RAFT: Recurrent All-Pairs Field Transforms for Optical Flow"):
 * features of both pictures, the correlation of all pairs of their pixels, and a recurrent unit
 * that moves every pixel towards where it correlates. At an eighth of the size, brought up
 * bilinearly. Keys are princeton-vl/RAFT's. Parameters begin at zero: it is there to be loaded, and
 * is frozen.
 */
export class RaftSmall extends Module<[Tensor, Tensor, number?], Tensor> {
  private readonly fnet: Encoder;
  private readonly cnet: Encoder;
  private readonly update: UpdateBlock;

  constructor(path: Path) {
    super();
    this.fnet = new Encoder(path.sub('fnet'), 128, true);
    this.cnet = new Encoder(path.sub('cnet'), HIDDEN + CONTEXT, false);
    this.update = new UpdateBlock(path.sub('update_block'));
    path.freeze(() => true);
  }

  /**
   * @param before pictures (n, 3, h, w) in [-1, 1], sides multiples of 8 and at least 128
   * @param after likewise, of the same shape
   * @returns displacement (dx, dy) in pixels of each pixel of `before`, (n, 2, h, w)
   * @throws for other shapes, or fewer than one update
   */
  forward(before: Tensor, after: Tensor, updates = RAFT_UPDATES): Tensor {
    if (before.shape.join() !== after.shape.join()) {
      throw new Error(
        `raft: expected two pictures of one shape, got ${before.shape.join('x')} ` +
          `and ${after.shape.join('x')}`,
      );
    }
    return this.match(
      this.features(before), this.features(after), this.context(before), updates,
    );
  }

  /** What is matched: pictures (n, 3, h, w) -> (n, 128, h / 8, w / 8), each picture by itself. */
  features(x: Tensor): Tensor {
    expectPictures(x);
    return this.fnet.call(x);
  }

  /** What the first picture says of its motion: (n, 3, h, w) -> (n, 160, h / 8, w / 8). */
  context(x: Tensor): Tensor {
    expectPictures(x);
    return this.cnet.call(x);
  }

  /** Flow (n, 2, h, w) from features of both pictures and the context of the first. */
  match(before: Tensor, after: Tensor, context: Tensor, updates = RAFT_UPDATES): Tensor {
    if (!Number.isInteger(updates) || updates < 1) {
      throw new Error(`raft: expected at least 1 update, got ${updates}`);
    }
    return scope(() => {
      const [n, , height, width] = before.shape;
      const pyramid = correlationPyramid(before, after);
      const start = pixelGrid(height, width, before.device).expand([n, 2, height, width]);
      const input = context.narrow(1, HIDDEN, CONTEXT).relu();
      let hidden = context.narrow(1, 0, HIDDEN).tanh();
      let flow = start.sub(start);
      for (let k = 0; k < updates; k++) {
        [hidden, flow] = scope(() => {
          const seen = lookUp(pyramid, start.add(flow));
          const next = this.update.call(hidden, input, seen, flow);
          return [next.hidden, flow.add(next.delta)];
        });
      }
      return upsampleBilinear2d(flow, [8 * height, 8 * width], true).mul(8);
    });
  }
}

/**
 * RAFT-small with the tensors of a checkpoint in it, by the keys of princeton-vl/RAFT
 * (raft-small.pth) or of torchvision (raft_small_C_T_V1 and V2).
 *
 * @param path the root of its parameters; the caller disposes of it, and of the tensors
 * @throws when the keys are those of the large RAFT, or naming the first key that is missing,
 * unknown or of another shape
 */
export function loadRaftSmall(path: Path, tensors: ReadonlyMap<string, Tensor>): RaftSmall {
  const named = new Map([...upstreamKeys(tensors)].map(([key, value]) => [raftKey(key), value]));
  const large = ['update_block.mask.0.weight', 'mask_predictor.convrelu.0.weight',
    'update_block.gru.convz1.weight'].find((key) => named.has(key));
  if (large !== undefined) {
    throw new Error(`raft: expected the weights of RAFT-small, got those of the large RAFT (${large})`);
  }
  const network = new RaftSmall(path);
  path.load(named, { strict: true });
  return network;
}

/** torchvision's key as princeton-vl/RAFT has it; any other key is left alone. */
function raftKey(key: string): string {
  return key
    .replace(/^feature_encoder\./, 'fnet.')
    .replace(/^context_encoder\./, 'cnet.')
    .replace(/^([fc]net)\.convnormrelu\.0\./, '$1.conv1.')
    .replace(/^([fc]net)\.conv\./, '$1.conv2.')
    .replace(/\.convnormrelu([123])\.0\./, '.conv$1.')
    .replace('.motion_encoder.', '.encoder.')
    .replace('.recurrent_block.convgru1.', '.gru.')
    .replace('.convcorr1.0.', '.convc1.')
    .replace(/\.convflow([12])\.0\./, '.convf$1.')
    .replace('.encoder.conv.0.', '.encoder.conv.');
}

function expectPictures(x: Tensor): void {
  const [, channels, height, width] = x.shape;
  const fits = height % 8 === 0 && width % 8 === 0 && Math.min(height, width) >= RAFT_LEAST_SIDE;
  if (x.rank === 4 && channels === 3 && fits) return;
  throw new Error(
    `raft: expected pictures (n, 3, h, w) with sides multiples of 8 of at least ${RAFT_LEAST_SIDE}, ` +
      `got ${x.shape.join('x')}`,
  );
}

/** (n, c, h, w) twice -> levels of (n h w, 1, h / 2^k, w / 2^k): each pixel's match with all. */
function correlationPyramid(before: Tensor, after: Tensor): Tensor[] {
  const [n, channels, height, width] = before.shape;
  const area = height * width;
  const rows = before.reshape([n, channels, area]).transpose(1, 2);
  const all = bmm(rows, after.reshape([n, channels, area])).div(Math.sqrt(channels));
  const pyramid = [all.reshape([n * area, 1, height, width])];
  while (pyramid.length < LEVELS) pyramid.push(avgPool2d(pyramid[pyramid.length - 1], 2, 2));
  return pyramid;
}

/** Pixel centres (x, y), (1, 2, h, w). */
function pixelGrid(height: number, width: number, device: string): Tensor {
  const across = arange(0, width, 1, { dtype: 'float32', device });
  const down = arange(0, height, 1, { dtype: 'float32', device });
  const x = across.reshape([1, width]).expand([height, width]);
  const y = down.reshape([height, 1]).expand([height, width]);
  return stack([x, y]).unsqueeze(0);
}

/** Correlations in a window round each place of `coordinates` (n, 2, h, w) -> (n, 196, h, w). */
function lookUp(pyramid: readonly Tensor[], coordinates: Tensor): Tensor {
  const [n, , height, width] = coordinates.shape;
  const side = 2 * RADIUS + 1;
  // Upstream's order of channels: the slow index of the window moves x, the fast one y.
  const offsets = Float32Array.from({ length: side * side * 2 }, (_, i) =>
    (i % 2 === 0 ? Math.floor(i / 2 / side) : Math.floor(i / 2) % side) - RADIUS);
  const { device } = coordinates;
  const window = tensor(offsets, [1, side, side, 2], { device });
  const centre = coordinates.permute([0, 2, 3, 1]).reshape([n * height * width, 1, 1, 2]);
  const seen = pyramid.map((level, k) => {
    const [, , h, w] = level.shape;
    const toUnit = tensor([2 / (w - 1), 2 / (h - 1)], [2], { device });
    const grid = centre.div(2 ** k).add(window).mul(toUnit).sub(1);
    const found = gridSampler2d(level, grid, 'bilinear', 'zeros', true);
    return found.reshape([n, height, width, side * side]);
  });
  return cat(seen, 3).permute([0, 3, 1, 2]).contiguous();
}

/** Three pairs of bottlenecks: pictures -> features at an eighth of the size. */
class Encoder extends Module<[Tensor], Tensor> {
  private readonly conv1: Conv2d;
  private readonly blocks: readonly Bottleneck[];
  private readonly conv2: Conv2d;
  private readonly normed: boolean;

  constructor(path: Path, width: number, normed: boolean) {
    super();
    this.normed = normed;
    this.conv1 = convolution(path.sub('conv1'), 3, 32, 7, 2);
    this.blocks = [
      new Bottleneck(path.sub('layer1.0'), 32, 32, 1, normed),
      new Bottleneck(path.sub('layer1.1'), 32, 32, 1, normed),
      new Bottleneck(path.sub('layer2.0'), 32, 64, 2, normed),
      new Bottleneck(path.sub('layer2.1'), 64, 64, 1, normed),
      new Bottleneck(path.sub('layer3.0'), 64, 96, 2, normed),
      new Bottleneck(path.sub('layer3.1'), 96, 96, 1, normed),
    ];
    this.conv2 = convolution(path.sub('conv2'), 96, width, 1);
  }

  forward(x: Tensor): Tensor {
    const start = instanceNorm(this.conv1.call(x), this.normed).relu();
    return this.conv2.call(this.blocks.reduce((h, block) => block.call(h), start));
  }
}

/** 1x1 to a quarter of the width, 3x3, 1x1 back, each normed and rectified, beside a shortcut. */
class Bottleneck extends Module<[Tensor], Tensor> {
  private readonly convs: readonly Conv2d[];
  private readonly downsample: Conv2d | null;
  private readonly normed: boolean;

  constructor(path: Path, from: number, width: number, stride: number, normed: boolean) {
    super();
    this.normed = normed;
    this.convs = [
      convolution(path.sub('conv1'), from, width / 4, 1),
      convolution(path.sub('conv2'), width / 4, width / 4, 3, stride),
      convolution(path.sub('conv3'), width / 4, width, 1),
    ];
    const shortcut = () => convolution(path.sub('downsample.0'), from, width, 1, stride);
    this.downsample = stride === 1 ? null : shortcut();
  }

  forward(x: Tensor): Tensor {
    const y = this.convs.reduce((h, conv) => instanceNorm(conv.call(h), this.normed).relu(), x);
    return (this.downsample ? instanceNorm(this.downsample.call(x), this.normed) : x).add(y).relu();
  }
}

interface Updated {
  readonly hidden: Tensor;
  readonly delta: Tensor;
}

/** Motion encoder, convolutional GRU and flow head: one step of refinement. */
class UpdateBlock extends Module<[Tensor, Tensor, Tensor, Tensor], Updated> {
  private readonly convc1: Conv2d;
  private readonly convf1: Conv2d;
  private readonly convf2: Conv2d;
  private readonly conv: Conv2d;
  private readonly gate: Readonly<Record<'z' | 'r' | 'q', Conv2d>>;
  private readonly head: readonly [Conv2d, Conv2d];

  constructor(path: Path) {
    super();
    const window = (2 * RADIUS + 1) ** 2;
    this.convc1 = convolution(path.sub('encoder.convc1'), LEVELS * window, 96, 1);
    this.convf1 = convolution(path.sub('encoder.convf1'), 2, 64, 7);
    this.convf2 = convolution(path.sub('encoder.convf2'), 64, 32, 3);
    this.conv = convolution(path.sub('encoder.conv'), 128, 80, 3);
    const gate = (name: string) =>
      convolution(path.sub(`gru.conv${name}`), HIDDEN + CONTEXT + 82, HIDDEN, 3);
    this.gate = { z: gate('z'), r: gate('r'), q: gate('q') };
    this.head = [
      convolution(path.sub('flow_head.conv1'), HIDDEN, 128, 3),
      convolution(path.sub('flow_head.conv2'), 128, 2, 3),
    ];
  }

  /** h: (n, 96, h, w), input: (n, 64, ...), correlations: (n, 196, ...), flow: (n, 2, ...). */
  forward(h: Tensor, input: Tensor, correlations: Tensor, flow: Tensor): Updated {
    const matched = this.convc1.call(correlations).relu();
    const moved = this.convf2.call(this.convf1.call(flow).relu()).relu();
    const motion = this.conv.call(cat([matched, moved], 1)).relu();
    const x = cat([input, motion, flow], 1); // n 146 h w
    const hx = cat([h, x], 1);
    const z = this.gate.z.call(hx).sigmoid();
    const r = this.gate.r.call(hx).sigmoid();
    const q = this.gate.q.call(cat([r.mul(h), x], 1)).tanh();
    const hidden = h.add(z.mul(q.sub(h))); // (1 - z) h + z q
    const delta = this.head[1].call(this.head[0].call(hidden).relu());
    return { hidden, delta };
  }
}

/** Padded by half the kernel, so that the size is divided by the stride alone. */
function convolution(path: Path, from: number, width: number, kernel: number, stride = 1): Conv2d {
  return new Conv2d(path, from, width, kernel, { stride, padding: (kernel - 1) / 2, init: zeros });
}

/** Over the positions of each channel, without weights: a group norm of one channel a group. */
function instanceNorm(x: Tensor, normed: boolean): Tensor {
  return normed ? groupNorm(x, x.shape[1], null, null, 1e-5) : x;
}
