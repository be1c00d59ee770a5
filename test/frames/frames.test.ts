import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  byteFrames,
  checkFrames,
  checkLabels,
  floatFrames,
  frameAt,
  joinFrames,
  labelFrames,
  plane,
  reverseFrames,
  selectChannels,
  selectFrames,
} from '../../src/frames/frames.ts';

const shape = { channels: 2, frames: 3, height: 1, width: 2 };
const picture = floatFrames(
  shape,
  Float32Array.from({ length: 12 }, (_, i) => i),
);

test('frames are selected, reversed and joined channel by channel', () => {
  assert.deepEqual(
    [...selectFrames(picture, [2, 0, 2]).data],
    [4, 5, 0, 1, 4, 5, 10, 11, 6, 7, 10, 11],
  );
  assert.deepEqual([...reverseFrames(picture).data], [4, 5, 2, 3, 0, 1, 10, 11, 8, 9, 6, 7]);
  assert.deepEqual([...selectChannels(picture, [1]).data], [6, 7, 8, 9, 10, 11]);
  const joined = joinFrames([frameAt(picture, 1), frameAt(picture, 0)]);
  assert.deepEqual([...joined.data], [2, 3, 0, 1, 8, 9, 6, 7]);
  assert.equal(joined.frames, 2);
});

test('a plane shares memory and a selection does not', () => {
  const copy = selectFrames(picture, [0, 1, 2]);
  plane(copy, 1, 2)[0] = -1;
  assert.equal(copy.data[10], -1);
  assert.equal(picture.data[10], 10);
});

test('bytes stay bytes', () => {
  const bytes = byteFrames({ channels: 1, frames: 2, height: 1, width: 1 }, Uint8Array.of(7, 9));
  assert.ok(reverseFrames(bytes).data instanceof Uint8Array);
});

test('what is wrong with a picture is one sentence', () => {
  const said = (action: () => unknown) => {
    try {
      action();
    } catch (error) {
      return (error as Error).message;
    }
    return 'nothing';
  };
  assert.equal(
    said(() => floatFrames({ ...shape, width: 0 }, undefined, 'mask.png')),
    'mask.png: expected positive whole sizes (channels x frames x height x width), got 2x3x1x0',
  );
  assert.equal(
    said(() => floatFrames(shape, new Float32Array(5), 'a')),
    'a: expected 12 values for 2x3x1x2, got 5',
  );
  const holed = floatFrames(shape);
  holed.data[9] = NaN;
  assert.equal(
    said(() => checkFrames(holed, 'v')),
    'v: expected finite pixels, got NaN at frame 1, x 1, y 0',
  );
  assert.equal(
    said(() => checkFrames(picture, 'v', { channels: 1 })),
    'v: expected channels 1, got 2 (2x3x1x2)',
  );
  assert.equal(
    said(() => checkFrames(picture, 'v', { minimum: 0, maximum: 1 })),
    'v: expected pixels in 0..1, got 2 at frame 1, x 0, y 0',
  );
  assert.equal(
    said(() => checkLabels(labelFrames(1, 1, 2, Uint8Array.of(0, 9)), [0, 1], 'm')),
    'm: expected labels 0, 1, got 9 at frame 0, x 1, y 0',
  );
  assert.match(
    said(() => plane(picture, 0, 3)),
    /frame below 3, got channel 0, frame 3/,
  );
  assert.match(
    said(() => joinFrames([])),
    /expected at least one picture, got none/,
  );
  assert.match(
    said(() => joinFrames([picture, floatFrames({ ...shape, width: 1 })])),
    /expected every picture like the first \(2x3x1x2\), got 2x3x1x1 at number 1/,
  );
});
