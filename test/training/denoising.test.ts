import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { conditions, type ConditionName } from '../../src/conditions/condition.ts';
import type { HeartBeat } from '../../src/heartbeat/heartbeat.ts';
import { noGrad, scope } from '../../src/tensor/memory.ts';
import { denoisingLoss, type DenoisingOptions, type Sample } from '../../src/training/denoising.ts';
import { conditionPlanes } from '../../src/training/prepared-clip.ts';
import { expectNoLeaks } from '../support/leaks.ts';
import { drawnClips, tinyModel, wake } from './drawn-clips.ts';

expectNoLeaks();

const clips = drawnClips(3, { latents: true });
let model: HeartBeat;

const options: DenoisingOptions = {
  seed: 5, dtype: 'float32', dropout: 'none', training: false,
};
/** Places in the endless training whose samples drop this and keep that. */
const sample = (index: number, clip = index % clips.length): Sample => ({
  clip: clips[clip], frames: [0, 1, 2, 3], prior: 0, key: [clips[clip].id, index],
});
const lossOf = (samples: Sample[], change: Partial<DenoisingOptions> = {}) =>
  noGrad(() => scope(() => denoisingLoss(model, samples, { ...options, ...change }).item()));

/** Sum of the gradient's magnitude below each local condition's encoder; null where it has none. */
function encoderGradients(samples: Sample[]): Map<string, number | null> {
  return scope(() => {
    denoisingLoss(model, samples, { ...options, dropout: 'heartbeat' }).backward();
    const found = new Map([...model.localEncoders.keys()].map((name) => {
      const gradients = [...model.components.local_encoders.sub(name).parameters().values()]
        .map(({ grad }) => grad);
      const known = gradients.filter((grad) => grad !== null);
      const sum = known.reduce((total, grad) => total + grad.abs().sum().item(), 0);
      return [name as string, known.length === 0 ? null : sum] as const;
    }));
    for (const path of Object.values(model.components)) {
      for (const value of path.parameters().values()) value.grad = null;
    }
    return found;
  });
}

