/** Sketches of shapes with known borders, and drawn sketches made uniform. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { extractSketch, normaliseSketch } from '../../src/conditions/sketch.ts';
import { imagePrior } from '../../src/conditions/image-prior.ts';
import { defaultPrompt, parsePrompt } from '../../src/conditions/text.ts';
import { floatFrames } from '../../src/frames/frames.ts';
import { randomStream } from '../../src/frames/random.ts';
import { everywhere, paintVideo } from './shapes.ts';

function mean(values: number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}

describe('sketch of a frame', () => {
  const disc = (side: number, noise: number) => {
    const random = randomStream('sketch', side);
    return paintVideo(1, side, side, (x, y) => {
      const inside = Math.hypot(x - side * 0.5, y - side * 0.45) < side * 0.25;
      return Math.min(1, Math.max(0.03, (inside ? 0.2 : 0.6) + noise * random.normal()));
    });
  };

  it('draws the border of a disc through speckle, and little else', () => {
    for (const side of [96, 128]) {
      const sketch = extractSketch(disc(side, 0.12));
      const [on, off]: [number[], number[]] = [[], []];
      sketch.data.forEach((value, i) => {
        const [x, y] = [i % side, Math.floor(i / side)];
        const distance = Math.abs(Math.hypot(x - side * 0.5, y - side * 0.45) - side * 0.25);
        if (distance < 1) on.push(value);
        else if (distance > side * 0.08) off.push(value);
        assert.ok(value >= 0 && value <= 1);
      });
      assert.ok(mean(on) > 0.6, `${mean(on)} on the border`);
      assert.ok(mean(off) < 0.1, `${mean(off)} elsewhere`);
    }
  });

  it('draws the outline of the sector once, softly', () => {
    const side = 96;
    const inside = (x: number, y: number) => Math.abs(x - 48) < (y - 8) * 0.7 && y < 80;
    const frame = paintVideo(1, side, side, (x, y) => (inside(x, y) ? 0.4 : 0));
    const sketch = extractSketch(frame);
    const row = Array.from(sketch.data.subarray(50 * side, 51 * side));
    const bright = row.map((value, x) => (value > 0.3 ? x : -1)).filter((x) => x >= 0);
    assert.ok(bright.some((x) => Math.abs(x - (48 - 29)) < 2));
    assert.ok(bright.some((x) => Math.abs(x - (48 + 29)) < 2));
    assert.ok(row.slice(26, 70).every((value) => value < 0.05));
    const sector = { ...everywhere(side, side) };
    const given = extractSketch(frame, sector);
    assert.notDeepEqual(given.data, sketch.data);
  });

  it('gives the same sketch twice, and nothing of a black or even frame', () => {
    const frame = disc(64, 0.1);
    assert.deepEqual(extractSketch(frame), extractSketch(frame));
    for (const grey of [0, 0.5]) {
      const sketch = extractSketch(paintVideo(1, 40, 56, () => grey));
      assert.ok(sketch.data.every((value) => value < 1e-6), `grey ${grey}`);
    }
  });

  it('refuses NaN and more than one frame', () => {
    const frame = paintVideo(1, 8, 8, (x) => (x === 3 ? Number.NaN : 0));
    assert.throws(
      () => extractSketch(frame),
      /sketch: expected finite pixels, got NaN at frame 0, x 3, y 0/,
    );
    assert.throws(() => extractSketch(paintVideo(2, 8, 8, () => 0)), /expected frames 1, got 2/);
  });
});

describe('drawn sketch', () => {
  const line = (ink: number, paper: number) => {
    return paintVideo(1, 20, 30, (x, y) => (Math.abs(x - y) < 1 ? ink : paper));
  };

  it('turns black on white over and leaves white on black', () => {
    const light = normaliseSketch(line(0.2, 0.9));
    assert.deepEqual(normaliseSketch(line(0.8, 0.1)).data, light.data);
    assert.equal(light.data[0], 1);
    assert.equal(light.data[5], 0);
  });

  it('averages colours, takes an empty page, refuses five channels', () => {
    const rgb = floatFrames({ channels: 3, frames: 1, height: 4, width: 4 });
    rgb.data.fill(1);
    for (let c = 0; c < 3; c++) rgb.data[c * 16 + 5] = 0;
    assert.equal(normaliseSketch(rgb).data[5], 1);
    assert.ok(normaliseSketch(line(0.4, 0.4)).data.every((value) => value === 0));
    const five = floatFrames({ channels: 5, frames: 1, height: 4, width: 4 });
    assert.throws(() => normaliseSketch(five), /expected 1 \(grey\) or 3 \(RGB\) channels, got 5/);
  });
});

describe('image prior and text', () => {
  it('stretches one frame to [0,1] and refuses an even one', () => {
    const prior = imagePrior(paintVideo(1, 3, 3, (x) => 0.2 + 0.1 * x));
    [0, 0.5, 1].forEach((expected, x) => assert.ok(Math.abs(prior.data[x] - expected) < 1e-6));
    assert.throws(
      () => imagePrior(paintVideo(1, 3, 3, () => 0.5)),
      /with contrast, got the value 0.5/,
    );
    assert.throws(() => imagePrior(paintVideo(2, 3, 3, () => 0.5)), /expected frames 1, got 2/);
  });

  it('has the two prompts of the paper', () => {
    assert.equal(defaultPrompt('2CH'), 'An ECHO with 2-chamber view.');
    assert.equal(parsePrompt(' 4ch '), 'An ECHO with 4-chamber view.');
    assert.equal(parsePrompt('sax'), 'A cardiac MRI short axis view.');
    assert.equal(parsePrompt('a  dilated\nventricle'), 'a dilated ventricle');
    assert.equal(parsePrompt(' '), '');
  });
});
