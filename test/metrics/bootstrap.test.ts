import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { randomStream } from '../../src/frames/random.ts';
import { bootstrap, bootstrapMean } from '../../src/metrics/bootstrap.ts';

const stream = randomStream('bootstrap test');
const values = Array.from({ length: 60 }, () => 5 + 2 * stream.normal());
const own = values.map((_, i) => `p${i}`);

describe('bootstrap', () => {
  it('is the same every time, another with another seed', () => {
    assert.deepEqual(bootstrapMean(values, own), bootstrapMean(values, own));
    const other = bootstrapMean(values, own, { seed: 1 })!;
    assert.notEqual(other.low, bootstrapMean(values, own)!.low);
    assert.equal(other.mean, bootstrapMean(values, own)!.mean);
  });

  it('is near 1.96 standard errors for a mean', () => {
    const { mean, low, high, n } = bootstrapMean(values, own)!;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    const error = 1.96 * Math.sqrt(variance / values.length);
    assert.equal(n, 60);
    assert.ok(Math.abs(high - mean - error) < 0.15 * error);
    assert.ok(Math.abs(mean - low - error) < 0.15 * error);
  });

  it('draws whole patients: clips that repeat a patient narrow nothing', () => {
    const twice = [...values, ...values];
    const patients = [...own, ...own];
    const clustered = bootstrapMean(twice, patients)!;
    const plain = bootstrapMean(values, own)!;
    assert.ok(Math.abs(clustered.high - plain.high) < 1e-9);
    assert.ok(bootstrapMean(twice, twice.map((_, i) => `${i}`))!.high < plain.high - 0.05);
  });

  it('leaves out what is not known, and says nothing of nothing', () => {
    assert.deepEqual(bootstrapMean([1, null, 3], ['a', 'b', 'c'])!.mean, 2);
    assert.equal(bootstrapMean([1, null, 3], ['a', 'b', 'c'])!.n, 2);
    assert.equal(bootstrapMean([null], ['a']), null);
    assert.equal(bootstrap([], () => 1), null);
    const same = bootstrapMean([4, 4, 4], ['a', 'b', 'c'])!;
    assert.deepEqual([same.low, same.high], [4, 4]);
  });

  it('takes any statistic of the clips drawn', () => {
    const ratio = bootstrap(own, (clips) =>
      clips.reduce((sum, clip) => sum + 2 * values[clip], 0)
        / clips.reduce((sum, clip) => sum + values[clip], 0))!;
    assert.ok(Math.abs(ratio.low - 2) < 1e-12 && Math.abs(ratio.high - 2) < 1e-12);
  });
});
