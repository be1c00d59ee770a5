import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { clopperPearson, shareOf } from '../../src/metrics/binomial.ts';

const golden = JSON.parse(readFileSync(new URL('../golden/binomial.json', import.meta.url), 'utf8')) as
  Record<'exact' | 'real', [k: number, n: number, level: number, low: number, high: number][]>;

describe('Clopper-Pearson', () => {
  for (const kind of ['exact', 'real'] as const) {
    it(`agrees with SciPy, ${kind === 'exact' ? 'whole counts' : 'counts that are not whole'}`, () => {
      for (const [k, n, level, low, high] of golden[kind]) {
        const got = clopperPearson(k, n, level);
        assert.ok(Math.abs(got.low - low) < 1e-10 && Math.abs(got.high - high) < 1e-10,
          `${k} of ${n}: ${got.low}..${got.high}, expected ${low}..${high}`);
      }
    });
  }

  it('refuses what is no share', () => {
    for (const [k, n, level] of [[3, 2, 0.95], [-1, 2, 0.95], [0, 0, 0.95], [1, 2, 1], [NaN, 2, 0.9]]) {
      assert.throws(() => clopperPearson(k, n, level), /clopperPearson: expected/);
    }
  });

  it('takes the clips of a patient as one trial', () => {
    const one = shareOf([true, false, false, false], ['a', 'b', 'c', 'd'])!;
    const two = shareOf([true, true, ...Array<boolean>(6).fill(false)],
      ['a', 'a', 'b', 'b', 'c', 'c', 'd', 'd'])!;
    assert.deepEqual([two.value, two.low, two.high], [one.value, one.low, one.high]);
    assert.deepEqual([two.n, two.patients, two.count], [8, 4, 2]);
    assert.equal(shareOf([], []), null);
    assert.equal(shareOf([false], ['a'])!.high, 0.975);
  });
});
