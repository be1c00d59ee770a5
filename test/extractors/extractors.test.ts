/** Networks as extractors: what is around them, their choice by configuration and by flags. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { extractorOverrides, extractorsOf } from '../../src/cli/extractor-flags.ts';
import type { FlowEstimator } from '../../src/conditions/flow.ts';
import {
  extractorNames, extractorsConfig, openExtractors,
} from '../../src/extractors/extractors.ts';
import { pidinetSketch } from '../../src/extractors/pidinet-sketch.ts';
import { raftFlow } from '../../src/extractors/raft-flow.ts';
import { plane } from '../../src/frames/frames.ts';
import type { Frames } from '../../src/frames/frames.ts';
import { cat, full } from '../../src/tensor/ops.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { resolveConfig } from '../../src/training/config.ts';
import { everywhere, paintVideo, wavesAt } from '../conditions/shapes.ts';
import { expectNoLeaks } from '../support/leaks.ts';

const folder = fileURLToPath(new URL('../../../shared/data/weights/', import.meta.url));
const absent = existsSync(folder) ? false : 'the published weights (../shared/data/weights) are not here';
const published = { raft: `${folder}raft-small.pth`, pidinet: `${folder}pidinet.pth` };
const other = fileURLToPath(new URL('../golden/pytorch-checkpoint/network-zip.pt', import.meta.url));

expectNoLeaks();

/** A network that sees every pixel move by (dx, dy) at its own size, and counts what it is asked. */
function constantMotion(dx: number, dy: number) {
  const seen: number[][] = [];
  const features = (x: Tensor) => {
    seen.push([...x.shape, x.amin().item(), x.amax().item()]);
    return x.narrow(1, 0, 1);
  };
  const match = (before: Tensor) => {
    const [, , height, width] = before.shape;
    return cat([full([1, 1, height, width], dx), full([1, 1, height, width], dy)], 1);
  };
  return { seen, network: { features, context: (x: Tensor) => x, match } };
}

describe('RAFT as a flow estimator', () => {
  const video = paintVideo(3, 40, 64, (x) => x / 63);

  it('matches enlarged frames, each prepared once, and brings the motion back', () => {
    const { seen, network } = constantMotion(8, -6);
    const flow = raftFlow(network, { side: 256, updates: 1 })(video, everywhere(40, 64), 'loop');
    assert.deepEqual(seen.map((shape) => shape.slice(0, 4)), Array(3).fill([1, 3, 160, 256]));
    for (const [, , , , least, most] of seen) assert.deepEqual([least, most], [-1, 1]);
    for (let t = 0; t < 3; t++) {
      assert.ok(plane(flow, 0, t).every((dx) => Math.abs(dx - 8 / 4 / 64) < 1e-6));
      assert.ok(plane(flow, 1, t).every((dy) => Math.abs(dy + 6 / 4 / 64) < 1e-6));
    }
  });

  it('never matches below 128, is zero outside the sector and for one frame', () => {
    const { seen, network } = constantMotion(8, 8);
    const estimate = raftFlow(network, { side: 64, updates: 1 });
    const sector = everywhere(40, 64);
    sector.data.fill(0, 0, 64 * 20);
    const flow = estimate(video, sector);
    assert.deepEqual(seen[0].slice(2, 4), [128, 208]);
    assert.ok(plane(flow, 0, 1).subarray(0, 64 * 20).every((value) => value === 0));
    assert.ok(plane(flow, 0, 1).subarray(64 * 20).every((value) => value > 0));
    assert.deepEqual(plane(flow, 0, 2), plane(flow, 0, 1), 'the last frame is held');
    const still = estimate(paintVideo(1, 40, 64, () => 0.5), everywhere(40, 64));
    assert.ok(still.data.every((value) => value === 0));
  });

  it('refuses broken pictures, and weights whose answer is no number', () => {
    const estimate = raftFlow(constantMotion(1, Number.NaN).network, { side: 128, updates: 1 });
    assert.throws(() => estimate(video, everywhere(40, 64)), /raft: expected a finite flow, got NaN/);
    const broken = paintVideo(2, 40, 64, () => 0.5);
    broken.data[7] = Number.NaN;
    assert.throws(() => estimate(broken, everywhere(40, 64)), /flow: .*got NaN at frame 0/);
  });
});

describe('PiDiNet as a sketch extractor', () => {
  /** A fan-less sector: rows 10 to 49 of 60, brighter to the right. */
  const frame = paintVideo(1, 60, 60, (x, y) => (y < 10 || y > 49 ? 0 : 0.2 + x / 200));
  const edgeAt = (column: number) => ({
    call: (x: Tensor) => {
      const [, , height, width] = x.shape;
      const at = Math.round((column * width) / 60);
      const [left, right] = [full([1, 1, height, at], 0), full([1, 1, height, width - at - 4], 0)];
      return cat([left, full([1, 1, height, 4], 0.3), right], 3);
    },
  });

  it('stretches its edges inside the sector, and adds the outline', () => {
    const { data } = pidinetSketch(edgeAt(30), { side: 120 })(frame);
    const at = (x: number, y: number) => data[y * 60 + x];
    assert.ok(Math.abs(at(30, 30) - 1) < 1e-6, 'a weak edge is drawn in full');
    assert.equal(at(20, 30), 0);
    assert.equal(at(30, 4), 0, 'nothing outside');
    assert.ok(at(20, 10) > 0.5 && at(20, 49) > 0.5, 'the border above and below');
    assert.ok(data.every((value) => value >= 0 && value <= 1));
  });

  it('draws nothing of a black frame, and refuses what is no answer or no frame', () => {
    const black = pidinetSketch(edgeAt(30), { side: 60 })(paintVideo(1, 60, 60, () => 0));
    assert.ok(black.data.every((value) => value === 0));
    const broken = { call: (x: Tensor) => x.narrow(1, 0, 1).mul(Number.NaN) };
    assert.throws(() => pidinetSketch(broken, { side: 60 })(frame), /pidinet: expected finite edges/);
    const two = paintVideo(2, 9, 9, () => 0);
    assert.throws(() => pidinetSketch(edgeAt(3), { side: 60 })(two), /sketch: expected frames 1, got 2/);
  });
});

