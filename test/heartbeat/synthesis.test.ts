import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { conditions, type ConditionInputs } from '../../src/conditions/condition.ts';
import type { Frames } from '../../src/frames/frames.ts';
import type { HeartBeat } from '../../src/heartbeat/heartbeat.ts';
import { synthesize, type SynthesisOptions } from '../../src/heartbeat/synthesis.ts';
import { liveTensors, noGrad, scope } from '../../src/tensor/memory.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { conditionInputsOf } from '../../src/training/condition-inputs.ts';
import { expectNoLeaks } from '../support/leaks.ts';
import { drawnClip, tinyModel, wake } from '../training/drawn-clips.ts';

expectNoLeaks();

describe('synthesis', () => {
  let model: HeartBeat;
  let all: ConditionInputs;
  before(() => {
    model = tinyModel();
    wake(model);
    all = conditionInputsOf(drawnClip(0), model);
  });
  after(() => model.dispose());

  const sample = (inputs: ConditionInputs, options: SynthesisOptions = {}) =>
    synthesize(model, inputs, { seed: 1, numInferenceSteps: 3, ...options });
  const bytes = ({ data }: Frames) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const same = (a: Frames, b: Frames) => bytes(a).equals(bytes(b));

  it('gives a whole clip in [0,1]', async () => {
    for (const sampler of ['ddim', 'dpm-solver++'] as const) {
      const { channels, frames, height, width, data } = await sample(all, { sampler });
      assert.deepEqual([channels, frames, height, width], [1, 4, 32, 32]);
      assert.ok(data.every((value) => value >= 0 && value <= 1));
      assert.ok(new Set(data).size > 100, 'a flat picture');
    }
  });

  it('guides in one pass as in two, whatever conditions there are', async () => {
    for (const inputs of [all, { text: all.text }, { mask: all.mask }, { image: all.image, flow: all.flow }]) {
      const [two, one] = [
        await sample(inputs, { guidanceScale: 3 }), await sample(inputs, { guidanceScale: 3, guidanceInOnePass: true })];
      const differs = Math.max(...two.data.map((value, i) => Math.abs(value - one.data[i])));
      assert.ok(differs < 1e-4, `${Object.keys(inputs).join()} differ by ${differs}`);
    }
    const alone = { guidanceScale: 1, guidanceInOnePass: true };
    assert.ok(same(await sample(all, alone), await sample(all, { guidanceScale: 1 })));
  });

  it('is a function of the seed: the same clip whatever was sampled before', async () => {
    const first = await sample(all);
    const other = await sample({ text: all.text }, { seed: 2, sampler: 'dpm-solver++' });
    assert.ok(!same(other, first));
    assert.ok(same(await sample(all), first));
    assert.ok(!same(await sample(all, { seed: 2 }), first), 'the seed must matter');
  });

  it('starts at the noised image prior, at the mean training frame without one', async () => {
    const side = model.config.resolution;
    const flat = (grey: number): Frames =>
      ({ channels: 1, frames: 1, height: side, width: side, data: new Float32Array(side * side).fill(grey) });
    const t = 900;
    /** What is left of z_T when the noise is taken away. */
    const startOf = (prior: Frames | null, strength?: number) => scope(() => {
      const noise = model.clipNoise(3, ['latent']);
      const kept = model.start(noise, t, prior, strength).sub(noise, model.schedule.noise(t));
      return kept.div(model.schedule.signal(t)).select(0, 1).toFloat32();
    });
    const latentsOf = (grey: number) => scope(() => model.vae.scaleLatents(
      model.encode(tensor(flat(grey).data, [1, 1, side, side])).mean).select(0, 0).toFloat32());
    const near = (got: Float32Array, wanted: Float32Array) =>
      got.every((value, i) => Math.abs(value - wanted[i]) < 1e-3);
    assert.equal(model.meanFrame, null);
    noGrad(() => scope(() => {
      const noise = model.clipNoise(3, ['latent']);
      assert.equal(model.start(noise, t, null), noise, 'nothing is known: noise alone');
    }));
    const without = await sample({ text: all.text });
    model.meanFrame = flat(0.2);
    try {
      assert.ok(!same(await sample({ text: all.text }), without), 'the mean frame must matter');
      noGrad(() => {
        const [mean, prior] = [latentsOf(0.2), latentsOf(0.8)];
        assert.ok(!near(mean, prior));
        assert.ok(near(startOf(null), mean));
        assert.ok(near(startOf(flat(0.8)), prior));
        assert.ok(near(startOf(flat(0.8), 0), mean));
        assert.ok(near(startOf(flat(0.8), 0.25), mean.map((value, i) => 0.75 * value + 0.25 * prior[i])));
      });
    } finally {
      model.meanFrame = null;
    }
  });

  it('runs one pass a step without guidance, two with it', async () => {
    const { denoise } = model;
    let passes = 0;
    model.denoise = (...given) => {
      passes += 1;
      return denoise.apply(model, given);
    };
    try {
      await sample(all, { guidanceScale: 1 });
      assert.equal(passes, 3);
      await sample(all, { guidanceScale: 3 });
      assert.equal(passes, 9);
    } finally {
      model.denoise = denoise;
    }
  });

  for (const { name } of conditions) {
    it(`${name}: presence matters, strength 0 is absence, strengths between differ`, async () => {
      const { [name]: _, ...without } = all;
      const [present, absent, none, half] = [
        await sample(all), await sample(without), await sample(all, { strength: { [name]: 0 } }),
        await sample(all, { strength: { [name]: 0.5 } }),
      ];
      assert.ok(!same(present, absent), 'its presence changes nothing');
      assert.ok(same(none, absent), 'strength 0 is not absence');
      assert.ok(!same(half, present) && !same(half, absent), 'strength 0.5 is one of the ends');
    });
  }

  it('takes every condition alone, and none', async () => {
    const clips = [await sample({})];
    for (const { name } of conditions) clips.push(await sample({ [name]: all[name] }));
    for (const [i, clip] of clips.entries()) {
      assert.ok(clip.data.every(Number.isFinite));
      assert.ok(clips.every((other, j) => i === j || !same(clip, other)), `clip ${i} is another`);
    }
  });

  it('stops on request with an AbortError and keeps nothing', async () => {
    for (const sampler of ['ddim', 'dpm-solver++'] as const) {
      const before = liveTensors();
      const steps: number[] = [];
      await assert.rejects(sample(all, {
        sampler, numInferenceSteps: 5,
        onStep: (index) => { steps.push(index); return index < 2; },
      }), { name: 'AbortError' });
      assert.deepEqual(steps, [1, 2]);
      assert.equal(liveTensors(), before);
    }
  });

  it('keeps nothing when the network fails half-way', async () => {
    const before = liveTensors();
    const { denoise } = model;
    let passes = 0;
    model.denoise = (...given) => {
      passes += 1;
      if (passes === 3) throw new Error('out of memory');
      return denoise.apply(model, given);
    };
    try {
      await assert.rejects(sample(all), /out of memory/);
    } finally {
      model.denoise = denoise;
    }
    assert.equal(liveTensors(), before);
  });

  const mask = () => all.mask as Frames;
  const flow = () => all.flow as Frames;
  const square = (size: number): Frames => ({
    channels: 1, frames: 1, height: size, width: size, data: new Float32Array(size * size),
  });
  const refusals: [string, () => ConditionInputs, SynthesisOptions, RegExp][] = [
    ['too few frames', () => ({
      mask: { ...mask(), frames: 3, data: new Float32Array(4 * 3 * 1024) },
    }), {}, /mask: expected .*4.*got.*3/],
    ['another size', () => ({ sketch: square(16) }), {}, /sketch: expected .*32.*got.*16/],
    ['planes that are not one-hot', () => ({ mask: { ...mask(), data: mask().data.map(() => 1) } }),
      {}, /mask: /],
    ['NaN', () => ({ flow: { ...flow(), data: flow().data.map(() => NaN) } }), {}, /flow: .*NaN/],
    ['a picture for a sentence', () => ({ text: mask() }), {}, /text: expected a sentence/],
    ['no steps', () => ({}), { numInferenceSteps: 0 }, /expected 1\.\.999 inference steps, got 0/],
    ['a guidance that is no number', () => ({}), { guidanceScale: NaN },
      /expected a finite scale, got NaN/],
  ];
  for (const [what, inputs, options, sentence] of refusals) {
    it(`refuses ${what} in one sentence and keeps nothing`, async () => {
      const before = liveTensors();
      await assert.rejects(sample(inputs(), options), (error: Error) => {
        assert.match(error.message, sentence);
        assert.ok(!error.message.includes('\n'));
        return true;
      });
      assert.equal(liveTensors(), before);
    });
  }

  it('refuses a condition that the model was built without', async () => {
    const blind = tinyModel({ change: { conditions: ['text', 'mask'] } });
    try {
      await assert.rejects(synthesize(blind, { sketch: all.sketch }, { numInferenceSteps: 2 }),
        /condition sketch: expected one of this model's conditions \(text, mask\), got sketch/);
      await assert.rejects(synthesize(blind, { image: all.image }, { numInferenceSteps: 2 }),
        /condition image: expected one of this model's conditions \(text, mask\), got image/);
    } finally {
      blind.dispose();
    }
  });
});
