/** The mitral valve from masks, from strokes in JSON, and from an arrow. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { strokesFromArrow } from '../../src/conditions/arrow.ts';
import { planCycle } from '../../src/conditions/cycle.ts';
import { interfaceLine } from '../../src/conditions/interface.ts';
import { lineLength } from '../../src/conditions/polyline.ts';
import { drawSkeleton, skeletonsFromMasks } from '../../src/conditions/skeleton.ts';
import { parseArrow, parseStrokes } from '../../src/conditions/stroke.ts';
import { labelFrames } from '../../src/frames/frames.ts';
import type { Polyline } from '../../src/frames/frames.ts';
import { drawHeart, ED, ES, joinLabels } from './shapes.ts';

describe('valve from masks', () => {
  it('runs from hinge to hinge along the border of cavity and atrium', () => {
    const [[line]] = skeletonsFromMasks(drawHeart(ED));
    const side = ED.side;
    for (const { y } of line) assert.ok(Math.abs(y + 0.5 - ED.annulus * side) < 1, `y ${y}`);
    const [left, right] = [line[0].x, line[line.length - 1].x];
    assert.ok(Math.abs(left + 0.5 - (0.5 - 0.9 * ED.cavity) * side) < 2.5, `left hinge ${left}`);
    assert.ok(Math.abs(right + 0.5 - (0.5 + 0.9 * ED.cavity) * side) < 2.5, `right hinge ${right}`);
  });

  it('follows a tilted annulus', () => {
    for (const tilt of [-0.5, 0.4]) {
      const [[line]] = skeletonsFromMasks(drawHeart({ ...ED, tilt }));
      const [a, b] = [line[0], line[line.length - 1]];
      assert.ok(Math.abs(Math.atan2(b.y - a.y, b.x - a.x) - tilt) < 0.08);
    }
  });

  it('bridges a gap of background or false muscle between the two', () => {
    const whole = skeletonsFromMasks(drawHeart(ED))[0][0];
    for (const filler of [0, 2]) {
      const heart = drawHeart(ED);
      const from = Math.round(ED.annulus * ED.side);
      for (let x = 0; x < ED.side; x++) {
        for (const y of [from - 1, from]) {
          if (heart.data[y * ED.side + x] > 0) heart.data[y * ED.side + x] = filler;
        }
      }
      const [[line]] = skeletonsFromMasks(heart);
      assert.ok(Math.abs(line[12].y - whole[12].y) < 1.5);
      assert.ok(Math.abs(lineLength(line) - lineLength(whole)) < 0.15 * ED.side);
    }
  });

  it('takes the nearest frame where one has no valve, and says what is absent', () => {
    const empty = labelFrames(1, ED.side, ED.side);
    const strokes = skeletonsFromMasks(joinLabels(empty, drawHeart(ED), empty));
    assert.deepEqual(strokes[0], strokes[1]);
    assert.deepEqual(strokes[2], strokes[1]);
    assert.throws(
      () => skeletonsFromMasks(empty),
      /got no LV cavity \(label 1\) and no left atrium \(label 3\)/,
    );
    const apart = labelFrames(1, 20, 20);
    apart.data[21] = 1;
    apart.data[378] = 3;
    assert.throws(() => skeletonsFromMasks(apart), /got the two apart in every frame/);
    assert.equal(interfaceLine(apart.data, 20, 20, 1, 3), null);
  });

  it('is drawn as a soft curve as thick as asked', () => {
    const line = [{ x: 5, y: 20 }, { x: 34, y: 20 }];
    const drawn = drawSkeleton([[line], []], 40, 40, 3);
    const column = (t: number) => {
      return Array.from({ length: 40 }, (_, y) => drawn.data[t * 1600 + y * 40 + 20]);
    };
    assert.ok(Math.abs(column(0).reduce((a, b) => a + b, 0) - 3) < 0.3);
    assert.equal(column(0)[20], 1);
    assert.ok(column(1).every((value) => value === 0));
    assert.throws(() => drawSkeleton([[line]], 40, 40, 0), /thickness above 0 pixels, got 0/);
    assert.throws(() => drawSkeleton([[[{ x: Number.NaN, y: 1 }, line[0]]]], 9, 9), /in frame 0/);
  });
});

describe('strokes in JSON', () => {
  const clip = { frames: 3, height: 64, width: 64 };
  const stroke = [{ x: 10, y: 20 }, { x: 30, y: 22 }];

  it('takes one stroke for all frames, one a frame, or leaflets a frame', () => {
    assert.deepEqual(parseStrokes({ frames: stroke }, clip), [[stroke], [stroke], [stroke]]);
    assert.deepEqual(parseStrokes({ frames: [stroke] }, clip), [[stroke], [stroke], [stroke]]);
    assert.deepEqual(parseStrokes({ frames: [stroke, stroke, stroke] }, clip).length, 3);
    const leaflets = parseStrokes({ frames: [[stroke, stroke], [], [stroke]] }, clip);
    assert.deepEqual(leaflets.map((lines) => lines.length), [2, 0, 1]);
  });

  it('scales a drawing of another size about its pixel edges', () => {
    const [[line]] = parseStrokes({ width: 128, height: 256, frames: stroke }, clip);
    assert.deepEqual(line[0], { x: 4.75, y: 4.625 });
  });

  it('says what is wrong', () => {
    assert.throws(
      () => parseStrokes({ frames: [stroke, stroke] }, clip, 'valve.json'),
      /valve.json: expected 1 stroke or one for each of 3 frames, got 2/,
    );
    assert.throws(() => parseStrokes({ frames: [[{ x: 1 }]] }, clip), /skeleton: expected \{.*got/);
    assert.throws(() => parseStrokes({ frames: stroke, colour: 1 }, clip), /colour/);
    assert.throws(() => parseArrow({ stroke }, clip), /arrow: expected .*got .* at from/);
  });
});

describe('moving direction', () => {
  const stroke = [{ x: 20, y: 60 }, { x: 40, y: 60 }];
  const arrow = { stroke, from: { x: 30, y: 60 }, to: { x: 30, y: 52 } };
  const tip = (line: Polyline) => line[line.length - 1];

  it('carries the stroke along the arrow in a half cycle, its hinges less', () => {
    const frames = strokesFromArrow(arrow, { frames: 8, span: 'half' });
    const [last] = frames[7];
    assert.ok(Math.abs(last[12].y - 52) < 1e-9 && Math.abs(last[12].x - 30) < 1e-9);
    assert.ok(last[0].y > 55 && last[0].y < 60);
    assert.deepEqual(frames[0][0].map(({ y }) => y), Array(25).fill(60));
    for (let t = 1; t < 8; t++) assert.ok(frames[t][0][12].y < frames[t - 1][0][12].y);
  });

  it('opens in diastole towards the arrow, keeps its length, and shuts in systole', () => {
    const cycle = { frames: 80 };
    const frames = strokesFromArrow(arrow, cycle);
    const plan = planCycle(cycle);
    const gaps = frames.map(([left, right]) => tip(right).x - tip(left).x);
    for (let t = 0; t <= plan.es; t++) assert.ok(gaps[t] < 1e-9);
    const widest = plan.opening.indexOf(Math.max(...plan.opening));
    assert.ok(gaps[widest] > 4);
    const shift = 0.4 * plan.contraction[widest] * 8;
    assert.ok(Math.abs(60 - shift - tip(frames[widest][0]).y - 8 * plan.opening[widest]) < 0.3);
    for (const line of frames.flat()) assert.ok(Math.abs(lineLength(line) - 10) < 1e-6);
    const down = strokesFromArrow({ ...arrow, to: { x: 30, y: 68 } }, cycle);
    assert.ok(tip(down[widest][0]).y > 60 && tip(down[widest][1]).y > 60);
  });

  it('takes one frame and refuses a point for a stroke', () => {
    assert.equal(strokesFromArrow(arrow, { frames: 1 }).length, 1);
    assert.throws(
      () => strokesFromArrow({ ...arrow, stroke: [stroke[0], stroke[0]] }, { frames: 4 }),
      /at least 2 different points/,
    );
    const broken = { ...arrow, to: { x: Number.NaN, y: 0 } };
    assert.throws(() => strokesFromArrow(broken, { frames: 4 }), /finite points, got NaN/);
  });
});

it('finds the valve move up with the annulus', () => {
  const strokes = skeletonsFromMasks(joinLabels(drawHeart(ED), drawHeart(ES)));
  const travel = strokes[0][0][12].y - strokes[1][0][12].y;
  assert.ok(Math.abs(travel - (ED.annulus - ES.annulus) * ED.side) < 1.5);
});
