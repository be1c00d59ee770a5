import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { drawSkeleton } from '../../src/conditions/skeleton.ts';
import type { Frames, Polyline } from '../../src/frames/frames.ts';
import {
  compareStrokes, curveDistance, farthestPoint, findRidge, searchReach,
} from '../../src/metrics/skeleton-distance.ts';

const side = 64;
const whole = new Uint8Array(side * side).fill(1);
const level = (y: number): Polyline => [{ x: 20, y }, { x: 44, y }];
const drawn = (y: number, frames = 1): Frames =>
  drawSkeleton(Array.from({ length: frames }, () => [level(y)]), side, side);
/** A bright line on dim tissue. */
const tissue = (y: number): Frames =>
  ({ ...drawn(y), data: drawn(y).data.map((value) => 0.2 + 0.6 * value) });

describe('stroke', () => {
  it('is as bright as it is, and in its place', () => {
    const got = compareStrokes(tissue(30), drawn(30), whole)!;
    assert.ok(Math.abs(got.contrast - 255 * 0.6) < 30, `${got.contrast}`);
    assert.equal(got.offset, 0);
    assert.equal(got.frames, 1);
  });

  it('is found where the picture has it', () => {
    assert.equal(compareStrokes(tissue(32), drawn(30), whole)!.offset, 2);
    const far = compareStrokes(tissue(50), drawn(30), whole)!;
    assert.ok(Math.abs(far.contrast) < 1e-9, 'out of sight');
    const reach = searchReach(side, side);
    assert.ok(far.offset > reach - 0.5, 'a flat neighbourhood is no valve in its place');
  });

  it('looks at most as far as its reach', () => {
    const reach = searchReach(side, side);
    const near = compareStrokes(tissue(30 + Math.floor(reach)), drawn(30), whole)!;
    assert.equal(near.offset, Math.floor(reach));
  });

  it('says nothing where nothing is asked, and refuses NaN', () => {
    const none = drawSkeleton([[]], side, side);
    assert.equal(compareStrokes(tissue(30), none, whole), null);
    assert.equal(compareStrokes(tissue(30), drawn(30), new Uint8Array(side * side)), null);
    const broken = { ...tissue(30), data: tissue(30).data.map(() => Number.NaN) };
    assert.throws(() => compareStrokes(broken, drawn(30), whole), /finite pixels in frame 0/);
    assert.throws(() => compareStrokes(tissue(30), drawn(30, 2), whole), /one shape/);
  });
});

describe('ridge', () => {
  const reach = searchReach(128, 128);

  it('follows a bright line beside its guide', () => {
    const ridge = findRidge(tissue(33).data, side, side, level(30), reach);
    assert.ok(curveDistance([level(33)], [ridge])! < 0.3);
  });

  it('follows a slanted one', () => {
    const slanted: Polyline = [{ x: 20, y: 27 }, { x: 44, y: 33 }];
    const picture = drawSkeleton([[slanted]], side, side);
    const ridge = findRidge(picture.data, side, side, level(30), reach);
    assert.ok(curveDistance([slanted], [ridge])! < 0.5);
  });

  it('stays within its reach and connected', () => {
    const ridge = findRidge(tissue(50).data, side, side, level(30), reach);
    ridge.forEach(({ y }, i) => {
      assert.ok(Math.abs(y - 30) <= reach + 1e-6);
      if (i > 0) assert.ok(Math.abs(y - ridge[i - 1].y) <= 1 + 1e-6);
    });
  });
});

describe('distance of curves', () => {
  it('is their gap, nothing for the same curve', () => {
    assert.equal(curveDistance([level(10)], [level(10)]), 0);
    assert.equal(curveDistance([level(10)], [level(14)]), 4);
    assert.equal(curveDistance([], [level(14)]), null);
  });

  it('counts both ways: half a curve is not the curve', () => {
    const half: Polyline = [{ x: 20, y: 10 }, { x: 32, y: 10 }];
    const got = curveDistance([level(10)], [half])!;
    assert.ok(Math.abs(got - 78 / 25 / 2) < 1e-9, `${got}`); // 1 + .. + 12 over 25 points, halved
    assert.equal(farthestPoint([level(10)], [half]), 12);
    assert.equal(farthestPoint([], [half]), 0);
  });
});
