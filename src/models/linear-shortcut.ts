import { Conv2d } from '../nn/convolution.ts';
import { Module } from '../nn/module.ts';
import type { Path } from '../nn/path.ts';
import type { Tensor } from '../tensor/tensor.ts';

/**
 * torch's pixel_unshuffle: a square of r x r pixels becomes the channels of one.
 * (n, c, h r, w r) -> (n, c r r, h, w)
 */
export function pixelUnshuffle(x: Tensor, r: number): Tensor {
  const [n, c, height, width] = x.shape;
  return x.reshape([n, c, height / r, r, width / r, r])
    .permute([0, 1, 3, 5, 2, 4])
    .reshape([n, c * r * r, height / r, width / r]);
}

/** torch's pixel_shuffle, the way back. (n, c r r, h, w) -> (n, c, h r, w r) */
export function pixelShuffle(x: Tensor, r: number): Tensor {
  const [n, channels, height, width] = x.shape;
  const c = channels / (r * r);
  return x.reshape([n, c, r, r, height, width])
    .permute([0, 1, 4, 2, 5, 3])
    .reshape([n, c, height * r, width * r]);
}

/**
 * A linear map past the encoder, added to its mean: one convolution over the pixels that a latent
 * covers and their neighbours. Speckle is close to Gaussian, for which the best code is linear: with
 * the shortcut the network begins near it and learns the rest.
 */
export class LinearEncoder extends Module<[Tensor], Tensor> {
  private readonly reduction: number;
  private readonly conv: Conv2d;

  constructor(path: Path, channels: number, latents: number, reduction: number) {
    super();
    this.reduction = reduction;
    this.conv = new Conv2d(path, channels * reduction ** 2, latents, 3, { padding: 1 });
  }

  /** (n, channels, h r, w r) -> (n, latents, h, w) */
  forward(x: Tensor): Tensor {
    return this.conv.call(pixelUnshuffle(x, this.reduction));
  }
}

/** The same past the decoder: a sub-pixel convolution (Shi et al. 2016). */
export class LinearDecoder extends Module<[Tensor], Tensor> {
  private readonly reduction: number;
  private readonly conv: Conv2d;

  constructor(path: Path, latents: number, channels: number, reduction: number) {
    super();
    this.reduction = reduction;
    this.conv = new Conv2d(path, latents, channels * reduction ** 2, 3, { padding: 1 });
  }

  /** (n, latents, h, w) -> (n, channels, h r, w r) */
  forward(z: Tensor): Tensor {
    return pixelShuffle(this.conv.call(z), this.reduction);
  }
}
