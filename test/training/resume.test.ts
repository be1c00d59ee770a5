/** A run that was stopped and resumed ends with the weights of one that was not, bit for bit. */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { addLatents } from '../../src/training/clip-store.ts';
import type { TrainingConfig } from '../../src/training/config.ts';
import { listCheckpoints } from '../../src/training/checkpoint.ts';
import { openRunLog, type RunLog } from '../../src/training/run-log.ts';
import { stageNames, trainStage, type StageName } from '../../src/training/runs.ts';
import { expectNoLeaks } from '../support/leaks.ts';
import { drawnClips, recordedLog, tinyConfig } from './drawn-clips.ts';

expectNoLeaks();

const folder = mkdtempSync(join(tmpdir(), 'heartbeat resume '));
after(() => rmSync(folder, { recursive: true, force: true }));
const unbroken = join(folder, 'unbroken');
const broken = join(folder, 'broken');
const clips = drawnClips(4);
const config = tinyConfig(6);

interface Wish {
  readonly run: string; readonly log?: RunLog; readonly resumeFrom?: string | null;
  readonly stopAt?: number; readonly config?: TrainingConfig;
}

/** Trains on three clips, with one held out, until step `stopAt` or to the end. */
async function train(name: StageName, wish: Wish) {
  let at = 0;
  return trainStage(name, {
    config: wish.config ?? config, run: wish.run, train: clips.slice(0, 3),
    validation: clips.slice(3), log: wish.log ?? recordedLog(), resumeFrom: wish.resumeFrom ?? null,
    onProgress: (step) => { at = step; },
    stopRequested: () => wish.stopAt !== undefined && at >= wish.stopAt,
  });
}

/** Weights, moments and averages of a checkpoint, and the finished model: every byte of them. */
function weightsIn(run: string, name: StageName): Record<string, string> {
  const read = (below: string) => readdirSync(join(run, name, below), { recursive: true })
    .map((file) => join(below, String(file))).filter((file) => file.endsWith('.safetensors'))
    .map((file) => [file, readFileSync(join(run, name, file)).toString('base64')] as const);
  return Object.fromEntries([...read('checkpoint-6'), ...read('model')]);
}

