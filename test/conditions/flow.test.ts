/** Flow of moving textures and of moving masks. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, describe, it } from 'node:test';
import { loadFlowEstimator } from '../../src/conditions/flow.ts';
import type { FlowEstimator } from '../../src/conditions/flow.ts';
import { flowFromMasks } from '../../src/conditions/mask-flow.ts';
import { interpolateCycle } from '../../src/conditions/mask-cycle.ts';
import { labelFrames, plane } from '../../src/frames/frames.ts';
import type { Frames, Labels } from '../../src/frames/frames.ts';
import { drawHeart, ED, ES, everywhere, joinLabels, paintVideo, wavesAt } from './shapes.ts';

const golden = JSON.parse(
  readFileSync(new URL('../golden/conditions.json', import.meta.url), 'utf8'),
).farneback;

const moving = (frames: number, side: number, dx: number, dy: number) => {
  return paintVideo(frames, side, side, (x, y, t) => wavesAt(x - t * dx, y - t * dy));
};

/** Mean distance in pixels between the flow and (dx, dy), 12 pixels away from the border. */
function endPointError(flow: Frames, frame: number, dx: number, dy: number): number {
  const { width, height } = flow;
  let [sum, count] = [0, 0];
  for (let y = 12; y < height - 12; y++) {
    for (let x = 12; x < width - 12; x++) {
      const at = y * width + x;
      sum += Math.hypot(
        plane(flow, 0, frame)[at] * width - dx,
        plane(flow, 1, frame)[at] * width - dy,
      );
      count++;
    }
  }
  return sum / count;
}

describe('flow of a video', () => {
  let estimate: FlowEstimator;
  const listening = () => {
    return process.listenerCount('uncaughtException') + process.listenerCount('unhandledRejection');
  };
  const listeners = listening();
  before(async () => {
    estimate = await loadFlowEstimator();
  });

  it('is what OpenCV in Python gives', () => {
    const { side, dx, dy } = golden;
    const flow = estimate(moving(2, side, 1.5, -0.8), everywhere(side, side));
    let at = 0;
    for (let y = 4; y < side; y += 8) {
      for (let x = 4; x < side; x += 8, at++) {
        assert.ok(Math.abs(plane(flow, 0, 0)[y * side + x] * side - dx[at]) < 0.02);
        assert.ok(Math.abs(plane(flow, 1, 0)[y * side + x] * side - dy[at]) < 0.02);
      }
    }
  });

  it('finds known shifts, forward, and holds or closes the last frame', () => {
    for (const [dx, dy] of [[2, 0], [0, -1.5], [-1.2, 0.7], [0, 0]]) {
      const flow = estimate(moving(3, 80, dx, dy), everywhere(80, 80));
      for (let t = 0; t < 3; t++) assert.ok(endPointError(flow, t, dx, dy) < 0.1);
    }
    const loop = estimate(moving(3, 80, 1, 0), everywhere(80, 80), 'loop');
    assert.ok(endPointError(loop, 2, -2, 0) < 0.15);
  });

  it('is zero outside the sector, for one frame, and leaves the process as it was', () => {
    const side = 64;
    const video = moving(2, side, 1, 1);
    const sector = everywhere(side, side);
    sector.data.fill(0, 0, 20 * side);
    const flow = estimate(video, sector);
    assert.ok(plane(flow, 0, 0).subarray(0, 20 * side).every((value) => value === 0));
    assert.ok(plane(flow, 0, 0).subarray(20 * side).some((value) => value !== 0));
    assert.ok(estimate(moving(1, side, 0, 0)).data.every((value) => value === 0));
    assert.equal(listening(), listeners);
  });

  it('refuses NaN, colours and a sector of another size', () => {
    const video = moving(2, 16, 1, 1);
    assert.throws(
      () => estimate(video, everywhere(8, 8)),
      /expected a sector of 16 x 16, got 1x1x8x8/,
    );
    video.data[5] = Number.NaN;
    assert.throws(() => estimate(video), /flow: .*got NaN at frame 0, x 5, y 0/);
  });
});

describe('flow of masks', () => {
  const disc = (x0: number, y0: number, radius: number): Labels => {
    const labels = labelFrames(1, 72, 72);
    labels.data.forEach((_, i) => {
      const distance = Math.hypot((i % 72) - x0, Math.floor(i / 72) - y0);
      labels.data[i] = distance < radius - 5 ? 1 : distance < radius ? 2 : 0;
    });
    return labels;
  };

  it('moves a disc as a whole, and dies away from it', () => {
    const flow = flowFromMasks(joinLabels(disc(32, 36, 18), disc(34, 35, 18)));
    const at = (x: number, y: number) => [0, 1].map((c) => plane(flow, c, 0)[y * 72 + x] * 72);
    for (const [x, y] of [[32, 36], [40, 30], [20, 40]]) {
      const [dx, dy] = at(x, y);
      assert.ok(Math.hypot(dx - 2, dy + 1) < 0.5, `${dx}, ${dy} at ${x}, ${y}`);
    }
    assert.ok(Math.hypot(...at(70, 70)) < 0.7);
  });

  it('points inward where a disc shrinks', () => {
    const flow = flowFromMasks(joinLabels(disc(36, 36, 22), disc(36, 36, 20)));
    const [dx] = [plane(flow, 0, 0)[36 * 72 + 57] * 72];
    assert.ok(Math.abs(dx + 2) < 0.5, `${dx}`);
    assert.ok(Math.abs(plane(flow, 0, 0)[36 * 72 + 36] * 72) < 0.2);
  });

  it('carries each mask of a beat onto the next', () => {
    const masks = interpolateCycle(drawHeart(ED), drawHeart(ES), { frames: 8 });
    const flow = flowFromMasks(masks, { last: 'loop' });
    const side = ED.side;
    for (let t = 0; t < 8; t++) {
      const [now, next] = [plane(masks, 0, t), plane(masks, 0, (t + 1) % 8)];
      let agree = 0;
      let asked = 0;
      now.forEach((label, i) => {
        if (label === 0) return;
        asked++;
        const x = Math.round((i % side) + plane(flow, 0, t)[i] * side);
        const y = Math.round(Math.floor(i / side) + plane(flow, 1, t)[i] * side);
        if (next[y * side + x] === label) agree++;
      });
      assert.ok(agree / asked > 0.96, `frame ${t}: ${agree / asked}`);
    }
  });

  it('stands still for empty masks and one frame, and is zero outside the sector', () => {
    const empty = labelFrames(3, 10, 12);
    assert.ok(flowFromMasks(empty).data.every((value) => value === 0));
    assert.ok(flowFromMasks(drawHeart(ED)).data.every((value) => value === 0));
    const sector = everywhere(72, 72);
    sector.data.fill(0, 0, 36 * 72);
    const flow = flowFromMasks(joinLabels(disc(32, 36, 18), disc(34, 35, 18)), { sector });
    assert.ok(plane(flow, 0, 0).subarray(0, 36 * 72).every((value) => value === 0));
  });
});
