import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { randomStream } from '../../src/frames/random.ts';

const golden = JSON.parse(
  readFileSync(new URL('../golden/random-stream.json', import.meta.url), 'utf8'),
) as { key: (string | number)[]; uniform: number[]; normal: number[]; integer: number[] }[];

test('a stream prints the numbers of the reference program', () => {
  for (const row of golden) {
    const uniform = randomStream(...row.key);
    assert.deepEqual(row.uniform.map(() => uniform.uniform()), row.uniform);
    const normal = randomStream(...row.key);
    for (const expected of row.normal) {
      assert.ok(Math.abs(normal.normal() - expected) < 1e-12);
    }
    const integer = randomStream(...row.key);
    assert.deepEqual(row.integer.map(() => integer.integer(10)), row.integer);
  }
});

test('streams of different keys are unrelated, and types and borders of a key count', () => {
  const keys: (string | number)[][] = [[1], ['1'], ['ab', 'c'], ['a', 'bc'], [1, 2], [2, 1]];
  const starts = new Set(keys.map((key) => randomStream(...key).uniform()));
  assert.equal(starts.size, keys.length);
  const a = randomStream('a', 1);
  const b = randomStream('a', 2);
  let sum = 0;
  for (let i = 0; i < 20000; i++) sum += a.normal() * b.normal();
  assert.ok(Math.abs(sum / 20000) < 0.03, `correlation ${sum / 20000}`);
});

test('moments are those of the distributions', () => {
  const stream = randomStream('moments');
  let mean = 0;
  let square = 0;
  let fourth = 0;
  const n = 50000;
  for (let i = 0; i < n; i++) {
    const x = stream.normal();
    mean += x / n;
    square += (x * x) / n;
    fourth += x ** 4 / n;
  }
  assert.ok(Math.abs(mean) < 0.02 && Math.abs(square - 1) < 0.03 && Math.abs(fourth - 3) < 0.15);
  const counts = new Array<number>(7).fill(0);
  for (let i = 0; i < n; i++) counts[stream.integer(7)]++;
  for (const count of counts) assert.ok(Math.abs(count - n / 7) < 5 * Math.sqrt(n / 7));
});

test('bad keys and ranges are named', () => {
  assert.throws(() => randomStream(Number.NaN), /finite numbers in the key, got NaN/);
  assert.throws(() => randomStream('x').integer(0), /1\.\.2\^32, got 0/);
  assert.throws(() => randomStream('x').integer(2.5), /got 2\.5/);
});