describe('the choice of extractors', () => {
  it('is the built-in ones, named in no cache', async () => {
    const { identity, flowEstimator, dispose } = openExtractors();
    assert.deepEqual(identity, {});
    assert.equal(typeof (await flowEstimator()), 'function');
    dispose();
    assert.deepEqual(resolveConfig({ preset: 'tiny' }).extractors,
      { flow: 'farneback', sketch: 'builtin' });
  });

  it('comes from flags through the configuration, paths of any letters included', () => {
    const flags = {
      flowExtractor: 'raft', flowWeights: "a: 'b' #c.pth", sketchExtractor: 'pidinet',
      sketchWeights: 'd.pth',
    } as const;
    const overrides = extractorOverrides(flags);
    const { extractors } = resolveConfig({ preset: 'tiny', overrides });
    assert.deepEqual(extractors, { flow: { raft: "a: 'b' #c.pth" }, sketch: { pidinet: 'd.pth' } });
    assert.deepEqual(extractors, extractorsOf(flags));
    assert.deepEqual(extractorNames(extractors), { flow: 'raft', sketch: 'pidinet' });
    assert.deepEqual(extractorNames(undefined), { flow: 'farneback', sketch: 'builtin' });
    const back = [...overrides, ...extractorOverrides({ flowExtractor: 'farneback' })];
    assert.equal(resolveConfig({ preset: 'tiny', overrides: back }).extractors.flow, 'farneback');
    const dotted = ['extractors.flow.raft=x.pth'];
    assert.deepEqual(resolveConfig({ preset: 'tiny', overrides: dotted }).extractors.flow,
      { raft: 'x.pth' });
    assert.deepEqual(extractorOverrides({}), []);
  });

  it('is refused in a sentence', () => {
    const refuses = (flags: object, message: RegExp) => assert.throws(() => extractorsOf(flags), message);
    refuses({ flowExtractor: 'raft' }, /--flow-extractor raft: expected the file .* got none/);
    refuses({ flowWeights: 'x' }, /--flow-weights x: expected --flow-extractor raft with it, got none/);
    refuses({ sketchExtractor: 'builtin', sketchWeights: 'x' }, /with it, got builtin/);
    const config = (value: string) => () =>
      resolveConfig({ preset: 'tiny', overrides: [`extractors.flow=${value}`] });
    assert.throws(config('{"raft":""}'), /extractors.flow.raft: expected the file of its weights/);
    assert.throws(config('{"raft":1}'), /extractors.flow: expected farneback or/);
    for (const value of ['raft', '{"rafft":"x"}', 'null', '3']) {
      assert.throws(config(value), /extractors\.flow.*: expected farneback or \{ raft: file of its weights \}, got/);
    }
    assert.throws(() => extractorsConfig.parse({ optical: 1 }), /optical/);
    assert.throws(() => openExtractors({ flow: { raft: `${other}.none` } }), /network-zip.pt.none/);
    assert.throws(() => openExtractors({ flow: { raft: other } }),
      /network-zip.pt: load: expected fnet.conv1.weight/);
    assert.throws(() => openExtractors({ sketch: { pidinet: other } }),
      /network-zip.pt: pidinet: expected the weights of PiDiNet/);
  });

  it('with the published files follows and draws', { skip: absent }, async () => {
    const { raft, pidinet } = published;
    const extractors = openExtractors({ flow: { raft }, sketch: { pidinet } });
    try {
      assert.match(extractors.identity.flow!, /^raft-small 384 12 c7d41b9c/);
      assert.match(extractors.identity.sketch!, /^pidinet 512 80860ac2/);
      const estimate: FlowEstimator = await extractors.flowEstimator();
      const moving = paintVideo(2, 96, 96, (x, y, t) => wavesAt(x - 1.5 * t, y + 0.8 * t));
      const flow = estimate(moving, everywhere(96, 96));
      const middle = (c: number) => meanOf(flow, c, 24, 72) * 96;
      assert.ok(Math.hypot(middle(0) - 1.5, middle(1) + 0.8) < 0.2, `${middle(0)}, ${middle(1)}`);
      const disc = paintVideo(1, 96, 96, (x, y) => (Math.hypot(x - 48, y - 48) < 22 ? 0.9 : 0.25));
      const { data } = extractors.extractSketch(disc, everywhere(96, 96));
      const ring = (radius: number) => data[48 * 96 + 48 + radius];
      assert.ok(Math.max(ring(21), ring(22), ring(23)) > 0.5, 'the border of the disc');
      assert.ok(ring(0) < 0.1 && ring(34) < 0.1, 'neither its middle nor what is around it');
    } finally {
      extractors.dispose();
    }
    assert.throws(() => openExtractors({ flow: { raft: pidinet } }), /pidinet.pth: load: expected fnet/);
    assert.throws(() => openExtractors({ sketch: { pidinet: raft } }), /raft-small.pth: pidinet: expected/);
  });
});

/** Mean of a plane of frame 0 over a square. */
function meanOf(flow: Frames, channel: number, from: number, to: number): number {
  const values = plane(flow, channel, 0).filter((_, i) => {
    const [x, y] = [i % flow.width, Math.floor(i / flow.width)];
    return x >= from && x < to && y >= from && y < to;
  });
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
