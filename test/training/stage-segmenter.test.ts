import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { floatFrames } from '../../src/frames/frames.ts';
import { randomStream } from '../../src/frames/random.ts';
import { loadSegmenter, segmenterWeights } from '../../src/metrics/segmenter-folder.ts';
import { presets } from '../../src/training/presets.ts';
import type { PreparedClip } from '../../src/training/prepared-clip.ts';
import { SegmenterStage, segmenterStageConfig } from '../../src/training/stage-segmenter.ts';
import { expectNoLeaks } from '../support/leaks.ts';

expectNoLeaks();

const folder = mkdtempSync(join(tmpdir(), 'segmenter-'));
after(() => rmSync(folder, { recursive: true }));

const size = 32;
const preset = presets.tiny().segmenter;
const config = segmenterStageConfig.parse({
  ...preset, optimization: { ...preset.optimization, maxTrainSteps: 40, learningRate: 1e-2 },
});

/** A dark disc (label 1) in a bright ring (2) over a grey disc (3), with noise. */
function heart(id: string): PreparedClip {
  const stream = randomStream('heart', id);
  const frames = 4;
  const video = new Uint8Array(frames * size * size);
  const labels = new Uint8Array(video.length);
  const [cx, cy] = [15 + 2 * stream.normal(), 10 + stream.normal()];
  for (let i = 0; i < video.length; i++) {
    const [x, y] = [i % size, Math.floor(i / size) % size];
    const r = Math.hypot(x - cx, y - cy);
    const label = r < 5 ? 1 : r < 8 ? 2 : Math.hypot(x - cx, y - cy - 15) < 6 ? 3 : 0;
    labels[i] = label;
    video[i] = Math.min(255, Math.max(0, [40, 20, 200, 110][label] + 12 * stream.normal()));
  }
  const mask = { kind: 'labels', channels: 1, data: labels } as const;
  return {
    id, patient: id, view: '4CH', prompt: '', frames, size, stills: false, video,
    planes: new Map([['mask', mask]]), latents: null, embedding: null,
  };
}

const clips = ['a', 'b', 'c', 'd'].map(heart);
const held = ['y', 'z'].map(heart);
const make = (changes: object = {}) =>
  new SegmenterStage(4, clips, held, { ...config, ...changes }, 3);

test('the segmenter learns, and its folder finds the labels of held-out frames', () => {
  const stage = make();
  const before = stage.validate();
  for (let step = 0; step < 40; step++) stage.step(step);
  const figures = stage.validate();
  assert.ok(figures.loss < 0.5 * before.loss, `${before.loss} -> ${figures.loss}`);
  assert.ok(figures['dice-1'] > Math.max(0.8, before['dice-1']), `${figures['dice-1']}`);
  assert.deepEqual(Object.keys(figures), ['loss', 'dice-1', 'dice-2', 'dice-3']);
  const path = join(folder, 'model');
  stage.save(path, { steps: 40 });
  stage.save(path, { steps: 41 });
  stage.dispose();
  const loaded = loadSegmenter(path);
  assert.deepEqual(loaded.card, { steps: 41 });
  const { video, planes } = held[0];
  const shown = Float32Array.from(video, (byte) => byte / 255);
  const shape = { channels: 1, frames: 4, height: size, width: size };
  const found = loaded.segmenter.segment(floatFrames(shape, shown)).data;
  const wanted = planes.get('mask')!.data;
  const right = found.filter((label, i) => label === wanted[i]).length / found.length;
  assert.ok(right > 0.85, `${right}`);
  loaded.dispose();
});

test('a step is a function of weights and step number: it resumes to the same weights', () => {
  const whole = make();
  for (let step = 0; step < 6; step++) whole.step(step);
  const first = make();
  for (let step = 0; step < 3; step++) first.step(step);
  const { model, optimizer, ema } = first.state();
  const second = make();
  second.load({ model: new Map(model), optimizer: new Map(optimizer), ema: new Map(ema) });
  for (let step = 3; step < 6; step++) second.step(step);
  for (const [key, value] of whole.state().model) {
    assert.deepEqual(second.state().model.get(key)!.toFloat32(), value.toFloat32(), key);
  }
  for (const stage of [whole, first, second]) stage.dispose();
});

test('grey levels are varied in training only, and by the range asked for', () => {
  const loss = (greyRange: number) => {
    const stage = make({ greyRange });
    const { loss } = stage.step(0);
    stage.dispose();
    return loss;
  };
  assert.equal(loss(1.3), loss(1.3));
  assert.notEqual(loss(1.3), loss(1));
});

test('a segmenter folder that is not one is told', () => {
  const none = join(folder, 'none');
  assert.throws(() => loadSegmenter(none), /expected config.json and .*`train segmenter`/);
  const path = join(folder, 'model');
  const file = join(path, 'config.json');
  const content = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  const changed = (changes: object) =>
    writeFileSync(file, JSON.stringify({ ...content, ...changes }));
  changed({ widths: [8, 12, 24] });
  assert.throws(() => loadSegmenter(path), /expected shape .*, got/);
  changed({ _class_name: 'HeartBeat' });
  assert.throws(() => loadSegmenter(path), /expected _class_name Segmenter .* got HeartBeat/);
  changed({ groups: 'x' });
  assert.throws(() => loadSegmenter(path), /config.json: groups/);
  writeFileSync(file, '{');
  assert.throws(() => loadSegmenter(path), /expected JSON/);
  assert.ok(segmenterWeights(path).endsWith('.safetensors'));
});

test('clips without masks are not trained on', () => {
  const bare = { ...heart('q'), planes: new Map() };
  assert.throws(() => new SegmenterStage(4, [bare], [], config, 0), /at least 1 item/);
  const stage = new SegmenterStage(4, [...clips, bare], [bare], config, 0);
  assert.deepEqual(stage.validate(), {});
  stage.dispose();
});
