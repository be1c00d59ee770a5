import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { randomStream } from '../../src/frames/random.ts';
import type { FeatureRows } from '../../src/metrics/features.ts';
import { frechetDistance, frechetDistanceOfFeatures } from '../../src/metrics/frechet.ts';
import { kernelDistance, polynomialMmd } from '../../src/metrics/kid.ts';
import { MomentAccumulator, momentsOf } from '../../src/metrics/moments.ts';
import { scope } from '../../src/tensor/memory.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { expectNoLeaks } from '../support/leaks.ts';
import { uniform } from '../support/reference-fill.ts';

interface Pair { fid: number; exact: number; ranks: [number, number] }
// Printed by test/golden/distances.py.
const golden = JSON.parse(
  readFileSync(new URL('../golden/distances.json', import.meta.url), 'utf8'),
) as {
  full: Pair; both: Pair; one: Pair; mean: number[]; covariance: number[];
  mmd: { equal: number; fidelity: number; unequal: number };
};

expectNoLeaks();

/** distances.py's rows. */
function rows(key: string, n: number, d: number, shift = 0): FeatureRows {
  const u = uniform(key, [n, d]);
  const data = Float64Array.from(u, (value, at) => {
    const [i, j] = [Math.floor(at / d), at % d];
    return value * (1 + j / d) + u[i * d + ((j + 1) % d)] / 2 + (shift * j) / d;
  });
  return { rows: n, dimension: d, data };
}

/** `count` rows from `start` on, each value moved. */
function part(set: FeatureRows, start: number, count: number, by = 0): FeatureRows {
  const { dimension: d, data } = set;
  const cut = data.slice(start * d, (start + count) * d).map((value) => value + by);
  return { rows: count, dimension: d, data: cut };
}

const relative = (got: number, wanted: number, tolerance: number, what: string) => assert.ok(
  Math.abs(got - wanted) <= tolerance * Math.abs(wanted), `${what}: expected ${wanted}, got ${got}`);

const cases = {
  full: [rows('a', 200, 12), rows('b', 150, 12, 0.4)],
  both: [rows('c', 20, 40), rows('d', 15, 40, 0.3)],
  one: [rows('e', 90, 40), rows('f', 25, 40, 0.3)],
} as const;

