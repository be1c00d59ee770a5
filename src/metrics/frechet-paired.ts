import { randomStream } from '../frames/random.ts';
import { noGrad, scope } from '../tensor/memory.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { groupMembers, quantile } from './bootstrap.ts';
import { rowIndex } from './draws.ts';
import { featureTensor, type Features } from './features.ts';
import { valueOfRows } from './frechet.ts';

export interface FrechetDifference {
  /** Distance of set i less that of set j, both to the real set. */
  readonly value: number;
  /** Ends of the 95 % interval. */
  readonly low: number;
  readonly high: number;
}

export interface PairedFrechet {
  /** Distance of each set to the real one. */
  readonly values: readonly number[];
  readonly difference: (i: number, j: number) => FrechetDifference;
}

/**
 * Frechet distances of several sets to one real set, to be compared with each other: every draw of
 * the bootstrap takes the same groups (patients) of the real set and of each other set, so that what
 * a draw does to all distances alike leaves their differences alone. The interval of a difference is
 * that of its draws less their mean shift, as in `frechetInterval`.
 *
 * @param real features, a row a picture or clip
 * @param sets features of the same clips, row by row
 * @param groups the patient of each row
 * @throws with fewer than 2 groups, or sets of other rows or dimensions
 */
export function frechetPaired(
  real: Features, sets: readonly Features[], groups: readonly string[],
  { samples = 300, seed = 0 }: { readonly samples?: number; readonly seed?: number } = {},
): PairedFrechet {
  const what = 'paired frechet';
  return scope(() => noGrad(() => {
    const first = featureTensor(real, what);
    const middle = first.mean(0);
    const others = sets.map((set, i) => {
      const x = featureTensor(set, what);
      if (x.shape.join() === first.shape.join()) return x.sub(middle);
      throw new Error(`${what}: expected ${first.shape.join('x')} features in set ${i}, ` +
        `got ${x.shape.join('x')}`);
    });
    const base = first.sub(middle);
    if (groups.length !== base.shape[0]) {
      throw new Error(`${what}: expected a group for each of ${base.shape[0]} rows, got ${groups.length}`);
    }
    const members = groupMembers(groups);
    if (members.length < 2) {
      throw new Error(`${what}: expected at least 2 groups, got ${members.length}`);
    }
    const values = others.map((x) => valueOfRows(base, x));
    const stream = randomStream('paired frechet', seed);
    const draws = Array.from({ length: samples }, () => scope(() => {
      const rows = rowIndex(members.flatMap(() => members[stream.integer(members.length)]));
      const redraw = (x: Tensor) => x.indexSelect(0, rows);
      const again = redraw(base);
      return others.map((x) => valueOfRows(again, redraw(x)));
    }));
    const difference = (i: number, j: number): FrechetDifference => {
      const value = values[i] - values[j];
      const drawn = Float64Array.from(draws, (draw) => draw[i] - draw[j]).sort();
      const shift = drawn.reduce((sum, one) => sum + one, 0) / samples - value;
      return { value, low: quantile(drawn, 0.025) - shift, high: quantile(drawn, 0.975) - shift };
    };
    return { values, difference };
  }));
}