describe('resuming', () => {
  for (const name of stageNames) {
    it(`${name}: 3 steps, stop and 3 more are 6 steps at once`, async () => {
      if (name === 'image') await addLatents(clips, unbroken, { config, data: '', cache: folder });
      if (existsSync(unbroken)) {
        for (const stage of readdirSync(unbroken)) {
          cpSync(join(unbroken, stage, 'model'), join(broken, stage, 'model'), { recursive: true });
        }
      }
      const whole = recordedLog();
      const result = await train(name, { run: unbroken, log: whole });
      assert.deepEqual([result.step, result.finished], [6, true]);

      const parts = [recordedLog(), recordedLog()];
      const stopped = await train(name, { run: broken, log: parts[0], stopAt: 3 });
      assert.deepEqual([stopped.step, stopped.finished], [3, false]);
      assert.deepEqual(listCheckpoints(join(broken, name)).map(({ step }) => step), [3]);
      assert.equal(existsSync(join(broken, name, 'model')), false, 'a model before the end');
      const resumed = await train(name, { run: broken, log: parts[1], resumeFrom: 'latest' });
      assert.equal(resumed.finished, true);

      assert.deepEqual(weightsIn(broken, name), weightsIn(unbroken, name));
      assert.deepEqual([...parts[0].scalars, ...parts[1].scalars], whole.scalars);
      assert.deepEqual(parts[1].images, whole.images);
      const steps = new Set(whole.scalars.map(({ step }) => step));
      assert.deepEqual([...steps], [1, 2, 3, 4, 5, 6]);
    });
  }

  it('writes into the same log files, with a mark where it goes on', async () => {
    const run = join(folder, 'logged');
    const stage = join(run, 'vae');
    const first = openRunLog(stage);
    await train('vae', { run, log: first, stopAt: 3 });
    first.close();
    const second = openRunLog(stage, { resumeStep: 3 });
    await train('vae', { run, log: second, resumeFrom: 'latest' });
    second.close();
    const lines = readFileSync(join(stage, 'metrics.jsonl'), 'utf8').trimEnd().split('\n')
      .map((line) => JSON.parse(line) as { step: number; name?: string; event?: string });
    const losses = lines.filter(({ name, event }) => name === 'train/loss' || event === 'resume');
    const story = losses.map(({ step, event }) => (event === 'resume' ? `resume ${step}` : step));
    assert.deepEqual(story, [1, 2, 3, 'resume 3', 4, 5, 6]);
    assert.equal(readdirSync(join(stage, 'logs')).length, 1);
    assert.equal(readdirSync(join(stage, 'previews')).length, 1);
  });

  it('refuses a checkpoint of another configuration by its key, writing nothing', async () => {
    const stage = join(unbroken, 'vae');
    const before = readdirSync(stage, { recursive: true }).sort();
    const saved = readFileSync(join(stage, 'config.json'), 'utf8');
    const other = tinyConfig(6, 'vae.generator.learningRate=0.5');
    await assert.rejects(train('vae', { run: unbroken, resumeFrom: 'latest', config: other }),
      /checkpoint-6: cannot resume, .*: vae\.generator\.learningRate: expected 0\.5, got 0\.002 /);
    const preset = { ...config, preset: 'small' };
    await assert.rejects(train('vae', { run: unbroken, resumeFrom: 'latest', config: preset }),
      /the configuration differs: preset: expected "small", got "tiny" in the checkpoint$/);
    assert.deepEqual(readdirSync(stage, { recursive: true }).sort(), before);
    assert.equal(readFileSync(join(stage, 'config.json'), 'utf8'), saved);
  });

  it('takes another rhythm of saving, and other settings of other stages', async () => {
    const other = tinyConfig(6, 'vae.loop.checkpointingSteps=2', 'video.optimization.emaDecay=0.5');
    const result = await train('vae', { run: unbroken, resumeFrom: 'latest', config: other });
    assert.deepEqual({ step: result.step, finished: result.finished }, { step: 6, finished: true });
  });

  it('of a run that has not begun starts it; a missing checkpoint is an error', async () => {
    const run = join(folder, 'fresh');
    const result = await train('vae', { run, resumeFrom: 'latest', stopAt: 1 });
    assert.equal(result.step, 1);
    await assert.rejects(train('vae', { run, resumeFrom: 'checkpoint-5' }),
      /checkpoint: expected a folder at checkpoint-5, got nothing/);
  });
});

describe('a stage', () => {
  it('without the stage before it says which to run first', async () => {
    const run = join(folder, 'empty');
    await assert.rejects(train('video', { run }),
      /expected the finished \w+ stage in .*: run `train \w+` first$/);
    await assert.rejects(addLatents(clips, run, { config, data: '', cache: folder }),
      /expected the finished vae stage in .*, got none: run `train vae` first$/);
  });

  it('without clips is one sentence; without held-out clips it trains all the same', async () => {
    const options = {
      config, log: recordedLog(), resumeFrom: null,
      onProgress: () => {}, stopRequested: () => false,
    };
    for (const name of stageNames) {
      const log = recordedLog();
      const run = join(folder, 'unbroken');
      await assert.rejects(
        trainStage(name, { ...options, run, train: [], validation: clips }),
        new RegExp(`^Error: train ${name}: expected clips to train on, got none$`));
      const alone = join(folder, 'no validation');
      for (const stage of stageNames) {
        const from = join(unbroken, stage, 'model');
        if (stage !== name) cpSync(from, join(alone, stage, 'model'), { recursive: true });
      }
      const short = tinyConfig(1, 'vae.textureStart=0');
      const result = await trainStage(
        name, { ...options, config: short, run: alone, log, train: clips, validation: [] });
      assert.equal(result.finished, true);
      assert.deepEqual(log.scalars.filter(({ name }) => name.startsWith('validation/')), []);
      assert.ok(log.scalars.every(({ value }) => Number.isFinite(value)));
      assert.ok(existsSync(join(alone, name, 'model')));
      rmSync(alone, { recursive: true });
    }
  });

  it('whose clips have no masks cannot train the image encoder, in one sentence', async () => {
    const bare = clips.map((clip) => ({ ...clip, planes: new Map() }));
    await assert.rejects(trainStage('image-encoder', {
      config, run: join(folder, 'bare'), train: bare, validation: [], log: recordedLog(),
      resumeFrom: null, onProgress: () => {}, stopRequested: () => false,
    }), /^Error: stage image-encoder: expected clips with masks, got 4 clips without one$/);
  });
});
