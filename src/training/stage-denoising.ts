import type { ConditionDropout } from '../conditions/condition.ts';
import type { Frames } from '../frames/frames.ts';
import type { HeartBeat } from '../heartbeat/heartbeat.ts';
import { synthesize } from '../heartbeat/synthesis.ts';
import { parameterGroup, type ParameterGroup } from '../models/unet-weights.ts';
import { noGrad, scope } from '../tensor/memory.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { conditionInputsOf } from './condition-inputs.ts';
import { denoisingLoss, type Sample } from './denoising.ts';
import type { Stage } from './loop.ts';
import { Optimization, type OptimizationConfig } from './optimization.ts';
import type { PreparedClip } from './prepared-clip.ts';

/** Parts of the framework that a stage trains; all others are frozen (PAPER section 1, "What trains"). */
export interface Training {
  readonly unet: readonly ParameterGroup[];
  /** Components trained whole, and `local_encoders.<condition>` for one encoder. */
  readonly components: readonly string[];
}

/** Freezes all but `training` and returns what trains, by component and key. */
export function selectTraining(model: HeartBeat, training: Training): Map<string, Tensor> {
  for (const [component, path] of Object.entries(model.components)) {
    path.freeze((key) => {
      if (component === 'unet') return !training.unet.includes(parameterGroup(key));
      const whole = `${component}.${key}`;
      return !training.components.some((name) => whole.startsWith(`${name}.`));
    });
  }
  return new Map(Object.entries(model.components).flatMap(([component, path]) =>
    [...path.trainable()].map(([key, value]) => [`${component}.${key}`, value] as const)));
}

export interface DenoisingStageOptions {
  readonly name: string;
  readonly model: HeartBeat;
  readonly training: Training;
  readonly optimization: OptimizationConfig;
  readonly gradientCheckpointing: boolean;
  readonly dropout: ConditionDropout;
  readonly seed: number;
  /** The sample at place `index` of the endless training. */
  readonly sampleAt: (index: number) => Sample;
  readonly validation: readonly Sample[];
  readonly preview: PreparedClip;
}

/** What the two stages of the paper share: the same loss on frames or on clips, with other parts frozen. */
export class DenoisingStage implements Stage {
  readonly name: string;
  readonly maxTrainSteps: number;
  readonly optimization: Optimization;
  private readonly options: DenoisingStageOptions;
  private readonly parameters: ReadonlyMap<string, Tensor>;

  constructor(options: DenoisingStageOptions) {
    this.name = options.name;
    this.options = options;
    this.maxTrainSteps = options.optimization.maxTrainSteps;
    this.parameters = selectTraining(options.model, options.training);
    this.optimization = new Optimization(this.parameters, options.optimization, {
      gradientCheckpointing: options.gradientCheckpointing,
    });
  }

  step(step: number): Record<string, number> {
    const { trainBatchSize, gradientAccumulationSteps } = this.options.optimization;
    const { loss, gradNorm, lr } = this.optimization.step(step, (micro) => {
      const first = (step * gradientAccumulationSteps + micro) * trainBatchSize;
      const samples = Array.from({ length: trainBatchSize }, (_, i) => this.options.sampleAt(first + i));
      return this.loss(samples, this.trainsAdapter);
    });
    return { loss, gradNorm, lr };
  }

  validate(): Record<string, number> {
    const { validation, model, optimization: { trainBatchSize } } = this.options;
    if (validation.length === 0) return {};
    const loss = this.optimization.withEma(() => noGrad(() => {
      let sum = 0;
      for (let first = 0; first < validation.length; first += trainBatchSize) {
        const samples = validation.slice(first, first + trainBatchSize);
        // steps spread evenly over the schedule, the same at every validation
        const timesteps = samples.map((_, i) =>
          Math.floor(((first + i + 0.5) / validation.length) * model.schedule.steps));
        sum += samples.length * scope(() => this.loss(samples, false, timesteps).item());
      }
      return sum / validation.length;
    }));
    return { loss };
  }

  async preview(): Promise<Record<string, Frames>> {
    const { model, preview, seed } = this.options;
    const inputs = conditionInputsOf(preview, model);
    this.optimization.ema.swap();
    try {
      return { all: await synthesize(model, inputs, { seed, numInferenceSteps: 20 }) };
    } finally {
      this.optimization.ema.swap();
    }
  }

  state() {
    return { model: new Map([...this.parameters, ...this.buffers()]), ...this.optimization.state() };
  }

  load({ model, optimizer, ema }: Record<string, Map<string, Tensor>>): void {
    noGrad(() => {
      for (const [key, value] of new Map([...this.parameters, ...this.buffers()])) {
        const source = model.get(key);
        if (source === undefined) throw new Error(`checkpoint: expected ${key}, got no such key`);
        value.copy_(source);
      }
    });
    this.optimization.load({ optimizer, ema });
  }

  dispose(): void {
    this.optimization.dispose();
  }

  private get trainsAdapter(): boolean {
    return this.options.training.components.includes('global_adapter');
  }

  /** Running statistics of the parts that train. */
  private buffers(): [string, Tensor][] {
    if (!this.trainsAdapter) return [];
    const { global_adapter: path } = this.options.model.components;
    return [...path.buffers()].map(([key, value]) => [`global_adapter.${key}`, value]);
  }

  private loss(samples: readonly Sample[], training: boolean, timesteps?: readonly number[]): Tensor {
    const { model, seed, dropout, optimization: { mixedPrecision } } = this.options;
    return denoisingLoss(model, samples, {
      seed, training, timesteps,
      dtype: mixedPrecision === 'bf16' ? 'bfloat16' : 'float32',
      dropout: timesteps === undefined ? dropout : 'none',
    });
  }
}
