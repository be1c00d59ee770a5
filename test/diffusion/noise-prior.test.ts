import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { correlateFrames, gatherNoise, noiseCorrelation, noiseTravel } from '../../src/diffusion/noise-prior.ts';
import { scope } from '../../src/tensor/memory.ts';
import { noise } from '../../src/tensor/random.ts';
import { tensor } from '../../src/tensor/tensor.ts';
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

const golden = JSON.parse(
  readFileSync(new URL('../golden/noise-warp.json', import.meta.url), 'utf8'));

test('gathers white noise along the material as numpy does', () => {
  const [f, height, width] = golden.shape;
  const fine = Float32Array.from({ length: f * 2 * height * width }, (_, i) => Math.sin(1.7 * i));
  const grid = [height / golden.cell, width / golden.cell] as const;
  const got = scope(() => gatherNoise(
    tensor(fine, [f, 2, height, width]), noiseTravel(Int32Array.from(golden.origins), golden.shape, grid),
    grid).toFloat32());
  got.forEach((value, i) => assert.ok(Math.abs(value - golden.gathered[i]) < 1e-5, `${i}: ${value}`));
});

const [side, cell] = [64, 4];
const grid = side / cell;

/** Frame 1 of two, whose material came from `from`; frame 0 as drawn. Of 40 channels. */
function carried(from: (x: number, y: number) => [number, number]): [Float32Array, Float32Array] {
  const at = (value: number) => Math.min(Math.max(Math.round(value), 0), side - 1);
  const origins = Int32Array.from({ length: 2 * side * side }, (_, i) => {
    const [x, y] = [i % side, Math.floor(i / side) % side];
    const [ox, oy] = i < side * side ? [x, y] : from(x, y);
    return at(oy) * side + at(ox);
  });
  const all = scope(() => {
    const fine = noise(5, ['fine'], [1, 40, side, side]).expand([2, 40, side, side]);
    return gatherNoise(fine, noiseTravel(origins, [2, side, side], [grid, grid]), [grid, grid]).toFloat32();
  });
  return [all.subarray(0, all.length / 2), all.subarray(all.length / 2)];
}

const shift = (x: Float32Array, by: number) => Float32Array.from(x, (_, i) => x[Math.max(i - by, 0)]);

test('carried noise moves with its material, by cells and by fractions of cells', () => {
  const [before, cells] = carried((x, y) => [x - cell, y]);
  const inner = (x: Float32Array) => x.filter((_, i) => i % grid > 1);
  assert.deepEqual(inner(cells), inner(shift(before, 1)));
  const [, quarter] = carried((x, y) => [x - cell / 4, y]);
  const near = (got: number, expected: number) => assert.ok(Math.abs(got - expected) < 0.03, `${got}, not ${expected}`);
  near(correlation(inner(before), inner(quarter)), 0.75);
  near(correlation(inner(shift(before, 1)), inner(quarter)), 0.25);
});

test('carried noise stays standard normal and white where the material turns, shrinks or spreads', () => {
  const about = (scale: number, angle: number) => carried((x, y) => {
    const [u, v] = [x - side / 2, y - side / 2];
    return [
      side / 2 + scale * (u * Math.cos(angle) - v * Math.sin(angle)),
      side / 2 + scale * (u * Math.sin(angle) + v * Math.cos(angle)),
    ];
  })[1];
  for (const [scale, angle] of [[1, 0.3], [0.8, 0], [1.2, 0.1], [0.6, 0.2]]) {
    const x = about(scale, angle).filter((_, i) => i % grid > 3 && i % grid < 12 && (Math.floor(i / grid) % grid) > 3);
    const variance = x.reduce((sum, value) => sum + value * value, 0) / x.length;
    assert.ok(Math.abs(variance - 1) < 0.05, `${scale}, ${angle}: variance ${variance}`);
    const neighbours = correlation(x, shift(x, 1));
    assert.ok(Math.abs(neighbours) < 0.08, `${scale}, ${angle}: neighbours correlate by ${neighbours}`);
  }
});

test('nothing that moves: the same noise as that of the grid', () => {
  scope(() => {
    const fine = noise(2, ['fine'], [3, 2, 8, 8]);
    const still = Int32Array.from({ length: 3 * 64 }, (_, i) => i % 64);
    const [a, b] = [gatherNoise(fine, null, [2, 2]).toFloat32(), gatherNoise(fine, noiseTravel(still, [3, 8, 8], [2, 2]), [2, 2]).toFloat32()];
    a.forEach((value, i) => assert.ok(Math.abs(value - b[i]) < 1e-6));
  });
});
