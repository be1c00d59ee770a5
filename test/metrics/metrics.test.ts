import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { signedDistance } from '../../src/conditions/distance.ts';
import { byteFrames, floatFrames } from '../../src/frames/frames.ts';
import type { Frames } from '../../src/frames/frames.ts';
import { quantile } from '../../src/metrics/bootstrap.ts';
import { compareEdges } from '../../src/metrics/edges.ts';
import { compareFlow, frameDifference } from '../../src/metrics/motion.ts';
import {
  greyHistogram, histogramDistance, tissueDistance, tissueStatistics,
} from '../../src/metrics/similarity.ts';
import {
  bandPower, decibels, radialSpectrum, sectorWindow, TEXTURE_BANDS,
} from '../../src/metrics/spectrum.ts';
import { ssim } from '../../src/metrics/ssim.ts';
import { scope } from '../../src/tensor/memory.ts';
import { expectNoLeaks } from '../support/leaks.ts';
import { data } from '../support/reference-fill.ts';

const golden = JSON.parse(
  readFileSync(new URL('../golden/metrics.json', import.meta.url), 'utf8'),
) as {
  ssim: number[]; spectrum: number[]; bands: number[];
  flow: { error: number; still: number; following: number; pixels: number };
  frameDifference: number;
  edges: { precision: number; recall: number; f1: number };
  histogramDistance: number; quantiles: number[];
};

expectNoLeaks();

const close = (got: number, wanted: number, tolerance = 1e-5) =>
  assert.ok(Math.abs(got - wanted) <= tolerance * Math.max(1, Math.abs(wanted)), `${got}`);

/** The numbers of reference_fill.py, uniform in [-1, 1). */
function uniform(key: string, ...shape: number[]): Float32Array {
  const values = scope(() => data(key, ...shape).toFloat32());
  return values.map((value) => value / Math.fround(Math.sqrt(3)));
}

/** metrics.py's picture: noise averaged over 3 x 3 pixels, stretched into [0, 1]. */
function picture(key: string, frames: number, height: number, width: number): Frames {
  const noise = uniform(key, frames, height, width);
  const result = floatFrames({ channels: 1, frames, height, width });
  const at = (t: number, y: number, x: number) => noise[(t * height
    + Math.min(height - 1, Math.max(0, y))) * width + Math.min(width - 1, Math.max(0, x))];
  for (let i = 0; i < noise.length; i++) {
    const [x, y] = [i % width, Math.floor(i / width) % height];
    const t = Math.floor(i / (width * height));
    let sum = 0;
    for (let dy = -1; dy <= 1; dy++) for (let dx = -1; dx <= 1; dx++) sum += at(t, y + dy, x + dx);
    result.data[i] = Math.min(1, Math.max(0, 2.5 * ((sum / 9 + 1) / 2 - 0.5) + 0.5));
  }
  return result;
}

const side = 16;
const centre = (index: number) =>
  7 - Math.hypot((index % side) - 7.5, Math.floor(index / side) - 7.5);
const disc = Float32Array.from({ length: side * side }, (_, i) => centre(i));
const inside = Uint8Array.from(disc, (d) => (d > 0 ? 1 : 0));
const video = picture('video', 3, side, side);

describe('ssim', () => {
  const a = picture('a', 2, 20, 24);
  const b = picture('b', 2, 20, 24);

  it("is scikit-image's", () => {
    close(ssim(a, b), golden.ssim[0]);
    close(ssim(a, { ...a, data: a.data.map((v, i) => 0.7 * v + 0.3 * b.data[i]) }), golden.ssim[1]);
  });

  it('is 1 for equal pictures, lower the further a picture is shifted', () => {
    close(ssim(a, a), 1);
    const shifted = (by: number) => ({ ...a, data: a.data.map((_, i) => a.data[i + by] ?? 0) });
    assert.ok(ssim(a, shifted(1)) < 0.9);
    assert.ok(ssim(a, shifted(3)) < ssim(a, shifted(1)));
  });

  it('refuses other shapes, small pictures and NaN', () => {
    assert.throws(() => ssim(a, picture('a', 1, 20, 24)), /one shape, got 1x2x20x24 and 1x1x20x24/);
    const small = picture('a', 1, 10, 24);
    assert.throws(() => ssim(small, small), /at least 11/);
    const broken = { ...b, data: b.data.with(30, Number.NaN) };
    assert.throws(() => ssim(a, broken), /second picture: .*NaN at frame 0, x 6, y 1/);
  });
});

