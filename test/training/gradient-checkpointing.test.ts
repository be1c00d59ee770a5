/** Gradient checkpointing: the same gradients, less memory. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hasBf16Instructions } from '../../src/tensor/bf16.ts';
import { checkpointed, withGradientCheckpointing } from '../../src/tensor/gradient-checkpointing.ts';
import { keep, peakBytes, liveBytes, resetPeakBytes, scope } from '../../src/tensor/memory.ts';
import { noise } from '../../src/tensor/random.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { denoisingLoss } from '../../src/training/denoising.ts';
import { trainingOf } from '../../src/training/methods.ts';
import { Optimization } from '../../src/training/optimization.ts';
import { selectTraining } from '../../src/training/stage-denoising.ts';
import { videoStage } from '../../src/training/stage-video.ts';
import { expectNoLeaks } from '../support/leaks.ts';
import { drawnClips, tinyConfig, tinyModel, valuesOf, wake } from './drawn-clips.ts';

expectNoLeaks();

const clips = drawnClips(2, { latents: true });

/** Gradients of every trained tensor of a tiny network, kept whole or computed twice. */
function gradientsOf(temporal: boolean, twice: boolean, dropout: 'none' | 'heartbeat'): Map<string, Float32Array> {
  const model = tinyModel({ temporal });
  wake(model);
  const frames = temporal ? [0, 1, 2, 3] : [2];
  const parameters = selectTraining(model, temporal
    ? { unet: ['temporal-attention'], components: ['local_encoders.flow'] }
    : {
      unet: ['spatial-convolution', 'spatial-self-attention', 'text-cross-attention', 'image-cross-attention'],
      components: ['local_encoders', 'global_adapter', 'text_encoder'],
    });
  try {
    const samples = clips.map((clip, i) => ({ clip, frames, prior: 0, key: ['gradients', i] }));
    const loss = () => denoisingLoss(model, samples, { seed: 0, dtype: 'float32', dropout, training: true });
    scope(() => {
      if (twice) withGradientCheckpointing((backward) => backward(loss()));
      else loss().backward();
    });
    return scope(() => new Map([...parameters].flatMap(([key, { grad }]) =>
      (grad === null ? [] : [[key, grad.toFloat32()] as const]))));
  } finally {
    for (const value of parameters.values()) value.grad = null;
    model.dispose();
  }
}

/** The largest difference of two sets of gradients, as a share of the largest gradient. */
function difference(a: ReadonlyMap<string, Float32Array>, b: ReadonlyMap<string, Float32Array>): number {
  assert.deepEqual([...a.keys()], [...b.keys()]);
  const most = Math.max(...[...a.values()].map((values) => values.reduce((max, v) => Math.max(max, Math.abs(v)), 0)));
  assert.ok(most > 0);
  return Math.max(...[...a].map(([key, values]) =>
    values.reduce((max, v, i) => Math.max(max, Math.abs(v - b.get(key)![i])), 0))) / most;
}

describe('gradient checkpointing', () => {
  for (const [name, temporal] of [['stage 1', false], ['stage 2', true]] as const) {
    for (const dropout of ['none', 'heartbeat'] as const) {
      it(`gives the gradients of ${name} to 1e-6, condition dropout ${dropout}`, () => {
        const [plain, twice] = [false, true].map((again) => gradientsOf(temporal, again, dropout));
        assert.ok(difference(plain, twice) <= 1e-6, `differ by ${difference(plain, twice)}`);
      });
    }
  }

  it('gives the gradients where parts share inputs, skip one another and meet again outside', () => {
    const weights = [0, 1, 2].map((i) => keep(noise(0, ['weight', i], [4, 4])).requiresGrad_(true));
    const x = keep(noise(0, ['x'], [4, 4]));
    const run = (again: boolean) => {
      scope(() => {
        const loss = () => {
          const first = x.matmul(weights[0]); // a graph outside all parts
          const twin = first.tanh(); // shares that graph
          const a = checkpointed([first, twin], (p, q) => p.mul(q).matmul(weights[1]).tanh(), true);
          const b = checkpointed([a, first], (p, q) => p.sub(q).sigmoid(), false);
          const c = checkpointed([b, a, null], (p, q, _) => p.add(q).matmul(weights[2]), true);
          return c.mul(a).add(first.square()).add(b.mul(twin)).sum();
        };
        if (again) withGradientCheckpointing((backward) => backward(loss()));
        else loss().backward();
      });
      return scope(() => new Map(weights.map((weight, i) => {
        const gradient = weight.grad!.toFloat32();
        weight.grad = null;
        return [String(i), gradient];
      })));
    };
    assert.ok(difference(run(false), run(true)) <= 1e-6);
    for (const value of [...weights, x]) value.dispose();
  });

  it('holds less at once on a deep stack', () => {
    const depth = 24;
    const weights = Array.from({ length: depth }, (_, i) =>
      keep(noise(0, ['deep', i], [64, 64]).mul(0.1)).requiresGrad_(true));
    const peak = (again: boolean) => {
      const before = liveBytes();
      resetPeakBytes();
      scope(() => {
        const stack = (): Tensor => weights.reduce((h, weight) => checkpointed([h],
          (h) => h.add(h.matmul(weight).tanh().square().sigmoid().exp().tanh()), true), noise(0, ['in'], [2048, 64]));
        if (again) withGradientCheckpointing((backward) => backward(stack().square().mean()));
        else stack().square().mean().backward();
      });
      for (const weight of weights) weight.grad = null;
      return peakBytes() - before;
    };
    const [plain, twice] = [peak(false), peak(true)];
    assert.ok(twice < plain / 2.5, `expected far less than ${plain} bytes, got ${twice}`);
    for (const weight of weights) weight.dispose();
  });

  it('trains stage 2 to the same weights, and leaves nothing behind when a step fails', () => {
    const trained = [false, true].map((gradientCheckpointing) => {
      const model = tinyModel();
      wake(model);
      // emulated, bfloat16 sums are rounded to 8 bits in an order that differs the second time
      const precision = hasBf16Instructions() ? 'bf16' : 'no';
      const config = tinyConfig(
        3, `video.gradientCheckpointing=${gradientCheckpointing}`, `video.optimization.mixedPrecision=${precision}`);
      const stage = videoStage(model, clips, [], config.video, 0, trainingOf('video', config));
      try {
        for (const step of [0, 1, 2]) stage.step(step);
        return valuesOf(model.components.unet.trainable());
      } finally {
        stage.dispose();
        model.dispose();
      }
    });
    assert.ok(difference(trained[0], trained[1]) <= 1e-3);
    const weight = keep(noise(0, ['failing'], [4, 4])).requiresGrad_(true);
    const optimization = new Optimization(new Map([['weight', weight]]), tinyConfig(1).video.optimization, {
      gradientCheckpointing: true,
    });
    assert.throws(() => optimization.step(0, () => {
      const h = checkpointed([weight], (w) => w.square(), true);
      return checkpointed([h], (_) => { throw new Error('no more'); }, true);
    }), /^Error: no more$/);
    optimization.dispose();
    weight.dispose();
  });
});
