import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { EchoVideo, echoVideoConfig, echoVideoInput } from '../../src/models/echo-video.ts';
import { rootPath } from '../../src/nn/path.ts';
import { noGrad, scope } from '../../src/tensor/memory.ts';
import { crossEntropy } from '../../src/tensor/ops.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { expectNoLeaks } from '../support/leaks.ts';
import { data, deviation, fill, type Summary } from '../support/reference-fill.ts';

const golden = JSON.parse(
  readFileSync(new URL('../golden/echo-video.json', import.meta.url), 'utf8'),
) as {
  keys: Record<string, number[]>;
  features: Summary; phase: Summary; ejection: Summary; view: Summary;
  loss: number;
  gradients: Record<string, Summary>;
};

expectNoLeaks();

test('the video network is the reference, forward and backward', () => {
  const path = rootPath();
  const config = echoVideoConfig.parse({ size: 16, widths: [4, 6], groups: 2 });
  const network = new EchoVideo(path, config);
  const keys = [...path.state()].map(([key, value]) => [key, value.shape] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  assert.deepEqual(keys, Object.entries(golden.keys));
  fill(path.state());
  scope(() => {
    const x = echoVideoInput(data('clips', 2, 1, 5, 20, 24).abs().clamp(0, 1), 16);
    const { phase, ejection, view } = network.call(x);
    assert.equal(network.dimension, 12);
    assert.ok(deviation(network.features(x), golden.features) < 1e-4);
    assert.ok(deviation(phase, golden.phase) < 1e-4);
    assert.ok(deviation(ejection, golden.ejection) < 1e-4);
    assert.ok(deviation(view, golden.view) < 1e-4);
    const loss = phase.square().mean().add(ejection.square().mean())
      .add(crossEntropy(view, tensor(BigInt64Array.from([0n, 1n]))));
    assert.ok(Math.abs(loss.item() - golden.loss) < 1e-4 * golden.loss, `${loss.item()}`);
    loss.backward();
    for (const [key, gradient] of Object.entries(golden.gradients)) {
      const error = deviation(path.parameters().get(key)!.grad!, gradient);
      assert.ok(error < 5e-4, `${key} deviates by ${error}`);
    }
  });
  path.dispose();
});

test('the default network is small, and says what clips it takes', () => {
  const path = rootPath();
  const network = new EchoVideo(path, echoVideoConfig.parse({}));
  const count = [...path.parameters().values()].reduce((sum, { numel }) => sum + numel, 0);
  assert.ok(4 * count < 1e6, `${count} parameters are below 1 MB`);
  scope(() => noGrad(() => {
    const small = echoVideoInput(data('small', 1, 1, 4, 32, 32).abs().clamp(0, 1), 64);
    assert.deepEqual(network.features(small).shape, [1, 64]);
    assert.throws(() => network.call(small.narrow(2, 0, 1)), /at least 2 frames, got 1x1x1x64x64/);
    assert.throws(() => network.call(small.narrow(3, 0, 32)), /64, 64.* got 1x1x4x32x64/);
    assert.throws(() => echoVideoInput(data('rgb', 1, 3, 4, 8, 8), 64), /\(n, 1, f, h, w\), got 1x3/);
  }));
  path.dispose();
});
