import { randomStream, type RandomStream } from '../frames/random.ts';
import { noGrad, scope } from '../tensor/memory.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { groupMembers, quantile } from './bootstrap.ts';
import { rowIndex, shuffled } from './draws.ts';
import { featurePair, type Features } from './features.ts';

export interface KidOptions {
  /**
   * Vectors drawn from each set for one estimate. The default is 1000 (Binkowski et al. 2018), or
   * half of the smaller set where that is less.
   */
  readonly subsetSize?: number;
  readonly subsets?: number;
  readonly seed?: number;
}

/** Called Kernel Inception Distance only on Inception's features (`distanceName`). */
export interface KernelDistance {
  /** Mean over the subsets; may be a little below 0. */
  readonly mean: number;
  /** Standard deviation over the subsets (numpy's `std`): their spread, not the mean's error. */
  readonly std: number;
  readonly subsets: number;
  readonly subsetSize: number;
  readonly n1: number;
  readonly n2: number;
  readonly dimension: number;
}

/**
 * KID (Binkowski et al. 2018): mean and spread of the unbiased squared MMD over random subsets of
 * both sets, each drawn without replacement; which ones is a function of the seed alone.
 *
 * @param first at least 2 vectors
 * @throws when a subset cannot be drawn, or when every subset would be the whole of both sets
 */
export function kernelDistance(
  first: Features, second: Features, options: KidOptions = {},
): KernelDistance {
  return scope(() => noGrad(() => {
    const [a, b] = featurePair(first, second, 'kid');
    const [n1, dimension] = a.shape;
    const n2 = b.shape[0];
    const least = Math.min(n1, n2);
    const { subsetSize = Math.min(1000, Math.max(2, Math.floor(least / 2))) } = options;
    const { subsets = 100, seed = 0 } = options;
    if (!Number.isInteger(subsetSize) || subsetSize < 2 || subsetSize > least) {
      throw new Error(`kid: expected a subset size in 2..${least}, got ${subsetSize}`);
    }
    if (!Number.isInteger(subsets) || subsets < 1) {
      throw new Error(`kid: expected at least 1 subset, got ${subsets}`);
    }
    if (subsets > 1 && subsetSize === n1 && subsetSize === n2) {
      throw new Error(
        `kid: expected subsets smaller than the sets or a single one, got ${subsets} of ` +
          `${subsetSize}, which are all the same`,
      );
    }
    const stream = randomStream('kid', seed);
    const values = Float64Array.from({ length: subsets }, () =>
      polynomialMmd(drawRows(a, subsetSize, stream), drawRows(b, subsetSize, stream)));
    const mean = values.reduce((sum, value) => sum + value, 0) / subsets;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / subsets;
    return { mean, std: Math.sqrt(variance), subsets, subsetSize, n1, n2, dimension };
  }));
}

export interface KernelInterval {
  /** The unbiased squared MMD of both whole sets; may be a little below 0. */
  readonly value: number;
  /** Ends of the 95 % interval about it: percentiles of the draws less `shift`. */
  readonly low: number;
  readonly high: number;
  /** Mean of the draws less `value`: a draw repeats vectors, each of which is its own neighbour. */
  readonly shift: number;
  readonly samples: number;
}

/**
 * `polynomialMmd` of two sets with a 95 % bootstrap interval; whole groups of either are drawn anew.
 *
 * @param groups the group (patient) of each row of the first set, and of the second
 * @throws with fewer than 2 groups in a set, or another number of groups than rows
 */
export function kernelInterval(
  first: Features, second: Features, groups: readonly [readonly string[], readonly string[]],
  { samples = 300, seed = 0 }: { samples?: number; seed?: number } = {},
): KernelInterval {
  return scope(() => noGrad(() => {
    const pair = featurePair(first, second, 'kernel interval');
    const members = pair.map((x, i) => {
      const lists = groupMembers(groups[i]);
      if (groups[i].length === x.shape[0] && lists.length >= 2) return lists;
      throw new Error('kernel interval: expected at least 2 groups, one for each of ' +
        `${x.shape[0]} rows, got ${lists.length} for ${groups[i].length}`);
    });
    const stream = randomStream('kernel interval', seed);
    const draw = (i: number) => pair[i].indexSelect(0, rowIndex(
      members[i].flatMap(() => members[i][stream.integer(members[i].length)])));
    const value = polynomialMmd(...pair);
    const draws = Float64Array.from({ length: samples }, () =>
      scope(() => polynomialMmd(draw(0), draw(1)))).sort();
    const shift = draws.reduce((sum, drawn) => sum + drawn, 0) / samples - value;
    return {
      value, shift, samples,
      low: quantile(draws, 0.025) - shift, high: quantile(draws, 0.975) - shift,
    };
  }));
}

/**
 * Unbiased squared maximum mean discrepancy (Gretton et al. 2012) with the polynomial kernel
 * k(x, y) = (x . y / d + 1)^3: mean of k over pairs of different vectors of each set, less twice
 * the mean of k over all pairs across. Float64.
 */
export function polynomialMmd(first: Features, second: Features): number {
  return scope(() => noGrad(() => {
    const [x, y] = featurePair(first, second, 'kid');
    return within(x) + within(y) - 2 * kernel(x, y).mean().item();
  }));
}

function kernel(x: Tensor, y: Tensor): Tensor {
  return x.matmul(y.transpose(0, 1)).mul(1 / x.shape[1]).add(1).pow(3);
}

/** Mean of k over the pairs of different vectors. */
function within(x: Tensor): number {
  const n = x.shape[0];
  const diagonal = x.square().sum(1).mul(1 / x.shape[1]).add(1).pow(3).sum();
  return kernel(x, x).sum().sub(diagonal).item() / (n * (n - 1));
}

/** `count` different rows, the first of a shuffle. */
function drawRows(x: Tensor, count: number, stream: RandomStream): Tensor {
  return x.indexSelect(0, rowIndex(shuffled(x.shape[0], stream, count)));
}
