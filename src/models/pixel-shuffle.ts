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
