import { checkFrames, plane, shapeText } from '../frames/frames.ts';
import type { Frames } from '../frames/frames.ts';

export interface SsimDefinition {
  /** The window's weights along one axis; the window is their outer product, its sum 1. */
  readonly window: 'gaussian' | 'uniform';
  /** Standard deviation of the Gaussian, pixels; null for the uniform window. */
  readonly sigma: number | null;
  /** Pixels along one side of the window, odd. */
  readonly side: number;
  /** C1 = (k1 range)^2, C2 = (k2 range)^2. */
  readonly k1: number;
  readonly k2: number;
  /**
   * `population`: variances and covariance are the window's own. `sample`: times N / (N - 1) with N
   * the window's pixels, for the Gaussian as for the uniform one (scikit-image's
   * `use_sample_covariance`).
   */
  readonly covariance: 'population' | 'sample';
  /**
   * Which windows are averaged. `crop`: those that lie wholly in the picture. `mirror`: one for
   * every pixel, the picture continued by its mirror image, the edge pixel not repeated.
   */
  readonly border: 'crop' | 'mirror';
  /** Whether a variance that rounding makes negative counts as 0. */
  readonly clamped: boolean;
}

const gaussian = { window: 'gaussian', sigma: 1.5, side: 11, k1: 0.01, k2: 0.03 } as const;
const uniform = { window: 'uniform', sigma: null, side: 7, k1: 0.01, k2: 0.03 } as const;
const cropped = { border: 'crop', clamped: false } as const;

/**
 * What each variant computes, exactly. For one and the same pair of clips (test/golden/ssim.py)
 * they give 0.263 to 0.335, so that an SSIM says which it is.
 *
 * - `wang`: Wang et al. 2004 and PAPER section 3. It is scikit-image's
 *   `gaussian_weights=True, sigma=1.5, use_sample_covariance=False`.
 * - `scikit-image`: its defaults, a uniform window of 7 x 7 and the sample's covariance.
 * - `scikit-image-uniform-population`: the same with `use_sample_covariance=False`.
 * - `scikit-image-gaussian`: `gaussian_weights=True` alone, which keeps the sample's covariance.
 * - `torchmetrics`: 1.9 with its default window; it crops nothing and counts the mirrored border.
 */
export const ssimVariants = {
  wang: { ...gaussian, ...cropped, covariance: 'population' },
  'scikit-image': { ...uniform, ...cropped, covariance: 'sample' },
  'scikit-image-uniform-population': { ...uniform, ...cropped, covariance: 'population' },
  'scikit-image-gaussian': { ...gaussian, ...cropped, covariance: 'sample' },
  torchmetrics: { ...gaussian, covariance: 'population', border: 'mirror', clamped: true },
} as const satisfies Record<string, SsimDefinition>;
export type SsimVariant = keyof typeof ssimVariants;

export interface SsimOptions {
  readonly variant?: SsimVariant;
  /**
   * The largest value a pixel may have; the smallest is 0. `measured` is what torchmetrics does
   * when it is told nothing, the larger of both clips' max - min: it moves with the pictures, and
   * only that variant takes it.
   */
  readonly dataRange?: number | 'measured';
}

/**
 * Structural similarity (Wang et al. 2004): mean over frames of generated against real frames, by
 * the definition of `ssimVariants` that `variant` names, in float64. The default is `wang`
 * (PAPER section 3) on pictures in [0, 1].
 *
 * @param a 1 f h w, sides of at least the window's
 * @throws when the shapes differ, or at a pixel that is NaN or outside the range
 */
export function ssim(a: Frames, b: Frames, options: SsimOptions = {}): number {
  const { variant = 'wang', dataRange = 1 } = options;
  if (!Object.hasOwn(ssimVariants, variant)) {
    const names = Object.keys(ssimVariants).join(', ');
    throw new Error(`ssim: expected variant ${names}, got ${String(variant)}`);
  }
  const definition: SsimDefinition = ssimVariants[variant];
  checkPair('ssim', a, b);
  if (Math.min(a.height, a.width) < definition.side) {
    throw new Error(`ssim: expected sides of at least ${definition.side}, got ${shapeText(a)}`);
  }
  const range = dataRange === 'measured' ? measuredRange(a, b, variant) : dataRange;
  checkRange('ssim', a, b, dataRange === 'measured' ? null : range);
  const kernel = weights(definition);
  let sum = 0;
  for (let t = 0; t < a.frames; t++) {
    const [x, y] = [plane(a, 0, t), plane(b, 0, t)];
    sum += ssimOfPlane(x, y, a.height, a.width, { definition, kernel, range });
  }
  return sum / a.frames;
}

