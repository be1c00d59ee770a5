import { tensor, type Tensor } from '../tensor/tensor.ts';

/**
 * Noise of a clip whose neighbouring frames correlate (PYoCo, Ge et al. 2023, "progressive noise"):
 * e_0 = x_0, e_i = rho e_(i-1) + sqrt(1 - rho^2) x_i with rho = alpha / sqrt(1 + alpha^2). Every frame
 * stays standard normal, so that a network trained on frames apart still knows it; what stands still
 * between frames is already in the noise, and the network adds what moves.
 *
 * @param x independent standard normal numbers, (f, c, h, w)
 * @param alpha 0 for independent frames
 * @returns (f, c, h, w)
 */
export function progressiveNoise(x: Tensor, alpha: number): Tensor {
  const frames = x.shape[0];
  if (alpha === 0 || frames === 1) return x;
  const rho = alpha / Math.sqrt(1 + alpha * alpha);
  const mixing = Float32Array.from({ length: frames * frames }, (_, at) => {
    const [i, j] = [Math.floor(at / frames), at % frames];
    if (j > i) return 0;
    return rho ** (i - j) * (j === 0 ? 1 : Math.sqrt(1 - rho * rho));
  });
  return tensor(mixing, [frames, frames]).matmul(x.reshape([frames, -1])).reshape(x.shape);
}
