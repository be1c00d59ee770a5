import { plane } from '../frames/frames.ts';
import type { Frames } from '../frames/frames.ts';
import { checkPair, checkRange } from './ssim.ts';

export interface PsnrOptions {
  /** The largest value a pixel may have; the smallest is 0. */
  readonly dataRange?: number;
  /**
   * `frames`: the mean of each frame's PSNR (scikit-image's `peak_signal_noise_ratio` frame by
   * frame). `clip`: one mean squared error over all frames (torchmetrics' `PeakSignalNoiseRatio`
   * with a `data_range`), never more than the former.
   */
  readonly over?: 'frames' | 'clip';
}

/**
 * Peak signal-to-noise ratio in dB: 10 log10(range^2 / mean squared difference). Infinity where the
 * pictures agree exactly, and so for a clip of which one frame does when the mean is over frames.
 *
 * @param a 1 f h w in [0, dataRange]
 * @throws when the shapes differ, or at a pixel that is NaN or outside the range
 */
export function psnr(a: Frames, b: Frames, options: PsnrOptions = {}): number {
  const { dataRange = 1, over = 'frames' } = options;
  if (over !== 'frames' && over !== 'clip') {
    throw new Error(`psnr: expected over frames or clip, got ${String(over)}`);
  }
  checkPair('psnr', a, b);
  checkRange('psnr', a, b, dataRange);
  const decibels = (error: number) => 10 * Math.log10((dataRange * dataRange) / error);
  const errors = Array.from({ length: a.frames }, (_, t) =>
    squaredError(plane(a, 0, t), plane(b, 0, t)));
  const mean = (values: readonly number[]) =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  return over === 'clip' ? decibels(mean(errors)) : mean(errors.map(decibels));
}

/** Mean over the pixels, in float64. */
function squaredError(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2;
  return sum / a.length;
}
