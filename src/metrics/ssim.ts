import { checkFrames, plane, shapeText } from '../frames/frames.ts';
import type { Frames } from '../frames/frames.ts';

const SIGMA = 1.5;
const SIDE = 11;
/** For pictures in [0, 1]. */
const C1 = 0.01 ** 2;
const C2 = 0.03 ** 2;

/**
 * Structural similarity (Wang et al. 2004): mean over frames of generated against real frames, a
 * Gaussian window of 11 x 11 with sigma 1.5 (PAPER section 3). Means, variances and the covariance
 * are the window's own (not corrected for the sample), pictures in [0, 1], over all pixels whose
 * window lies in the picture; scikit-image's `gaussian_weights=True, use_sample_covariance=False`.
 *
 * @param a 1 f h w, sides of at least 11
 * @throws when the shapes differ, or at a pixel that is NaN or outside [0, 1]
 */
export function ssim(a: Frames, b: Frames): number {
  if (shapeText(a) !== shapeText(b) || a.channels !== 1) {
    throw new Error(
      `ssim: expected two grey pictures of one shape, got ${shapeText(a)} and ${shapeText(b)}`,
    );
  }
  if (Math.min(a.height, a.width) < SIDE) {
    throw new Error(`ssim: expected sides of at least ${SIDE}, got ${shapeText(a)}`);
  }
  for (const [name, picture] of [['first', a], ['second', b]] as const) {
    checkFrames(picture, `ssim: ${name} picture`, { minimum: -1e-3, maximum: 1 + 1e-3 });
  }
  let sum = 0;
  for (let t = 0; t < a.frames; t++) {
    sum += ssimOfPlane(plane(a, 0, t), plane(b, 0, t), a.height, a.width);
  }
  return sum / a.frames;
}

function ssimOfPlane(a: Float32Array, b: Float32Array, height: number, width: number): number {
  const mean = (of: (i: number) => number) =>
    windowMeans(Float64Array.from(a, (_, i) => of(i)), height, width);
  const meanA = mean((i) => a[i]);
  const meanB = mean((i) => b[i]);
  const squareA = mean((i) => a[i] * a[i]);
  const squareB = mean((i) => b[i] * b[i]);
  const product = mean((i) => a[i] * b[i]);
  let sum = 0;
  for (let i = 0; i < meanA.length; i++) {
    const both = meanA[i] * meanB[i];
    const squares = meanA[i] * meanA[i] + meanB[i] * meanB[i];
    const varianceA = squareA[i] - meanA[i] * meanA[i];
    const varianceB = squareB[i] - meanB[i] * meanB[i];
    const covariance = product[i] - both;
    sum += ((2 * both + C1) * (2 * covariance + C2))
      / ((squares + C1) * (varianceA + varianceB + C2));
  }
  return sum / meanA.length;
}

const kernel = gaussian();

function gaussian(): Float64Array {
  const weights = Float64Array.from({ length: SIDE }, (_, k) =>
    Math.exp(-((k - (SIDE - 1) / 2) ** 2) / (2 * SIGMA * SIGMA)));
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / total);
}

/** Weighted mean in each window that lies wholly in the plane: [height - 10][width - 10]. */
function windowMeans(values: Float64Array, height: number, width: number): Float64Array {
  const columns = width - SIDE + 1;
  const rows = height - SIDE + 1;
  const across = new Float64Array(height * columns);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < columns; x++) {
      let sum = 0;
      for (let k = 0; k < SIDE; k++) sum += kernel[k] * values[y * width + x + k];
      across[y * columns + x] = sum;
    }
  }
  const means = new Float64Array(rows * columns);
  for (let y = 0; y < rows; y++) {
    for (let k = 0; k < SIDE; k++) {
      const from = (y + k) * columns;
      for (let x = 0; x < columns; x++) means[y * columns + x] += kernel[k] * across[from + x];
    }
  }
  return means;
}
