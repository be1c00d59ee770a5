/** Cardiac MRI from an ultrasound model and few volumes: the MRI phantom at preset tiny. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { oneHot } from '../../src/conditions/mask.ts';
import { defaultPrompt } from '../../src/conditions/text.ts';
import { MNMS_FOLDERS } from '../../src/data/mnms-folder.ts';
import { writeMriPhantom } from '../../src/data/mri-phantom/mri-phantom.ts';
import { labelFrames } from '../../src/frames/frames.ts';
import type { HeartBeat } from '../../src/heartbeat/heartbeat.ts';
import { loadModelFolder, readModelIndex, saveModelFolder } from '../../src/heartbeat/model-folder.ts';
import { synthesize } from '../../src/heartbeat/synthesis.ts';
import { listCheckpoints } from '../../src/training/checkpoint.ts';
import { loadSplit } from '../../src/training/clip-store.ts';
import { chooseVolumes, trainFewShot } from '../../src/training/few-shot.ts';
import { conditionPlanes } from '../../src/training/prepared-clip.ts';
import { expectNoLeaks } from '../support/leaks.ts';
import { writePatient, writeTable } from '../data/mnms-files.ts';
import { changedKeys, recordedLog, tinyConfig, tinyModel, valuesOf, wake } from './drawn-clips.ts';

expectNoLeaks();

const folder = mkdtempSync(join(tmpdir(), 'heartbeat few shot '));
after(() => rmSync(folder, { recursive: true, force: true }));
const [data, ultrasound] = [join(folder, 'mri'), join(folder, 'ultrasound')];

/** Saves a network of preset tiny as an ultrasound model. */
function writeModel(path: string, options: Parameters<typeof tinyModel>[0] = {}): void {
  const model = tinyModel(options);
  wake(model);
  saveModelFolder(model, path);
  model.dispose();
}

const configOf = (steps: number, ...more: string[]) => tinyConfig(1,
  `fewShot.optimization.maxTrainSteps=${steps}`, 'fewShot.optimization.lrWarmupSteps=2',
  'fewShot.loop.checkpointingSteps=1000', 'fewShot.loop.validationSteps=1000',
  'fewShot.loop.previewSteps=1000', 'fewShot.loop.loggingSteps=1', 'fewShot.volumes=3', ...more);

interface Wish {
  readonly steps: number; readonly set?: readonly string[]; readonly stopAt?: number;
  readonly resumeFrom?: string; readonly checkpoint?: string;
}

async function train(run: string, { steps, set = [], stopAt, resumeFrom, checkpoint }: Wish) {
  let at = 0;
  const log = recordedLog();
  const lines: string[] = [];
  const result = await trainFewShot({
    config: configOf(steps, ...set), data, cache: join(folder, 'cache'), run: join(folder, run),
    checkpoint: checkpoint ?? ultrasound, log, resumeFrom: resumeFrom ?? null,
    report: (line) => lines.push(line), onProgress: (step) => { at = step; },
    stopRequested: () => stopAt !== undefined && at >= stopAt,
  });
  return { result, log, lines };
}

const modelOf = (run: string) => join(folder, run, 'few-shot', 'model');
function weightsOf(model: HeartBeat): Map<string, Float32Array> {
  return new Map(Object.entries(model.components).flatMap(([name, path]) =>
    [...valuesOf(path.state())].map(([key, value]) => [`${name}.${key}`, value] as const)));
}
function weightsIn(path: string): Map<string, Float32Array> {
  const model = loadModelFolder(path);
  const values = weightsOf(model);
  model.dispose();
  return values;
}

before(() => {
  // 7 and 8 train, of two vendors; 9 validates
  writeMriPhantom(data, { patients: 3, seed: 3, firstPatient: 7 });
  writeModel(ultrasound);
});

