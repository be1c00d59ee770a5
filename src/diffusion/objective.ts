import { tensor, type Tensor } from '../tensor/tensor.ts';
import type { NoiseSchedule } from './schedule.ts';

/** One coefficient a sample, shaped to multiply `like`. */
function coefficients(like: Tensor, values: readonly number[]): Tensor {
  if (values.length !== like.shape[0]) {
    const expected = like.shape[0];
    throw new Error(`diffusion: expected ${expected} timesteps for the batch, got ${values.length}`);
  }
  const shape = [values.length, ...like.shape.slice(1).map(() => 1)];
  return tensor(Float32Array.from(values), shape, { device: like.device }).to(like.dtype);
}

/** z_t = sqrt(a_t) z_0 + sqrt(1 - a_t) epsilon, one t a sample of the batch (Ho et al. 2020, eq. 4). */
export function addNoise(
  schedule: NoiseSchedule, z0: Tensor, epsilon: Tensor, t: readonly number[],
): Tensor {
  const signal = coefficients(z0, t.map((step) => schedule.signal(step)));
  const noise = coefficients(z0, t.map((step) => schedule.noise(step)));
  return z0.mul(signal).add(epsilon.mul(noise));
}

/** What the network learns to say: epsilon, or v = sqrt(a_t) epsilon - sqrt(1 - a_t) z_0. */
export function predictionTarget(
  schedule: NoiseSchedule, z0: Tensor, epsilon: Tensor, t: readonly number[],
): Tensor {
  if (schedule.config.prediction_type === 'epsilon') return epsilon;
  const signal = coefficients(z0, t.map((step) => schedule.signal(step)));
  const noise = coefficients(z0, t.map((step) => schedule.noise(step)));
  return epsilon.mul(signal).sub(z0.mul(noise));
}

/** (z_0, epsilon) as the network's prediction at step t implies them; one t for the whole batch. */
export function readPrediction(
  schedule: NoiseSchedule, zt: Tensor, prediction: Tensor, t: number,
): { z0: Tensor; epsilon: Tensor } {
  const signal = schedule.signal(t);
  const noise = schedule.noise(t);
  if (schedule.config.prediction_type === 'v_prediction') {
    return {
      z0: zt.mul(signal).sub(prediction.mul(noise)),
      epsilon: prediction.mul(signal).add(zt.mul(noise)),
    };
  }
  return { z0: zt.sub(prediction.mul(noise)).div(signal), epsilon: prediction };
}