describe('spectrum', () => {
  const window = sectorWindow(disc, 3);

  it("is numpy's", () => {
    const spectrum = radialSpectrum(video, window);
    assert.equal(spectrum.length, 8);
    spectrum.forEach((power, i) => close(power, golden.spectrum[i]));
    TEXTURE_BANDS.forEach((band, i) => close(bandPower(spectrum, band), golden.bands[i]));
  });

  it('of white noise is its variance at every radius; blur takes the high ones away', () => {
    const n = 64;
    const shape = { channels: 1, frames: 6, height: n, width: n };
    const noise = floatFrames(shape, uniform('white', 6, n, n));
    const all = new Float32Array(n * n).fill(1);
    const spectrum = radialSpectrum(noise, all);
    for (const band of TEXTURE_BANDS) {
      assert.ok(Math.abs(decibels(bandPower(spectrum, band), 1 / 3)) < 0.3);
    }
    const blurred =
      { ...noise, data: noise.data.map((v, i) => (v + (noise.data[i + 1] ?? 0)) / 2) };
    assert.ok(decibels(bandPower(radialSpectrum(blurred, all), [0.75, 1]), 1 / 3) < -3);
    const twice = { ...noise, data: noise.data.map((v) => 2 * v) };
    close(decibels(bandPower(radialSpectrum(twice, all), [0.25, 0.5]),
      bandPower(spectrum, [0.25, 0.5])), 20 * Math.log10(2));
  });

  it('of a grey fan is nothing: its outline is no texture', () => {
    const grey = { ...video, data: video.data.map((_, i) => (inside[i % 256] ? 0.6 : 0)) };
    assert.ok(Math.max(...radialSpectrum(grey, window)) < 1e-10);
  });

  it('refuses what it cannot transform', () => {
    assert.throws(() => radialSpectrum(video, new Float32Array(256)), /not empty/);
    assert.throws(() => radialSpectrum(video, new Float32Array(12)), /square/);
    const broken = { ...video, data: video.data.with(120, Number.NaN) };
    assert.throws(() => radialSpectrum(broken, window), /finite pixels in frame 0/);
    assert.throws(() => bandPower([1, 2], [0.6, 0.7]), /got none/);
  });
});

describe('motion', () => {
  const shape = { channels: 2, frames: 3, height: 10, width: 12 };
  const both = uniform('flows', 2, 2, 3, 10, 12).map((value) => value / 16);
  const found = floatFrames(shape, both.slice(0, 720));
  const asked = floatFrames(shape, both.slice(720));
  const labels = byteFrames({ ...shape, channels: 1 },
    Uint8Array.from(uniform('labels', 3, 10, 12), (value) => Math.floor((value + 1) * 2)));
  const muscle = (label: number) => label === 2;

  it("end-point error and following are numpy's", () => {
    const got = compareFlow(found, asked, labels, muscle)!;
    assert.equal(got.pixels, golden.flow.pixels);
    close(got.error, golden.flow.error);
    close(got.still, golden.flow.still);
    close(got.following, golden.flow.following);
  });

  it('is perfect for the asked flow, and the flow itself for no motion', () => {
    const perfect = compareFlow(asked, asked, labels, muscle)!;
    assert.deepEqual([perfect.error, perfect.following], [0, 1]);
    const none = compareFlow(floatFrames(shape), asked, labels, muscle)!;
    close(none.error, none.still);
    assert.equal(none.following, 0);
    const half = { ...asked, data: asked.data.map((value) => value / 2) };
    close(compareFlow(half, asked, labels, muscle)!.following, 0.5);
    const right = floatFrames(shape, new Float32Array(720).fill(0.25, 0, 360));
    close(compareFlow(right, floatFrames(shape), labels, muscle)!.error, 3);
  });

  it('says nothing without pixels, and refuses NaN and other shapes', () => {
    assert.equal(compareFlow(found, asked, labels, (label) => label > 9), null);
    const broken = { ...found, data: found.data.map(() => Number.NaN) };
    assert.throws(() => compareFlow(broken, asked, labels, muscle), /NaN/);
    assert.throws(() => compareFlow(video, asked, labels, muscle), /one shape/);
  });

  it("frame differences are numpy's, 0 for a picture that stands", () => {
    close(frameDifference(video, inside), golden.frameDifference);
    const still = { ...video, data: video.data.map((_, i) => video.data[i % 256]) };
    assert.equal(frameDifference(still, inside), 0);
    const flicker = { ...video, data: video.data.map((_, i) => (i >= 256 && i < 512 ? 0.3 : 0.1)) };
    close(frameDifference(flicker, inside), 0.04);
    const one = picture('one', 1, side, side);
    assert.throws(() => frameDifference(one, inside), /at least 2 frames/);
    assert.throws(() => frameDifference(video, new Uint8Array(256)), /got none/);
  });
});