describe('few-shot training', () => {
  it('learns slices, and leaves a model of slices that knows text and mask', async () => {
    const { result, log, lines } = await train('mri', {
      steps: 30, set: ['fewShot.optimization.learningRate=4e-3'],
    });
    assert.equal(result?.finished, true);
    const losses = log.scalars.filter(({ name }) => name === 'train/loss').map(({ value }) => value);
    const mean = (part: number[]) => part.reduce((sum, value) => sum + value, 0) / part.length;
    const [first, last] = [mean(losses.slice(0, 10)), mean(losses.slice(-10))];
    assert.ok(last < 0.85 * first, `loss ${first} -> ${last}`);
    assert.equal(log.scalars.filter(({ name }) => name === 'validation/loss').length, 1);
    assert.match(lines.join('\n'), /autoencoder gives held-out slices back at \d+\.\d dB/);
    const { config, card } = readModelIndex(modelOf('mri'));
    assert.deepEqual([config.frameAxis, config.conditions], ['slice', ['text', 'mask']]);
    assert.equal((card.volumes as string[]).length, 3);
    assert.ok((card.volumes as string[]).every((id) => /^MRI000[78]_E[DS]$/.test(id)), String(card.volumes));
  });

  it('trains the U-Net but its image branch, and the mask encoder, and nothing else', () => {
    const [before_, after_] = [weightsIn(ultrasound), weightsIn(modelOf('mri'))];
    const changed = changedKeys(new Map([...before_].filter(([key]) => after_.has(key))), after_);
    const own = (key: string) => /^(unet|local_encoders\.mask)\./.test(key) && !/to_[qkv]_image\./.test(key);
    assert.deepEqual(changed.filter((key) => !own(key)), []);
    assert.deepEqual([...after_.keys()].filter((key) => own(key) && !changed.includes(key)), []);
  });

  it('lets the mask move the picture, where it moved', async () => {
    const store = { config: configOf(1), data, cache: join(folder, 'cache') };
    const [clip, other] = await loadSplit('validation', store);
    const model = loadModelFolder(modelOf('mri'));
    try {
      const planesOf = (data_: Uint8Array) =>
        oneHot(labelFrames(4, 32, 32, data_), model.config.classes);
      const masks = [clip, other].map(({ planes }) => planes.get('mask')!.data as Uint8Array);
      const [a, b] = await Promise.all(masks.map(async (mask) => (await synthesize(model, {
        text: defaultPrompt('SAX'), mask: planesOf(mask),
      }, { seed: 5, numInferenceSteps: 8, guidanceScale: 1 })).data));
      const change = (inside: boolean) => {
        const differences = [...a.keys()].filter((i) => (masks[0][i] !== masks[1][i]) === inside)
          .map((i) => Math.abs(a[i] - b[i]));
        return differences.reduce((sum, value) => sum + value, 0) / differences.length;
      };
      // the autoencoder is untrained, so its pictures are of little contrast
      const told = `${change(true)} where masks differ, ${change(false)} elsewhere`;
      assert.ok(change(true) > 1e-3 && change(true) > 2 * change(false), told);
    } finally {
      model.dispose();
    }
  });

  it('that is stopped and resumed ends with the weights of one that was not', async () => {
    await train('whole', { steps: 6 });
    const stopped = await train('parts', { steps: 6, stopAt: 3 });
    assert.deepEqual([stopped.result?.step, stopped.result?.finished], [3, false]);
    assert.deepEqual(listCheckpoints(join(folder, 'parts', 'few-shot')).map(({ step }) => step), [3]);
    assert.equal(existsSync(modelOf('parts')), false);
    await train('parts', { steps: 6, resumeFrom: 'latest' });
    const files = readdirSync(modelOf('whole'), { recursive: true }).map(String)
      .filter((name) => name.endsWith('.safetensors'));
    assert.equal(files.length, 6);
    for (const name of files) {
      const [whole, parts] = ['whole', 'parts'].map((run) => readFileSync(join(modelOf(run), name)));
      assert.ok(whole.equals(parts), name);
    }
    await assert.rejects(train('parts', { steps: 6, resumeFrom: 'latest', set: ['fewShot.volumes=4'] }),
      /cannot resume, the configuration differs: fewShot.volumes: expected 4, got 3/);
  });

  it('from scratch has the ultrasound autoencoder and text encoder, and newborn parts that train', async () => {
    await train('scratch', { steps: 1, set: ['fewShot.fromScratch=true'] });
    const [scratch, start, given] = [modelOf('scratch'), modelOf('whole'), ultrasound].map(weightsIn);
    // six steps of Adam go no farther than six times the rate, about
    const far = (values: Map<string, Float32Array>, pattern: RegExp) => [...values]
      .filter(([key, value]) => pattern.test(key) && value.length > 64
        && value.some((x, i) => Math.abs(x - given.get(key)![i]) > 0.05)).map(([key]) => key);
    assert.deepEqual(far(start, /./), []);
    assert.deepEqual(far(scratch, /^(vae|text_encoder)\./), []);
    assert.ok(far(scratch, /^unet\..*temporal_attentions/).length > 0, 'temporal layers were taken over');
  });

  it('refuses a model that it cannot start from, in one sentence', async () => {
    const image = join(folder, 'image');
    writeModel(image, { temporal: false });
    await assert.rejects(train('no', { steps: 1, checkpoint: image }),
      /image: expected a video model \(<run>\/video\/model\) to start from, got an image model$/);
    const labels = join(folder, 'labels');
    writeModel(labels, { change: { classes: 3 } });
    await assert.rejects(train('no', { steps: 1, checkpoint: labels }),
      /expected a model of 4 labels to start from, got one of 3$/);
    await assert.rejects(train('no', { steps: 1, checkpoint: join(folder, 'none') }),
      /expected a model folder with model_index.json at .*none, got none$/);
    assert.throws(() => configOf(1, 'fewShot.volumes=51'), /config: fewShot.volumes: .*50/);
  });
});

