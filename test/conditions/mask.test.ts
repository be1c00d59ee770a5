/** One-hot planes, and ED and ES masks joined over the cycle. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { describe, it } from 'node:test';
import { findComponents } from '../../src/conditions/components.ts';
import { planCycle } from '../../src/conditions/cycle.ts';
import { interpolateCycle } from '../../src/conditions/mask-cycle.ts';
import { labelAreas, labelsOf, oneHot } from '../../src/conditions/mask.ts';
import { readRecording, recordingMasks } from '../../src/data/camus.ts';
import { frameAt, labelFrames, plane } from '../../src/frames/frames.ts';
import type { Labels } from '../../src/frames/frames.ts';
import { randomStream } from '../../src/frames/random.ts';
import { letterbox, letterboxLabels } from '../../src/frames/resize.ts';
import { drawHeart, ED, ES } from './shapes.ts';

describe('one-hot planes', () => {
  it('has each pixel in one plane, and gives the labels back', () => {
    const random = randomStream('one-hot');
    for (const [frames, height, width] of [[1, 1, 1], [3, 7, 5], [2, 16, 16]]) {
      const labels = labelFrames(frames, height, width);
      for (let i = 0; i < labels.data.length; i++) labels.data[i] = random.integer(4);
      const planes = oneHot(labels);
      assert.equal(planes.channels, 4);
      for (let i = 0; i < labels.data.length; i++) {
        const column = [0, 1, 2, 3].map((c) => planes.data[c * labels.data.length + i]);
        assert.deepEqual(column, [0, 1, 2, 3].map((c) => +(c === labels.data[i])));
      }
      assert.deepEqual(labelsOf(planes), labels);
    }
  });

  it('refuses a label the data set does not have', () => {
    const labels = labelFrames(1, 2, 2, Uint8Array.of(0, 3, 7, 1));
    assert.throws(
      () => oneHot(labels),
      /mask: expected labels 0, 1, 2, 3, got 7 at frame 0, x 0, y 1/,
    );
    assert.throws(() => oneHot(labels, 3), /got 3/);
  });
});

describe('the cycle', () => {
  it('goes from ED to ES and back, monotone on either side', () => {
    const cycles = [[16, undefined], [16, 9], [2, 1], [30, 3], [1, undefined]] as const;
    for (const [frames, es] of cycles) {
      const plan = planCycle({ frames, es });
      assert.equal(plan.contraction[0], 0);
      if (frames > 1) assert.equal(plan.contraction[plan.es], 1);
      for (let t = 1; t < frames; t++) {
        const step = plan.contraction[t] - plan.contraction[t - 1];
        assert.ok(t <= plan.es ? step > 0 : step <= 1e-12, `frame ${t}`);
      }
    }
    const whole = planCycle({ frames: 100 });
    assert.ok(whole.es >= 35 && whole.es <= 40);
    assert.ok(whole.contraction[99] < 0.01);
  });

  it('fills early, then at the atrial kick, with the valve open in diastole only', () => {
    const { contraction, opening, es } = planCycle({ frames: 200 });
    const filled = (u: number) => 1 - contraction[Math.round(es + u * (200 - es))];
    assert.ok(filled(0.5) > 0.6 && filled(0.5) < 0.8);
    assert.ok(filled(0.74) - filled(0.5) < 0.08);
    assert.ok(filled(0.98) - filled(0.76) > 0.15);
    assert.ok(opening.slice(0, es + 1).every((value) => value === 0));
    const peaks = Array.from(opening).filter((value, t) => {
      return t > 0 && value > opening[t - 1] && value >= (opening[t + 1] ?? 0);
    });
    assert.equal(peaks.length, 2);
    assert.ok(peaks[0] > peaks[1] && Math.max(...opening) <= 1);
  });

  it('ends at ES in a half cycle, and refuses an ES outside', () => {
    const half = planCycle({ frames: 10, span: 'half' });
    assert.equal(half.contraction[9], 1);
    assert.throws(
      () => planCycle({ frames: 8, es: 8 }),
      /expected the ES frame .* to be 1\.\.7, got 8/,
    );
    assert.throws(() => planCycle({ frames: 8, es: 3, span: 'half' }), /to be 7, got 3/);
    assert.throws(() => planCycle({ frames: 0 }), /above 0, got 0/);
  });
});

/** Areas that move one way in systole and back in diastole, and one piece of each structure. */
function checkBeat(masks: Labels, es: number, slack: number): void {
  const areas = labelAreas(masks);
  for (let t = 1; t < masks.frames; t++) {
    const step = areas[t][1] - areas[t - 1][1];
    assert.ok(t <= es ? step <= slack : step >= -slack, `LV area at frame ${t}: ${step}`);
  }
  const ends = [0, es].map((t) => plane(masks, 0, t));
  for (const structure of [[1], [1, 2], [3], [1, 2, 3]]) {
    const pieces = (labels: Uint8Array) => {
      const inside = labels.map((label) => +structure.includes(label));
      return findComponents(inside, masks.height, masks.width).sizes.length - 1;
    };
    const most = Math.max(...ends.map(pieces));
    for (let t = 0; t < masks.frames; t++) assert.ok(pieces(plane(masks, 0, t)) <= most);
  }
  const most = Math.max(...ends.map((labels) => bareCavity(labels, masks.width)));
  for (let t = 0; t < masks.frames; t++) {
    assert.ok(bareCavity(plane(masks, 0, t), masks.width) <= most + 3, `frame ${t}`);
  }
}

