import { randomStream } from '../frames/random.ts';
import { noGrad, scope } from '../tensor/memory.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { groupMembers, quantile } from './bootstrap.ts';
import { rowIndex, shuffled } from './draws.ts';
import { featurePair, featureTensor, type Features } from './features.ts';
import { commonCoordinates, distanceOfRows, valueOfRows } from './frechet.ts';
import type { FrechetDistance } from './frechet.ts';

/** Features with the group (patient) of each row; without groups every row is one of its own. */
export interface GroupedFeatures {
  readonly features: Features;
  readonly groups?: readonly string[];
}

export interface FrechetInterval extends FrechetDistance {
  /** Groups that the rows of each set come from. */
  readonly groups1: number;
  readonly groups2: number;
  /** Ends of the 95 % interval about `value`: percentiles of the draws less `shift`. */
  readonly low: number;
  readonly high: number;
  /**
   * Mean of the draws less `value`. A draw repeats vectors, and so has fewer different ones than
   * the set: its distance is higher, as that of a smaller set is. The same bias in `value` itself
   * is not corrected (`frechetAtInfinity` is about that).
   */
  readonly shift: number;
  readonly samples: number;
}

export interface IntervalOptions {
  /**
   * Draws. By default as many as 2e12 multiplications allow, in 50..1000: some minutes at the most
   * expensive (2048 features of thousands of rows), seconds for a hundred clips.
   */
  readonly samples?: number;
  readonly seed?: number;
}

const WORK = 2e12;

/**
 * The Frechet distance with a 95 % bootstrap interval: whole groups of either set are drawn anew.
 * It says how far the distance of sets of this n moves by chance, not how far it is from that of
 * endless sets.
 *
 * @throws with fewer than 2 groups in a set
 */
export function frechetInterval(
  first: GroupedFeatures, second: GroupedFeatures, options: IntervalOptions = {},
): FrechetInterval {
  return scope(() => noGrad(() => {
    const what = 'frechet interval';
    const { a, b, membersA, membersB, dimension } = prepare(first, second, what);
    const whole = distanceOfRows(a, b, dimension);
    const { samples = affordable(a, b), seed = 0 } = options;
    checkCount(what, 'samples', samples, 2);
    const stream = randomStream('frechet interval', seed);
    const redraw = (x: Tensor, members: number[][]) => x.indexSelect(0, rowIndex(
      members.flatMap(() => members[stream.integer(members.length)])));
    const draws = Float64Array.from({ length: samples }, () =>
      scope(() => valueOfRows(redraw(a, membersA), redraw(b, membersB)))).sort();
    const shift = draws.reduce((sum, value) => sum + value, 0) / samples - whole.value;
    return {
      ...whole, groups1: membersA.length, groups2: membersB.length, shift, samples,
      low: quantile(draws, 0.025) - shift, high: quantile(draws, 0.975) - shift,
    };
  }));
}

export interface FrechetExtrapolation {
  /** The fitted line at 1/N = 0; may be below 0 where the line does not fit. */
  readonly value: number;
  /** Of the line over 1/N. */
  readonly slope: number;
  /** Share of the points' variance that the line explains. */
  readonly r2: number;
  readonly n1: number;
  readonly n2: number;
  readonly dimension: number;
  /** The distances that the line was fitted to: of `n` vectors of the second set (or of both). */
  readonly points: readonly { readonly n: number; readonly value: number }[];
}

export interface ExtrapolationOptions {
  /** Subsets, evenly spread in size from the smallest to the whole set. */
  readonly points?: number;
  /** The smallest subset, as a share of the set's groups; the authors' code has 5000 of 50000. */
  readonly smallest?: number;
  /**
   * `second`: the first set (real) stays whole, as in the paper; what its own n adds remains.
   * `both`: subsets of both, for real sets as small as the generated ones.
   */
  readonly vary?: 'second' | 'both';
  readonly seed?: number;
}

/**
 * Frechet distance at n = infinity (Chong and Forsyth 2020, "Effectively unbiased FID"): its bias
 * falls as 1/N, so that of seeded random subsets of growing N a straight line over 1/N is fitted by
 * least squares, and read at 0. Believe it only where the smallest N is well above the dimension:
 * below, the bias is far from its last form 1/N, and what is taken away is a small part of it
 * (two sets of 45 vectors of 2048 features of one kind: 7448 becomes 7288, and not 0), although
 * the line fits (r2 0.96).
 *
 * @throws when a set has too few groups for three sizes of subsets
 */
export function frechetAtInfinity(
  first: GroupedFeatures, second: GroupedFeatures, options: ExtrapolationOptions = {},
): FrechetExtrapolation {
  const { points: count = 15, smallest = 0.1, vary = 'second', seed = 0 } = options;
  const what = 'frechet at infinity';
  checkCount(what, 'points', count, 3);
  if (!(smallest > 0 && smallest < 1)) {
    throw new Error(`${what}: expected a smallest share between 0 and 1, got ${smallest}`);
  }
  if (vary !== 'second' && vary !== 'both') {
    throw new Error(`${what}: expected vary second or both, got ${String(vary)}`);
  }
  return scope(() => noGrad(() => {
    const { a, b, membersA, membersB, dimension } = prepare(first, second, what);
    const stream = randomStream('frechet at infinity', seed);
    const subset = (x: Tensor, members: number[][], share: number) => {
      const groups = Math.max(2, Math.round(share * members.length));
      const rows = shuffled(members.length, stream, groups).flatMap((group) => members[group]);
      return x.indexSelect(0, rowIndex(rows));
    };
    const points = Array.from({ length: count }, (_, i) => scope(() => {
      const share = smallest + ((1 - smallest) * i) / (count - 1);
      const y = subset(b, membersB, share);
      const x = vary === 'both' ? subset(a, membersA, share) : a;
      // either subset adds its own bias: the two make that of twice 1/n
      const n = vary === 'both' ? 2 / (1 / x.shape[0] + 1 / y.shape[0]) : y.shape[0];
      return { n, value: valueOfRows(x, y) };
    }));
    if (new Set(points.map(({ n }) => n)).size < 3) {
      throw new Error(
        `${what}: expected groups for three sizes of subsets, got ${membersB.length} groups`,
      );
    }
    return { ...fitLine(points), n1: a.shape[0], n2: b.shape[0], dimension, points };
  }));
}

