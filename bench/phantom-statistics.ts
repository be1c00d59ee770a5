/** Figures of one echocardiogram still: grey by tissue, speckle size, radial power spectrum. */
export interface Still {
  readonly image: Float32Array;            // [side][side], 0..1
  readonly labels: Uint8Array;
  readonly sector: Uint8Array;
  readonly side: number;
  readonly native: Float32Array;           // [height][width], 0..1
  readonly nativeLabels: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly pixel: number;                  // mm, native
}

export interface Measured {
  readonly figures: Readonly<Record<string, number>>;
  readonly spectrum: readonly number[];    // power by ring
  readonly histograms: Readonly<Record<string, readonly number[]>>;   // 32 bins, sums to 1
}

const tissues = ['LV', 'MYO', 'LA', 'rest'] as const;

export function measure(still: Still): Measured {
  const figures: Record<string, number> = {};
  const histograms: Record<string, number[]> = {};
  const values: Record<string, number[]> = { LV: [], MYO: [], LA: [], rest: [] };
  still.image.forEach((value, i) => {
    if (still.sector[i] === 0) return;
    const label = still.labels[i];
    values[label === 0 ? 'rest' : tissues[label - 1]].push(255 * value);
  });
  for (const tissue of tissues) {
    const list = values[tissue];
    const { mean, deviation } = moments(list);
    figures[`grey mean ${tissue}`] = mean;
    figures[`grey deviation ${tissue}`] = deviation;
    const bins = new Array<number>(32).fill(0);
    for (const value of list) bins[Math.min(31, Math.floor(value / 8))] += 1 / list.length;
    histograms[tissue] = bins;
  }
  figures['MYO - LV, grey'] = figures['grey mean MYO'] - figures['grey mean LV'];
  const lv = figures['grey deviation LV'] ** 2;
  figures['contrast to noise MYO/LV'] = figures['MYO - LV, grey']
    / Math.sqrt(lv + figures['grey deviation MYO'] ** 2);
  figures['bright part (> 200), %'] = share(values, (value) => value > 200);
  figures['black part (< 10), %'] = share(values, (value) => value < 10);
  for (const depth of [30, 60, 90, 120]) {
    const size = speckle(still, depth);
    if (size === null) continue;
    figures[`speckle axial ${depth} mm, mm`] = size.axial;
    figures[`speckle lateral ${depth} mm, mm`] = size.lateral;
  }
  const inMuscle = muscleSpeckle(still);
  if (inMuscle !== null) {
    figures['speckle axial in MYO, mm'] = inMuscle.axial;
    figures['speckle lateral in MYO, mm'] = inMuscle.lateral;
  }
  return { figures, histograms, spectrum: radialSpectrum(still.image, still.side) };
}

function share(values: Record<string, number[]>, test: (value: number) => boolean): number {
  const all = Object.values(values).flat();
  return (100 * all.filter(test).length) / all.length;
}

function moments(list: readonly number[]): { mean: number; deviation: number } {
  const mean = list.reduce((a, b) => a + b, 0) / Math.max(1, list.length);
  const square = list.reduce((a, b) => a + (b - mean) ** 2, 0) / Math.max(1, list.length);
  return { mean, deviation: Math.sqrt(square) };
}

/** Width at half height of the autocorrelation around the beam axis, where x is lateral. */
function speckle(still: Still, depth: number): { axial: number; lateral: number } | null {
  const { width, height, pixel } = still;
  const top = Math.round(depth / pixel);
  const rows = Math.round(16 / pixel);
  const half = Math.round(11 / pixel);
  if (top + rows >= height) return null;
  const columns = 2 * half;
  const patch = new Float64Array(rows * columns);
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      patch[y * columns + x] = still.native[(top + y) * width + (width >> 1) - half + x];
    }
  }
  return widths(patch, rows, columns, pixel, null);
}

/** The same over myocardium within 15 degrees of the beam axis. */
function muscleSpeckle(still: Still): { axial: number; lateral: number } | null {
  const { width, height, pixel } = still;
  const use = new Uint8Array(width * height);
  let count = 0;
  for (let y = 1; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const i = y * width + x;
      if (still.nativeLabels[i] === 2 && Math.abs(x - width / 2) < 0.27 * y) {
        use[i] = 1;
        count++;
      }
    }
  }
  return count * pixel * pixel < 300 ? null
    : widths(Float64Array.from(still.native), height, width, pixel, use);
}

function widths(patch: Float64Array, rows: number, columns: number, pixel: number,
  use: Uint8Array | null): { axial: number; lateral: number } {
  const flat = highPass(patch, rows, columns, Math.round(3.5 / pixel), use);
  const lag = (dy: number, dx: number): number => {
    let sum = 0;
    let n = 0;
    for (let y = 0; y + dy < rows; y++) {
      for (let x = 0; x + dx < columns; x++) {
        const i = y * columns + x;
        const j = i + dy * columns + dx;
        if (use !== null && (use[i] === 0 || use[j] === 0)) continue;
        sum += flat[i] * flat[j];
        n++;
      }
    }
    return n === 0 ? 0 : sum / n;
  };
  const zero = lag(0, 0) + 1e-12;
  const half = (dy: number, dx: number): number => {
    let before = 1;
    for (let k = 1; k * pixel < 8; k++) {
      const value = lag(k * dy, k * dx) / zero;
      if (value < 0.5) return 2 * pixel * (k - 1 + (before - 0.5) / (before - value));
      before = value;
    }
    return 16;
  };
  return { axial: half(1, 0), lateral: half(0, 1) };
}

