import { silu } from '../nn/activation.ts';
import { Conv2d } from '../nn/convolution.ts';
import { Linear } from '../nn/linear.ts';
import { Module } from '../nn/module.ts';
import { GroupNorm } from '../nn/normalization.ts';
import type { Path } from '../nn/path.ts';
import { upsampleNearest2d } from '../tensor/ops.ts';
import type { Tensor } from '../tensor/tensor.ts';

export interface ResnetConfig {
  readonly groups: number;
  readonly eps: number;
  /** Width of the time embedding; null for a network without one (a VAE). */
  readonly timeChannels: number | null;
}

/** Group norm, SiLU and a 3x3 convolution, keys `norm<number> conv<number>`. */
class ActivatedConvolution extends Module<[Tensor], Tensor> {
  private readonly norm: GroupNorm;
  private readonly conv: Conv2d;

  constructor(path: Path, number: 1 | 2, inside: number, out: number, config: ResnetConfig) {
    super();
    this.norm = new GroupNorm(path.sub(`norm${number}`), config.groups, inside, config.eps);
    this.conv = new Conv2d(path.sub(`conv${number}`), inside, out, 3, { padding: 1 });
  }

  forward(x: Tensor): Tensor {
    return this.conv.call(silu(this.norm.call(x))); // n out h w
  }
}

/**
 * Residual block of DDPM as diffusers names it: `norm1 conv1 time_emb_proj norm2 conv2
 * conv_shortcut`. (n, in, h, w) -> (n, out, h, w). The embedding arrives as SiLU(temb), (b,
 * timeChannels), with b a divisor of n: its rows count clips, and each is used for the n/b frames
 * of its clip.
 */
export class ResnetBlock2D extends Module<[Tensor, Tensor | null], Tensor> {
  private readonly first: ActivatedConvolution;
  private readonly timeProjection: Linear | null;
  private readonly second: ActivatedConvolution;
  private readonly shortcut: Conv2d | null;

  constructor(path: Path, inChannels: number, outChannels: number, config: ResnetConfig) {
    super();
    const { timeChannels } = config;
    this.first = new ActivatedConvolution(path, 1, inChannels, outChannels, config);
    this.timeProjection =
      timeChannels === null
        ? null
        : new Linear(path.sub('time_emb_proj'), timeChannels, outChannels);
    this.second = new ActivatedConvolution(path, 2, outChannels, outChannels, config);
    this.shortcut =
      inChannels === outChannels
        ? null
        : new Conv2d(path.sub('conv_shortcut'), inChannels, outChannels, 1);
  }

  forward(x: Tensor, activatedTime: Tensor | null): Tensor {
    let h = this.first.call(x); // n out h w
    if (this.timeProjection && activatedTime) {
      h = h.add(overFrames(this.timeProjection.call(activatedTime), h.shape[0]));
    }
    h = this.second.call(h);
    return (this.shortcut ? this.shortcut.call(x) : x).add(h);
  }
}

/** (b, c) -> (n, c, 1, 1): each clip's row for all of its frames. */
function overFrames(rows: Tensor, n: number): Tensor {
  const [clips, channels] = rows.shape;
  return rows
    .unsqueeze(1)
    .expand([clips, n / clips, channels])
    .reshape([n, channels, 1, 1]);
}

/** Halves height and width by a strided convolution. Key `conv`. */
export class Downsample2D extends Module<[Tensor], Tensor> {
  private readonly conv: Conv2d;

  constructor(path: Path, channels: number, padding = 1) {
    super();
    this.conv = new Conv2d(path.sub('conv'), channels, channels, 3, { stride: 2, padding });
  }

  forward(x: Tensor): Tensor {
    return this.conv.call(x); // n c h/2 w/2
  }
}

/** Nearest-neighbour enlargement, twofold or to a given size, and a convolution. Key `conv`. */
export class Upsample2D extends Module<[Tensor, (readonly [number, number])?], Tensor> {
  private readonly conv: Conv2d;

  constructor(path: Path, channels: number) {
    super();
    this.conv = new Conv2d(path.sub('conv'), channels, channels, 3, { padding: 1 });
  }

  forward(x: Tensor, size?: readonly [number, number]): Tensor {
    const [, , height, width] = x.shape;
    return this.conv.call(upsampleNearest2d(x, size ?? [height * 2, width * 2])); // n c 2h 2w
  }
}
