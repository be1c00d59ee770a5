import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { randomStream } from '../../src/frames/random.ts';
import type { FeatureRows } from '../../src/metrics/features.ts';
import {
  frechetAtInfinity, frechetFloor, frechetInterval,
} from '../../src/metrics/frechet-statistics.ts';
import { frechetDistanceOfFeatures } from '../../src/metrics/frechet.ts';
import { expectNoLeaks } from '../support/leaks.ts';

expectNoLeaks();

/** Rows of a standard normal distribution, the first coordinate moved. */
function gaussian(key: string | number, rows: number, dimension: number, shift = 0): FeatureRows {
  const stream = randomStream('statistics test', key);
  const data = Float64Array.from({ length: rows * dimension }, (_, i) =>
    stream.normal() + (i % dimension === 0 ? shift : 0));
  return { rows, dimension, data };
}

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
const spread = (values: readonly number[]) =>
  Math.sqrt(mean(values.map((value) => (value - mean(values)) ** 2)));
/** Patients of `each` rows. */
const patients = (rows: number, each: number) =>
  Array.from({ length: rows }, (_, i) => `p${Math.floor(i / each)}`);

describe('interval of a frechet distance', () => {
  const [a, b] = [gaussian('a', 60, 6), gaussian('b', 50, 6, 1)];

  it('surrounds the value, and says of how many rows, groups and draws', () => {
    const groups = patients(50, 5);
    const got = frechetInterval({ features: a }, { features: b, groups }, { samples: 60 });
    const plain = frechetDistanceOfFeatures(a, b);
    assert.ok(Math.abs(got.value - plain.value) < 1e-12);
    assert.deepEqual([got.n1, got.n2, got.groups1, got.groups2, got.samples, got.rank1, got.rank2],
      [60, 50, 60, 10, 60, 6, 6]);
    assert.ok(got.low < got.value && got.value < got.high);
    assert.ok(got.shift > 0, 'a draw repeats rows: its distance is higher');
    assert.deepEqual(got,
      frechetInterval({ features: a }, { features: b, groups }, { samples: 60 }));
    assert.notEqual(got.low,
      frechetInterval({ features: a }, { features: b, groups }, { samples: 60, seed: 1 }).low);
  });

  it('lies about the value where every draw is above it', () => {
    const pair = [{ features: gaussian('m', 16, 20) }, { features: gaussian('n', 16, 20) }] as const;
    const got = frechetInterval(...pair, { samples: 100 });
    assert.ok(got.low + got.shift > got.value, `${got.low + got.shift} of ${got.value}`);
    assert.ok(got.low < got.value && got.value < got.high);
    const tiny = [{ features: gaussian('p', 5, 3) }, { features: gaussian('q', 5, 3) }] as const;
    assert.equal(frechetInterval(...tiny).samples, 1000);
  });

  it('is as wide as the distances of fresh sets are spread', () => {
    const fresh = Array.from({ length: 60 }, (_, i) =>
      frechetDistanceOfFeatures(gaussian(`x${i}`, 60, 6), gaussian(`y${i}`, 50, 6, 1)).value);
    const { low, high } = frechetInterval({ features: a }, { features: b }, { samples: 120 });
    const ratio = (high - low) / (2 * 1.96 * spread(fresh));
    assert.ok(ratio > 0.6 && ratio < 1.6, `${ratio}`);
  });

  it('draws whole groups: rows that repeat a patient narrow nothing', () => {
    const twice = (set: FeatureRows): FeatureRows => ({
      ...set, rows: 2 * set.rows, data: Float64Array.from([...set.data, ...set.data]),
    });
    const options = { samples: 80 };
    const single = frechetInterval({ features: a }, { features: b }, options);
    const names = (rows: number) => [...patients(rows, 1), ...patients(rows, 1)];
    const grouped = frechetInterval(
      { features: twice(a), groups: names(60) }, { features: twice(b), groups: names(50) }, options);
    const rows = frechetInterval({ features: twice(a) }, { features: twice(b) }, options);
    const width = (estimate: { low: number; high: number }) => estimate.high - estimate.low;
    const widths = [single, grouped, rows].map(width);
    assert.ok(widths[1] > 0.9 * widths[0] && widths[2] < 0.85 * widths[1], `${widths}`);
  });

  it('is in fewer coordinates what it is in all of the features', () => {
    const [x, y] = [gaussian('x', 9, 40), gaussian('y', 8, 40, 2)];
    const got = frechetInterval({ features: x }, { features: y }, { samples: 20 });
    assert.deepEqual([got.rank1, got.rank2, got.dimension], [8, 7, 40]);
    const padded = (set: FeatureRows): FeatureRows => {
      const data = new Float64Array(set.rows * 12);
      set.data.forEach((value, i) => {
        data[Math.floor(i / 6) * 12 + (i % 6)] = value;
      });
      return { rows: set.rows, dimension: 12, data };
    };
    const [p, q] = [gaussian('p', 5, 6), gaussian('q', 5, 6, 1)];
    const small = frechetInterval({ features: p }, { features: q }, { samples: 20 });
    const large = frechetInterval({ features: padded(p) }, { features: padded(q) }, { samples: 20 });
    assert.ok(Math.abs(small.low - large.low) < 1e-9 && Math.abs(small.high - large.high) < 1e-9);
  });

  it('refuses what it cannot draw', () => {
    const one = Array.from({ length: 60 }, () => 'p');
    assert.throws(() => frechetInterval({ features: a, groups: one }, { features: b }),
      /first set: expected at least 2 groups, got 1/);
    assert.throws(() => frechetInterval({ features: a }, { features: b, groups: ['p'] }),
      /second set: expected a group for each of 50 rows, got 1/);
    assert.throws(() => frechetInterval({ features: a }, { features: b }, { samples: 1 }),
      /at least 2 samples, got 1/);
  });
});

