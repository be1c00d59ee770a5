import assert from 'node:assert/strict';
import {
  cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { componentNames, type HeartBeat } from '../../src/heartbeat/heartbeat.ts';
import {
  loadModelFolder, modelHash, readModelIndex, saveModelFolder, weightsFile,
} from '../../src/heartbeat/model-folder.ts';
import { writePng } from '../../src/frames/png.ts';
import { synthesize } from '../../src/heartbeat/synthesis.ts';
import { dispose } from '../../src/tensor/memory.ts';
import {
  readSafetensors, readSafetensorsHeader, writeSafetensors,
} from '../../src/tensor/safetensors.ts';
import { withFault } from '../support/disk-faults.ts';
import { expectNoLeaks } from '../support/leaks.ts';
import { changedKeys, tinyModel, valuesOf, wake } from '../training/drawn-clips.ts';

expectNoLeaks();

describe('model folder', () => {
  const folder = mkdtempSync(join(tmpdir(), 'heartbeat model '));
  const path = join(folder, 'model');
  let model: HeartBeat;
  before(() => {
    model = tinyModel();
    wake(model);
    saveModelFolder(model, path, 'float32', { seconds: 3 });
  });
  after(() => {
    model.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  /** A copy of the folder that a test may damage. */
  function copy(): string {
    const other = join(folder, 'copy');
    rmSync(other, { recursive: true, force: true });
    cpSync(path, other, { recursive: true });
    return other;
  }

  it("has diffusers' layout, safetensors and JSON only", () => {
    const files = readdirSync(path, { recursive: true }).map(String)
      .filter((file) => /\./.test(file)).sort();
    assert.deepEqual(files, [
      ...componentNames.flatMap((name) => [join(name, 'config.json'), weightsFile(name)]),
      'model_index.json', join('scheduler', 'scheduler_config.json'),
    ].sort());
    const index = JSON.parse(readFileSync(join(path, 'model_index.json'), 'utf8'));
    assert.equal(index._class_name, 'HeartBeat');
    assert.deepEqual(readModelIndex(path), { config: model.config, card: { seconds: 3 } });
  });

  it('keeps the mean training frame, and refuses one of another size', () => {
    const other = join(folder, 'with mean frame');
    const side = model.config.resolution;
    const data = Float32Array.from({ length: side * side }, (_, i) => (i % 256) / 255);
    model.meanFrame = { channels: 1, frames: 1, height: side, width: side, data };
    try {
      saveModelFolder(model, other);
    } finally {
      model.meanFrame = null;
    }
    const loaded = loadModelFolder(other);
    try {
      assert.deepEqual(loaded.meanFrame?.data, data);
      assert.notEqual(modelHash(other), modelHash(path));
    } finally {
      loaded.dispose();
    }
    writePng(join(other, 'mean_frame.png'), { channels: 1, frames: 1, height: 2, width: 3, data: new Float32Array(6) });
    assert.throws(() => loadModelFolder(other), /expected 32x32 grey pixels in .*mean_frame\.png, got 3x2 of 1/);
  });

  it('gives the same weights, configuration and clip back', async () => {
    const loaded = loadModelFolder(path, { seed: 99 });
    try {
      assert.deepEqual(loaded.config, model.config);
      for (const name of componentNames) {
        const [a, b] = [model, loaded].map((one) => valuesOf(one.components[name].state()));
        assert.deepEqual(changedKeys(a, b), [], name);
        assert.equal(a.size, b.size);
      }
      const options = { seed: 4, numInferenceSteps: 2 };
      const clips = [
        await synthesize(model, { text: '2CH' }, options),
        await synthesize(loaded, { text: '2CH' }, options),
      ];
      assert.deepEqual(clips[0].data, clips[1].data);
    } finally {
      loaded.dispose();
    }
  });

  it('stores float16 in half the space, to be loaded as float32 or bfloat16', async () => {
    const half = join(folder, 'half');
    saveModelFolder(model, half, 'float16');
    const header = readSafetensorsHeader(join(half, weightsFile('unet')));
    assert.ok([...header.tensors.values()].every(({ dtype }) => dtype === 'float16'));
    const loaded = loadModelFolder(half);
    try {
      for (const name of componentNames) {
        const exact = valuesOf(model.components[name].state());
        for (const [key, values] of valuesOf(loaded.components[name].state())) {
          const worst = values.reduce((most, value, i) => {
            const off = Math.abs(value - exact.get(key)![i]);
            return Math.max(most, off / Math.max(1e-4, Math.abs(value)));
          }, 0);
          assert.ok(worst <= 2 ** -10, `${name} ${key}: off by ${worst}`);
        }
      }
    } finally {
      loaded.dispose();
    }
    const brain = loadModelFolder(half, { dtype: 'bfloat16' });
    try {
      assert.equal(brain.components.unet.dtype, 'bfloat16');
      const clip = await synthesize(brain, { text: '4CH' }, { numInferenceSteps: 2 });
      assert.ok(clip.data.every(Number.isFinite));
    } finally {
      brain.dispose();
    }
  });

  it('has a hash of its weights that changes with one of them', () => {
    const other = copy();
    assert.equal(modelHash(other), modelHash(path));
    const file = join(other, weightsFile('local_encoders'));
    const bytes = readFileSync(file);
    bytes[bytes.length - 1] ^= 1;
    writeFileSync(file, bytes);
    assert.notEqual(modelHash(other), modelHash(path));
  });

  /** Rewrites one file of weights without, or with another, tensor. */
  function rewrite(file: string, change: (tensors: Map<string, never>) => void): void {
    const { tensors } = readSafetensors(file);
    const changed = new Map(tensors) as Map<string, never>;
    change(changed);
    writeSafetensors(file, changed);
    dispose(tensors);
  }

  const damages: [string, (other: string) => void, RegExp][] = [
    ['a folder without an index', (other) => rmSync(join(other, 'model_index.json')),
      /^model: expected a model folder with model_index\.json at .*copy, got none$/],
    ["another program's folder", (other) =>
      writeFileSync(join(other, 'model_index.json'), '{"_class_name": "StableDiffusionPipeline"}'),
      /^model: expected _class_name HeartBeat in .*model_index\.json, got StableDiff\w+$/],
    ['an index that is no JSON', (other) => writeFileSync(join(other, 'model_index.json'), '{'),
      /^model: expected JSON in .*model_index\.json, got something else$/],
    ['a missing part', (other) => rmSync(join(other, 'unet', 'config.json')),
      /^model: expected .*unet.config\.json, got no such file$/],
    ['a configuration that is none', (other) =>
      writeFileSync(join(other, 'unet', 'config.json'), '{"in_channels": "four"}'),
      /^model: .*copy: unet\.in_channels: /],
    ['missing weights', (other) => rmSync(join(other, weightsFile('vae'))),
      /vae.*safetensors: no such file$/],
    ['truncated weights', (other) => truncateSync(join(other, weightsFile('unet')), 5000),
      /unet.*safetensors: not a whole safetensors file/],
    ['a missing key', (other) =>
      rewrite(join(other, weightsFile('unet')), (t) => t.delete('conv_in.bias')),
      /unet.*safetensors: load: expected conv_in\.bias of shape 16, got no such key$/],
    ['a key of another shape', (other) => rewrite(join(other, weightsFile('unet')), (t) =>
      t.set('conv_in.weight', t.get('conv_in.bias')!)),
      /unet.*safetensors: load: conv_in\.weight expected shape \S+, got 16$/],
  ];
  for (const [what, damage, sentence] of damages) {
    it(`says in one sentence what is wrong with ${what}`, () => {
      const other = copy();
      damage(other);
      assert.throws(() => loadModelFolder(other).dispose(), (error: Error) => {
        assert.match(error.message, sentence);
        assert.ok(!error.message.includes('\n'));
        return true;
      });
    });
  }

  it('that cannot be written leaves the one before it whole and nothing else', () => {
    const hash = modelHash(path);
    const faults = [['writeSync', 'ENOSPC', 4], ['writeFileSync', 'ENOSPC', 2],
      ['renameSync', 'EIO', 6], ['renameSync', 'EIO', 7]] as const;
    for (const [call, code, count] of faults) {
      const failed = withFault(call, code, count, () => {
        assert.throws(() => saveModelFolder(model, path, 'float16'),
          (error: Error) => /^model: could not write .*model: [^\n]+$/.test(error.message));
      }, 1);
      assert.equal(failed, 1, `${call} was not called ${count + 1} times`);
      assert.equal(modelHash(path), hash);
      assert.deepEqual(readdirSync(folder).filter((name) => /tmp|old/.test(name)), []);
    }
    const fresh = join(folder, 'fresh');
    withFault('writeSync', 'ENOSPC', 2, () => {
      assert.throws(() => saveModelFolder(model, fresh), /could not write .*fresh: .*ENOSPC/);
    });
    assert.ok(!existsSync(fresh));
    mkdirSync(fresh);
    saveModelFolder(model, fresh);
    assert.equal(modelHash(fresh), hash);
  });
});
