import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { randomStream } from '../../src/frames/random.ts';
import { loadEchoVideo } from '../../src/metrics/echo-features.ts';
import { presets } from '../../src/training/presets.ts';
import type { PreparedClip } from '../../src/training/prepared-clip.ts';
import { EchoVideoStage, echoVideoStageConfig, phases } from '../../src/training/stage-echo-video.ts';
import { expectNoLeaks } from '../support/leaks.ts';

expectNoLeaks();

const folder = mkdtempSync(join(tmpdir(), 'echo-video-'));
after(() => rmSync(folder, { recursive: true }));

const [size, frames] = [32, 8];
const preset = presets.tiny().echoVideo;
const config = echoVideoStageConfig.parse({
  ...preset, greyRange: 1.1,
  optimization: { ...preset!.optimization, trainBatchSize: 8, maxTrainSteps: 60, learningRate: 1e-2 },
});

/** A dark disc that beats in a bright field; beside it, in 4CH, a bar that stands still. */
function beating(id: number): PreparedClip {
  const stream = randomStream('beating', id);
  const view = id % 2 === 0 ? '2CH' : '4CH';
  const ef = 30 + 40 * stream.uniform();
  const es = 3;
  const beat = { ed: 0, es, whole: true, ef };
  const video = new Uint8Array(frames * size * size);
  phases(beat, frames, 0).forEach((phase, t) => {
    const radius = 9 * (1 - (ef / 100) * (1 - Math.cos(phase)) / 2);
    for (let i = 0; i < size * size; i++) {
      const [x, y] = [i % size, Math.floor(i / size)];
      const bar = view === '4CH' && x > 25;
      const inside = bar || Math.hypot(x - 13, y - 16) < radius;
      video[t * size * size + i] = Math.max(0, (inside ? 30 : 180) + 10 * stream.normal());
    }
  });
  return {
    id: `${id}`, patient: `${id}`, view, prompt: '', frames, size, stills: false, beat, video,
    planes: new Map(), latents: null, embedding: null,
  };
}

const clips = Array.from({ length: 12 }, (_, id) => beating(id));
const held = [100, 101, 102, 103].map(beating);
const make = () => new EchoVideoStage(clips, held, config, 5);

test('phases go from ED by ES back to ED, wherever the clip begins', () => {
  const beat = { ed: 0, es: 2, whole: true, ef: null };
  const pi = Math.PI;
  assert.deepEqual(phases(beat, 6, 0), [0, pi / 2, pi, 1.25 * pi, 1.5 * pi, 1.75 * pi]);
  assert.deepEqual(phases(beat, 6, 2), [pi, 1.25 * pi, 1.5 * pi, 1.75 * pi, 0, pi / 2]);
  assert.deepEqual(phases({ ed: 0, es: 4, whole: false, ef: null }, 5, 0),
    [0, pi / 4, pi / 2, (3 * pi) / 4, pi]);
});

test('the video network learns phase, EF and view, and its folder reads as it did', () => {
  const stage = make();
  const before = stage.validate();
  for (let step = 0; step < 60; step++) stage.step(step);
  const figures = stage.validate();
  assert.ok(figures['phase-degrees'] < 40 && figures['phase-degrees'] < 0.7 * before['phase-degrees'],
    `${before['phase-degrees']} -> ${figures['phase-degrees']}`);
  assert.equal(figures['view-accuracy'], 1);
  assert.ok(figures['ef-percent'] < 12, `${figures['ef-percent']}`);
  stage.save(join(folder, 'model'), { steps: 60 });
  stage.dispose();
  const loaded = loadEchoVideo(join(folder, 'model'));
  assert.deepEqual(loaded.card, { steps: 60 });
  assert.equal(loaded.network.dimension, 24);
  loaded.dispose();
});

test('a step is a function of weights and step number: it resumes to the same weights', () => {
  const whole = make();
  for (let step = 0; step < 4; step++) whole.step(step);
  const first = make();
  for (let step = 0; step < 2; step++) first.step(step);
  const { model, optimizer, ema } = first.state();
  const second = make();
  second.load({ model: new Map(model), optimizer: new Map(optimizer), ema: new Map(ema) });
  for (let step = 2; step < 4; step++) second.step(step);
  for (const [key, value] of whole.state().model) {
    assert.deepEqual(second.state().model.get(key)!.toFloat32(), value.toFloat32(), key);
  }
  for (const stage of [whole, first, second]) stage.dispose();
});

test('clips without a beat are refused in a sentence', () => {
  const { beat: _, ...still } = clips[0];
  assert.throws(() => new EchoVideoStage([still], [], config, 1), /ED and ES, got none among 1/);
});