describe('edges', () => {
  const found = picture('edges found', 1, 24, 24);
  const asked = picture('edges asked', 1, 24, 24);
  const region = Uint8Array.from({ length: 576 }, (_, i) =>
    (i % 24 >= 2 && i % 24 < 22 && i >= 3 * 24 && i < 21 * 24 ? 1 : 0));
  const everywhere = new Uint8Array(576).fill(1);
  const line = (column: number) => {
    const map = floatFrames({ channels: 1, frames: 1, height: 24, width: 24 });
    for (let y = 0; y < 24; y++) map.data[y * 24 + column] = 1;
    return map;
  };

  it("precision, recall and F1 are scipy's", () => {
    const got = compareEdges(found, asked, 1.5, region, 0.75);
    for (const name of ['precision', 'recall', 'f1'] as const) close(got[name], golden.edges[name]);
  });

  it('forgives the tolerance and no more', () => {
    assert.equal(compareEdges(line(10), line(12), 2, everywhere).f1, 1);
    assert.equal(compareEdges(line(10), line(13), 2, everywhere).f1, 0);
    const more = { ...line(10), data: line(10).data.map((v, i) => Math.max(v, line(18).data[i])) };
    const got = compareEdges(more, line(10), 1, everywhere);
    assert.deepEqual([got.precision, got.recall], [0.5, 1]);
  });

  it('knows empty maps', () => {
    const empty = floatFrames({ channels: 1, frames: 1, height: 24, width: 24 });
    assert.equal(compareEdges(empty, empty, 2, everywhere).f1, 1);
    assert.equal(compareEdges(empty, line(5), 2, everywhere).f1, 0);
    assert.equal(compareEdges(line(5), empty, 2, everywhere).f1, 0);
    assert.equal(compareEdges(line(5), line(20), 2, new Uint8Array(576)).f1, 1);
    assert.throws(() => compareEdges(video, line(5), 2, everywhere), /one shape/);
    const broken = { ...line(5), data: line(5).data.with(0, Number.NaN) };
    assert.throws(() => compareEdges(broken, line(5), 2, everywhere), /found map: .*NaN/);
  });
});

describe('grey levels', () => {
  it("histogram distance is numpy's, and the shift of a shifted picture", () => {
    const squared = { ...video, data: video.data.map((v) => v * v) };
    const histogram = greyHistogram(video, inside);
    close(histogram.reduce((a, b) => a + b, 0), 1);
    close(histogramDistance(histogram, greyHistogram(squared, inside)), golden.histogramDistance);
    const flat = (grey: number) =>
      greyHistogram({ ...video, data: video.data.map(() => grey) }, inside);
    close(histogramDistance(flat(0.25), flat(0.5)), 255 / 4);
    assert.equal(histogramDistance(histogram, histogram), 0);
    assert.throws(() => greyHistogram(video, new Uint8Array(256)), /got none/);
    const broken = { ...video, data: video.data.with(120, Number.NaN) };
    assert.throws(() => greyHistogram(broken, inside), /got NaN in frame 0/);
  });

  it('tissue statistics are of their label alone', () => {
    const shape = { channels: 1, frames: 1, height: 2, width: 4 };
    const grey = floatFrames(shape, Float32Array.of(0.1, 0.3, 0.5, 0.5, 0.9, 0.9, 0.2, 0.4));
    const labels = byteFrames(shape, Uint8Array.of(1, 1, 2, 2, 0, 0, 1, 1));
    const whole = new Uint8Array(8).fill(1);
    const one = tissueStatistics(grey, labels, 1, whole)!;
    close(one.mean, 0.25);
    close(one.deviation, Math.sqrt(0.0125));
    assert.equal(one.pixels, 4);
    assert.equal(tissueStatistics(grey, labels, 3, whole), null);
    assert.equal(tissueStatistics(grey, labels, 2, new Uint8Array(8)), null);
    const brighter = { ...grey, data: grey.data.map((v) => v + 0.1) };
    const distance = tissueDistance(brighter, labels, grey, labels, whole, 4)!;
    close(distance.mean, 25.5);
    close(distance.deviation, 0, 1e-4);
    assert.equal(tissueDistance(grey, labels, grey, labels, new Uint8Array(8), 4), null);
  });
});

it("quantiles are numpy's", () => {
  [0.025, 0.5, 0.9].forEach((share, i) =>
    close(quantile([1, 2, 4, 8, 16], share), golden.quantiles[i]));
});

it('the window rises from the border of the sector', () => {
  const depth = signedDistance(inside, side, side);
  const window = sectorWindow(depth, 3);
  window.forEach((weight, i) => assert.equal(weight > 0, inside[i] === 1));
  close(window[8 * side + 8], 1);
});
