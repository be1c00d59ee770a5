import { noGrad, scope } from '../tensor/memory.ts';
import { tensor } from '../tensor/tensor.ts';
import { featureDimension, featureTensor, type Features } from './features.ts';

/** Mean and covariance of n feature vectors: a Gaussian. */
export interface Moments {
  readonly n: number;
  readonly dimension: number;
  readonly mean: Float64Array;
  /** Unbiased, n - 1 in the denominator; [dimension][dimension]. */
  readonly covariance: Float64Array;
}

/**
 * Mean and covariance of features that arrive in batches, in float64. Batches are joined by the
 * formula of Chan, Golub and LeVeque (1979), which sums squares about each batch's own mean, so
 * that a large common offset costs no digits; the order and the size of batches change only the
 * last ones. Holds no tensors: dimension^2 + dimension numbers.
 */
export class MomentAccumulator {
  readonly dimension: number;
  private count = 0;
  private readonly mean: Float64Array;
  /** Sum of (x - mean)(x - mean)^T. */
  private scatter: Float64Array;

  constructor(dimension: number) {
    if (!Number.isSafeInteger(dimension) || dimension < 1) {
      throw new Error(`moments: expected a positive dimension, got ${dimension}`);
    }
    this.dimension = dimension;
    this.mean = new Float64Array(dimension);
    this.scatter = new Float64Array(dimension * dimension);
  }

  /** Vectors seen so far. */
  get n(): number {
    return this.count;
  }

  /**
   * Adds a batch of at least one vector; nothing is added when it throws.
   *
   * @throws at another dimension or a value that is not finite
   */
  add(features: Features): this {
    const d = this.dimension;
    const { rows, mean, scatter } = scope(() => noGrad(() => {
      const x = featureTensor(features, 'moments', 1);
      if (x.shape[1] !== d) {
        throw new Error(`moments: expected ${d} features, got ${x.shape[1]}`);
      }
      const own = x.mean(0);
      const centred = x.sub(own);
      const delta = own.sub(tensor(this.mean)).unsqueeze(1); // d 1
      const weight = (this.count * x.shape[0]) / (this.count + x.shape[0]);
      const joined = centred.transpose(0, 1).matmul(centred)
        .add_(tensor(this.scatter, [d, d]))
        .add_(delta.matmul(delta.transpose(0, 1)), weight);
      return { rows: x.shape[0], mean: own.toFloat64(), scatter: joined.toFloat64() };
    }));
    this.count += rows;
    for (let i = 0; i < d; i++) this.mean[i] += ((mean[i] - this.mean[i]) * rows) / this.count;
    this.scatter = scatter;
    return this;
  }

  /** @throws when fewer than 2 vectors were added */
  moments(): Moments {
    if (this.count < 2) {
      throw new Error(`moments: expected at least 2 rows of features, got ${this.count}`);
    }
    const covariance = this.scatter.map((value) => value / (this.count - 1));
    return { n: this.count, dimension: this.dimension, mean: this.mean.slice(), covariance };
  }
}

/** Mean and unbiased covariance of at least 2 feature vectors. */
export function momentsOf(features: Features): Moments {
  return new MomentAccumulator(featureDimension(features, 'moments')).add(features).moments();
}
