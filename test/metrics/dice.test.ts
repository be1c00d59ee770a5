import assert from 'node:assert/strict';
import { test } from 'node:test';
import { byteFrames } from '../../src/frames/frames.ts';
import { dice, diceOfFrames } from '../../src/metrics/dice.ts';

const shape = { channels: 1, frames: 2, height: 2, width: 2 };
const a = byteFrames(shape, Uint8Array.of(1, 1, 2, 0, 1, 0, 0, 0));
const b = byteFrames(shape, Uint8Array.of(1, 0, 2, 2, 0, 0, 0, 0));

test('dice is twice the overlap over the sum of sizes', () => {
  assert.equal(dice(a, b, 1), (2 * 1) / (3 + 1));
  assert.equal(dice(a, b, 2), 2 / 3);
  assert.equal(dice(a, a, 0), 1);
});

test('dice is 1 where neither has the label, 0 where only one has it', () => {
  assert.equal(dice(a, b, 3), 1);
  assert.deepEqual(diceOfFrames(a, b, 1), [2 / 3, 0]);
  assert.deepEqual(diceOfFrames(a, b, 2), [2 / 3, 1]);
});

test('labels of two shapes are told', () => {
  const other = byteFrames({ ...shape, frames: 1 });
  assert.throws(() => dice(a, other, 1), /one shape, got 1x2x2x2 and 1x1x2x2/);
  assert.throws(() => diceOfFrames(a, other, 1), /one shape/);
});
