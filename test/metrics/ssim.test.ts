import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { floatFrames } from '../../src/frames/frames.ts';
import type { Frames } from '../../src/frames/frames.ts';
import { psnr } from '../../src/metrics/psnr.ts';
import { ssim, ssimVariants } from '../../src/metrics/ssim.ts';
import type { SsimVariant } from '../../src/metrics/ssim.ts';
import { uniform } from '../support/reference-fill.ts';

type Values = Record<SsimVariant, number>;
// Printed by test/golden/ssim.py.
const golden = JSON.parse(
  readFileSync(new URL('../golden/ssim.json', import.meta.url), 'utf8'),
) as {
  far: Values; near: Values; bytes: Values; measured: number;
  psnr: { frames: number; clip: number; bytes: number };
};

const [frames, height, width] = [3, 23, 30];
const variants = Object.keys(ssimVariants) as SsimVariant[];

/** ssim.py's clip. */
function clip(k: number): Frames {
  const noise = uniform(`clip ${k}`, [frames, height, width]);
  const values = Float32Array.from(noise, (n, i) => {
    const [x, y] = [i % width, Math.floor(i / width) % height];
    const t = Math.floor(i / (width * height));
    const wave = Math.sin(0.31 * x + 0.17 * y + 0.5 * t + k) * Math.cos(0.23 * y - 0.11 * x);
    return Math.min(1, Math.max(0, 0.5 + 0.3 * wave + 0.15 * n));
  });
  return floatFrames({ channels: 1, frames, height, width }, values);
}

const map = (picture: Frames, of: (value: number, i: number) => number): Frames =>
  ({ ...picture, data: picture.data.map(of) });
const [a, b] = [clip(0), clip(1)];
const mixed = map(a, (value, i) => 0.8 * value + 0.2 * b.data[i]);
const [bytesA, bytesMixed] = [a, mixed].map((picture) => map(picture, (v) => Math.round(255 * v)));

const close = (got: number, wanted: number, tolerance: number, what: string) =>
  assert.ok(Math.abs(got - wanted) <= tolerance, `${what}: expected ${wanted}, got ${got}`);

describe('ssim', () => {
  for (const variant of variants) {
    it(`${variant} is the reference's`, () => {
      close(ssim(a, b, { variant }), golden.far[variant], 1e-7, 'far');
      close(ssim(a, mixed, { variant }), golden.near[variant], 1e-7, 'near');
      const dataRange = 255;
      close(ssim(bytesA, bytesMixed, { variant, dataRange }), golden.bytes[variant], 1e-7, '255');
    });
  }

  it('tells all variants apart, and wang is the default', () => {
    const values = variants.map((variant) => ssim(a, mixed, { variant }));
    assert.equal(ssim(a, mixed), values[variants.indexOf('wang')]);
    const sorted = [...values].sort();
    for (let i = 1; i < sorted.length; i++) assert.ok(sorted[i] - sorted[i - 1] > 5e-6, `${sorted}`);
  });

  it('measures the range as torchmetrics does, for torchmetrics alone', () => {
    const [p, q] = [a, mixed].map((picture) => map(picture, (v) => 0.25 + 0.5 * v));
    const measured = ssim(p, q, { variant: 'torchmetrics', dataRange: 'measured' });
    close(measured, golden.measured, 1e-6, 'measured');
    assert.ok(Math.abs(measured - ssim(p, q, { variant: 'torchmetrics' })) > 1e-3);
    assert.throws(() => ssim(p, q, { dataRange: 'measured' }), /number as data range of wang/);
    const flat = map(a, () => 0.5);
    const flatOptions = { variant: 'torchmetrics', dataRange: 'measured' } as const;
    assert.throws(() => ssim(flat, flat, flatOptions), /got flat/);
  });

  it('is 1 for equal pictures, also flat ones, and the same both ways round', () => {
    for (const variant of variants) {
      close(ssim(a, a, { variant }), 1, 1e-12, variant);
      const flat = map(a, () => 0.3);
      close(ssim(flat, flat, { variant }), 1, 1e-9, variant);
      close(ssim(a, b, { variant }), ssim(b, a, { variant }), 1e-12, variant);
    }
  });

  it('is the mean over frames', () => {
    const size = height * width;
    const one = (picture: Frames, t: number) => floatFrames(
      { channels: 1, frames: 1, height, width }, picture.data.slice(t * size, (t + 1) * size));
    for (const variant of variants) {
      const each = [0, 1, 2].map((t) => ssim(one(a, t), one(mixed, t), { variant }));
      close(ssim(a, mixed, { variant }), (each[0] + each[1] + each[2]) / 3, 1e-12, variant);
    }
  });

  it('refuses what it cannot compare', () => {
    assert.throws(() => ssim(a, b, { variant: 'gaussian' as SsimVariant }), /got gaussian/);
    assert.throws(() => ssim(a, b, { variant: 'toString' as SsimVariant }), /got toString/);
    assert.throws(() => ssim(bytesA, bytesMixed), /first picture: .*got \d+ at frame 0/);
    assert.throws(() => ssim(a, b, { dataRange: 0 }), /range above 0, got 0/);
    assert.throws(() => ssim(a, b, { dataRange: Number.NaN }), /range above 0, got NaN/);
    const small = floatFrames({ channels: 1, frames: 1, height: 8, width: 40 });
    assert.equal(ssim(small, small, { variant: 'scikit-image' }), 1);
    assert.throws(() => ssim(small, small), /at least 11, got 1x1x8x40/);
  });
});

describe('psnr', () => {
  it("is scikit-image's frame by frame, torchmetrics' over the clip", () => {
    close(psnr(a, mixed), golden.psnr.frames, 1e-6, 'frames');
    // torchmetrics takes the logarithm of 10 in float32
    close(psnr(a, mixed, { over: 'clip' }), golden.psnr.clip, 5e-6, 'clip');
    const options = { over: 'clip', dataRange: 255 } as const;
    close(psnr(bytesA, bytesMixed, options), golden.psnr.bytes, 1e-5, 'bytes');
    assert.ok(psnr(a, mixed) > psnr(a, mixed, { over: 'clip' }));
  });

  it('is 20 dB for a difference of a tenth, infinite for none', () => {
    const zero = map(a, () => 0);
    close(psnr(zero, map(a, () => 0.1)), 20, 1e-5, 'a tenth');
    assert.equal(psnr(a, a), Infinity);
    const half = map(a, (value, i) => (i < height * width ? value : 1 - value));
    assert.equal(psnr(a, half), Infinity);
    assert.ok(Number.isFinite(psnr(a, half, { over: 'clip' })));
  });

  it('refuses what it cannot compare', () => {
    const broken = map(b, (value, i) => (i === 7 ? Number.NaN : value));
    assert.throws(() => psnr(a, broken), /psnr: second picture: .*NaN at frame 0, x 7, y 0/);
    assert.throws(() => psnr(bytesA, bytesMixed), /psnr: first picture/);
    assert.throws(() => psnr(a, b, { over: 'pixels' as 'clip' }), /frames or clip, got pixels/);
    assert.throws(() => psnr(a, b, { dataRange: -1 }), /range above 0, got -1/);
  });
});
