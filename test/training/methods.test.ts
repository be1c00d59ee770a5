/** The baselines, end to end at preset tiny: configured, trained, resumed, saved, loaded, sampled; and refusals. */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { conditionNames, type ConditionInputs } from '../../src/conditions/condition.ts';
import type { Frames } from '../../src/frames/frames.ts';
import { HeartBeat } from '../../src/heartbeat/heartbeat.ts';
import { loadModelFolder, readModelIndex } from '../../src/heartbeat/model-folder.ts';
import { synthesize, type SynthesisOptions } from '../../src/heartbeat/synthesis.ts';
import { addLatents } from '../../src/training/clip-store.ts';
import { expectSources } from '../../src/training/components.ts';
import { conditionInputsOf } from '../../src/training/condition-inputs.ts';
import { resolveConfig } from '../../src/training/config.ts';
import { estimateStage } from '../../src/training/estimate.ts';
import { methodNames, methods, type MethodName } from '../../src/training/methods.ts';
import { modelOf } from '../../src/training/run-folder.ts';
import { trainStage, type StageName } from '../../src/training/runs.ts';
import { expectNoLeaks } from '../support/leaks.ts';
import { drawnClip, drawnClips, recordedLog, tinyConfig, tinyModel, wake } from './drawn-clips.ts';

expectNoLeaks();

const folder = mkdtempSync(join(tmpdir(), 'heartbeat methods '));
after(() => rmSync(folder, { recursive: true, force: true }));
const clips = drawnClips(3);
const frozen = ['pretrained.vae=random', 'pretrained.image_encoder=random'];

async function train(name: StageName, method: MethodName, run: string, { stopAt = Infinity, resume = false } = {}) {
  let at = 0;
  return trainStage(name, {
    config: tinyConfig(3, `method=${method}`, ...frozen), run, train: clips, validation: [], log: recordedLog(),
    resumeFrom: resume ? 'latest' : null, onProgress: (step) => { at = step; }, stopRequested: () => at >= stopAt,
  });
}

function weightsIn(folder: string): Record<string, string> {
  const files = readdirSync(folder).filter((file) => file.endsWith('.safetensors'));
  return Object.fromEntries(files.map((file) => [file, readFileSync(join(folder, file)).toString('base64')]));
}

const same = (a: Frames, b: Frames) => Buffer.from(a.data.buffer).equals(Buffer.from(b.data.buffer));

describe('every method at preset tiny', () => {
  for (const method of methodNames.filter((name) => name !== 'heartbeat')) {
    it(`${method}: trained, two steps as one and one more resumed, saved, loaded, sampled`, async () => {
      const [whole, broken] = [join(folder, method), join(folder, `${method} broken`)];
      const config = tinyConfig(3, `method=${method}`, ...frozen);
      await addLatents(clips, whole, { config, data: '', cache: folder });
      if (methods[method].image !== null) {
        assert.equal((await train('image', method, whole)).finished, true);
        cpSync(join(whole, 'image'), join(broken, 'image'), { recursive: true });
      }
      assert.equal((await train('video', method, whole, { stopAt: 2 })).step, 2);
      assert.equal((await train('video', method, broken, { stopAt: 1 })).step, 1);
      assert.equal((await train('video', method, broken, { resume: true, stopAt: 2 })).step, 2);
      const reached = (run: string) => weightsIn(join(run, 'video', 'checkpoint-2'));
      assert.deepEqual(reached(broken), reached(whole));
      assert.equal((await train('video', method, whole, { resume: true })).finished, true);
      const saved = readModelIndex(modelOf(whole, 'video'));
      assert.deepEqual(saved.config, { ...config.model, unet: { ...config.model.unet, temporal: true } });
      assert.equal(saved.card.method, method);
      await sampleEvery(modelOf(whole, 'video'), methods[method].conditions);
    });
  }

  /** Every condition of a model matters and may be left out; every other one is refused. */
  async function sampleEvery(path: string, known: readonly string[]): Promise<void> {
    const model = loadModelFolder(path);
    const heartbeat = tinyModel();
    try {
      const sample = (inputs: ConditionInputs, options: SynthesisOptions = {}) =>
        synthesize(model, inputs, { seed: 1, numInferenceSteps: 1, guidanceScale: 1, ...options });
      const born = await sample(conditionInputsOf(drawnClip(0), model));
      assert.ok(born.data.every((value) => value >= 0 && value <= 1));
      wake(model);
      const every = conditionInputsOf(drawnClip(0), heartbeat);
      const all = Object.fromEntries(Object.entries(every).filter(([name]) => known.includes(name)));
      assert.deepEqual(conditionInputsOf(drawnClip(0), model), all);
      const asked = await sample(all);
      for (const name of conditionNames) {
        const { [name]: one, ...without } = { ...every, ...all };
        if (!known.includes(name)) {
          await assert.rejects(sample({ [name]: one }), new RegExp(`^Error: condition ${name}: expected one of ` +
            `this model's conditions \\(${known.join(', ')}\\), got ${name}$`));
          continue;
        }
        const rest = Object.fromEntries(Object.entries(without).filter(([other]) => known.includes(other)));
        const absent = await sample(rest);
        assert.ok(!same(asked, absent), `${name} changes nothing`);
        if (name !== 'image') continue;
        assert.ok(same(await sample(all, { strength: { image: 0 } }), absent), 'strength 0 of image is not absence');
      }
    } finally {
      model.dispose();
      heartbeat.dispose();
    }
  }
});

