import assert from 'node:assert/strict';
import { test } from 'node:test';
import { correlateFrames, noiseCorrelation } from '../../src/diffusion/noise-prior.ts';
import { scope } from '../../src/tensor/memory.ts';
import { noise } from '../../src/tensor/random.ts';
import { expectNoLeaks } from '../support/leaks.ts';

expectNoLeaks();

const [frames, numbers] = [6, 40_000];

function correlation(a: Float32Array, b: Float32Array): number {
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += a[i] * b[i];
    aa += a[i] ** 2;
    bb += b[i] ** 2;
  }
  return ab / Math.sqrt(aa * bb);
}

test('correlations are the mixed and the progressive noise of PYoCo', () => {
  const near = (got: number, expected: number) => assert.ok(Math.abs(got - expected) < 1e-12, `${got}`);
  near(noiseCorrelation({ shared: 0, progressive: 2 }, 1), 2 / Math.sqrt(5));
  near(noiseCorrelation({ shared: 0, progressive: 2 }, 3), (2 / Math.sqrt(5)) ** 3);
  near(noiseCorrelation({ shared: 0.5, progressive: 0 }, 7), 0.5);
  near(noiseCorrelation({ shared: 0.25, progressive: 1 }, 2), 0.25 + 0.75 / 2);
});

test('every frame is standard normal, and frames correlate as told', () => {
  for (const config of [{ shared: 0, progressive: 2 }, { shared: 0.6, progressive: 0 }, { shared: 0.5, progressive: 0.7 }]) {
    const all = scope(() => correlateFrames(noise(3, ['clip'], [frames, numbers, 1, 1]), config).toFloat32());
    const frame = (i: number) => all.subarray(i * numbers, (i + 1) * numbers);
    for (let i = 0; i < frames; i++) {
      const mean = frame(i).reduce((a, b) => a + b, 0) / numbers;
      const variance = frame(i).reduce((a, b) => a + b * b, 0) / numbers;
      assert.ok(Math.abs(mean) < 0.03 && Math.abs(variance - 1) < 0.04, `frame ${i}: ${mean}, ${variance}`);
      for (let j = 0; j < i; j++) {
        const [got, expected] = [correlation(frame(j), frame(i)), noiseCorrelation(config, i - j)];
        assert.ok(Math.abs(got - expected) < 0.02, `frames ${j} and ${i}: ${got}, not ${expected}`);
      }
    }
  }
});

test('without correlation, and for single pictures, the noise stays as drawn', () => {
  scope(() => {
    const clip = noise(1, ['clip'], [4, 2, 3, 3]);
    assert.equal(correlateFrames(clip, { shared: 0, progressive: 0 }), clip);
    const picture = noise(1, ['picture'], [1, 2, 3, 3]);
    assert.equal(correlateFrames(picture, { shared: 0.5, progressive: 2 }), picture);
  });
});
