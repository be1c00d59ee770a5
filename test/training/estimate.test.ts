/** What a training takes: estimated from two steps, and its error told; where networks come from. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { countFlops } from '../../src/tensor/flops.ts';
import { scope } from '../../src/tensor/memory.ts';
import { conv2d } from '../../src/tensor/ops.ts';
import { ones } from '../../src/tensor/tensor.ts';
import { resolveConfig } from '../../src/training/config.ts';
import { estimateSampling, estimateStage } from '../../src/training/estimate.ts';
import { lookCosts } from '../../src/training/look-costs.ts';
import { describeForecast, planSeconds } from '../../src/training/loop.ts';
import { trainStage } from '../../src/training/runs.ts';
import { expectSources } from '../../src/training/components.ts';
import { addLatents } from '../../src/training/clip-store.ts';
import { expectNoLeaks } from '../support/leaks.ts';
import { drawnClips, recordedLog, tinyConfig } from './drawn-clips.ts';

expectNoLeaks();

const folder = mkdtempSync(join(tmpdir(), 'heartbeat estimate '));
after(() => rmSync(folder, { recursive: true, force: true }));

describe('floating-point operations', () => {
  it('counts forward, and backward for every operand that needs a gradient', () => {
    scope(() => {
      const x = ones([2, 3, 8, 8]);
      const weight = ones([4, 3, 3, 3]);
      const forward = 2 * 2 * 4 * 8 * 8 * 27;
      const count = () => countFlops(() => conv2d(x, weight, null, [1, 1], [1, 1])).flops;
      assert.equal(count(), forward);
      weight.requiresGrad_(true);
      assert.equal(count(), 2 * forward);
      x.requiresGrad_(true);
      assert.equal(count(), 3 * forward);
      assert.equal(countFlops(() => ones([5, 7]).matmul(ones([7, 11]))).flops, 2 * 5 * 7 * 11);
    });
  });
});

describe('the estimate of a stage', () => {
  it('counts parameters, memory and operations of stage 2, and of sampling', async () => {
    const config = tinyConfig(20);
    const { parameters, bytes, flops, perStep, total, steps } = estimateStage('video', { config });
    assert.equal(steps, 20);
    assert.equal(parameters.vae.trained + parameters.text_encoder.trained + parameters.global_adapter.trained, 0);
    assert.ok(parameters.unet.trained > 0 && parameters.unet.trained < parameters.unet.total / 2);
    const all = Object.values(parameters);
    assert.equal(bytes.weights, 4 * all.reduce((sum, { total }) => sum + total, 0));
    assert.equal(bytes.optimizer, 16 * all.reduce((sum, { trained }) => sum + trained, 0));
    assert.ok(bytes.peak! > bytes.weights + bytes.optimizer);
    assert.ok(perStep > 0 && total >= 20 * perStep);
    const again = tinyConfig(20, 'video.optimization.gradientAccumulationSteps=2');
    const twice = estimateStage('video', { config: again });
    assert.ok(Math.abs(twice.flops / flops - 2) < 0.3, `${twice.flops} and ${flops}`);
    const sampling = await estimateSampling(config, 'float32');
    assert.ok(sampling.perStep > 0 && sampling.flops > 0 && sampling.flops < flops);
  });

  it('adds the looks that a run takes at itself, in steps', () => {
    const { loop } = tinyConfig(20, 'image.loop.validationSteps=10', 'image.loop.previewSteps=15').image;
    assert.equal(planSeconds(2, 0, 20, loop, { validation: 3, preview: 5 }), 2 * (20 + 2 * 3 + 2 * 5));
    assert.equal(planSeconds(2, 10, 20, loop, { validation: 3, preview: 5 }), 2 * (10 + 3 + 2 * 5));
    const image = lookCosts('image', tinyConfig(20, 'image.validationFrames=6'), { frames: 4, clips: 1 });
    assert.equal(image.validation, 4 / (3 * 2));
    assert.equal(describeForecast({ estimated: 90, taken: 100 }),
      'estimated 90.0 s from its first two steps, took 100.0 s (error -10.0 %)');
  });
});

describe('where networks come from', () => {
  const clips = drawnClips(3);
  const train = (config = tinyConfig(3), name: 'vae' | 'image' = 'image') => trainStage(name, {
    config, run: join(folder, 'run'), train: clips, validation: [], cache: folder, log: recordedLog(), resumeFrom: null,
    onProgress: () => {}, stopRequested: () => false,
  });
  const random = ['unet', 'vae', 'text_encoder', 'image_encoder'].map((name) => `pretrained.${name}=random`);

  it('trains stage 1 on random frozen networks, keeps their tokens, and says what it had expected', async () => {
    const config = tinyConfig(3, ...random, 'image.trainTextEncoder=false');
    await addLatents(clips, join(folder, 'run'), { config, data: '', cache: folder });
    const { finished, forecast } = await train(config);
    assert.equal(finished, true);
    assert.ok(forecast!.estimated > 0 && forecast!.taken > 0);
    await assert.rejects(train(config, 'vae'),
      /^Error: train vae: expected a network that this run trains, got pretrained\.vae=random \(preset tiny\)/);
  });

  it('asks for what preset paper starts from, in one sentence', async () => {
    const config = resolveConfig({ preset: 'paper' });
    await assert.rejects(addLatents(clips, folder, { config, data: '', cache: folder }),
      new RegExp('^Error: preset paper expects pretrained\\.vae to be the path of the folder vae of Stable ' +
        'Diffusion 1\\.5 \\(weights pull sd15-vae\\), got none; --pretrained none starts from random weights$'));
    assert.throws(() => estimateStage('vae', { config }), /^Error: train vae: expected a network that this run trains/);
    assert.throws(() => expectSources('image', config, folder), /^Error: preset paper expects pretrained\.vae/);
    const lost = tinyConfig(3, 'pretrained.vae=/nowhere/vae');
    await assert.rejects(addLatents(clips, folder, { config: lost, data: '', cache: folder }),
      /expects pretrained\.vae .* got no such path: \/nowhere\/vae/);
    assert.throws(() => tinyConfig(3, 'pretrained.unet=run'), /pretrained\.unet: expected random or a path, got run/);
  });
});