describe('frechet distance', () => {
  it("is pytorch-fid's where both covariances have full rank", () => {
    const [a, b] = cases.full;
    for (const got of [
      frechetDistance(momentsOf(a), momentsOf(b)), frechetDistanceOfFeatures(a, b),
    ]) {
      const { value, ...rest } = got;
      relative(value, golden.full.fid, 1e-11, 'distance');
      assert.deepEqual(rest, { n1: 200, n2: 150, dimension: 12, rank1: 12, rank2: 12 });
    }
  });

  it('is right, and says so, where the ranks are deficient', () => {
    for (const name of ['both', 'one'] as const) {
      const [[a, b], { exact, ranks }] = [cases[name], golden[name]];
      const features = frechetDistanceOfFeatures(a, b);
      const moments = frechetDistance(momentsOf(a), momentsOf(b));
      relative(features.value, exact, 1e-11, `${name}, features`);
      relative(moments.value, exact, 1e-9, `${name}, moments`);
      assert.deepEqual([features.rank1, features.rank2], ranks);
      assert.deepEqual([moments.rank1, moments.rank2], ranks);
      // here scipy's square root still has 7 digits of it
      relative(golden[name].fid, exact, 1e-7, `${name}, pytorch-fid`);
    }
    assert.deepEqual(golden.both.ranks, [19, 14]);
  });

  it('is the same from a tensor, in float32 nearly so, and either way round', () => {
    const [a, b] = cases.one;
    const { value } = frechetDistanceOfFeatures(a, b);
    relative(frechetDistanceOfFeatures(b, a).value, value, 1e-12, 'swapped');
    scope(() => {
      const x = tensor(a.data, [90, 40]);
      const y = tensor(b.data, [25, 40]);
      assert.equal(frechetDistanceOfFeatures(x, y).value, value);
      relative(frechetDistanceOfFeatures(x.to('float32'), y).value, value, 1e-5, 'float32');
    });
  });

  it('is 0 of a set and itself, and the squared shift of a shifted one', () => {
    for (const [a] of Object.values(cases)) {
      assert.ok(frechetDistanceOfFeatures(a, a).value < 1e-11);
      assert.ok(frechetDistance(momentsOf(a), momentsOf(a)).value < 1e-9);
      const moved = part(a, 0, a.rows, 0.5);
      relative(frechetDistanceOfFeatures(a, moved).value, 0.25 * a.dimension, 1e-9, 'shift');
    }
  });

  it('of sets that do not vary is the squared distance of two points', () => {
    const still = (value: number): FeatureRows =>
      ({ rows: 3, dimension: 5, data: new Float32Array(15).fill(value) });
    const got = frechetDistanceOfFeatures(still(1), still(3));
    assert.deepEqual(got, { value: 20, n1: 3, n2: 3, dimension: 5, rank1: 0, rank2: 0 });
    assert.equal(frechetDistance(momentsOf(still(1)), momentsOf(still(3))).value, 20);
  });

  it('of diagonal Gaussians is sum (s1 - s2)^2', () => {
    const gaussian = (deviations: number[]) => ({
      n: 9, dimension: 3, mean: new Float64Array(3),
      covariance: Float64Array.from({ length: 9 }, (_, i) => (i % 4 ? 0 : deviations[i / 4] ** 2)),
    });
    const got = frechetDistance(gaussian([1, 2, 3]), gaussian([4, 1, 0]));
    relative(got.value, 9 + 1 + 9, 1e-12, 'diagonal');
    assert.deepEqual([got.rank1, got.rank2], [3, 2]);
    relative(frechetDistance(gaussian([0, 0, 0]), gaussian([1, 2, 2])).value, 9, 1e-12, 'a point');
  });

  it('keeps its digits under an offset of 1e4', () => {
    const [a, b] = cases.full;
    const [x, y] = [part(a, 0, 200, 1e4), part(b, 0, 150, 1e4)];
    relative(frechetDistanceOfFeatures(x, y).value, golden.full.fid, 1e-8, 'features');
    relative(frechetDistance(momentsOf(x), momentsOf(y)).value, golden.full.fid, 1e-8, 'moments');
  });

  it('refuses what is no pair of Gaussians', () => {
    const [a, b] = cases.full;
    const broken = { ...a, data: a.data.with(30, Number.NaN) };
    assert.throws(() => frechetDistanceOfFeatures(broken, b),
      /first set: expected finite features, got NaN at row 2, column 6/);
    assert.throws(() => frechetDistanceOfFeatures(a, cases.one[0]), /one dimension, got 12 and 40/);
    assert.throws(() => frechetDistanceOfFeatures(a, part(b, 0, 1)), /second set: .*2 rows.*got 1/);
    assert.throws(() => frechetDistanceOfFeatures({ ...a, rows: 7 }, b), /7 rows of 12.*got 2400/);
    scope(() => assert.throws(() => frechetDistanceOfFeatures(tensor([1, 2]), b), /shape 2$/));
    const moments = momentsOf(a);
    const lopsided = { ...moments, covariance: moments.covariance.with(1, 9) };
    assert.throws(() => frechetDistance(lopsided, moments), /first moments: .*symmetric/);
    const negative = { ...moments, covariance: moments.covariance.map((v) => -v) };
    assert.throws(() => frechetDistance(moments, negative), /negative eigenvalues.*second moments/);
    const short = { ...moments, mean: new Float64Array(3) };
    assert.throws(() => frechetDistance(short, moments), /mean of 12 .* got 3 and 144/);
  });
});

