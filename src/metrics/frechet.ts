import { noGrad, scope } from '../tensor/memory.ts';
import { cat, eigh, qr, singularValues } from '../tensor/ops.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import { featurePair, type Features } from './features.ts';
import type { Moments } from './moments.ts';

export interface FrechetDistance {
  /** The squared distance, in squared units of the features; never below 0. */
  readonly value: number;
  /** Feature vectors behind each Gaussian. */
  readonly n1: number;
  readonly n2: number;
  readonly dimension: number;
  /**
   * Rank of each covariance: eigenvalues above dimension x 2.2e-16 of the largest. With n vectors
   * it is at most n - 1; where it is below the dimension, the Gaussian lives in a subspace that the
   * sample chose, and the value says more about n than about the pictures.
   */
  readonly rank1: number;
  readonly rank2: number;
}

/**
 * Frechet distance of two Gaussians (Dowson and Landau 1982, as Heusel et al. 2017 use it):
 * |m1 - m2|^2 + tr S1 + tr S2 - 2 tr sqrt(S1 S2).
 *
 * The last trace is that of sqrt(sqrt(S1) S2 sqrt(S1)): each covariance is taken apart by a
 * symmetric eigendecomposition, eigenvalues below its rank's limit are left out, and the singular
 * values of sqrt(S1) sqrt(S2), which are the square roots of that product's eigenvalues, are
 * summed. All in float64 and real. pytorch-fid's `calculate_frechet_distance` takes scipy's `sqrtm`
 * of S1 S2: the same number where both ranks are full. Where one is not, that product is singular,
 * and `sqrtm` keeps about half of the digits (2e-8 off in test/golden/distances.py, with 40
 * features); it may turn complex (pytorch-fid drops the imaginary part), or have 1e-6 added to both
 * diagonals first.
 *
 * @throws when the dimensions differ, or a matrix is not one of its dimension, symmetric and finite
 */
export function frechetDistance(first: Moments, second: Moments): FrechetDistance {
  const d = first.dimension;
  if (d !== second.dimension) {
    throw new Error(
      `frechet distance: expected moments of one dimension, got ${d} and ${second.dimension}`,
    );
  }
  checkMoments('first', first);
  checkMoments('second', second);
  return scope(() => noGrad(() => {
    const f = factorOfCovariance(tensor(first.covariance, [d, d]), 'first');
    const g = factorOfCovariance(tensor(second.covariance, [d, d]), 'second');
    const means = first.mean.reduce((sum, value, i) => sum + (value - second.mean[i]) ** 2, 0);
    return {
      value: distanceOfFactors(means, f, g), n1: first.n, n2: second.n,
      dimension: d, rank1: f.shape[0], rank2: g.shape[0],
    };
  }));
}

/**
 * `frechetDistance` of the Gaussians of two sets of features, straight from the features: no
 * covariance is formed, so that n vectors in many more dimensions cost n^3 and not dimension^3, and
 * a deficient rank costs no digits.
 *
 * @param first at least 2 vectors
 */
export function frechetDistanceOfFeatures(first: Features, second: Features): FrechetDistance {
  return scope(() => noGrad(() => {
    const pair = featurePair(first, second, 'frechet distance');
    return distanceOfRows(...commonCoordinates(...pair), pair[0].shape[1]);
  }));
}

/**
 * Both sets in coordinates that keep every distance, and so the Frechet distance: about a common
 * middle, and in a basis of the space that they span where that has fewer dimensions than features.
 *
 * @param a (n, d), b (m, d), float64
 * @returns (n, k) and (m, k), k = min(d, n + m)
 */
export function commonCoordinates(a: Tensor, b: Tensor): [Tensor, Tensor] {
  const [n, m, d] = [a.shape[0], b.shape[0], a.shape[1]];
  const middle = a.mean(0).add(b.mean(0)).mul(0.5);
  const [x, y] = [a.sub(middle), b.sub(middle)];
  if (n + m >= d) return [x, y];
  const [, r] = qr(cat([x, y], 0).transpose(0, 1), 'r'); // n+m n+m
  const rows = r.transpose(0, 1);
  return [rows.narrow(0, 0, n), rows.narrow(0, n, m)];
}