export interface FrechetFloor {
  /** Mean over the splits. */
  readonly mean: number;
  /** Standard deviation over the splits (numpy's `std`); splits overlap, so it is no error bar. */
  readonly std: number;
  /** Rows of the whole set. */
  readonly n: number;
  readonly groups: number;
  readonly splits: readonly FrechetDistance[];
}

export interface FloorOptions {
  readonly splits?: number;
  readonly seed?: number;
  /**
   * A set of the same groups, row by row, that gives every second half in place of the first set:
   * its distance at the floor's n, over the same splits.
   */
  readonly other?: Features;
}

/**
 * The real-against-real floor: Frechet distance between random halves of one set, split by group
 * (patient). Halves have as many groups each (an odd one is left out of each split). It is the
 * distance that perfect samples have at the halves' n, and comparable only with distances of
 * that n: those that `other` gives.
 *
 * @throws with fewer than 4 groups, or when `other` has other rows
 */
export function frechetFloor(
  set: GroupedFeatures, { splits = 10, seed = 0, other }: FloorOptions = {},
): FrechetFloor {
  const what = 'frechet floor';
  checkCount(what, 'splits', splits, 1);
  return scope(() => noGrad(() => {
    const x = featureTensor(set.features, what);
    const y = other === undefined ? x : featureTensor(other, what);
    if (y.shape.join() !== x.shape.join()) {
      throw new Error(`${what}: expected another set of ${x.shape.join('x')} features, ` +
        `got ${y.shape.join('x')}`);
    }
    const members = membersOf(set, x, what, 4);
    const stream = randomStream('frechet floor', seed);
    const half = Math.floor(members.length / 2);
    const rowsOf = (from: Tensor, groups: readonly number[]) => from.indexSelect(0, rowIndex(
      groups.flatMap((group) => members[group])));
    const distances = Array.from({ length: splits }, () => scope(() => {
      const order = shuffled(members.length, stream);
      const [one, two] = [order.slice(0, half), order.slice(half, 2 * half)];
      return distanceOfRows(...commonCoordinates(rowsOf(x, one), rowsOf(y, two)), x.shape[1]);
    }));
    const mean = distances.reduce((sum, { value }) => sum + value, 0) / splits;
    const variance = distances.reduce((sum, { value }) => sum + (value - mean) ** 2, 0) / splits;
    return {
      mean, std: Math.sqrt(variance), n: x.shape[0], groups: members.length, splits: distances,
    };
  }));
}

function prepare(first: GroupedFeatures, second: GroupedFeatures, what: string) {
  const pair = featurePair(first.features, second.features, what);
  const membersA = membersOf(first, pair[0], `${what}: first set`, 2);
  const membersB = membersOf(second, pair[1], `${what}: second set`, 2);
  const [a, b] = commonCoordinates(...pair);
  return { a, b, membersA, membersB, dimension: pair[0].shape[1] };
}

/** Rows of each group. */
function membersOf(
  { groups }: GroupedFeatures, x: Tensor, what: string, least: number,
): number[][] {
  const rows = x.shape[0];
  if (groups !== undefined && groups.length !== rows) {
    throw new Error(`${what}: expected a group for each of ${rows} rows, got ${groups.length}`);
  }
  const members = groupMembers(groups ?? Array.from({ length: rows }, (_, row) => `${row}`));
  if (members.length < least) {
    throw new Error(`${what}: expected at least ${least} groups, got ${members.length}`);
  }
  return members;
}

/** As many draws as `WORK` multiplications allow, in 50..1000. */
function affordable(a: Tensor, b: Tensor): number {
  const k = a.shape[1];
  const sizes = [a.shape[0], b.shape[0]];
  const triangular = sizes.reduce((sum, n) => sum + (n > k ? 2 * n * k * k : 0), 0);
  const [short, long] = sizes.map((n) => Math.min(n, k)).sort((x, y) => x - y);
  const draw = triangular + short * long * k + 3 * short * short * long;
  return Math.min(1000, Math.max(50, Math.floor(WORK / draw)));
}

function fitLine(points: readonly { n: number; value: number }[]) {
  const mean = (of: (point: { n: number; value: number }) => number) =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [x, y] = [mean(({ n }) => 1 / n), mean(({ value }) => value)];
  const xx = mean(({ n }) => (1 / n - x) ** 2);
  const xy = mean(({ n, value }) => (1 / n - x) * (value - y));
  const yy = mean(({ value }) => (value - y) ** 2);
  const slope = xy / xx;
  return { value: y - slope * x, slope, r2: yy === 0 ? 1 : (xy * xy) / (xx * yy) };
}

function checkCount(what: string, name: string, value: number, least: number): void {
  if (Number.isInteger(value) && value >= least) return;
  throw new Error(`${what}: expected at least ${least} ${name}, got ${value}`);
}
