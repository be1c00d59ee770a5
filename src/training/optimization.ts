import { z } from 'zod';
import { withGradientCheckpointing } from '../tensor/gradient-checkpointing.ts';
import { scope } from '../tensor/memory.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { Adam, clipGradNorm } from '../nn/adam.ts';
import { Ema } from '../nn/ema.ts';

/**
 * The recipe of one optimizer, in diffusers' words; defaults are the paper's where it speaks
 * (PAPER section 1).
 */
export const optimizationConfig = z.strictObject({
  trainBatchSize: z.int().positive().default(16),
  gradientAccumulationSteps: z.int().positive().default(1),
  maxTrainSteps: z.int().positive().default(1000),
  learningRate: z.number().positive().default(1e-4),
  lrScheduler: z.enum(['cosine', 'constant']).default('cosine'),
  lrWarmupSteps: z.int().nonnegative().default(500),
  adamBeta1: z.number().min(0).lt(1).default(0.9),
  adamBeta2: z.number().min(0).lt(1).default(0.999),
  adamWeightDecay: z.number().nonnegative().default(0),
  maxGradNorm: z.number().positive().default(1),
  emaDecay: z.number().min(0).lt(1).default(0.9999),
  /** `auto` may be declared; `resolveConfig` puts the device's choice in its place. */
  mixedPrecision: z.enum(['no', 'bf16', 'auto']).transform((type) => type as Exclude<typeof type, 'auto'>)
    .default('no'),
});
export type OptimizationConfig = z.infer<typeof optimizationConfig>;

/**
 * Linear warm-up from zero, then a cosine to zero at the last step, or a constant: the rate of step
 * 0, 1, ... as diffusers' get_scheduler gives it.
 */
export function learningRate(config: OptimizationConfig, step: number): number {
  const { learningRate: peak, lrWarmupSteps: warmup, maxTrainSteps: last } = config;
  if (step < warmup) return (peak * step) / warmup;
  if (config.lrScheduler === 'constant') return peak;
  const progress = Math.min(1, (step - warmup) / Math.max(1, last - warmup));
  return (peak * (1 + Math.cos(Math.PI * progress))) / 2;
}

export interface StepReport { readonly loss: number; readonly gradNorm: number; readonly lr: number }

/** Adam, gradient accumulation, clipping and EMA over one set of parameters. */
export class Optimization {
  readonly config: OptimizationConfig;
  readonly ema: Ema;
  private readonly parameters: ReadonlyMap<string, Tensor>;
  private readonly adam: Adam;
  private readonly gradientCheckpointing: boolean;

  /** @param options gradientCheckpointing: parts that know how are computed twice rather than kept */
  constructor(
    parameters: ReadonlyMap<string, Tensor>, config: OptimizationConfig, { gradientCheckpointing = false } = {},
  ) {
    if (parameters.size === 0) {
      throw new Error('optimization: expected parameters that train, got none');
    }
    const { adamBeta1, adamBeta2, adamWeightDecay: weightDecay, emaDecay } = config;
    this.config = config;
    this.parameters = parameters;
    this.gradientCheckpointing = gradientCheckpointing;
    const betas = [adamBeta1, adamBeta2] as const;
    this.adam = new Adam(parameters, { betas, weightDecay, decoupled: true });
    this.ema = new Ema(parameters, { decay: emaDecay });
  }

  /**
   * One optimizer step over `gradientAccumulationSteps` micro-batches; `lossOf` runs in a scope of
   * its own. A step that throws leaves weights, moments and average as they were, and no gradients.
   */
  step(step: number, lossOf: (micro: number) => Tensor): StepReport {
    try {
      const { loss, gradNorm } = this.gradients(step, lossOf);
      const lr = learningRate(this.config, step);
      this.adam.step(lr);
      this.ema.update();
      return { loss, gradNorm, lr };
    } finally {
      this.adam.zeroGrad();
    }
  }

  private gradients(step: number, lossOf: (micro: number) => Tensor): Omit<StepReport, 'lr'> {
    const micros = this.config.gradientAccumulationSteps;
    let loss = 0;
    for (let micro = 0; micro < micros; micro++) {
      loss += scope(() => {
        if (this.gradientCheckpointing) {
          return withGradientCheckpointing((backward) => {
            const value = lossOf(micro);
            backward(value.div(micros));
            return value.item() / micros;
          });
        }
        const value = lossOf(micro);
        value.div(micros).backward();
        return value.item() / micros;
      });
    }
    const gradNorm = clipGradNorm(this.parameters.values(), this.config.maxGradNorm);
    if (!Number.isFinite(loss) || !Number.isFinite(gradNorm)) {
      throw new Error(`training: expected a finite loss at step ${step}, ` +
        `got loss ${loss} and gradient norm ${gradNorm}; a lower learning rate may help`);
    }
    return { loss, gradNorm };
  }

  /** Forgets gradients that another player's backward pass left here. */
  zeroGrad(): void {
    this.adam.zeroGrad();
  }

  /** Optimizer and EMA, each as named tensors for a checkpoint. */
  state(): { optimizer: Map<string, Tensor>; ema: Map<string, Tensor> } {
    return { optimizer: this.adam.state(), ema: this.ema.state() };
  }

  load(state: { optimizer: Map<string, Tensor>; ema: Map<string, Tensor> }): void {
    this.adam.load(state.optimizer);
    this.ema.load(state.ema);
  }

  /** Runs `work` with the EMA weights in place of the trained ones, then puts these back. */
  withEma<R>(work: () => R): R {
    return this.ema.withAverage(work);
  }

  dispose(): void {
    this.adam.dispose();
    this.ema.dispose();
  }
}
