/** A run that starts from upstream's networks: each is read from its path, and its tokenizer stays with it. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { heartbeatConfig } from '../../src/heartbeat/heartbeat.ts';
import { loadModelFolder } from '../../src/heartbeat/model-folder.ts';
import { loadUpstream } from '../../src/heartbeat/upstream.ts';
import { dispose } from '../../src/tensor/memory.ts';
import { addLatents } from '../../src/training/clip-store.ts';
import { expectGivenOptions, expectSources } from '../../src/training/components.ts';
import { modelOf } from '../../src/training/run-folder.ts';
import { trainStage } from '../../src/training/runs.ts';
import { configOf, goldenFile, writeStableDiffusion } from '../heartbeat/upstream-folders.ts';
import { expectNoLeaks } from '../support/leaks.ts';
import { drawnClips, recordedLog, tinyConfig } from './drawn-clips.ts';

expectNoLeaks();

const run = mkdtempSync(join(tmpdir(), 'heartbeat upstream run '));
after(() => rmSync(run, { recursive: true, force: true }));

describe('a run from upstream networks', () => {
  it('trains both stages on them, with their tokenizer', async () => {
    const sd = writeStableDiffusion(join(run, 'sd'));
    const medsam = goldenFile('sam-transformers.bin');
    const own = configOf(sd, medsam);
    const paths = { unet: join(sd, 'unet'), vae: join(sd, 'vae'), text_encoder: join(sd, 'text_encoder'), image_encoder: medsam };
    const config = {
      ...tinyConfig(2, ...Object.entries(paths).map(([name, path]) => `pretrained.${name}=${path}`),
        'image.trainTextEncoder=false', 'image.optimization.learningRate=1e-30', 'video.optimization.learningRate=1e-30'),
      model: heartbeatConfig.parse({ ...own, resolution: 32, frames: 4 }),
    };
    const other = { ...config, model: { ...config.model, unet: { ...config.model.unet, norm_num_groups: 2 } } };
    expectSources('image', config, run);
    expectGivenOptions({ ...other, pretrained: { ...other.pretrained, unet: 'upstream' } });
    for (const refused of [() => expectSources('image', other, run), () => expectGivenOptions(other)]) {
      assert.throws(refused, /expected the configuration of the model's unet, got norm_num_groups \d+ \(the model has 2\)$/);
    }
    const clips = drawnClips(3);
    await addLatents(clips, run, { config, data: '', cache: run });
    const options = {
      config, run, train: clips, validation: [], cache: run, log: recordedLog(), resumeFrom: null,
      onProgress: () => {}, stopRequested: () => false,
    };
    await trainStage('image', options);
    await trainStage('video', options);
    const model = loadModelFolder(modelOf(run, 'video'));
    try {
      assert.equal(model.tokenizer.end, 39);
      for (const [network, path] of Object.entries(paths)) {
        const given = loadUpstream(network as keyof typeof paths, path);
        const kept = model.components[network as keyof typeof paths].state();
        for (const [key, value] of given) {
          if (key === 'conv_in.weight' && network === 'unet') continue;
          assert.deepEqual(kept.get(key)!.toFloat32(), value.toFloat32(), `${network} ${key}`);
        }
        dispose(given);
      }
    } finally {
      model.dispose();
    }
  });
});
