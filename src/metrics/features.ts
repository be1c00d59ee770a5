import { tensor, Tensor } from '../tensor/tensor.ts';

/** Feature vectors of clips or pictures, one a row, row by row. */
export interface FeatureRows {
  readonly rows: number;
  readonly dimension: number;
  readonly data: Float32Array | Float64Array;
}

/** n vectors of d features: a tensor (n, d) on any device, or rows in a typed array. */
export type Features = Tensor | FeatureRows;

/**
 * The features as float64 (n, d) on the CPU; call it inside a scope.
 *
 * @param least rows needed
 * @throws when there are fewer rows, another shape, or a value that is not finite
 */
export function featureTensor(features: Features, what: string, least = 2): Tensor {
  const x = features instanceof Tensor ? matrix(features, what) : rowTensor(features, what);
  const [rows, dimension] = x.shape;
  if (rows < least || dimension < 1) {
    throw new Error(
      `${what}: expected at least ${least} rows of features, got ${rows} of ${dimension}`,
    );
  }
  if (!x.isFinite().all()) {
    const at = x.toFloat64().findIndex((value) => !Number.isFinite(value));
    const [row, column] = [Math.floor(at / dimension), at % dimension];
    throw new Error(
      `${what}: expected finite features, got ${x.toFloat64()[at]} at row ${row}, column ${column}`,
    );
  }
  return x;
}

/** Features of each vector. */
export function featureDimension(features: Features, what: string): number {
  if (!(features instanceof Tensor)) return features.dimension;
  checkMatrix(features, what);
  return features.shape[1];
}

/** Both sets, checked to have one dimension. */
export function featurePair(first: Features, second: Features, what: string): [Tensor, Tensor] {
  const a = featureTensor(first, `${what}: first set`);
  const b = featureTensor(second, `${what}: second set`);
  if (a.shape[1] !== b.shape[1]) {
    throw new Error(
      `${what}: expected features of one dimension, got ${a.shape[1]} and ${b.shape[1]}`,
    );
  }
  return [a, b];
}

function checkMatrix(x: Tensor, what: string): void {
  if (x.rank === 2) return;
  throw new Error(`${what}: expected features (n, d), got shape ${x.shape.join('x')}`);
}

function matrix(x: Tensor, what: string): Tensor {
  checkMatrix(x, what);
  return x.detach().to('cpu').to('float64');
}

function rowTensor({ rows, dimension, data }: FeatureRows, what: string): Tensor {
  const whole = [rows, dimension].every((size) => Number.isSafeInteger(size) && size >= 0);
  if (!whole || data.length !== rows * dimension) {
    throw new Error(
      `${what}: expected ${rows} rows of ${dimension} features, got ${data.length} values`,
    );
  }
  return tensor(data, [rows, dimension]).to('float64');
}
