import type { RandomStream } from '../../frames/random.ts';

const side = 64;

/** Smooth noise of about unit variance on a lattice that repeats after 64 steps. */
export class SmoothNoise {
  private readonly lattice: Float64Array;

  constructor(stream: RandomStream) {
    this.lattice = Float64Array.from({ length: side * side }, () => stream.normal());
  }

  /** Value at (x, y) in lattice steps. */
  at(x: number, y: number): number {
    const { lattice } = this;
    const i = Math.floor(x);
    const j = Math.floor(y);
    let u = x - i;
    let v = y - j;
    u = u * u * (3 - 2 * u);
    v = v * v * (3 - 2 * v);
    const i0 = i & 63;
    const i1 = (i + 1) & 63;
    const j0 = (j & 63) * side;
    const j1 = ((j + 1) & 63) * side;
    const top = lattice[j0 + i0] * (1 - u) + lattice[j0 + i1] * u;
    const bottom = lattice[j1 + i0] * (1 - u) + lattice[j1 + i1] * u;
    // Interpolation lowers the variance to 0.55 of the lattice's on average.
    return (top * (1 - v) + bottom * v) * 1.35;
  }
}