/** Throws unless both are grey and of one shape. */
export function checkPair(what: string, a: Frames, b: Frames): void {
  if (shapeText(a) === shapeText(b) && a.channels === 1) return;
  throw new Error(
    `${what}: expected two grey pictures of one shape, got ${shapeText(a)} and ${shapeText(b)}`,
  );
}

/** Throws at a pixel outside 0..range (null: any) by more than a thousandth of it. */
export function checkRange(what: string, a: Frames, b: Frames, range: number | null): void {
  if (range !== null && !(range > 0 && Number.isFinite(range))) {
    throw new Error(`${what}: expected a data range above 0, got ${range}`);
  }
  const limits = range === null ? {} : { minimum: -1e-3 * range, maximum: 1.001 * range };
  for (const [name, picture] of [['first', a], ['second', b]] as const) {
    checkFrames(picture, `${what}: ${name} picture`, limits);
  }
}

function measuredRange(a: Frames, b: Frames, variant: SsimVariant): number {
  if (variant !== 'torchmetrics') {
    throw new Error(`ssim: expected a number as data range of ${variant}, got measured`);
  }
  const spread = ({ data }: Frames) => {
    let [low, high] = [Infinity, -Infinity];
    for (const value of data) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    return high - low;
  };
  const range = Math.max(spread(a), spread(b));
  if (range === 0) throw new Error('ssim: expected pictures that vary to measure a range, got flat');
  return range;
}

interface Setting {
  readonly definition: SsimDefinition;
  readonly kernel: Float64Array;
  readonly range: number;
}

function ssimOfPlane(
  a: Float32Array, b: Float32Array, height: number, width: number,
  { definition, kernel, range }: Setting,
): number {
  const mean = (of: (i: number) => number) => windowMeans(
    Float64Array.from(a, (_, i) => of(i)), height, width, kernel, definition.border === 'mirror');
  const meanA = mean((i) => a[i]);
  const meanB = mean((i) => b[i]);
  const squareA = mean((i) => a[i] * a[i]);
  const squareB = mean((i) => b[i] * b[i]);
  const product = mean((i) => a[i] * b[i]);
  const c1 = (definition.k1 * range) ** 2;
  const c2 = (definition.k2 * range) ** 2;
  const pixels = definition.side ** 2;
  const correction = definition.covariance === 'sample' ? pixels / (pixels - 1) : 1;
  const least = definition.clamped ? 0 : -Infinity;
  let sum = 0;
  for (let i = 0; i < meanA.length; i++) {
    const both = meanA[i] * meanB[i];
    const squares = meanA[i] * meanA[i] + meanB[i] * meanB[i];
    const varianceA = correction * Math.max(least, squareA[i] - meanA[i] * meanA[i]);
    const varianceB = correction * Math.max(least, squareB[i] - meanB[i] * meanB[i]);
    const covariance = correction * (product[i] - both);
    sum += ((2 * both + c1) * (2 * covariance + c2))
      / ((squares + c1) * (varianceA + varianceB + c2));
  }
  return sum / meanA.length;
}

function weights({ window, sigma, side }: SsimDefinition): Float64Array {
  const values = Float64Array.from({ length: side }, (_, k) =>
    window === 'uniform' ? 1 : Math.exp(-((k - (side - 1) / 2) ** 2) / (2 * sigma! * sigma!)));
  const total = values.reduce((a, b) => a + b, 0);
  return values.map((value) => value / total);
}

/**
 * Weighted mean in each window: those that lie wholly in the plane, [height - side + 1][width -
 * side + 1]; with `mirror` one around every pixel, [height][width].
 */
function windowMeans(
  values: Float64Array, height: number, width: number, kernel: Float64Array, mirror: boolean,
): Float64Array {
  const reach = mirror ? (kernel.length - 1) / 2 : 0;
  const columns = width + 2 * reach - kernel.length + 1;
  const rows = height + 2 * reach - kernel.length + 1;
  const inside = (at: number, size: number) => (at < 0 ? -at : at < size ? at : 2 * size - 2 - at);
  const across = new Float64Array(height * columns);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < columns; x++) {
      let sum = 0;
      for (let k = 0; k < kernel.length; k++) {
        sum += kernel[k] * values[y * width + inside(x + k - reach, width)];
      }
      across[y * columns + x] = sum;
    }
  }
  const means = new Float64Array(rows * columns);
  for (let y = 0; y < rows; y++) {
    for (let k = 0; k < kernel.length; k++) {
      const from = inside(y + k - reach, height) * columns;
      for (let x = 0; x < columns; x++) means[y * columns + x] += kernel[k] * across[from + x];
    }
  }
  return means;
}
