/** Distances, smoothing, splines and colours against test/golden/conditions.py. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import { findComponents, tidyComponents } from '../../src/conditions/components.ts';
import { signedDistance } from '../../src/conditions/distance.ts';
import { flowColour } from '../../src/conditions/painting.ts';
import { lineLength, resampleLine, smoothLine } from '../../src/conditions/polyline.ts';
import { findSector } from '../../src/conditions/sector.ts';
import { slopePlanes, smoothPlane } from '../../src/conditions/smoothing.ts';
import { samplePlane } from '../../src/frames/sample-plane.ts';
import { thinPlateWarp } from '../../src/conditions/thin-plate.ts';
import { randomStream } from '../../src/frames/random.ts';

const golden = JSON.parse(
  readFileSync(new URL('../golden/conditions.json', import.meta.url), 'utf8'),
);

function near(got: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  assert.equal(got.length, expected.length);
  for (let i = 0; i < expected.length; i++) {
    const message = `${i}: ${got[i]} against ${expected[i]}`;
    assert.ok(Math.abs(got[i] - expected[i]) <= tolerance, message);
  }
}

it('measures signed distances as scipy does', () => {
  const { inside, signed } = golden.distance;
  near(signedDistance(Uint8Array.from(inside), 11, 14), signed, 1e-5);
});

it('measures distances of random shapes as a search over all pixels does', () => {
  const random = randomStream('distance');
  for (let round = 0; round < 8; round++) {
    const [height, width] = [1 + random.integer(12), 1 + random.integer(12)];
    const inside = Uint8Array.from({ length: height * width }, () => +(random.uniform() < 0.4));
    const got = signedDistance(inside, height, width);
    for (let i = 0; i < inside.length; i++) {
      let nearest = Infinity;
      for (let j = 0; j < inside.length; j++) {
        if (inside[j] === inside[i]) continue;
        const dx = (i % width) - (j % width);
        const dy = Math.floor(i / width) - Math.floor(j / width);
        nearest = Math.min(nearest, Math.hypot(dx, dy) - 0.5);
      }
      const expected = Math.min(nearest, height + width) * (inside[i] ? 1 : -1);
      assert.ok(Math.abs(got[i] - expected) < 1e-5);
    }
  }
});

it('smooths as scipy does', () => {
  const values = Float32Array.from(golden.distance.inside as number[]);
  for (const [sigma, expected] of Object.entries(golden.gaussian)) {
    near(smoothPlane(values, 11, 14, Number(sigma)), expected as number[], 1e-5);
  }
  assert.deepEqual(smoothPlane(values, 11, 14, 0), values);
});

it('samples between pixels and measures slopes', () => {
  const ramp = Float32Array.from({ length: 30 }, (_, i) => 2 * (i % 6) - 3 * Math.floor(i / 6));
  assert.ok(Math.abs(samplePlane(ramp, 5, 6, 2.25, 1.5) - (4.5 - 4.5)) < 1e-6);
  assert.equal(samplePlane(ramp, 5, 6, -4, 9), -12);
  assert.equal(samplePlane(Float32Array.of(7), 1, 1, 0.3, 0.2), 7);
  const slopes = slopePlanes(ramp, 5, 6);
  assert.ok(slopes.x.every((slope) => slope === 2) && slopes.y.every((slope) => slope === -3));
});

it('bends the plane as scipy does', () => {
  const { from, to, asked, maps } = golden.thin_plate;
  const points = (list: number[][]) => list.map(([x, y]) => ({ x, y }));
  for (const [stiffness, expected] of Object.entries(maps)) {
    const warp = thinPlateWarp(points(from), points(to), Number(stiffness));
    const got = asked.flatMap(([x, y]: number[]) => {
      const point = warp(x, y);
      return [point.x, point.y];
    });
    near(got, expected as number[], 1e-4);
  }
});

it('falls back to a translation where points say no more', () => {
  const line = [0, 1, 2, 3].map((x) => ({ x, y: x }));
  const warp = thinPlateWarp(line, line.map(({ x, y }) => ({ x: x + 2, y: y - 1 })));
  assert.deepEqual(warp(10, 0), { x: 12, y: -1 });
  assert.deepEqual(thinPlateWarp([], [])(3, 4), { x: 3, y: 4 });
  assert.throws(() => thinPlateWarp(line, []), /expected 4 target points, got 0/);
});

it('colours flow as the Middlebury wheel does', () => {
  golden.wheel.flows.forEach(([u, v]: number[], i: number) => {
    near(flowColour(u, v), golden.wheel.colours[i], 1);
  });
});

it('spaces points evenly along a line and smooths between its ends', () => {
  const corner = [{ x: 0, y: 0 }, { x: 4, y: 0 }, { x: 4, y: 4 }];
  assert.equal(lineLength(corner), 8);
  assert.deepEqual(resampleLine(corner, 5), [
    { x: 0, y: 0 }, { x: 2, y: 0 }, { x: 4, y: 0 }, { x: 4, y: 2 }, { x: 4, y: 4 },
  ]);
  const smooth = smoothLine(corner, 3);
  assert.deepEqual([smooth[0], smooth[2]], [corner[0], corner[2]]);
  assert.ok(smooth[1].x < 4 && smooth[1].y > 0);
});

it('finds pieces, and tidies only what the models do not have', () => {
  const labels = Uint8Array.from([
    2, 2, 2, 2, 2, 2, 2, 0, 0, 0,
    2, 1, 1, 1, 1, 0, 2, 0, 3, 0,
    2, 1, 1, 1, 1, 1, 2, 0, 0, 0,
    2, 1, 1, 1, 1, 1, 2, 0, 0, 0,
    2, 3, 3, 3, 3, 3, 2, 0, 0, 0,
    0, 3, 3, 3, 3, 3, 0, 0, 0, 0,
    0, 3, 3, 3, 3, 3, 0, 0, 0, 0,
    0, 3, 3, 3, 3, 3, 0, 0, 0, 0,
  ]);
  assert.equal(findComponents(labels.map((label) => +(label === 3)), 8, 10).sizes.length - 1, 2);
  const model = labels.slice();
  [model[15], model[18]] = [1, 0];
  const tidy = labels.slice();
  tidyComponents(tidy, 8, 10, [model]);
  assert.deepEqual(tidy, model.map((label, i) => (i === 15 ? tidy[15] : label)));
  assert.notEqual(tidy[15], 0);
  const kept = labels.slice();
  tidyComponents(kept, 8, 10, [labels]);
  assert.deepEqual(kept, labels);
});

it('finds the fan and leaves a full or a black picture alone', () => {
  const side = 64;
  const fan = Float32Array.from({ length: side * side }, (_, i) => {
    const [x, y] = [(i % side) - 32, Math.floor(i / side) - 4];
    const lit = Math.abs(x) <= y * 0.8 && Math.hypot(x, y) < 50;
    return lit ? 0.1 + 0.3 * ((x * 7 + y * 13) % 2) ** 2 : 0;
  });
  const inside = findSector(fan, side, side);
  const wrong = inside.filter((value, i) => value !== +(fan[i] > 0)).length;
  assert.ok(wrong < 0.04 * inside.length, `${wrong} pixels`);
  assert.ok(findSector(new Float32Array(100).fill(0.5), 10, 10).every((value) => value === 1));
  assert.ok(findSector(new Float32Array(100), 10, 10).every((value) => value === 0));
});