describe('a method', () => {
  it('comes from its flag, an override or the file, and two that differ are refused', () => {
    const file = join(folder, 'method.yaml');
    writeFileSync(file, 'method: moonshot\n');
    const tiny = (sources: object) => resolveConfig({ preset: 'tiny', ...sources });
    const ways = [{ method: 'moonshot' }, { overrides: ['method=moonshot'] }, { file }, { method: 'moonshot', file }];
    for (const sources of ways) {
      const { method, model } = tiny(sources);
      assert.equal(method, 'moonshot');
      assert.deepEqual([model.conditions, model.unet.imageQuery, model.unet.localChannels],
        [['text', 'image'], 'shared', 0]);
    }
    assert.equal(tiny({ file, overrides: ['model.unet.imageQuery=own'] }).model.unet.imageQuery, 'own');
    assert.throws(() => tiny({ method: 'heartbeat-3d', file }),
      /^Error: config: expected a configuration of method heartbeat-3d, got moonshot$/);
    assert.throws(() => tiny({ overrides: ['method=moonshoot'] }), /config: .*moonshoot.*moonshot/);
    for (const method of methodNames) {
      const config = tiny({ method });
      const saved = join(folder, 'saved.json');
      writeFileSync(saved, JSON.stringify(config));
      assert.deepEqual(tiny({ file: saved }), config, 'reads its own saved copy back');
    }
    assert.deepEqual(tiny({ method: 'heartbeat' }), tiny({}), 'HeartBeat is what the presets are');
  });

  it('of one stage has the budget of two: its frames, stage 1’s rate and warm-up', () => {
    for (const preset of ['tiny', 'small', 'base', 'paper'] as const) {
      const { image, video, model } = resolveConfig({ preset });
      const direct = resolveConfig({ preset, method: 'videocomposer' }).video.optimization;
      const frames = ({ trainBatchSize, maxTrainSteps }: typeof direct) => trainBatchSize * maxTrainSteps;
      const both = frames(image.optimization) + frames(video.optimization) * model.frames;
      const step = direct.trainBatchSize * model.frames;
      const seen = frames(direct) * model.frames;
      assert.ok(seen >= both && seen < both + step, `${preset}: ${seen} frames for ${both}`);
      assert.deepEqual([direct.learningRate, direct.lrWarmupSteps],
        [image.optimization.learningRate, image.optimization.lrWarmupSteps]);
    }
  });

  it('of one stage has no image stage: one sentence wherever it is asked for', async () => {
    const config = tinyConfig(3, 'method=heartbeat-3d', ...frozen);
    const sentence = new RegExp('^Error: train image: expected a method with an image stage \\(heartbeat, ' +
      'heartbeat-base, moonshot\\), got heartbeat-3d, which trains as video from the start: run `train video`$');
    await assert.rejects(train('image', 'heartbeat-3d', join(folder, 'none')), sentence);
    assert.throws(() => expectSources('image', config, folder), sentence);
    assert.throws(() => estimateStage('image', { config }), sentence);
    const needed = tinyConfig(3, 'method=videocomposer');
    assert.throws(() => expectSources('video', needed, join(folder, 'none')),
      /expected the finished vae stage in .*, got none: run `train vae` first$/);
  });

  it('whose U-Net sees no local features takes no local condition', () => {
    const { model } = tinyConfig(1, 'method=moonshot', 'model.conditions=["text","mask"]');
    assert.throws(() => new HeartBeat(model),
      /^Error: local_encoders: expected featureChannels of the U-Net's localChannels 0, got 8$/);
  });

  it('does not go on with the checkpoints or the image network of another', async () => {
    const run = join(folder, 'mixed');
    cpSync(join(folder, 'moonshot', 'image'), join(run, 'image'), { recursive: true });
    await assert.rejects(train('image', 'heartbeat-base', run, { resume: true }),
      /cannot resume, the configuration differs: method: expected "heartbeat-base", got "moonshot" in the checkpoint$/);
    await assert.rejects(train('video', 'heartbeat-base', run), /unet.*safetensors: .*(conv_in|_image)/);
  });

  it('older than the choice is HeartBeat: its checkpoints resume', async () => {
    const [run, newer] = [join(folder, 'older'), join(folder, 'newer')];
    await train('image', 'heartbeat', newer, { stopAt: 2 });
    await train('image', 'heartbeat', run, { stopAt: 1 });
    const manifest = join(run, 'image', 'checkpoint-1', 'manifest.json');
    const record = JSON.parse(readFileSync(manifest, 'utf8'));
    const { method: _, model: { local_encoders: __, ...model }, ...config } = record.config;
    delete model.unet.temporalConvolution;
    delete model.global_adapter.oneToken;
    writeFileSync(manifest, JSON.stringify({ ...record, config: { ...config, model } }));
    assert.equal((await train('image', 'heartbeat', run, { resume: true, stopAt: 2 })).step, 2);
    const reached = (of: string) => weightsIn(join(of, 'image', 'checkpoint-2'));
    assert.deepEqual(reached(run), reached(newer));
  });
});
