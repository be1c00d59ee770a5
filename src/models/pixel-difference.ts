import { tensor } from '../tensor/ops.ts';
import type { Tensor } from '../tensor/tensor.ts';

/**
 * Pixel-difference convolutions (Su et al. 2021, section 3): a 3x3 window whose weights multiply
 * differences of pixels. `central`: each less the middle one; `angular`: each less the next one
 * clockwise; `radial`: the pixel twice as far out less each; `plain`: the pixels themselves.
 */
export type PixelDifference = 'central' | 'angular' | 'radial' | 'plain';

const KINDS = ['central', 'angular', 'radial', 'plain'] as const;

/** The kind of a layer of the sequence `carv4`; the first layer of all is number 0. */
export function pixelDifferenceAt(layer: number): PixelDifference {
  return KINDS[layer % KINDS.length];
}

/** Places of a 3x3 window by number, row by row: the next one clockwise, on its ring. */
const CLOCKWISE: Readonly<Record<number, number>> = { 0: 1, 1: 2, 2: 5, 5: 8, 8: 7, 7: 6, 6: 3, 3: 0 };
const MIDDLE = 4;

/** The one weight that each kind never uses (radial: the authors number its eight from 1). */
const UNUSED = { central: MIDDLE, angular: MIDDLE, radial: 0, plain: null } as const;

/** Which weight of a 3x3 kernel its kind never uses, 0 to 8 row by row; null: it uses all. */
export function unusedWeight(kind: PixelDifference): number | null {
  return UNUSED[kind];
}

/**
 * The plain kernel that does what a pixel-difference convolution of these weights does.
 *
 * @param weight (out, in, 3, 3)
 * @returns (out, in, 3, 3), for `radial` (out, in, 5, 5)
 */
export function plainKernel(kind: PixelDifference, weight: Tensor): Tensor {
  if (kind === 'plain') return weight.clone();
  const [out, members] = weight.shape;
  const side = kind === 'radial' ? 5 : 3;
  const spread = tensor(spreadOf(kind, side), [9, side * side], { device: weight.device });
  return weight.reshape([out, members, 9]).matmul(spread).reshape([out, members, side, side]);
}

/** Row k: where weight k is added and where it is taken off, 9 x (side * side). */
function spreadOf(kind: Exclude<PixelDifference, 'plain'>, side: number): Float32Array {
  const spread = new Float32Array(9 * side * side);
  const add = (weight: number, place: number, value: number) => {
    spread[weight * side * side + place] += value;
  };
  if (kind === 'radial') {
    const ring = [0, 1, 2, 3, 5, 6, 7, 8];
    ring.forEach((place, k) => {
      const [row, column] = [Math.floor(place / 3) - 1, (place % 3) - 1];
      add(k + 1, (2 + 2 * row) * side + 2 + 2 * column, 1);
      add(k + 1, (2 + row) * side + 2 + column, -1);
    });
    return spread;
  }
  for (let k = 0; k < 9; k++) {
    if (k === MIDDLE) continue;
    add(k, k, 1);
    add(k, kind === 'central' ? MIDDLE : CLOCKWISE[k], -1);
  }
  return spread;
}
