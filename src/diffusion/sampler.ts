import { scope } from '../tensor/memory.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { readPrediction } from './objective.ts';
import type { NoiseSchedule } from './schedule.ts';

/** What a sampler carries from one step to the next beside z: nothing, or the last z_0. */
export interface Step { readonly z: Tensor; readonly memory: Tensor | null }

export interface Sampler {
  /** Steps of the schedule that are visited, from noisy to clean. */
  readonly timesteps: readonly number[];
  /** z at the next step, from the prediction at `timesteps[index]`. */
  step(zt: Tensor, prediction: Tensor, index: number, memory: Tensor | null): Step;
}

export const samplerNames = ['ddim', 'dpm-solver++'] as const;
export type SamplerName = (typeof samplerNames)[number];

/**
 * The steps of the schedule that are visited, from noisy to clean, in diffusers' "leading" (T/steps apart from
 * 0, shifted by `steps_offset`) or "trailing" spacing (T/steps apart from T - 1), or in Song's "quadratic" one.
 *
 * @param leading diffusers' own of the sampler, step by step from the clean end
 */
function visited(schedule: NoiseSchedule, steps: number, leading: (i: number) => number): number[] {
  if (!Number.isInteger(steps) || steps < 1 || steps >= schedule.steps) {
    throw new Error(`sampler: expected 1..${schedule.steps - 1} inference steps, got ${steps}`);
  }
  const { steps: T, config: { timestep_spacing, steps_offset } } = schedule;
  const at = {
    leading: (i: number) => Math.min(leading(i) + steps_offset, T - 1),
    trailing: (i: number) => Math.round(T * ((i + 1) / steps)) - 1,
    quadratic: (i: number) => Math.max(i, Math.round((T - 1) * ((i + 1) / steps) ** 2)),
  }[timestep_spacing];
  return Array.from({ length: steps }, (_, i) => at(steps - 1 - i));
}

/**
 * DDIM (Song et al. 2021, eq. 12) with eta = 0, deterministic:
 * z_s = sqrt(a_s) z_0 + sqrt(1 - a_s) epsilon, with z_0 and epsilon read off the prediction.
 */
export function ddim(schedule: NoiseSchedule, steps: number): Sampler {
  const stride = Math.floor(schedule.steps / steps);
  const timesteps = visited(schedule, steps, (i) => i * stride);
  return {
    timesteps,
    step(zt, prediction, index) {
      const t = timesteps[index];
      const s = timesteps[index + 1] ?? -1;
      const { z0, epsilon } = readPrediction(schedule, zt, prediction, t);
      return { z: z0.mul(schedule.signal(s)).add(epsilon, schedule.noise(s)), memory: null };
    },
  };
}

/**
 * DPM-Solver++(2M) (Lu et al. 2022, algorithm 2, midpoint form), on z_0, with a first-order first
 * and last step. lambda = log(sqrt(a) / sqrt(1 - a)); after the last step the noise is zero.
 */
export function dpmSolver(schedule: NoiseSchedule, steps: number): Sampler {
  // diffusers spreads these over steps + 1 points and leaves the cleanest out
  const stride = Math.floor(schedule.steps / (steps + 1));
  const timesteps = visited(schedule, steps, (i) => stride * (i + 1));
  const lambda = (t: number) => Math.log(schedule.signal(t) / schedule.noise(t));
  return {
    timesteps,
    step(zt, prediction, index, previous) {
      const t = timesteps[index];
      const { z0 } = readPrediction(schedule, zt, prediction, t);
      if (index === steps - 1) return { z: z0, memory: null };
      const s = timesteps[index + 1];
      const h = lambda(s) - lambda(t);
      const target = (index === 0 || previous === null) ? z0 : (() => {
        const r = (lambda(t) - lambda(timesteps[index - 1])) / h;
        return z0.add(z0.sub(previous), 1 / (2 * r));
      })();
      const kept = schedule.noise(s) / schedule.noise(t);
      return { z: zt.mul(kept).add(target, -schedule.signal(s) * Math.expm1(-h)), memory: z0 };
    },
  };
}

export function createSampler(name: SamplerName, schedule: NoiseSchedule, steps: number): Sampler {
  return name === 'ddim' ? ddim(schedule, steps) : dpmSolver(schedule, steps);
}

/**
 * Walks z_T down to z_0, one scope a step; `return()` ends the walk early and releases its tensors.
 * `noise` stays the caller's.
 */
export function* walk(
  sampler: Sampler, predict: (zt: Tensor, t: number) => Tensor, noise: Tensor,
): Generator<{ index: number; total: number }, Tensor> {
  let state: Step = { z: noise, memory: null };
  const total = sampler.timesteps.length;
  const release = ({ z, memory }: Step) => {
    if (z !== noise) z.dispose();
    memory?.dispose();
  };
  let arrived = false;
  try {
    for (let index = 0; index < total; index++) {
      const before = state;
      state = scope(() => {
        const prediction = predict(before.z, sampler.timesteps[index]).to(before.z.dtype);
        return sampler.step(before.z, prediction, index, before.memory);
      });
      release(before);
      yield { index: index + 1, total };
    }
    arrived = true;
    return state.z;
  } finally {
    // a walk that was given up half-way, or whose prediction failed, keeps nothing
    if (!arrived) release(state);
  }
}
