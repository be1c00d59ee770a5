import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { floatFrames, labelFrames } from '../../src/frames/frames.ts';
import {
  fromLetterbox,
  letterbox,
  letterboxFrames,
  letterboxLabels,
  letterboxSpacing,
  resizeFrames,
  resizeLabels,
  toLetterbox,
  unletterboxFrames,
  unletterboxLabels,
} from '../../src/frames/resize.ts';

const golden = JSON.parse(
  readFileSync(new URL('../golden/resize.json', import.meta.url), 'utf8'),
) as Record<string, number[]>;
const one = { channels: 1, frames: 1, height: 7, width: 10 };

function near(actual: ArrayLike<number>, expected: readonly number[], tolerance: number): void {
  assert.equal(actual.length, expected.length);
  expected.forEach((value, i) => {
    assert.ok(Math.abs(actual[i] - value) <= tolerance, `at ${i}: ${actual[i]} for ${value}`);
  });
}

test('shrinking is OpenCV INTER_AREA, growing INTER_LINEAR', () => {
  const picture = floatFrames(one, Float32Array.from(golden.picture));
  near(resizeFrames(picture, 3, 4).data, golden.shrunk, 2e-6);
  near(resizeFrames(picture, 9, 13).data, golden.grown, 2e-6);
});

test('labels are voted for by area when shrinking and nearest when growing', () => {
  const labels = labelFrames(1, 7, 10, Uint8Array.from(golden.labels));
  assert.deepEqual([...resizeLabels(labels, 3, 4).data], golden.voted);
  assert.deepEqual([...resizeLabels(labels, 9, 13).data], golden.larger);
});

test('resizing keeps constants, frames and channels apart', () => {
  const data = Float32Array.from({ length: 2 * 2 * 70 }, (_, i) => Math.floor(i / 70));
  const small = resizeFrames(floatFrames({ ...one, channels: 2, frames: 2 }, data), 3, 5);
  near(
    small.data,
    Array.from({ length: 60 }, (_, i) => Math.floor(i / 15)),
    1e-6,
  );
});

test('one pixel wide pictures grow', () => {
  const grown = resizeFrames(
    floatFrames({ ...one, height: 1, width: 1 }, Float32Array.of(0.5)),
    3,
    2,
  );
  near(grown.data, Array(6).fill(0.5), 1e-7);
});

test('a letterbox centres, keeps the shape of things and their spacing', () => {
  const box = letterbox(7, 10, 20);
  assert.deepEqual([box.side, box.left, box.top], [10, 0, 1]);
  assert.deepEqual(letterboxSpacing([0.3, 0.3], box), [0.15, 0.15]);
  const boxed = letterboxFrames(floatFrames(one, new Float32Array(70).fill(1)), box);
  const columns = Array.from({ length: 20 }, (_, y) => boxed.data[y * 20 + 10]);
  // 1 row of padding above and 2 below, doubled, and blended over half a row.
  near(columns, [0, 0.25, 0.75, ...Array(12).fill(1), 0.75, 0.25, 0, 0, 0], 1e-6);
});

test('points go to the letterbox and back', () => {
  const box = letterbox(389, 549, 128);
  const there = toLetterbox({ x: 274, y: 194 }, box);
  assert.ok(Math.abs(there.x - 63.5) < 1e-9 && Math.abs(there.y - 63.5) < 1e-9);
  const back = fromLetterbox(toLetterbox({ x: 3.25, y: 100.5 }, box), box);
  assert.ok(Math.abs(back.x - 3.25) < 1e-9 && Math.abs(back.y - 100.5) < 1e-9);
});

test('pixels twice as wide as high are made square first', () => {
  // A disc of 10 mm across; a tenth of 549 x 778 pixels of 0.308 x 0.154 mm, as CAMUS was recorded.
  const [width, height] = [55, 78];
  const box = letterbox(height, width, 110, [0.308, 0.154]);
  assert.deepEqual([box.squareHeight, box.squareWidth, box.side], [39, 55, 55]);
  const spacing = letterboxSpacing([0.308, 0.154], box);
  spacing.forEach((size) => assert.ok(Math.abs(size - 0.154) < 1e-9));
  const labels = labelFrames(1, height, width);
  for (let i = 0; i < labels.data.length; i++) {
    const [x, y] = [(i % width) * 0.308 - 8.3, Math.floor(i / width) * 0.154 - 6];
    labels.data[i] = Math.hypot(x, y) < 5 ? 1 : 0;
  }
  const round = letterboxLabels(labels, box).data;
  const rows = new Set<number>();
  const columns = new Set<number>();
  round.forEach((label, i) => {
    if (label === 1) {
      rows.add(Math.floor(i / 110));
      columns.add(i % 110);
    }
  });
  assert.ok(Math.abs(rows.size - 65) <= 3 && Math.abs(columns.size - 65) <= 3);
  const back = fromLetterbox(toLetterbox({ x: 12, y: 70 }, box), box);
  assert.ok(Math.abs(back.x - 12) < 1e-9 && Math.abs(back.y - 70) < 1e-9);
  assert.equal(unletterboxLabels(letterboxLabels(labels, box), box).height, height);
});

test('unletterboxing undoes letterboxing', () => {
  const box = letterbox(7, 10, 30);
  const labels = labelFrames(1, 7, 10, Uint8Array.from(golden.labels));
  assert.deepEqual(unletterboxLabels(letterboxLabels(labels, box), box).data, labels.data);
  const ramp = floatFrames(
    one,
    Float32Array.from({ length: 70 }, (_, i) => (i % 10) / 10),
  );
  const back = unletterboxFrames(letterboxFrames(ramp, box), box);
  for (let x = 1; x < 9; x++) assert.ok(Math.abs(back.data[30 + x] - x / 10) < 1e-6);
});

test('a picture of another size than the letterbox was made for is refused', () => {
  assert.throws(
    () => letterboxFrames(floatFrames(one), letterbox(8, 10, 4)),
    /expected a picture of 10 x 8 \(width x height\), got 10 x 7/,
  );
  assert.throws(() => letterbox(0, 4, 8), /positive whole sizes/);
});
