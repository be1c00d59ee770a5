/**
 * Every stage and sampling on a card against the processor: the same weights, clips and noise. HEARTBEAT_TEST_DEVICE
 * names another device than cuda:0.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadEchoFeatures } from '../../src/evaluation/feature-extractors.ts';
import type { Frames } from '../../src/frames/frames.ts';
import { HeartBeat } from '../../src/heartbeat/heartbeat.ts';
import { synthesize } from '../../src/heartbeat/synthesis.ts';
import { readEchoClip } from '../../src/metrics/echo-features.ts';
import { loadSegmenter } from '../../src/metrics/segmenter-folder.ts';
import { availableDevices } from '../../src/tensor/device.ts';
import { scope } from '../../src/tensor/memory.ts';
import { attention } from '../../src/tensor/ops.ts';
import { generator, noise } from '../../src/tensor/random.ts';
import { readSafetensors, writeSafetensors } from '../../src/tensor/safetensors.ts';
import { randn } from '../../src/tensor/tensor.ts';
import { conditionInputsOf } from '../../src/training/condition-inputs.ts';
import { measuringStage, modelConfig, prepareStage } from '../../src/training/runs.ts';
import { expectNoLeaks } from '../support/leaks.ts';
import { drawnClips, tinyConfig, wake } from './drawn-clips.ts';

const card = process.env.HEARTBEAT_TEST_DEVICE ?? 'cuda:0';
const skip = availableDevices().includes(card) ? false : `no device ${card} here`;
if (skip === false) expectNoLeaks();

const steps = 3;
const clips = drawnClips(3, { latents: true });

/** Losses of some steps of a stage, then its held-out figures. */
function trained(name: 'vae' | 'image-encoder' | 'image' | 'video', device: string, ...set: string[]) {
  // noise that travels along the flow is drawn by the card itself, whose numbers are others
  const config = tinyConfig(steps, 'image.conditionDropout=none', 'video.conditionDropout=none',
    'model.noisePrior.alongFlow=null', ...set);
  const model = new HeartBeat(modelConfig(name, config, config.model.vae), { device, seed: 1 });
  try {
    if (name === 'image' || name === 'video') wake(model);
    const { stage } = prepareStage(name, model, { config, train: clips, validation: clips.slice(0, 1) });
    const losses = Array.from({ length: steps }, (_, step) => stage.step(step).loss);
    const figures = [...losses, ...Object.values(stage.validate())];
    stage.dispose?.();
    return figures;
  } finally {
    model.dispose();
  }
}

/** Close in the sense of TF32 convolutions, which libtorch uses on a card: 10 bits of mantissa. */
function near(found: readonly number[], wanted: readonly number[], share: number): void {
  assert.equal(found.length, wanted.length);
  found.forEach((value, i) => assert.ok(Math.abs(value - wanted[i]) <= share * (Math.abs(wanted[i]) + 1e-3),
    `${i}: expected ${wanted.join(' ')}, got ${found.join(' ')}`));
}

