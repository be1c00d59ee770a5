import { plane } from '../frames/frames.ts';
import type { Frames } from '../frames/frames.ts';
import { noGrad, scope } from '../tensor/memory.ts';
import { magnitude, rfft2 } from '../tensor/ops.ts';
import { tensor } from '../tensor/tensor.ts';

/** Bands of spatial frequency in units of Nyquist that count as texture: above a quarter of it. */
export const TEXTURE_BANDS = [[0.25, 0.5], [0.5, 0.75], [0.75, 1]] as const;

/**
 * Radial power spectrum of a square grey video: P(r), the mean over frames and over all frequencies
 * whose radius rounds to r cycles per side of |F(w (x - m))|^2 / sum(w^2), for r = 1 .. side / 2
 * (Nyquist). m is the frame's mean under the window w, so that the sector's outline, which the
 * window leaves in, is not part of the spectrum. White noise of variance v has P(r) = v throughout.
 *
 * @param video 1 f n n
 * @param window n n, 0 outside the sector and rising smoothly inside (`sectorWindow`)
 * @returns side / 2 values; the first is of r = 1
 * @throws when the video is not square, has NaN, or the window is empty
 */
export function radialSpectrum(video: Frames, window: Float32Array): Float64Array {
  const { frames, height: side, width } = video;
  if (video.channels !== 1 || side !== width || window.length !== side * side) {
    throw new Error(
      `spectrum: expected a square grey video and a window of its size, got ` +
        `${video.channels}x${frames}x${side}x${width} and ${window.length} values`,
    );
  }
  let [total, squares] = [0, 0];
  for (const weight of window) {
    total += weight;
    squares += weight * weight;
  }
  if (!(total > 0)) throw new Error('spectrum: expected a window that is not empty, got zeros');
  const shown = new Float32Array(video.data.length);
  for (let t = 0; t < frames; t++) {
    const grey = plane(video, 0, t);
    let mean = 0;
    for (let i = 0; i < grey.length; i++) mean += (window[i] * grey[i]) / total;
    if (!Number.isFinite(mean)) throw new Error(`spectrum: expected finite pixels in frame ${t}`);
    const start = t * grey.length;
    for (let i = 0; i < grey.length; i++) shown[start + i] = window[i] * (grey[i] - mean);
  }
  const columns = Math.floor(side / 2) + 1;
  const amplitudes = scope(() => noGrad(() =>
    magnitude(rfft2(tensor(shown, [frames, side, side]))).toFloat32()));
  const radii = Math.floor(side / 2);
  const [sums, counts] = [new Float64Array(radii + 1), new Float64Array(radii + 1)];
  for (let row = 0; row < side; row++) {
    const y = Math.min(row, side - row);
    for (let column = 0; column < columns; column++) {
      const r = Math.round(Math.hypot(column, y));
      if (r < 1 || r > radii) continue;
      // the half plane that rfft2 leaves out mirrors the inner columns
      const weight = column === 0 || 2 * column === side ? 1 : 2;
      counts[r] += weight * frames;
      for (let t = 0; t < frames; t++) {
        sums[r] += weight * amplitudes[(t * side + row) * columns + column] ** 2;
      }
    }
  }
  return Float64Array.from({ length: radii }, (_, i) => sums[i + 1] / (counts[i + 1] * squares));
}

/** Mean of a radial spectrum over a band in units of Nyquist, its upper end included. */
export function bandPower(
  spectrum: ArrayLike<number>, [from, to]: readonly [number, number],
): number {
  const radii = spectrum.length;
  let [sum, count] = [0, 0];
  for (let r = 1; r <= radii; r++) {
    if (r / radii <= from || r / radii > to) continue;
    sum += spectrum[r - 1];
    count++;
  }
  if (count === 0) {
    throw new Error(`spectrum: expected radii in ${from}..${to} of Nyquist, got none`);
  }
  return sum / count;
}

/** 10 log10 (a / b): how much stronger a is, in dB. */
export function decibels(a: number, b: number): number {
  return 10 * Math.log10(a / b);
}

/**
 * sin^2 taper from 0 at the sector's border to 1 at `taper` pixels inside.
 *
 * @param depth distance in pixels to the sector's border, positive inside, [height][width]
 */
export function sectorWindow(depth: Float32Array, taper: number): Float32Array {
  return depth.map((d) => Math.sin((Math.PI / 2) * Math.min(1, Math.max(0, d / taper))) ** 2);
}
