import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { contraction, opening, turning } from '../../src/data/phantom/cycle.ts';
import { backward, createHeart, forward, pose, swirl } from '../../src/data/phantom/motion.ts';
import { phantomPatient } from '../../src/data/phantom/parameters.ts';
import type { ViewParameters } from '../../src/data/phantom/patient.ts';
import { createProbe, formImage, beamPlanes, splat } from '../../src/data/phantom/probe.ts';
import { ventricleVolume } from '../../src/data/phantom/volume.ts';

const timing = { endSystole: 0.4, earlyFilling: 0.7 };

test('biplane volumes are those of the reference program', () => {
  const rows = JSON.parse(readFileSync(
    new URL('../golden/phantom-volume.json', import.meta.url), 'utf8')) as {
    two: Record<string, unknown>; four: Record<string, unknown>;
    contraction: number[]; volume: number[] }[];
  const { anatomy, motion, ...rest } = phantomPatient(1, 1).views['4CH'];
  const view = (row: Record<string, unknown>): ViewParameters => ({
    ...rest, anatomy: { ...anatomy, ...row }, motion: { ...motion, ...row } } as ViewParameters);
  for (const row of rows) {
    const pair = { '2CH': view(row.two), '4CH': view(row.four) };
    row.contraction.forEach((a, k) => {
      const got = ventricleVolume(pair, a);
      const expected = row.volume[k];
      assert.ok(Math.abs(got - expected) < 0.003 * expected, `a ${a}: ${got} for ${expected} ml`);
    });
  }
});

test('the clock: full at end diastole, empty at end systole, filled in two waves', () => {
  assert.equal(contraction(0, timing), 0);
  assert.equal(contraction(0.4, timing), 1);
  assert.ok(contraction(0.999, timing) < 0.01);
  const samples = Array.from({ length: 601 }, (_, k) => 0.4 + k / 1000);
  for (let k = 1; k < samples.length; k++) {
    assert.ok(contraction(samples[k], timing) <= contraction(samples[k - 1], timing) + 1e-12);
    assert.ok(turning(samples[k], timing) >= turning(samples[k - 1], timing));
  }
  // The valve is shut in systole and opens twice.
  for (let p = 0; p <= 0.4; p += 0.01) assert.equal(opening(p, timing), 0);
  const open = samples.map((p) => opening(p, timing));
  const peaks = open.filter((value, k) =>
    value > 0.7 && value >= (open[k - 1] ?? 0) && value > (open[k + 1] ?? 0));
  assert.equal(peaks.length, 2);
  const between = samples.filter((p) => p > 0.6 && p < 0.8).map((p) => opening(p, timing));
  assert.ok(Math.min(...between) < 0.5);
});

test('motion is inverted exactly and never folds', () => {
  for (const index of [1, 2, 3, 4, 5, 6, 7, 8]) {
    for (const view of ['2CH', '4CH'] as const) {
      const heart = createHeart(phantomPatient(9, index).views[view], timing);
      for (const phase of [0, 0.2, 0.4, 0.6, 0.9]) {
        const at = pose(heart, phase);
        const material = { y: 0, z: 0 };
        const there = { x: 0, y: 0 };
        for (let i = 1; i < heart.reference[0][1].length; i++) {
          assert.ok(at.height[i] > at.height[i - 1]);
        }
        for (let px = -70; px <= 70; px += 9.7) {
          for (let py = 8; py <= 140; py += 7.3) {
            backward(heart, at, px, py, material);
            forward(heart, at, material.y, material.z, there);
            assert.ok(Math.hypot(there.x - px, there.y - py) < 1e-6,
              `${index} ${view} phase ${phase}: (${px}, ${py}) is (${there.x}, ${there.y})`);
          }
        }
      }
    }
  }
});

test('at end diastole the reference is where it is drawn', () => {
  const heart = createHeart(phantomPatient(9, 1).views['4CH'], timing);
  const at = pose(heart, 0);
  const there = { x: 0, y: 0 };
  forward(heart, at, 0, 0, there);
  assert.ok(Math.abs(there.x - heart.placement.apexX) < 1e-9);
  assert.ok(Math.abs(there.y - heart.placement.apexY) < 1e-9);
});

test('the swirl keeps blood inside the ventricle and is undone by turning back', () => {
  const heart = createHeart(phantomPatient(9, 2).views['4CH'], timing);
  for (const [y, z] of [[4, 40], [-8, 30], [10, 55], [0, 20]] as const) {
    const point = { y, z };
    swirl(heart, point, 1.3);
    assert.ok(Math.hypot(point.y - y, point.z - z) > 0.2, `(${y}, ${z}) stays`);
    assert.ok(point.z > 0 && point.z < heart.anatomy.length);
    swirl(heart, point, -1.3);
    assert.ok(Math.hypot(point.y - y, point.z - z) < 1e-3);
  }
});

test('a single scatterer is seen at its place with the pulse and beam that were asked for', () => {
  const { placement, imaging } = phantomPatient(9, 3).views['4CH'];
  const quiet = { ...imaging, noise: -200, clutter: -200, haze: -200, shadows: [], gamma: 1,
    dynamicRange: 60, gain: 0, depthGain: [0, 0, 0, 0, 0, 0], pulse: 1.2, beam: 0.03 };
  const still = { ...placement, depth: 160 };
  const probe = createProbe(still, quiet, ['test']);
  probe.gain.fill(1);
  probe.still.fill(0);
  const planes = beamPlanes(probe);
  const grey = new Float32Array(probe.beams * probe.ranges);
  // On a beam and a range sample, so that splatting does not widen it.
  const range = 75;
  splat(probe, planes, 0, range, 0.1, 0);
  formImage(probe, planes, 0, grey);
  const top = grey.indexOf(grey.reduce((a, b) => Math.max(a, b), 0));
  const beam = Math.floor(top / probe.ranges);
  const sample = top % probe.ranges;
  assert.ok(Math.abs(sample * 0.5 - range) <= 0.5);
  assert.ok(Math.abs(probe.firstAngle + beam * 0.0117) <= 0.0117);
  const decibels = (o: number): number => ((grey[top] - grey[o]) / 255) * 60;
  // A Gaussian of FWHM w is 20 log10(2) (2 d / w)^2 below its top at distance d.
  const axial = decibels(top + 2);
  assert.ok(Math.abs(axial - 6.02 * (2 / 1.2) ** 2) < 1.2, `axial ${axial} dB at 1 mm`);
  const lateral = decibels(top + 2 * probe.ranges);
  const expected = 6.02 * ((2 * 2 * 0.0117) / 0.03) ** 2;
  assert.ok(Math.abs(lateral - expected) < 2.2, `lateral ${lateral} dB, expected ${expected}`);
});