describe('a card', { skip }, () => {
  for (const name of ['vae', 'image-encoder', 'image', 'video'] as const) {
    it(`trains ${name} as the processor does`, () => near(trained(name, card), trained(name, 'cpu'), 0.02));
  }

  it('trains with gradient checkpointing as without', () => {
    for (const name of ['image', 'video'] as const) {
      near(trained(name, card, `${name}.gradientCheckpointing=true`), trained(name, card), 0.01);
    }
  });

  it('trains in bf16 near float32', () => {
    for (const name of ['image', 'video'] as const) {
      near(trained(name, card, `${name}.optimization.mixedPrecision=bf16`), trained(name, card), 0.1);
    }
  });

  for (const name of ['segmenter', 'echo-video'] as const) {
    it(`trains ${name} as the processor does`, () => {
      const losses = (device: string) => {
        const config = tinyConfig(steps);
        const stage = measuringStage(name, { config, train: clips, validation: clips.slice(0, 1), device });
        const found = Array.from({ length: steps }, (_, step) => Number(stage.step(step).loss));
        stage.validate();
        stage.dispose();
        return found;
      };
      near(losses(card), losses('cpu'), 0.02);
    });
  }

  it('samples the clip that the processor samples, in float32 and near it in bf16', async () => {
    const config = tinyConfig(1);
    const sampled = async (device: string, dtype: 'float32' | 'bfloat16') => {
      const model = new HeartBeat(modelConfig('video', config, config.model.vae), { device, dtype, seed: 1 });
      try {
        return (await synthesize(model, conditionInputsOf(clips[0], model), { numInferenceSteps: 5 })).data;
      } finally {
        model.dispose();
      }
    };
    const [cpu, cuda, bf16] = [await sampled('cpu', 'float32'), await sampled(card, 'float32'),
      await sampled(card, 'bfloat16')];
    const mean = (a: Float32Array) => a.reduce((sum, v, i) => sum + Math.abs(v - cpu[i]), 0) / a.length;
    assert.ok(mean(cuda) < 2e-3, `float32 differs by ${mean(cuda)}`);
    assert.ok(mean(bf16) < 3e-2, `bf16 differs by ${mean(bf16)}`);
  });

  it('measures a clip as the processor does: view, features, labels', () => {
    const released = fileURLToPath(new URL('../../models/echo-features', import.meta.url));
    const measured = (device: string) => {
      const { extractors, echoVideo, dispose } = loadEchoFeatures(released, device);
      const { segmenter, dispose: close } = loadSegmenter(join(released, 'segmenter'), device);
      try {
        const { size: side, frames, video: grey } = clips[0];
        const video: Frames = {
          channels: 1, frames, height: side, width: side, data: Float32Array.from(grey, (v) => v / 255),
        };
        const view = readEchoClip(echoVideo, video).view === '4CH' ? 1 : 0;
        const cavity = segmenter.segment(video).data.filter((label) => label === 1).length;
        return { figures: [view, cavity + 1], features: extractors.flatMap(({ extract }) => [...extract(video).data]) };
      } finally {
        dispose();
        close();
      }
    };
    const [found, wanted] = [measured(card), measured('cpu')];
    near(found.figures, wanted.figures, 0.02);
    const size = Math.hypot(...wanted.features) / Math.sqrt(wanted.features.length);
    found.features.forEach((value, i) => assert.ok(Math.abs(value - wanted.features[i]) < 0.02 * size, `feature ${i}`));
  });

  it('attends over more positions than a grid has rows', () => scope(() => {
    const [q, k, v] = [1, 2, 3].map((i) => noise(0, ['attention', i], [70_000, 2, 4, 8]).to(card).to('bfloat16'));
    const whole = attention(q, k, v);
    const part = attention(...[q, k, v].map((x) => x.narrow(0, 69_000, 1000)) as [typeof q, typeof k, typeof v]);
    const differs = whole.narrow(0, 69_000, 1000).sub(part).to('float32').abs().amax().item();
    assert.ok(differs < 1e-2 && whole.isFinite().all(), `differs by ${differs}`);
  }));

  it('keeps a generator of its own, and writes tensors of the card', () => scope(() => {
    const own = generator(7, card);
    const state = own.getState();
    const drawn = () => randn([100], { generator: own, device: card }).toFloat32();
    const first = drawn();
    own.setState(state);
    assert.deepEqual(drawn(), first);
    const folder = mkdtempSync(join(tmpdir(), 'heartbeat cuda '));
    after(() => rmSync(folder, { recursive: true, force: true }));
    const x = noise(0, ['file'], [3, 5]).to(card);
    writeSafetensors(join(folder, 'x.safetensors'), new Map([['x', x]]), {});
    const { tensors } = readSafetensors(join(folder, 'x.safetensors'));
    assert.deepEqual(tensors.get('x')!.toFloat32(), x.toFloat32());
  }));
});
