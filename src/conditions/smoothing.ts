/** Gaussian smoothing, slopes and sampling between pixels of one plane, [height][width]. */

/** Gaussian of `sigma` pixels, cut at 4 sigma; beyond the borders the picture is mirrored. */
export function smoothPlane(
  values: Float32Array,
  height: number,
  width: number,
  sigma: number,
): Float32Array {
  if (!(sigma > 0)) return values.slice();
  const radius = Math.floor(4 * sigma + 0.5);
  const kernel = Float64Array.from({ length: 2 * radius + 1 }, (_, k) => {
    return Math.exp(-((k - radius) ** 2) / (2 * sigma * sigma));
  });
  const total = kernel.reduce((a, b) => a + b, 0);
  for (let k = 0; k < kernel.length; k++) kernel[k] /= total;
  const down = new Float32Array(values.length);
  const result = new Float32Array(values.length);
  const sums = new Float64Array(width);
  for (let y = 0; y < height; y++) {
    sums.fill(0);
    for (let k = -radius; k <= radius; k++) {
      const weight = kernel[k + radius];
      const from = mirror(y + k, height) * width;
      for (let x = 0; x < width; x++) sums[x] += weight * values[from + x];
    }
    down.set(sums, y * width);
  }
  const padded = new Float64Array(width + 2 * radius);
  for (let y = 0; y < height; y++) {
    for (let x = -radius; x < width + radius; x++) {
      padded[x + radius] = down[y * width + mirror(x, width)];
    }
    for (let x = 0; x < width; x++) {
      let sum = 0;
      for (let k = 0; k < kernel.length; k++) sum += kernel[k] * padded[x + k];
      result[y * width + x] = sum;
    }
  }
  return result;
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
