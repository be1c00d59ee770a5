import assert from 'node:assert/strict';
import { test } from 'node:test';
import { progressiveNoise } from '../../src/diffusion/progressive-noise.ts';
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

test('progressive noise: every frame standard normal, neighbours correlate by alpha / sqrt(1 + alpha^2)', () => {
  for (const alpha of [0.5, 2]) {
    const rho = alpha / Math.sqrt(1 + alpha ** 2);
    const all = scope(() =>
      progressiveNoise(noise(3, ['clip'], [frames, numbers, 1, 1]), alpha).toFloat32());
    const frame = (i: number) => all.subarray(i * numbers, (i + 1) * numbers);
    for (let i = 0; i < frames; i++) {
      const mean = frame(i).reduce((a, b) => a + b, 0) / numbers;
      const variance = frame(i).reduce((a, b) => a + b * b, 0) / numbers;
      assert.ok(Math.abs(mean) < 0.03 && Math.abs(variance - 1) < 0.04, `frame ${i}: ${mean}, ${variance}`);
      for (let j = 0; j < i; j++) {
        const got = correlation(frame(j), frame(i));
        assert.ok(Math.abs(got - rho ** (i - j)) < 0.02, `frames ${j} and ${i}: ${got}, not ${rho ** (i - j)}`);
      }
    }
  }
});

test('alpha 0 and single pictures leave the noise as drawn', () => {
  scope(() => {
    const clip = noise(1, ['clip'], [4, 2, 3, 3]);
    assert.equal(progressiveNoise(clip, 0), clip);
    const picture = noise(1, ['picture'], [1, 2, 3, 3]);
    assert.equal(progressiveNoise(picture, 2), picture);
  });
});