/**
 * The distance of two sets in common coordinates, with their ranks.
 *
 * @param a (n, k), b (m, k), float64
 * @param dimension of the features, for the ranks' limit
 */
export function distanceOfRows(a: Tensor, b: Tensor, dimension: number): FrechetDistance {
  const rank = (x: Tensor) => scope(() =>
    rankOf(singularValues(factorOfRows(x)).square().toFloat64(), dimension));
  return {
    value: valueOfRows(a, b), n1: a.shape[0], n2: b.shape[0],
    dimension, rank1: rank(a), rank2: rank(b),
  };
}

/** `distanceOfRows` without the ranks, which cost twice as much again. */
export function valueOfRows(a: Tensor, b: Tensor): number {
  return scope(() => {
    const means = a.mean(0).sub(b.mean(0)).square().sum().item();
    return distanceOfFactors(means, factorOfRows(a), factorOfRows(b));
  });
}

/** F, (r, k), of a covariance F^T F. */
function factorOfRows(x: Tensor): Tensor {
  const [n, k] = x.shape;
  const centred = x.sub(x.mean(0)).mul(1 / Math.sqrt(n - 1));
  return n > k ? qr(centred, 'r')[1] : centred;
}

/** F, (rank, d), of a covariance F^T F. */
function factorOfCovariance(covariance: Tensor, what: string): Tensor {
  const d = covariance.shape[0];
  const [values, vectors] = eigh(covariance); // rising
  const eigenvalues = values.toFloat64();
  const [least, most] = [eigenvalues[0], eigenvalues[d - 1]];
  if (least < -1e-6 * Math.abs(most)) {
    throw new Error(
      `frechet distance: expected a covariance without negative eigenvalues, got ${least} beside ` +
        `${most} in the ${what} moments`,
    );
  }
  const rank = rankOf(eigenvalues, d);
  const roots = values.narrow(0, d - rank, rank).sqrt();
  return vectors.narrow(1, d - rank, rank).mul(roots).transpose(0, 1);
}

function rankOf(eigenvalues: Float64Array, dimension: number): number {
  const most = eigenvalues.reduce((a, b) => Math.max(a, b), 0);
  const limit = dimension * Number.EPSILON * most;
  return eigenvalues.reduce((count, value) => (value > limit ? count + 1 : count), 0);
}

function distanceOfFactors(means: number, f: Tensor, g: Tensor): number {
  const traces = f.square().sum().item() + g.square().sum().item();
  if (f.shape[0] === 0 || g.shape[0] === 0) return means + traces;
  const root = singularValues(f.matmul(g.transpose(0, 1))).sum().item();
  return Math.max(0, means + traces - 2 * root);
}

function checkMoments(which: string, { n, dimension, mean, covariance }: Moments): void {
  const what = `frechet distance: ${which} moments`;
  if (mean.length !== dimension || covariance.length !== dimension * dimension) {
    throw new Error(
      `${what}: expected a mean of ${dimension} and a covariance of ${dimension ** 2} values, ` +
        `got ${mean.length} and ${covariance.length}`,
    );
  }
  if (!(n >= 2)) throw new Error(`${what}: expected n of at least 2, got ${n}`);
  for (const values of [mean, covariance]) {
    const bad = values.find((value) => !Number.isFinite(value));
    if (bad !== undefined) throw new Error(`${what}: expected finite numbers, got ${bad}`);
  }
  const largest = covariance.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  for (let i = 0; i < dimension; i++) {
    for (let j = 0; j < i; j++) {
      const [low, high] = [covariance[i * dimension + j], covariance[j * dimension + i]];
      if (Math.abs(low - high) <= 1e-9 * largest) continue;
      throw new Error(
        `${what}: expected a symmetric covariance, got ${low} at ${i}, ${j} ` +
          `and ${high} at ${j}, ${i}`,
      );
    }
  }
}
