import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { guide } from '../../src/diffusion/guidance.ts';
import { addNoise, predictionTarget, readPrediction } from '../../src/diffusion/objective.ts';
import { createSampler, samplerNames, walk } from '../../src/diffusion/sampler.ts';
import { NoiseSchedule, type SchedulerConfig } from '../../src/diffusion/schedule.ts';
import { scope } from '../../src/tensor/memory.ts';
import { tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { expectNoLeaks } from '../support/leaks.ts';

expectNoLeaks();

interface Walk { timesteps: number[]; first: number[]; middle: number[]; last: number[] }
interface Golden {
  alphas: Record<'linear' | 'scaled_linear', number[]>;
  ddim: Record<string, Walk>; 'dpm-solver++': Record<string, Walk>;
  forward: { t: number[]; noisy: number[]; velocity: number[] };
}
const golden: Golden = JSON.parse(
  readFileSync(new URL('../golden/diffusion.json', import.meta.url), 'utf8'));

const start = () =>
  tensor(Float32Array.from({ length: 12 }, (_, i) => Math.sin(1.7 * i + 0.3)), [12]);
const denoiser = (z: Tensor, t: number) => z.mul(1.3).add(t / 300).sin().mul(0.8).add(z, 0.1);

function near(got: ArrayLike<number>, expected: readonly number[], tolerance: number, what: string) {
  assert.equal(got.length, expected.length, what);
  const scale = Math.max(1e-3, ...expected.map(Math.abs));
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(got[i] - expected[i]) / scale;
    assert.ok(error < tolerance, `${what}[${i}]: expected ${expected[i]}, got ${got[i]}`);
  }
}

test('alphas are those of diffusers', () => {
  for (const beta_schedule of ['linear', 'scaled_linear'] as const) {
    const schedule = new NoiseSchedule({ beta_schedule });
    const got = [0, 1, 250, 500, 998, 999].map((t) => schedule.at(t));
    near(got, golden.alphas[beta_schedule], 3e-5, beta_schedule);
  }
  assert.throws(() => new NoiseSchedule().at(1000), /expected a step in 0\.\.999, got 1000/);
});

for (const name of samplerNames) {
  for (const [key, expected] of Object.entries(golden[name])) {
    test(`${name} walks as diffusers does: ${key}`, () => {
      const [prediction_type, steps, timestep_spacing] = key.split('-') as
        [SchedulerConfig['prediction_type'], string, SchedulerConfig['timestep_spacing']];
      const schedule = new NoiseSchedule({ prediction_type, timestep_spacing });
      const sampler = createSampler(name, schedule, Number(steps));
      assert.deepEqual(sampler.timesteps, expected.timesteps);
      const z = start();
      const walking = walk(sampler, denoiser, z);
      let visits = 0;
      for (;;) {
        const next = walking.next();
        if (next.done) {
          near(next.value.toFloat32(), expected.last, 2e-4, 'last');
          next.value.dispose();
          break;
        }
        assert.deepEqual(next.value, { index: ++visits, total: Number(steps) });
      }
      z.dispose();
    });
  }
}

test('quadratic steps are those of DDIM\'s appendix D.2, from the noisiest down, never one twice', () => {
  const schedule = new NoiseSchedule({ timestep_spacing: 'quadratic' });
  const at = (steps: number) => createSampler('ddim', schedule, steps).timesteps;
  assert.deepEqual(at(5), [999, 639, 360, 160, 40]);
  for (const steps of [1, 2, 50, 100, 200, 500, 999]) {
    const visited = at(steps);
    assert.equal(visited[0], 999);
    assert.ok(visited.every((t, i) => t >= 0 && (i === 0 || t < visited[i - 1])), `${steps} steps`);
  }
  for (const name of samplerNames) {
    const z = start();
    const walking = walk(createSampler(name, schedule, 9), denoiser, z);
    let next = walking.next();
    while (!next.done) next = walking.next();
    assert.ok(next.value.toFloat32().every(Number.isFinite));
    next.value.dispose();
    z.dispose();
  }
});

test('the forward process and v are those of diffusers, and predictions read back', () => {
  scope(() => {
    const schedule = new NoiseSchedule();
    const z0 = start().reshape([3, 4]);
    const epsilon = tensor(Float32Array.from({ length: 12 }, (_, i) => Math.cos(i * 0.9)), [3, 4]);
    const { t, noisy, velocity } = golden.forward;
    const zt = addNoise(schedule, z0, epsilon, t);
    near(zt.toFloat32(), noisy, 1e-5, 'noisy');
    const v = new NoiseSchedule({ prediction_type: 'v_prediction' });
    near(predictionTarget(v, z0, epsilon, t).toFloat32(), velocity, 1e-5, 'velocity');
    for (const s of [schedule, v]) {
      const at = addNoise(s, z0, epsilon, [400, 400, 400]);
      const read = readPrediction(s, at, predictionTarget(s, z0, epsilon, [400, 400, 400]), 400);
      near(read.z0.toFloat32(), [...z0.toFloat32()], 1e-4, 'z0');
      near(read.epsilon.toFloat32(), [...epsilon.toFloat32()], 1e-4, 'epsilon');
    }
    assert.throws(() => addNoise(schedule, z0, epsilon, [1]), /expected 3 timesteps.*got 1/);
  });
});

test('guidance at 1 is the conditional pass alone; elsewhere it extrapolates', () => {
  scope(() => {
    let passes = 0;
    const denoise = (z: Tensor, _t: number, control: number) => { passes++; return z.mul(control); };
    const z = start();
    near(guide(denoise, 3, 1, 1)(z, 0).toFloat32(), [...z.mul(3).toFloat32()], 1e-6, 's = 1');
    assert.equal(passes, 1);
    near(guide(denoise, 3, 1, 7.5)(z, 0).toFloat32(), [...z.mul(16).toFloat32()], 1e-6, 's = 7.5');
    assert.throws(() => guide(denoise, 3, 1, NaN), /finite scale/);
  });
});

test('impossible step counts are refused', () => {
  const schedule = new NoiseSchedule();
  for (const name of samplerNames) {
    for (const steps of [0, -1, 1.5, 1000, NaN]) {
      assert.throws(() => createSampler(name, schedule, steps), /inference steps, got/);
    }
  }
});