/** Cavity pixels that touch the background: breaks in the muscle. */
function bareCavity(labels: Uint8Array, width: number): number {
  return labels.filter((label, i) => {
    return label === 1 && [i - 1, i + 1, i - width, i + width].some((next) => labels[next] === 0);
  }).length;
}

describe('masks joined over the cycle', () => {
  it('keeps ED and ES as they are, and the shapes whole between them', () => {
    for (const tilt of [0, 0.3, -0.4]) {
      const ed = drawHeart({ ...ED, tilt });
      const es = drawHeart({ ...ES, tilt: tilt * 0.8 });
      const masks = interpolateCycle(ed, es, { frames: 12, es: 5 });
      assert.deepEqual(plane(masks, 0, 0), ed.data);
      assert.deepEqual(plane(masks, 0, 5), es.data);
      checkBeat(masks, 5, 2);
    }
  });

  it('does not break a thin wall that travels further than it is thick', () => {
    const ed = drawHeart({ ...ED, wall: 0.025 });
    const es = drawHeart({ ...ED, wall: 0.03, cavity: 0.09, annulus: 0.5 });
    checkBeat(interpolateCycle(ed, es, { frames: 10 }), 4, 2);
  });

  it('lies half way where half the way is gone', () => {
    const masks = interpolateCycle(drawHeart(ED), drawHeart(ES), { frames: 41, span: 'half' });
    const { contraction } = planCycle({ frames: 41, span: 'half' });
    const t = contraction.findIndex((value) => value >= 0.5);
    const share = contraction[t];
    const width = (s: HeartWidth) => (1 - share) * s[0] + share * s[1];
    const half = drawHeart({
      ...ED,
      annulus: width([ED.annulus, ES.annulus]),
      cavity: width([ED.cavity, ES.cavity]),
      wall: width([ED.wall, ES.wall]),
      atrium: width([ED.atrium, ES.atrium]),
    });
    for (const label of [1, 2, 3]) {
      const got = plane(masks, 0, t).map((l) => +(l === label));
      const expected = half.data.map((l) => +(l === label));
      const both = got.filter((value, i) => value && expected[i]).length;
      const dice = (2 * both) / (got.filter(Boolean).length + expected.filter(Boolean).length);
      assert.ok(dice > 0.95, `label ${label}: ${dice}`);
    }
  });

  it('takes empty masks, masks without an atrium, and one frame', () => {
    const empty = labelFrames(1, 20, 24);
    assert.ok(interpolateCycle(empty, empty, { frames: 4 }).data.every((label) => label === 0));
    const bare = (shape: typeof ED) => {
      const heart = drawHeart(shape);
      return { ...heart, data: heart.data.map((label) => (label === 3 ? 0 : label)) };
    };
    checkBeat(interpolateCycle(bare(ED), bare(ES), { frames: 8 }), 3, 2);
    const ed = drawHeart(ED);
    assert.deepEqual(interpolateCycle(ed, drawHeart(ES), { frames: 1 }).data, ed.data);
  });

  it('refuses masks that do not fit', () => {
    const ed = drawHeart(ED);
    const small = labelFrames(1, 20, 24);
    assert.throws(
      () => interpolateCycle(ed, small, { frames: 4 }),
      /the size of the ED mask, 96 x 96, got 24 x 20/,
    );
    assert.throws(
      () => interpolateCycle(labelFrames(2, 4, 4), small, { frames: 4 }),
      /ED mask: expected 1 frame, got 2/,
    );
    const wrong = labelFrames(1, 20, 24);
    wrong.data[3] = 9;
    assert.throws(
      () => interpolateCycle(small, wrong, { frames: 4 }),
      /ES mask: expected labels .* got 9/,
    );
  });

  const camus = new URL('../../../shared/data/camus-4ch/database_nifti/', import.meta.url);
  const absent = !existsSync(camus) && 'shared/data/camus-4ch is not here';
  it('joins real ED and ES masks', { skip: absent }, () => {
    const folders = readdirSync(camus).sort().filter((_, i) => i % 33 === 0);
    for (const folder of folders) {
      const recording = readRecording(new URL(folder, camus).pathname, '4CH');
      const pair = recordingMasks(recording, [0, 1]) as Labels;
      const square = letterboxLabels(pair, letterbox(pair.height, pair.width, 96));
      const masks = interpolateCycle(frameAt(square, 0), frameAt(square, 1), { frames: 8 });
      checkBeat(masks, 3, 3);
    }
  });
});

type HeartWidth = readonly [number, number];