describe('frechet distance at infinity', () => {
  it('takes the bias of n away: sets of one kind are nearer to 0', () => {
    const pairs = Array.from({ length: 6 }, (_, i) =>
      [{ features: gaussian(`r${i}`, 150, 5) }, { features: gaussian(`g${i}`, 150, 5) }] as const);
    const plain = pairs.map(([r, g]) => frechetDistanceOfFeatures(r.features, g.features).value);
    for (const vary of ['second', 'both'] as const) {
      const got = pairs.map(([r, g]) => frechetAtInfinity(r, g, { vary, points: 8, smallest: 0.2 }));
      const bias = mean(got.map(({ value }) => value));
      assert.ok(Math.abs(bias) < 0.8 * mean(plain), `${vary}: ${bias} of ${mean(plain)}`);
      assert.ok(got.every(({ slope }) => slope > 0));
    }
  });

  it('fits a line by least squares to what it shows', () => {
    const [r, g] = [{ features: gaussian('r', 80, 4) }, { features: gaussian('g', 90, 4, 1) }];
    const got = frechetAtInfinity(r, g, { points: 6, smallest: 0.3 });
    assert.deepEqual([got.n1, got.n2, got.dimension, got.points.length], [80, 90, 4, 6]);
    assert.deepEqual(got.points.map(({ n }) => n), [27, 40, 52, 65, 77, 90]);
    const full = frechetDistanceOfFeatures(r.features, g.features).value;
    assert.ok(Math.abs(got.points[5].value - full) < 1e-9);
    const residual = ({ n, value }: { n: number; value: number }) =>
      value - got.value - got.slope / n;
    assert.ok(Math.abs(mean(got.points.map(residual))) < 1e-9);
    assert.ok(Math.abs(mean(got.points.map((point) => residual(point) / point.n))) < 1e-9);
    const left = mean(got.points.map((point) => residual(point) ** 2));
    assert.ok(Math.abs(1 - left / spread(got.points.map(({ value }) => value)) ** 2 - got.r2) < 1e-9);
    assert.deepEqual(got, frechetAtInfinity(r, g, { points: 6, smallest: 0.3 }));
  });

  it('takes whole groups, and refuses too few of them', () => {
    const set = { features: gaussian('s', 60, 4), groups: patients(60, 10) };
    const got = frechetAtInfinity(set, set, { points: 4, smallest: 0.4 });
    assert.ok(got.points.every(({ n }) => n % 10 === 0));
    const few = { features: gaussian('s', 60, 4), groups: patients(60, 20) };
    assert.throws(() => frechetAtInfinity(set, few), /three sizes of subsets, got 3 groups/);
    assert.throws(() => frechetAtInfinity(set, set, { smallest: 1 }), /between 0 and 1, got 1/);
    assert.throws(() => frechetAtInfinity(set, set, { points: 2 }), /at least 3 points, got 2/);
  });
});

describe('real-against-real floor', () => {
  it('splits by patient, in halves of as many patients', () => {
    const features = gaussian('real', 63, 5);
    const got = frechetFloor({ features, groups: patients(63, 7) }, { splits: 12 });
    assert.deepEqual([got.n, got.groups, got.splits.length], [63, 9, 12]);
    assert.ok(got.splits.every(({ n1, n2 }) => n1 === 28 && n2 === 28));
    assert.ok(Math.abs(got.mean - mean(got.splits.map(({ value }) => value))) < 1e-12);
    assert.ok(Math.abs(got.std - spread(got.splits.map(({ value }) => value))) < 1e-12);
    assert.ok(got.mean > 0 && got.std > 0);
    assert.deepEqual(got, frechetFloor({ features, groups: patients(63, 7) }, { splits: 12 }));
  });

  it('is higher where patients differ than where rows do', () => {
    const features = gaussian('clustered', 80, 4);
    const shifts = gaussian('patients', 8, 4);
    features.data.forEach((_, i) => {
      features.data[i] += 2 * shifts.data[Math.floor(i / 40) * 4 + (i % 4)];
    });
    const byPatient = frechetFloor({ features, groups: patients(80, 10) });
    assert.ok(byPatient.mean > 2 * frechetFloor({ features }).mean);
  });

  it('needs two patients a half', () => {
    const features = gaussian('real', 30, 3);
    assert.throws(() => frechetFloor({ features, groups: patients(30, 10) }),
      /at least 4 groups, got 3/);
  });
});
