import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { followMaterial } from '../../src/conditions/material.ts';
import type { Frames } from '../../src/frames/frames.ts';

const golden = JSON.parse(
  readFileSync(new URL('../golden/noise-warp.json', import.meta.url), 'utf8'));

function flowOf(
  [frames, height, width]: readonly number[], at: (x: number, y: number, t: number) => [number, number],
): Frames {
  const size = height * width;
  const data = new Float32Array(2 * frames * size);
  for (let t = 0; t < frames; t++) {
    for (let i = 0; i < size; i++) {
      const [dx, dy] = at(i % width, Math.floor(i / width), t);
      data[t * size + i] = dx / Math.max(height, width);
      data[(frames + t) * size + i] = dy / Math.max(height, width);
    }
  }
  return { channels: 2, frames, height, width, data };
}

const still = (frames: number, size: number) => Array.from({ length: frames * size }, (_, i) => i % size);

test('follows a smooth flow back as scipy does', () => {
  const [frames, height, width] = golden.shape;
  const flow = { channels: 2, frames, height, width, data: Float32Array.from(golden.flow) };
  const origins = followMaterial(flow);
  const far = origins.filter((got, i) => {
    const expected = golden.origins[i];
    return Math.abs(got % width - expected % width) > 1
      || Math.abs(Math.floor(got / width) - Math.floor(expected / width)) > 1;
  });
  const other = origins.filter((got, i) => got !== golden.origins[i]);
  assert.equal(far.length, 0);
  // three steps of the inversion leave a tenth of a pixel, which now and then rounds the other way
  assert.ok(other.length < 0.03 * origins.length, `${other.length} of ${origins.length}`);
});

test('material that drifts by fractions of a pixel arrives after whole ones', () => {
  const shape = [5, 6, 20];
  const origins = followMaterial(flowOf(shape, () => [0.75, 0]));
  for (let t = 0; t < 5; t++) {
    for (let x = 4; x < 20; x++) assert.equal(origins[t * 120 + 20 + x] - 20, Math.round(x - 0.75 * t), `${t}, ${x}`);
    assert.equal(origins[t * 120 + 20], 20, 'what comes in from outside is the border');
  }
  assert.deepEqual(followMaterial(flowOf(shape, () => [0.75, 0]), 2), followMaterial(flowOf(shape, () => [1.5, 0])));
});

test('nothing moves without flow, without strength, or in one frame', () => {
  const flow = flowOf([3, 4, 5], (x, y) => [x - y, 2]);
  assert.deepEqual([...followMaterial(flow, 0)], still(3, 20));
  assert.deepEqual([...followMaterial(flowOf([3, 4, 5], () => [0, 0]))], still(3, 20));
  assert.deepEqual([...followMaterial(flowOf([1, 4, 5], (x) => [x, 9]))], still(1, 20));
});

test('stays inside the picture whatever the flow says', () => {
  for (const wild of [1e3, 1e30, -1e30]) {
    const origins = followMaterial(flowOf([4, 7, 9], (x, y, t) => [wild * (x - 4), wild * (t - y)]));
    assert.ok(origins.every((at) => at >= 0 && at < 63), `${wild}`);
  }
});
