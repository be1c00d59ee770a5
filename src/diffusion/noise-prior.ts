import { z } from 'zod';
import { tensor, type Tensor } from '../tensor/tensor.ts';

/**
 * How the noise of two frames of a clip correlates (the noise prior of PYoCo, Ge et al. 2023, its two models
 * in one): a share of the variance is common to the whole clip ("mixed noise"), the rest is a chain from
 * frame to frame ("progressive noise"). Nothing of either, the paper's own, draws every frame apart.
 */
const correlationConfig = z.strictObject({
  /** Of the variance, the same in every frame. */
  shared: z.number().min(0).lt(1).default(0),
  /** PYoCo's alpha: in the rest, neighbours correlate by alpha / sqrt(1 + alpha^2). */
  progressive: z.number().nonnegative().default(0),
});
export type NoiseCorrelation = z.infer<typeof correlationConfig>;

export const noisePriorConfig = correlationConfig.extend({
  /** Where a flow is given: the noise travels along it and correlates like this. Null: it never travels. */
  alongFlow: correlationConfig.nullable().default(null),
});
export type NoisePriorConfig = z.infer<typeof noisePriorConfig>;

/** Correlation of the noise of two frames `distance` apart. */
export function noiseCorrelation({ shared, progressive }: NoiseCorrelation, distance: number): number {
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
export function correlateFrames(x: Tensor, config: NoiseCorrelation): Tensor {
  const frames = x.shape[0];
  if (frames === 1 || noiseCorrelation(config, 1) === 0) return x;
  const mixing = Float32Array.from(cholesky(frames, (i, j) => noiseCorrelation(config, Math.abs(i - j))));
  return tensor(mixing, [frames, frames], { device: x.device }).matmul(x.reshape([frames, -1])).reshape(x.shape);
}

/** How the noise of a clip travels: a function of the clip's flow and of the latent grid. */
export interface NoiseTravel {
  /** The pixel of frame 0 at which the material of each pixel lay, f H W. */
  readonly origins: Int32Array;
  /** What makes each cell's sum standard normal again, f h w. */
  readonly scales: Float32Array;
}

/**
 * @param origins f H W
 * @param grid (h, w), divisors of H and W
 */
export function noiseTravel(
  origins: Int32Array, [f, height, width]: readonly [f: number, H: number, W: number],
  [h, w]: readonly [h: number, w: number],
): NoiseTravel {
  const [rows, columns] = [height / h, width / w];
  const scales = new Float32Array(f * h * w);
  const cell = new Int32Array(rows * columns);
  for (let at = 0; at < scales.length; at++) {
    const [t, y, x] = [Math.floor(at / (h * w)), Math.floor(at / w) % h, at % w];
    const corner = (t * height + y * rows) * width + x * columns;
    for (let i = 0; i < cell.length; i++) {
      cell[i] = origins[corner + Math.floor(i / columns) * width + (i % columns)];
    }
    // Material that spreads over n pixels counts n^2 times: so many pairs of pixels share theirs.
    let pairs = cell.length;
    for (let i = 1; i < cell.length; i++) {
      for (let j = 0; j < i; j++) if (cell[i] === cell[j]) pairs += 2;
    }
    scales[at] = 1 / Math.sqrt(pairs);
  }
  return { origins, scales };
}

/**
 * Sums fine white noise over the cells of the latent grid, each frame read where its material lay in frame 0:
 * "How I Warped Your Noise" (Chang et al., ICLR 2024) and "Go-with-the-Flow" (Burgert et al., CVPR 2025).
 * So a cell's noise moves by fractions of a cell and stays white, which interpolated noise would not.
 *
 * @param fine standard normal numbers, (f, c, H, W); pixel i of each frame belongs to the material that lay
 *   at pixel i of frame 0
 * @param travel null where nothing moves
 * @param grid (h, w), divisors of H and W
 * @returns (f, c, h, w), standard normal, on the device of `fine`
 */
export function gatherNoise(
  fine: Tensor, travel: NoiseTravel | null, [h, w]: readonly [h: number, w: number],
): Tensor {
  const [f, c, height, width] = fine.shape;
  const [rows, columns] = [height / h, width / w];
  const sums = (x: Tensor) => x.reshape([f, c, h, rows, w, columns]).sum([3, 5]);
  if (travel === null) return sums(fine).div(Math.sqrt(rows * columns));
  const { device } = fine;
  const index = tensor(travel.origins, [f, 1, height * width], { device }).to('int64');
  const carried = fine.reshape([f, c, height * width]).gather(2, index.expand([f, c, height * width]));
  return sums(carried).mul(tensor(travel.scales, [f, 1, h, w], { device }));
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