describe('volumes of a few-shot training', () => {
  /** Patients A0, A1, ... of vendor A and B0, ... of B, all labelled; nobody validates unless told. */
  function dataset(name: string, validating: readonly string[] = []): string {
    const root = join(folder, name);
    const ids = ['A0', 'A1', 'A2', 'A3', 'B0', 'B1'];
    writeTable(root, ids.map((id, i) => `${i},${id},,${id[0]},1,0,1,,,,,`));
    for (const id of ids) {
      writePatient(root, id, { split: validating.includes(id) ? 'validation' : 'training' });
    }
    return root;
  }
  const choose = (root: string, volumes: number, lines: string[] = []) => chooseVolumes({
    config: configOf(1, `fewShot.volumes=${volumes}`), data: root, report: (line) => lines.push(line),
  });

  it('are even over vendors, and nobody trained on is held out', () => {
    const root = dataset('even');
    for (const count of [1, 3, 4, 7]) {
      const { train: chosen, held } = choose(root, count);
      assert.equal(chosen.length, count);
      const patients = new Set(chosen.map(({ patient }) => patient));
      assert.ok(held.length > 0);
      assert.deepEqual(held.filter(({ patient }) => patients.has(patient)), []);
      const vendors = [...patients].map((patient) => patient[0]);
      if (count === 4) assert.deepEqual(vendors.sort(), ['A', 'B']);
    }
  });

  it('are held out of the validation split where there is one', () => {
    const { train: chosen, held } = choose(dataset('validating', ['A3']), 50);
    assert.deepEqual(held.map(({ id }) => id), ['A3_ED', 'A3_ES']);
    assert.equal(chosen.length, 10);
  });

  it('that are all trained on leave nobody held out, with a line', () => {
    const lines: string[] = [];
    const root = dataset('all');
    assert.deepEqual(choose(root, 50, lines).held, []);
    assert.deepEqual(lines, [
      `the training split of ${root} has 12 volumes, fewer than 50`,
      `${root}: nobody is held out: no held-out figures`,
    ]);
  });

  it('to train on that are none are one sentence', () => {
    const root = dataset('empty');
    rmSync(join(root, 'OpenDataset', MNMS_FOLDERS.training), { recursive: true });
    assert.throws(() => choose(root, 3), /expected volumes to train on in its training split, got none$/);
  });
});

describe('prepared volumes', () => {
  it('have the mask alone, and ED and ES are apart in the cache', async () => {
    const store = { config: configOf(1), data, cache: join(folder, 'cache') };
    const clips = await loadSplit('validation', store);
    assert.deepEqual(clips.map(({ id, stills, view }) => [id, stills, view]),
      [['MRI0009_ED', false, 'SAX'], ['MRI0009_ES', false, 'SAX']]);
    for (const clip of clips) {
      assert.deepEqual([...clip.planes.keys()], ['mask']);
      assert.equal(clip.prompt, defaultPrompt('SAX'));
      const planes = conditionPlanes('mask', [{ clip, frame: 1 }], 4);
      assert.deepEqual(planes.shape, [1, 4, 32, 32]);
      planes.dispose();
    }
    assert.notDeepEqual(clips[0].video, clips[1].video);
    const cached = readdirSync(join(folder, 'cache')).filter((name) => /^MRI0009_E[DS]-/.test(name));
    assert.equal(cached.filter((name) => !name.includes('latents')).length, 2);
  });
});
