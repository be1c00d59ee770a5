import { z } from 'zod';

/** diffusers' scheduler_config.json, with Stable Diffusion 1.5's values as defaults (PAPER section 1). */
export const schedulerConfig = z.strictObject({
  num_train_timesteps: z.int().positive().default(1000),
  beta_start: z.number().positive().default(0.00085),
  beta_end: z.number().positive().default(0.012),
  beta_schedule: z.enum(['scaled_linear', 'linear']).default('scaled_linear'),
  prediction_type: z.enum(['epsilon', 'v_prediction']).default('epsilon'),
  steps_offset: z.int().nonnegative().default(1),
  set_alpha_to_one: z.boolean().default(false),
  /**
   * Which steps a sampler visits. `leading` is Stable Diffusion's; `trailing` begins at the noisiest step (Lin
   * et al. 2024); `quadratic` (Song et al. 2021, appendix D.2) does too, and takes most of its steps where
   * little noise is left: there speckle is decided.
   */
  timestep_spacing: z.enum(['leading', 'trailing', 'quadratic']).default('leading'),
});
export type SchedulerConfig = z.infer<typeof schedulerConfig>;

/**
 * The forward process q(z_t | z_0) = N(sqrt(a_t) z_0, (1 - a_t) I), a_t = prod_s (1 - beta_s)
 * (Ho et al. 2020, eq. 4). Numbers are float64; tensors are made where they are used.
 */
export class NoiseSchedule {
  readonly config: SchedulerConfig;
  /** a_t for t = 0 .. num_train_timesteps - 1; the papers' "alpha bar". */
  readonly alphasCumprod: Float64Array;

  constructor(config: Partial<SchedulerConfig> = {}) {
    this.config = schedulerConfig.parse(config);
    const { num_train_timesteps: T, beta_start, beta_end, beta_schedule } = this.config;
    const scaled = beta_schedule === 'scaled_linear';
    const from = scaled ? Math.sqrt(beta_start) : beta_start;
    const to = scaled ? Math.sqrt(beta_end) : beta_end;
    this.alphasCumprod = new Float64Array(T);
    let product = 1;
    for (let t = 0; t < T; t++) {
      const value = T === 1 ? from : from + ((to - from) * t) / (T - 1);
      product *= 1 - (scaled ? value * value : value);
      this.alphasCumprod[t] = product;
    }
  }

  get steps(): number {
    return this.alphasCumprod.length;
  }

  /** sqrt(a_t), the share of the signal at step t. */
  signal(t: number): number {
    return Math.sqrt(this.at(t));
  }

  /** sqrt(1 - a_t), the share of the noise at step t. */
  noise(t: number): number {
    return Math.sqrt(1 - this.at(t));
  }

  /** a_t; before the first step (t < 0) it is 1 or a_0, as `set_alpha_to_one` says. */
  at(t: number): number {
    if (t >= this.steps || !Number.isInteger(t)) {
      throw new Error(`schedule: expected a step in 0..${this.steps - 1}, got ${t}`);
    }
    if (t >= 0) return this.alphasCumprod[t];
    return this.config.set_alpha_to_one ? 1 : this.alphasCumprod[0];
  }
}
