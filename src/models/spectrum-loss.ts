import { tensor, type Tensor } from '../tensor/tensor.ts';

// Power below which two spectra count as equal; white noise of deviation 0.01 has it.
const FLOOR = 1e-4;

/**
 * Distance between radial power spectra: mean over pictures and radii of |log P_x(r) - log P_y(r)|,
 * P(r) the mean of |F|^2 / (h w) over the frequencies that round to r cycles per shorter side,
 * r = 1 .. half the shorter side, of the picture under a Hann window. It asks for texture of the
 * right strength at every scale, not for the same texture, which an absolute error blurs away.
 *
 * @param x pictures (n, c, h, w), float32
 * @param y same shape
 */
export function spectrumLoss(x: Tensor, y: Tensor): Tensor {
  const log = (picture: Tensor): Tensor => radialPower(picture).add(FLOOR).log();
  return log(x).sub(log(y)).abs().mean();
}

/** P(r) of each picture: (n, c, h, w) -> (n, c, radii). A DFT by matrices, no complex types. */
export function radialPower(x: Tensor): Tensor {
  const [n, c, h, w] = x.shape;
  const columns = Math.floor(w / 2) + 1;
  const device = x.device;
  const wave = (size: number, count: number, f: (angle: number) => number): Tensor =>
    tensor(waves(size, count, f), [count, size], { device });
  const [cosH, sinH] = [wave(h, h, Math.cos), wave(h, h, Math.sin)];
  const [cosW, sinW] = [wave(w, columns, Math.cos), wave(w, columns, Math.sin)];
  // F = (C_h - i S_h) x (C_w - i S_w)^T, the window inside the matrices.
  const [alongCos, alongSin] = [x.matmul(cosW.transpose(0, 1)), x.matmul(sinW.transpose(0, 1))];
  const real = cosH.matmul(alongCos).sub(sinH.matmul(alongSin)); // n c h columns
  const imaginary = sinH.matmul(alongCos).add(cosH.matmul(alongSin));
  const power = real.square().add(imaginary.square()).reshape([n, c, h * columns]);
  const radii = Math.floor(Math.min(h, w) / 2);
  return power.matmul(tensor(radialMeans(h, w, radii), [h * columns, radii], { device }));
}

/** Row k: f(2 pi k j / size) times the Hann window at j. */
function waves(size: number, count: number, f: (angle: number) => number): Float32Array {
  return Float32Array.from({ length: count * size }, (_, index) => {
    const [k, j] = [Math.floor(index / size), index % size];
    const window = 0.5 - 0.5 * Math.cos((2 * Math.PI * (j + 0.5)) / size);
    return f((2 * Math.PI * ((k * j) % size)) / size) * window;
  });
}

/** Column r-1 averages the half plane's frequencies of radius r; inner columns count twice. */
function radialMeans(h: number, w: number, radii: number): Float32Array {
  const columns = Math.floor(w / 2) + 1;
  const [radius, weight] = [new Int32Array(h * columns), new Float64Array(h * columns)];
  const totals = new Float64Array(radii + 1);
  for (let row = 0; row < h; row++) {
    const frequency = Math.min(row, h - row) / h;
    for (let column = 0; column < columns; column++) {
      const r = Math.round(Math.hypot(frequency, column / w) * Math.min(h, w));
      if (r < 1 || r > radii) continue;
      const at = row * columns + column;
      radius[at] = r;
      weight[at] = column === 0 || 2 * column === w ? 1 : 2;
      totals[r] += weight[at];
    }
  }
  const means = new Float32Array(h * columns * radii);
  radius.forEach((r, at) => {
    if (r > 0) means[at * radii + r - 1] = weight[at] / (totals[r] * h * w);
  });
  return means;
}