describe('moments', () => {
  it("are numpy's, in one batch and in many", () => {
    const [a] = cases.full;
    const batches = new MomentAccumulator(12)
      .add(part(a, 0, 1)).add(part(a, 1, 130)).add(part(a, 131, 69));
    for (const { mean, covariance, n } of [momentsOf(a), batches.moments()]) {
      assert.equal(n, 200);
      mean.forEach((value, i) => assert.ok(Math.abs(value - golden.mean[i]) < 1e-13));
      covariance.forEach((value, i) => assert.ok(Math.abs(value - golden.covariance[i]) < 1e-13));
    }
  });

  it('survive an offset of 1e4, where sums of squares would not', () => {
    const [a] = cases.full;
    const accumulator = new MomentAccumulator(12);
    for (let i = 0; i < 20; i++) accumulator.add(part(a, 10 * i, 10, 1e4));
    const { mean, covariance } = accumulator.moments();
    mean.forEach((value, i) => assert.ok(Math.abs(value - 1e4 - golden.mean[i]) < 1e-10));
    covariance.forEach((value, i) => assert.ok(Math.abs(value - golden.covariance[i]) < 1e-10));
  });

  it('take nothing from a bad batch, and need two rows', () => {
    const [a] = cases.full;
    const accumulator = new MomentAccumulator(12).add(part(a, 0, 1));
    assert.throws(() => accumulator.moments(), /at least 2 rows of features, got 1/);
    const bad = part(a, 1, 3);
    bad.data[5] = Infinity;
    assert.throws(() => accumulator.add(bad), /got Infinity at row 0, column 5/);
    assert.throws(() => accumulator.add(cases.one[0]), /expected 12 features, got 40/);
    assert.throws(() => accumulator.add({ rows: 0, dimension: 12, data: new Float64Array(0) }));
    assert.equal(accumulator.n, 1);
    accumulator.add(part(a, 1, 199));
    assert.ok(Math.abs(accumulator.moments().covariance[3] - golden.covariance[3]) < 1e-13);
    assert.throws(() => new MomentAccumulator(0), /positive dimension, got 0/);
    scope(() => assert.throws(() => momentsOf(tensor([1, 2])), /\(n, d\), got shape 2$/));
  });
});

describe('kernel distance', () => {
  const [x, y] = [rows('x', 30, 16), rows('y', 30, 16, 0.5)];

  it("MMD is numpy's, and torch-fidelity's for sets of one size", () => {
    relative(polynomialMmd(x, y), golden.mmd.equal, 1e-11, 'numpy');
    relative(polynomialMmd(x, y), golden.mmd.fidelity, 1e-11, 'torch-fidelity');
    relative(polynomialMmd(x, part(y, 0, 21)), golden.mmd.unequal, 1e-11, 'unequal');
  });

  it('over subsets is the MMD of the whole, within its error', () => {
    const got = kernelDistance(x, y, { subsetSize: 10, subsets: 400, seed: 3 });
    assert.deepEqual([got.n1, got.n2, got.dimension, got.subsets, got.subsetSize],
      [30, 30, 16, 400, 10]);
    assert.ok(got.std > 0);
    assert.ok(Math.abs(got.mean - golden.mmd.equal) < (4 * got.std) / Math.sqrt(400));
    assert.deepEqual(kernelDistance(x, y, { subsets: 5 }), kernelDistance(x, y, { subsets: 5 }));
    assert.notEqual(kernelDistance(x, y, { subsets: 5 }).mean,
      kernelDistance(x, y, { subsets: 5, seed: 1 }).mean);
    assert.equal(kernelDistance(x, y, { subsets: 1 }).subsetSize, 15);
    const whole = kernelDistance(x, y, { subsetSize: 30, subsets: 1 });
    relative(whole.mean, golden.mmd.equal, 1e-11, 'whole');
  });

  it('is unbiased: around 0 for two sets of one kind', () => {
    const stream = randomStream('kid test');
    const normal = () => Float64Array.from({ length: 8 * 6 }, () => stream.normal());
    const values = Array.from({ length: 200 }, () => polynomialMmd(
      { rows: 8, dimension: 6, data: normal() }, { rows: 8, dimension: 6, data: normal() }));
    const mean = values.reduce((sum, value) => sum + value, 0) / 200;
    const std = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 200);
    assert.ok(Math.abs(mean) < (3.5 * std) / Math.sqrt(200), `${mean} of ${std}`);
    assert.ok(values.some((value) => value < 0));
  });

  it('refuses subsets that it cannot draw', () => {
    assert.throws(() => kernelDistance(x, y, { subsetSize: 31 }), /subset size in 2..30, got 31/);
    assert.throws(() => kernelDistance(x, y, { subsetSize: 30 }), /which are all the same/);
    assert.throws(() => kernelDistance(x, y, { subsetSize: 1.5 }), /got 1.5/);
    assert.throws(() => kernelDistance(x, y, { subsets: 0 }), /at least 1 subset, got 0/);
  });
});