describe('denoising', () => {
  before(() => {
    model = tinyModel();
    wake(model);
  });
  after(() => model.dispose());

  describe('the denoising loss', () => {
    it('is a function of the sample and its key, not of the batch around it', () => {
      const alone = [0, 1, 2].map((index) => lossOf([sample(index)], { dropout: 'heartbeat' }));
      assert.equal(new Set(alone).size, 3);
      const together = lossOf([0, 1, 2].map((i) => sample(i)), { dropout: 'heartbeat' });
      const mean = (alone[0] + alone[1] + alone[2]) / 3;
      assert.ok(Math.abs(together - mean) < 2e-5 * mean, `batch ${together}, mean of each ${mean}`);
      assert.equal(lossOf([sample(1)], { dropout: 'heartbeat' }), alone[1]);
    });

    it('draws other noise for another key and another seed', () => {
      const of = (key: Sample['key'], seed = 5) =>
        lossOf([{ ...sample(0), key }], { seed, timesteps: [500] });
      assert.notEqual(of(['a', 0]), of(['a', 1]));
      assert.notEqual(of(['a', 0]), of(['a', 0], 6));
      assert.equal(of(['a', 0]), of(['a', 0]));
    });

    it('of saying nothing is 1: the noise has unit variance', () => {
      const plain = tinyModel();
      try {
        noGrad(() => scope(() => {
          for (const [key, value] of plain.components.unet.parameters()) {
            if (key.startsWith('conv_out.')) value.zero_();
          }
          const loss = denoisingLoss(plain, [0, 1, 2].map((i) => sample(i)), options).item();
          assert.ok(Math.abs(loss - 1) < 0.05, `got ${loss}`);
        }));
      } finally {
        plain.dispose();
      }
    });

    it('counts every condition: each one taken away changes it', () => {
      const all = lossOf([sample(0)]);
      for (const { name, kind } of conditions) {
        const clip = { ...clips[0], planes: new Map(clips[0].planes) };
        if (kind === 'local') clip.planes.delete(name);
        if (name === 'text') clip.prompt = '';
        if (name === 'image') clip.embedding = new Float32Array(clips[0].embedding!.length);
        const without = lossOf([{ ...sample(0), clip }]);
        assert.notEqual(without, all, `without ${name}`);
      }
    });
  });

  describe('condition dropout', () => {
    it('reaches the loss: with conditions dropped it is another number', () => {
      const indices = Array.from({ length: 12 }, (_, i) => i);
      const differing = indices.filter((index) => {
        const t = { timesteps: [400] };
        const dropped = lossOf([sample(index)], { ...t, dropout: 'heartbeat' });
        return dropped !== lossOf([sample(index)], t);
      });
      // one in ten samples keeps all of them, and some keep all by chance
      assert.ok(differing.length >= 8, `only ${differing.length} of 12 samples differ`);
    });

    it('gives a dropped encoder no gradient at all, and a kept one some', () => {
      const seen = new Map<string, Set<boolean>>();
      for (let index = 0; index < 12; index++) {
        for (const [name, gradient] of encoderGradients([sample(index)])) {
          const kept = gradient !== null;
          if (kept) assert.ok(gradient > 0, `${name} in sample ${index}: gradient ${gradient}`);
          seen.set(name, (seen.get(name) ?? new Set()).add(kept));
        }
      }
      for (const [name, states] of seen) {
        assert.equal(states.size, 2, `${name} was not now kept, now dropped`);
      }
      assert.deepEqual([...seen.keys()].sort(), ['flow', 'mask', 'skeleton', 'sketch']);
    });

    it('drops for one sample of a batch alone: its part of the loss is that of having none', () => {
      // a pair of samples of which one keeps the mask and one drops it
      const keeps = (index: number) => encoderGradients([sample(index, 0)]).get('mask') !== null;
      const indices = Array.from({ length: 12 }, (_, i) => i);
      const [kept, dropped] = [indices.find(keeps)!, indices.find((i) => !keeps(i))!];
      const pair = lossOf([sample(kept, 0), sample(dropped, 0)], { dropout: 'heartbeat' });
      const blank = { ...clips[0], planes: new Map(clips[0].planes) };
      blank.planes.delete('mask');
      const absent = lossOf(
        [sample(kept, 0), { ...sample(dropped, 0), clip: blank }], { dropout: 'heartbeat' });
      assert.equal(absent, pair);
      const both = lossOf(
        [kept, dropped].map((i) => ({ ...sample(i, 0), clip: blank })), { dropout: 'heartbeat' });
      assert.notEqual(both, pair);
    });
  });

  describe('planes of a batch', () => {
    it('are one-hot labels, bytes as [0,1], or plain numbers; zeros where absent', () => {
      scope(() => {
        const without = { ...clips[1], planes: new Map<ConditionName, never>() };
        const picks = [{ clip: clips[0], frame: 1 }, { clip: without, frame: 3 }];
        const area = 32 * 32;
        const mask = conditionPlanes('mask', picks, 4).toFloat32(); // 2 4 32 32
        const labels = clips[0].planes.get('mask')!.data.subarray(area, 2 * area);
        labels.forEach((label, i) => [0, 1, 2, 3].forEach((plane) =>
          assert.equal(mask[plane * area + i], label === plane ? 1 : 0)));
        const flow = conditionPlanes('flow', picks, 2).toFloat32();
        const stored = clips[0].planes.get('flow')!.data;
        assert.deepEqual(flow.subarray(0, 2 * area), stored.subarray(2 * area, 4 * area));
        assert.ok(flow.subarray(2 * area).every((value) => value === 0));
        const sketch = conditionPlanes('sketch', picks, 1).toFloat32();
        assert.deepEqual([...new Set(sketch.subarray(0, area))].sort(), [0, 1]);
        assert.ok(sketch.subarray(area).every((value) => value === 0));
      });
    });
  });
});
