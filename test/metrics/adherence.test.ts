import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { floatFrames, labelFrames } from '../../src/frames/frames.ts';
import { randomStream } from '../../src/frames/random.ts';
import { ejectionFraction, ventricularVolume } from '../../src/metrics/ejection-fraction.ts';
import { hausdorffDistance } from '../../src/metrics/hausdorff.ts';
import { areaRoughness, temporalRoughness } from '../../src/metrics/smoothness.ts';

const golden = JSON.parse(
  readFileSync(new URL('../golden/hausdorff.json', import.meta.url), 'utf8'),
) as {
  a: number[]; b: number[];
  distances: Record<string, { most: number; percentile95: number }>;
};

test('the Hausdorff distance is medpy\'s, largest and 95th percentile', () => {
  const [a, b] = [golden.a, golden.b].map((data) => labelFrames(2, 24, 30, Uint8Array.from(data)));
  for (const [label, wanted] of Object.entries(golden.distances)) {
    const found = hausdorffDistance(a, b, Number(label), 0.7)!;
    for (const name of ['most', 'percentile95'] as const) {
      assert.ok(Math.abs(found[name] - wanted[name]) < 1e-9, `${label} ${name} ${found[name]}`);
    }
  }
  assert.deepEqual(hausdorffDistance(a, a, 1), { most: 0, percentile95: 0 });
});

test('a label that only one has is a diagonal away; one that neither has is no distance', () => {
  const none = labelFrames(1, 30, 40);
  const some = labelFrames(1, 30, 40);
  some.data[605] = 1;
  assert.deepEqual(hausdorffDistance(some, none, 1, 2), { most: 100, percentile95: 100 });
  assert.equal(hausdorffDistance(none, some, 3), null);
  assert.throws(() => hausdorffDistance(some, labelFrames(1, 40, 30), 1), /one shape.*1x1x40x30/);
});

/** Half an ellipse (the cavity, apex up) on a box (the atrium), turned about the annulus. */
function ventricle(length: number, radius: number, angle = 0): Uint8Array {
  const side = 128;
  return Uint8Array.from({ length: side * side }, (_, i) => {
    const [dx, dy] = [(i % side) - 63.5, 80 - Math.floor(i / side)];
    const [across, up] = [dx * Math.cos(angle) + dy * Math.sin(angle),
      dy * Math.cos(angle) - dx * Math.sin(angle)];
    if (up >= 0 && (up / length) ** 2 + (across / radius) ** 2 < 1) return 1;
    return up < 0 && up > -20 && Math.abs(across) < radius ? 3 : 0;
  });
}

test('half an ellipsoid has its volume by both methods, however it lies', () => {
  for (const angle of [0, 0.3, -0.5]) {
    const volume = ventricularVolume(ventricle(60, 25, angle), 128, 128, 0.8)!;
    const truth = 0.8 ** 3 * (2 / 3) * Math.PI * 25 ** 2 * 60;
    for (const [name, value] of Object.entries(volume)) {
      assert.ok(Math.abs(value / truth - 1) < 0.03, `${name} at ${angle}: ${value} of ${truth}`);
    }
  }
});

test('the ejection fraction of two half ellipsoids is that of their formula', () => {
  const labels = labelFrames(2, 128, 128,
    Uint8Array.from([...ventricle(50, 18, 0.2), ...ventricle(60, 25, 0.2)]));
  const truth = 100 * (1 - (18 ** 2 * 50) / (25 ** 2 * 60));
  const found = ejectionFraction(labels, 1, 0)!;
  assert.ok(Math.abs(found.areaLength - truth) < 1.5, `${found.areaLength} of ${truth}`);
  assert.ok(Math.abs(found.discs - truth) < 1.5, `${found.discs} of ${truth}`);
  const speck = labels.data.slice();
  speck[128 * 128 + 3 * 128 + 3] = 1; // far from the cavity: no apex
  const again = ejectionFraction({ ...labels, data: speck }, 1, 0)!;
  assert.deepEqual(again, found);
});

test('without a cavity or an atrium there is no volume', () => {
  const whole = ventricle(60, 25);
  assert.equal(ventricularVolume(whole.map((label) => (label === 3 ? 0 : label)), 128, 128), null);
  assert.equal(ventricularVolume(new Uint8Array(128 * 128), 128, 128), null);
  const frames = labelFrames(2, 128, 128);
  frames.data.set(whole);
  assert.equal(ejectionFraction(frames, 0, 1), null);
});

test('roughness: a line 0, a sine its formula, alternation 4, white noise 3, rest null', () => {
  const size = 64;
  const inside = new Uint8Array(size).fill(1);
  const video = (frames: number, of: (t: number, i: number) => number) => floatFrames(
    { channels: 1, frames, height: 8, width: 8 },
    Float32Array.from({ length: frames * size }, (_, i) => of(Math.floor(i / size), i % size)));
  const rough = (frames: number, of: (t: number, i: number) => number) =>
    temporalRoughness(video(frames, of), inside);
  assert.ok(rough(9, (t, i) => 0.01 * t * (i % 3))! < 1e-9);
  assert.ok(Math.abs(rough(9, (t) => t % 2)! - 4) < 1e-9);
  const w = (2 * Math.PI) / 16;
  const wave = rough(64, (t, i) => 0.5 + 0.4 * Math.sin(w * t + i))!;
  assert.ok(Math.abs(wave - 4 * Math.sin(w / 2) ** 2) < 0.01, `${wave}`);
  const stream = randomStream('roughness', 1);
  const noise = rough(40, () => stream.normal())!;
  assert.ok(Math.abs(noise - 3) < 0.2, `${noise}`);
  assert.equal(rough(5, () => 0.5), null);
  assert.equal(rough(2, (t) => t), null);
  assert.throws(() => rough(4, () => Number.NaN), /finite pixels, got NaN/);
});

test('roughness of an area', () => {
  const grow = labelFrames(4, 2, 4);
  [1, 2, 3, 4].forEach((count, t) => grow.data.fill(1, t * 8, t * 8 + count));
  assert.equal(areaRoughness(grow, 1), 0);
  assert.equal(areaRoughness(grow, 2), null);
});
