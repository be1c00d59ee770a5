import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { byteFrames, floatFrames } from '../../src/frames/frames.ts';
import { dice } from '../../src/metrics/dice.ts';
import {
  oneHotPlanes, segmentationLoss, Segmenter, segmenterConfig,
} from '../../src/metrics/segmenter.ts';
import { rootPath } from '../../src/nn/path.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { noGrad, scope } from '../../src/tensor/memory.ts';
import { expectNoLeaks } from '../support/leaks.ts';
import { data, deviation, fill, type Summary } from '../support/reference-fill.ts';

const { segmenter: golden } = JSON.parse(
  readFileSync(new URL('../golden/segmenter.json', import.meta.url), 'utf8'),
) as {
  segmenter: {
    keys: Record<string, number[]>;
    logits: Summary;
    loss: number;
    gradients: Record<string, Summary>;
  };
};

expectNoLeaks();

test('the segmenter and its loss are the reference, forward and backward', () => {
  const path = rootPath();
  const config = segmenterConfig.parse({ widths: [4, 6, 8], classes: 3, groups: 2 });
  const segmenter = new Segmenter(path, config);
  const keys = [...path.state()].map(([key, value]) => [key, value.shape]);
  assert.deepEqual(Object.fromEntries(keys), golden.keys);
  fill(path.state());
  const shape = { channels: 1, frames: 2, height: 8, width: 12 };
  const numbers = Uint8Array.from({ length: 192 }, (_, i) => Math.floor((i * 7) / 5) % 3);
  const labels = byteFrames(shape, numbers);
  scope(() => {
    const logits = segmenter.call(data('x', 2, 1, 8, 12));
    assert.ok(deviation(logits, golden.logits) < 1e-4);
    const loss = segmentationLoss(logits, tensor(oneHotPlanes(labels, 3), [2, 3, 8, 12]));
    assert.ok(Math.abs(loss.item() - golden.loss) < 1e-4 * golden.loss, `${loss.item()}`);
    loss.backward();
    for (const [key, gradient] of Object.entries(golden.gradients)) {
      const error = deviation(path.parameters().get(key)!.grad!, gradient);
      assert.ok(error < 2e-4, `${key} deviates by ${error}`);
    }
  });
  path.dispose();
});

test('the default segmenter has about half a million parameters', () => {
  const path = rootPath();
  const segmenter = new Segmenter(path, segmenterConfig.parse({}));
  const count = [...path.parameters().values()].reduce((sum, { numel }) => sum + numel, 0);
  assert.ok(count > 3e5 && count < 6e5, `${count}`);
  scope(() => noGrad(() => {
    assert.deepEqual(segmenter.call(data('x', 1, 1, 32, 48)).shape, [1, 4, 32, 48]);
    assert.throws(() => segmenter.call(data('x', 1, 1, 24, 32)), /divisible by 16, got 1x1x24x32/);
  }));
  path.dispose();
});

test('a video is segmented frame by frame, whatever the batch', () => {
  const path = rootPath({ seed: 5 });
  const segmenter = new Segmenter(path, segmenterConfig.parse({ widths: [8, 8], groups: 4 }));
  const shape = { channels: 1, frames: 5, height: 6, width: 4 };
  const video = floatFrames(shape, scope(() => data('video', 120).toFloat32()));
  const whole = segmenter.segment(video);
  assert.deepEqual(segmenter.segment(video, 2).data, whole.data);
  assert.ok(new Set(whole.data).size > 1, 'several labels occur');
  assert.equal(dice(whole, segmenter.segment(video, 3), 1), 1);
  const colour = floatFrames({ ...shape, channels: 2 });
  assert.throws(() => segmenter.segment(colour), /expected 1 channel, got 2/);
  path.dispose();
});

test('a label that is no class is told', () => {
  const shape = { channels: 1, frames: 1, height: 1, width: 3 };
  const labels = byteFrames(shape, Uint8Array.of(0, 3, 5));
  assert.throws(() => oneHotPlanes(labels, 4), /below 4, got 5 at voxel 2/);
  const two = byteFrames({ ...shape, width: 2 }, Uint8Array.of(1, 0));
  assert.deepEqual([...oneHotPlanes(two, 2)], [0, 1, 1, 0]);
});
