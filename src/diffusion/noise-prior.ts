import { z } from 'zod';
import { tensor, type Tensor } from '../tensor/tensor.ts';

/**
 * How the noise of a clip's frames correlates (the noise prior of PYoCo, Ge et al. 2023, its two models in
 * one): a share of the variance is common to the whole clip ("mixed noise"), the rest is a chain from
 * frame to frame ("progressive noise"). Nothing of either, the paper's own, draws every frame apart.
 */
export const noisePriorConfig = z.strictObject({
  /** Of the variance, the same in every frame. */
  shared: z.number().min(0).lt(1).default(0),
  /** PYoCo's alpha: in the rest, neighbours correlate by alpha / sqrt(1 + alpha^2). */
  progressive: z.number().nonnegative().default(0),
});
export type NoisePriorConfig = z.infer<typeof noisePriorConfig>;

/** Correlation of the noise of two frames `distance` apart. */
export function noiseCorrelation({ shared, progressive }: NoisePriorConfig, distance: number): number {
  const rho = progressive / Math.sqrt(1 + progressive ** 2);
  return shared + (1 - shared) * rho ** distance;
}

/**
 * Correlated noise of a clip. Every frame stays standard normal, so that a network trained on frames
 * apart still knows it; what stands still between frames is already in the noise, and the network
 * adds what moves.
 *
 * @param x independent standard normal numbers, (f, c, h, w)
 * @returns (f, c, h, w)
 */
export function correlateFrames(x: Tensor, config: NoisePriorConfig): Tensor {
  const frames = x.shape[0];
  if (frames === 1 || noiseCorrelation(config, 1) === 0) return x;
  const mixing = Float32Array.from(cholesky(frames, (i, j) => noiseCorrelation(config, Math.abs(i - j))));
  return tensor(mixing, [frames, frames]).matmul(x.reshape([frames, -1])).reshape(x.shape);
}

/** The lower triangle L with L L^T = C, [size][size]. */
function cholesky(size: number, covariance: (i: number, j: number) => number): Float64Array {
  const lower = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      let rest = covariance(i, j);
      for (let k = 0; k < j; k++) rest -= lower[i * size + k] * lower[j * size + k];
      lower[i * size + j] = i === j ? Math.sqrt(rest) : rest / lower[j * size + j];
    }
  }
  return lower;
}