/** Takes away the local mean, so that only speckle is left. */
function highPass(patch: Float64Array, rows: number, columns: number, reach: number,
  use: Uint8Array | null): Float64Array {
  const sums = new Float64Array((rows + 1) * (columns + 1));
  const counts = new Float64Array((rows + 1) * (columns + 1));
  const stride = columns + 1;
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      const i = y * columns + x;
      const on = use === null || use[i] === 1 ? 1 : 0;
      const o = (y + 1) * stride + x + 1;
      sums[o] = on * patch[i] + sums[o - 1] + sums[o - stride] - sums[o - stride - 1];
      counts[o] = on + counts[o - 1] + counts[o - stride] - counts[o - stride - 1];
    }
  }
  return patch.map((value, i) => {
    const y = Math.floor(i / columns);
    const x = i % columns;
    const y0 = Math.max(0, y - reach) * stride;
    const y1 = Math.min(rows, y + reach + 1) * stride;
    const x0 = Math.max(0, x - reach);
    const x1 = Math.min(columns, x + reach + 1);
    const n = counts[y1 + x1] - counts[y1 + x0] - counts[y0 + x1] + counts[y0 + x0];
    const sum = sums[y1 + x1] - sums[y1 + x0] - sums[y0 + x1] + sums[y0 + x0];
    return n > 0 ? value - sum / n : 0;
  });
}

/** Mean power in rings 1..side/2 of the picture minus its mean; a plain separable transform. */
function radialSpectrum(image: Float32Array, side: number): number[] {
  const cos = Float64Array.from({ length: side }, (_, k) => Math.cos((2 * Math.PI * k) / side));
  const sin = Float64Array.from({ length: side }, (_, k) => Math.sin((2 * Math.PI * k) / side));
  const transform = (re: Float64Array, im: Float64Array, stride: number, step: number): void => {
    const a = new Float64Array(side);
    const b = new Float64Array(side);
    for (let line = 0; line < side; line++) {
      for (let k = 0; k < side; k++) {
        let sumRe = 0;
        let sumIm = 0;
        for (let n = 0; n < side; n++) {
          const o = line * step + n * stride;
          const c = cos[(k * n) % side];
          const s = sin[(k * n) % side];
          sumRe += re[o] * c + im[o] * s;
          sumIm += im[o] * c - re[o] * s;
        }
        a[k] = sumRe;
        b[k] = sumIm;
      }
      for (let k = 0; k < side; k++) {
        re[line * step + k * stride] = a[k];
        im[line * step + k * stride] = b[k];
      }
    }
  };
  const mean = image.reduce((x, y) => x + y, 0) / image.length;
  const re = Float64Array.from(image, (value) => value - mean);
  const im = new Float64Array(image.length);
  transform(re, im, 1, side);
  transform(re, im, side, 1);
  const rings = new Array<number>(side / 2).fill(0);
  const counts = new Array<number>(side / 2).fill(0);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const fy = y < side / 2 ? y : y - side;
      const fx = x < side / 2 ? x : x - side;
      const ring = Math.round(Math.hypot(fx, fy)) - 1;
      if (ring < 0 || ring >= side / 2) continue;
      rings[ring] += re[y * side + x] ** 2 + im[y * side + x] ** 2;
      counts[ring]++;
    }
  }
  return rings.map((power, k) => power / counts[k] / image.length);
}

export interface Summary {
  readonly figures: Readonly<Record<string, readonly number[]>>;  // 10 %, 50 %, 90 %
  readonly spectrum: readonly number[];                           // dB
  readonly histograms: Readonly<Record<string, readonly number[]>>;
}

export function summarize(all: readonly Measured[]): Summary {
  const names = [...new Set(all.flatMap((one) => Object.keys(one.figures)))];
  const figures = Object.fromEntries(names.map((name) => {
    const list = all.map((one) => one.figures[name]).filter(Number.isFinite).sort((a, b) => a - b);
    return [name, [0.1, 0.5, 0.9].map((q) => list[Math.round(q * (list.length - 1))])];
  }));
  const average = (pick: (one: Measured) => readonly number[]): number[] =>
    pick(all[0]).map((_, k) => all.reduce((sum, one) => sum + pick(one)[k], 0) / all.length);
  return {
    figures, spectrum: average((one) => one.spectrum).map((power) => 10 * Math.log10(power)),
    histograms: Object.fromEntries(Object.keys(all[0].histograms).map((name) =>
      [name, average((one) => one.histograms[name])])),
  };
}
