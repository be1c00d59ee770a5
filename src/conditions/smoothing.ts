/** Gaussian smoothing, slopes and sampling between pixels of one plane, [height][width]. */

/**
 * Gaussian of `sigma` pixels, cut at 4 sigma; beyond the borders the picture is mirrored. Of finite
 * numbers; every sum is made in the kernel's order.
 */
export function smoothPlane(
  values: Float32Array,
  height: number,
  width: number,
  sigma: number,
): Float32Array {
  if (!(sigma > 0)) return values.slice();
  const kernel = gaussian(sigma);
  const down = new Float32Array(values.length);
  const result = new Float32Array(values.length);
  smoothLines(values, down, kernel, { lines: width, between: 1, length: height, step: width });
  smoothLines(down, result, kernel, { lines: height, between: width, length: width, step: 1 });
  return result;
}

function gaussian(sigma: number): Float64Array {
  const radius = Math.floor(4 * sigma + 0.5);
  const kernel = Float64Array.from({ length: 2 * radius + 1 }, (_, k) => {
    return Math.exp(-((k - radius) ** 2) / (2 * sigma * sigma));
  });
  const total = kernel.reduce((a, b) => a + b, 0);
  for (let k = 0; k < kernel.length; k++) kernel[k] /= total;
  return kernel;
}

/** How the rows or the columns of a plane lie in it. */
interface Lines {
  readonly lines: number;
  /** From the start of a line to that of the next. */
  readonly between: number;
  readonly length: number;
  /** From a value of a line to the next. */
  readonly step: number;
}

function smoothLines(
  from: Float32Array, to: Float32Array, kernel: Float64Array,
  { lines, between, length, step }: Lines,
): void {
  const radius = kernel.length >> 1;
  const places = Int32Array.from({ length: length + 2 * radius }, (_, i) => mirror(i - radius, length) * step);
  const padded = new Float64Array(places.length + 2 * TOGETHER);
  const weights = new Float64Array(kernel.length + TOGETHER - 1);
  weights.set(kernel);
  const sums = new Float64Array(length + TOGETHER);
  for (let line = 0; line < lines; line++) {
    const start = line * between;
    let [first, last] = [places.length, -1];
    for (let i = 0; i < places.length; i++) {
      padded[i] = from[start + places[i]];
      if (padded[i] === 0) continue;
      if (last < 0) first = i;
      last = i;
    }
    if (last < 0) continue;
    sumLine(padded, weights, sums, { length, first, last });
    for (let i = 0; i < length; i++) to[start + i * step] = sums[i];
  }
}

/** Neighbours that `sumLine` sums side by side. */
const TOGETHER = 6;

/**
 * sums[x] = weights[0] padded[x] + weights[1] padded[x + 1] + ... A sum waits for its last addition;
 * six that do not wait for each other share each value that is read, and the weights move on from
 * one to the next. The zeros at both ends of the weights change no sum, nor do those of the line before
 * `first` and behind `last`.
 */
function sumLine(
  padded: Float64Array, weights: Float64Array, sums: Float64Array,
  { length, first, last }: { length: number; first: number; last: number },
): void {
  for (let x = 0; x < length; x += TOGETHER) {
    let s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, s5 = 0;
    let w1 = 0, w2 = 0, w3 = 0, w4 = 0, w5 = 0;
    const end = Math.min(weights.length, last - x + 1);
    for (let k = Math.max(0, first - x - TOGETHER + 1); k < end; k++) {
      const value = padded[x + k];
      const w0 = weights[k];
      s0 += w0 * value;
      s1 += w1 * value;
      s2 += w2 * value;
      s3 += w3 * value;
      s4 += w4 * value;
      s5 += w5 * value;
      w5 = w4;
      w4 = w3;
      w3 = w2;
      w2 = w1;
      w1 = w0;
    }
    sums[x] = s0;
    sums[x + 1] = s1;
    sums[x + 2] = s2;
    sums[x + 3] = s3;
    sums[x + 4] = s4;
    sums[x + 5] = s5;
  }
}

/** ... 1 0 | 0 1 2 ... n-1 | n-1 n-2 ... for any whole number. */
function mirror(index: number, length: number): number {
  const period = 2 * length;
  const wrapped = ((index % period) + period) % period;
  return wrapped < length ? wrapped : period - 1 - wrapped;
}

/** Central differences a pixel; one-sided at the borders. */
export function slopePlanes(
  values: Float32Array,
  height: number,
  width: number,
): { x: Float32Array; y: Float32Array } {
  const alongX = new Float32Array(values.length);
  const alongY = new Float32Array(values.length);
  for (let y = 0; y < height; y++) {
    const up = Math.max(y - 1, 0);
    const down = Math.min(y + 1, height - 1);
    for (let x = 0; x < width; x++) {
      const left = Math.max(x - 1, 0);
      const right = Math.min(x + 1, width - 1);
      const at = y * width + x;
      const spanX = Math.max(right - left, 1);
      const spanY = Math.max(down - up, 1);
      alongX[at] = (values[y * width + right] - values[y * width + left]) / spanX;
      alongY[at] = (values[down * width + x] - values[up * width + x]) / spanY;
    }
  }
  return { x: alongX, y: alongY };
}
