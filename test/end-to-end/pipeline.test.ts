/**
 * The whole of HeartBeat, small: a phantom, its preparation, all four trainings at preset `tiny`,
 * one of them stopped and resumed, and clips sampled under every condition. Each test stands on the
 * one before it, so the first that fails is the one to read.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { conditions, type ConditionInputs } from '../../src/conditions/condition.ts';
import { writePhantom } from '../../src/data/phantom/phantom.ts';
import type { Frames } from '../../src/frames/frames.ts';
import type { HeartBeat } from '../../src/heartbeat/heartbeat.ts';
import { loadModelFolder } from '../../src/heartbeat/model-folder.ts';
import { synthesize } from '../../src/heartbeat/synthesis.ts';
import { addLatents, loadSplit } from '../../src/training/clip-store.ts';
import { conditionInputsOf } from '../../src/training/condition-inputs.ts';
import { resolveConfig } from '../../src/training/config.ts';
import type { PreparedClip } from '../../src/training/prepared-clip.ts';
import { modelOf, trainStage, type StageName } from '../../src/training/runs.ts';
import { expectNoLeaks } from '../support/leaks.ts';
import { recordedLog, type RecordedLog } from '../training/drawn-clips.ts';

expectNoLeaks();

const steps = { vae: 120, imageEncoder: 40, image: 120, video: 30 };
const config = resolveConfig({
  preset: 'tiny',
  overrides: [
    'views=["4CH"]',
    `vae.generator.maxTrainSteps=${steps.vae}`, `vae.discriminator.maxTrainSteps=${steps.vae}`,
    'vae.textureStart=100', 'vae.generator.learningRate=5e-3',
    `imageEncoder.optimization.maxTrainSteps=${steps.imageEncoder}`,
    `image.optimization.maxTrainSteps=${steps.image}`, 'image.optimization.learningRate=4e-3',
    'image.optimization.trainBatchSize=8', 'image.optimization.emaDecay=0.95',
    `video.optimization.maxTrainSteps=${steps.video}`,
    ...['vae', 'imageEncoder', 'image', 'video'].flatMap((name) => [
      `${name}.loop.loggingSteps=10`, `${name}.loop.validationSteps=1000`,
      `${name}.loop.previewSteps=1000`, `${name}.loop.checkpointingSteps=1000`,
    ]),
  ],
});

describe('from a phantom to clips', () => {
  const folder = mkdtempSync(join(tmpdir(), 'heartbeat pipeline '));
  const data = join(folder, 'phantom');
  const run = join(folder, 'run');
  let clips: PreparedClip[] = [];
  let held: PreparedClip[] = [];
  before(async () => {
    writePhantom(data, { patients: 4, seed: 11, views: ['4CH'] });
    for (const [name, patients] of Object.entries({ training: [1, 2, 3], validation: [4] })) {
      const list = patients.map((number) => `patient${String(number).padStart(4, '0')}\n`).join('');
      writeFileSync(join(data, 'database_split', `subgroup_${name}.txt`), list);
    }
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  async function train(name: StageName, stopAt = Infinity, resumeFrom: string | null = null) {
    const log = recordedLog();
    let at = 0;
    const result = await trainStage(name, {
      config, run, train: clips, validation: held, log, resumeFrom,
      onProgress: (step) => { at = step; }, stopRequested: () => at >= stopAt,
    });
    return { ...result, log };
  }

  /** Means of the first and of the last quarter of a curve. */
  function ends(name: string, ...logs: RecordedLog[]): [number, number] {
    const values = logs.flatMap(({ scalars }) => scalars).filter((scalar) => scalar.name === name)
      .map(({ value }) => value);
    const mean = (part: number[]) => part.reduce((sum, value) => sum + value, 0) / part.length;
    const quarter = Math.max(1, Math.floor(values.length / 4));
    return [mean(values.slice(0, quarter)), mean(values.slice(-quarter))];
  }

  it('prepares clips with every condition', async () => {
    const store = { config, data, cache: join(folder, 'cache') };
    clips = await loadSplit('training', store);
    held = await loadSplit('validation', store);
    assert.deepEqual([clips.length, held.length], [3, 1]);
    for (const { planes, frames } of [...clips, ...held]) {
      assert.deepEqual([...planes.keys()].sort(), ['flow', 'mask', 'skeleton', 'sketch']);
      assert.equal(frames, 4);
    }
  });

  it('trains the VAE: the reconstruction gets better', async () => {
    const { finished, log } = await train('vae');
    assert.ok(finished);
    const [first, last] = ends('train/reconstruction', log);
    assert.ok(last < 0.7 * first, `reconstruction loss ${first} to ${last}`);
  });

  it('trains the image encoder: the masks get better', async () => {
    const { finished, log } = await train('image-encoder');
    assert.ok(finished);
    const [first, last] = ends('train/loss', log);
    assert.ok(last < 0.8 * first, `loss ${first} to ${last}`);
  });

  it('trains stage 1, stopped half-way and resumed: the loss falls', async () => {
    await addLatents([...clips, ...held], run, { config, data, cache: join(folder, 'cache') });
    const half = await train('image', steps.image / 2);
    assert.deepEqual([half.finished, half.step], [false, steps.image / 2]);
    const rest = await train('image', Infinity, 'latest');
    assert.ok(rest.finished);
    const [first, last] = ends('train/loss', half.log, rest.log);
    assert.ok(last < 0.8 * first, `loss ${first} to ${last}`);
  });

  it('trains stage 2 from stage 1: it starts where that ended', async () => {
    const { finished, log } = await train('video');
    assert.ok(finished);
    const [first, last] = ends('train/loss', log);
    assert.ok(first < 0.8, `stage 2 starts at a loss of ${first}, as if stage 1 had not been`);
    assert.ok(last < 1.15 * first, `loss ${first} to ${last}`);
  });

  describe('the finished model', () => {
    let model: HeartBeat;
    let all: ConditionInputs;
    before(() => {
      model = loadModelFolder(modelOf(run, 'video'));
      all = conditionInputsOf(held[0], model);
    });
    after(() => model?.dispose());

    const sample = (inputs: ConditionInputs, seed = 1) =>
      synthesize(model, inputs, { seed, numInferenceSteps: 10 });
    /** So small a network mostly follows what says where things are. */
    const leastMove = (name: string) => (name === 'mask' || name === 'sketch' ? 0.01 : 3e-4);
    /** Root mean square difference; 0 for the same clip, since a clip is a function of its seed. */
    const distance = (a: Frames, b: Frames) =>
      Math.hypot(...a.data.map((value, i) => value - b.data[i])) / Math.sqrt(a.data.length);

    it('obeys every single condition: on against off, at one seed', async () => {
      const none = await sample({});
      assert.equal(distance(await sample({}), none), 0, 'the same seed is the same clip');
      for (const { name } of conditions) {
        const moved = distance(await sample({ [name]: all[name] }), none);
        assert.ok(moved > leastMove(name), `${name} moves the picture by ${moved}`);
      }
    });

    it('obeys all together: each taken away changes the clip', async () => {
      const every = await sample(all);
      for (const { name } of conditions) {
        const { [name]: _, ...without } = all;
        const moved = distance(await sample(without), every);
        assert.ok(moved > leastMove(name), `${name} moves the picture by ${moved}`);
      }
    });

    it('draws the heart where the mask says: the picture moves with the mask', async () => {
      const asked = all.mask as Frames;
      const turned = { ...asked, data: asked.data.slice() };
      for (let row = 0; row < asked.data.length; row += asked.width) {
        turned.data.subarray(row, row + asked.width).reverse();
      }
      /** Tissue minus blood, in the myocardium (2) and the cavity (1) of a mask. */
      const contrast = (clip: Frames, mask: Frames) => {
        const area = clip.data.length;
        const mean = (label: number) => {
          const inside = mask.data.subarray(label * area, (label + 1) * area);
          const sum = inside.reduce((total, one, i) => total + one * clip.data[i], 0);
          return sum / inside.reduce((total, one) => total + one, 0);
        };
        return mean(2) - mean(1);
      };
      let [own, other, moved] = [0, 0, 0];
      for (const seed of [1, 2, 3]) {
        const text = { text: all.text };
        const [straight, mirrored] = [
          await sample({ ...text, mask: asked }, seed),
          await sample({ ...text, mask: turned }, seed),
        ];
        moved += distance(straight, mirrored) / 3;
        own += (contrast(straight, asked) + contrast(mirrored, turned)) / 6;
        other += (contrast(straight, turned) + contrast(mirrored, asked)) / 6;
      }
      assert.ok(moved > 0.01, `a mask and its mirror are ${moved} apart`);
      assert.ok(own > other + 0.03, `contrast ${own} in the mask asked for, ${other} mirrored`);
    });
  });
});
