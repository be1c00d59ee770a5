/** Differences of Frechet distances over the same patients. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { randomStream } from '../../src/frames/random.ts';
import { frechetPaired } from '../../src/metrics/frechet-paired.ts';
import { frechetInterval } from '../../src/metrics/frechet-statistics.ts';
import { expectNoLeaks } from '../support/leaks.ts';

expectNoLeaks();

/** Rows of noise about `mean`; of one stream all sets share their noise. */
function rows(mean: number, name = 'noise', count = 40) {
  const stream = randomStream(name, 1);
  return { rows: count, dimension: 3, data: Float64Array.from({ length: 3 * count }, () => mean + stream.uniform()) };
}
const groups = Array.from({ length: 40 }, (_, row) => `patient${Math.floor(row / 4)}`);

describe('paired Frechet distances', () => {
  it('are those of each set by itself', () => {
    const [real, a, b] = [rows(0, 'real'), rows(0.5), rows(1)];
    const paired = frechetPaired(real, [a, b], groups, { samples: 50 });
    [a, b].forEach((set, i) => {
      const alone = frechetInterval({ features: real, groups }, { features: set, groups }, { samples: 2 });
      assert.ok(Math.abs(paired.values[i] - alone.value) < 1e-9);
    });
    const { value, low, high } = paired.difference(0, 1);
    assert.ok(Math.abs(value - (paired.values[0] - paired.values[1])) < 1e-12);
    assert.ok(low < value && value < high && high < 0, `${low} ${value} ${high}`);
    assert.deepEqual(paired.difference(1, 0).value, -value);
  });

  it('leave no difference between a set and itself', () => {
    const set = rows(0.5);
    assert.deepEqual(frechetPaired(rows(0, 'real'), [set, set], groups, { samples: 20 }).difference(0, 1),
      { value: 0, low: 0, high: 0 });
  });

  it('know a difference better than two intervals apart do', () => {
    const [real, a, b] = [rows(0, 'real'), rows(0.5), rows(0.52)];
    const { low, high } = frechetPaired(real, [a, b], groups, { samples: 100 }).difference(0, 1);
    const apart = [a, b].map((set) =>
      frechetInterval({ features: real, groups }, { features: set, groups }, { samples: 100 }));
    assert.ok(high - low < 0.5 * (apart[0].high - apart[0].low), 'the common draws cancel');
    assert.ok(high < 0);
  });

  it('refuse sets that are not of the same clips', () => {
    assert.throws(() => frechetPaired(rows(0), [rows(0, 'x', 20)], groups),
      /expected 40x3 features in set 0, got 20x3/);
    assert.throws(() => frechetPaired(rows(0), [rows(1)], groups.slice(1)), /a group for each of 40 rows, got 39/);
    assert.throws(() => frechetPaired(rows(0), [rows(1)], groups.map(() => 'one')), /at least 2 groups, got 1/);
  });
});
