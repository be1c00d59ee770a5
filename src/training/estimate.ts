import { setImmediate } from 'node:timers/promises';
import { componentNames, HeartBeat, type ComponentName } from '../heartbeat/heartbeat.ts';
import { synthesize } from '../heartbeat/synthesis.ts';
import { synchronize } from '../tensor/device.ts';
import type { DType } from '../tensor/dtype.ts';
import { countFlops } from '../tensor/flops.ts';
import { emptyCache, keep, liveBytes, noGrad, peakBytes, resetPeakBytes, scope } from '../tensor/memory.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { conditionInputsOf } from './condition-inputs.ts';
import { refuseGiven } from './components.ts';
import type { TrainingConfig } from './config.ts';
import { lookCosts, type Held } from './look-costs.ts';
import { planSeconds, type LoopConfig, type Stage } from './loop.ts';
import { trainsTextEncoder } from './methods.ts';
import type { OptimizationConfig } from './optimization.ts';
import { configKey, isMeasuring, type StageName } from './run-folder.ts';
import { measuringStage, modelConfig, prepareStage } from './runs.ts';
import { clipBytes, trialClip } from './trial-clip.ts';

/** Time and memory of a stage on this machine, from a few trial steps with random weights. */
export interface Estimate {
  /** Of each network that the stage holds: all, and those that train. */
  readonly parameters: Readonly<Record<string, { readonly total: number; readonly trained: number }>>;
  readonly bytes: {
    readonly weights: number;
    /** Gradients, both moments and the average of what trains. */
    readonly optimizer: number;
    /** The most that tensors took at once, weights included; on the processor only. */
    readonly peak: number | null;
    /** One checkpoint, and one clip as prepared: pictures and conditions, latents and embeddings. */
    readonly checkpoint: number;
    readonly extractedClip: number;
    readonly encodedClip: number;
  };
  readonly steps: number;
  /** Of the first step, which warms up, and of one optimizer step: the median of the others. */
  readonly firstStep: number;
  readonly perStep: number;
  /** Steps taken, the first one included. */
  readonly trialSteps: number;
  /** Steps, validations and previews of the whole stage, in seconds. */
  readonly total: number;
  /** Floating-point operations of one optimizer step. */
  readonly flops: number;
}

export interface EstimateOptions {
  readonly config: TrainingConfig;
  readonly device?: string;
  /** What is held out; as much as the configuration wants when absent. */
  readonly held?: Held;
  /** Steps to take, 2 at least; a GPU still chooses its kernels in the second. */
  readonly trialSteps?: number;
}

interface Trial {
  readonly stage: Stage & { dispose?(): void };
  readonly loop: LoopConfig;
  readonly micros: number;
  readonly networks: Readonly<Record<string, ReadonlyMap<string, Tensor>>>;
  dispose(): void;
}

/** A few steps of a stage on made-up clips. Leaves nothing behind. */
export function estimateStage(name: StageName, options: EstimateOptions): Estimate {
  const { config, device = 'cpu', trialSteps = 2 } = options;
  resetPeakBytes();
  const before = liveBytes();
  const clips = [0, 1].map((number) => trialClip(config, number));
  const trial = startTrial(name, config, clips, device);
  try {
    const { stage, micros, networks } = trial;
    const timed = (step: number) => {
      const began = performance.now();
      const { flops } = countFlops(() => stage.step(step));
      if (device !== 'cpu') synchronize(device);
      return { seconds: ((performance.now() - began) / 1000) * micros, flops: flops * micros };
    };
    const first = timed(0);
    const others = Array.from({ length: Math.max(1, trialSteps - 1) }, (_, i) => timed(i + 1));
    const second = { seconds: median(others.map(({ seconds }) => seconds)), flops: others.at(-1)!.flops };
    const late = lateSteps(name, config);
    const textured = late === null ? null : (timed(late.from), timed(late.from + 1));
    const held = options.held ?? { frames: Infinity, clips: Infinity };
    const plan = (perStep: number) =>
      planSeconds(perStep, 0, stage.maxTrainSteps, trial.loop, lookCosts(name, config, held));
    const extra = late === null || textured === null ? 0
      : (stage.maxTrainSteps - late.from) * (textured.seconds - second.seconds);
    const trained = [...Object.values(networks)].flatMap((parameters) =>
      [...parameters.values()].filter(({ requiresGrad }) => requiresGrad));
    const trainedBytes = sum(trained.map(({ bytes }) => bytes));
    const checkpoint = scope(() => sum(Object.values(stage.state())
      .flatMap((tensors) => [...tensors.values()].map(({ bytes }) => bytes))));
    const { extracted, encoded } = clipBytes(clips[0]);
    return {
      parameters: Object.fromEntries(Object.entries(networks).map(([network, parameters]) => {
        const all = [...parameters.values()];
        const count = (tensors: readonly Tensor[]) => sum(tensors.map(({ numel }) => numel));
        const trained = all.filter(({ requiresGrad }) => requiresGrad);
        return [network, { total: count(all), trained: count(trained) }];
      })),
      bytes: {
        weights: sum(Object.values(networks)
          .flatMap((parameters) => [...parameters.values()].map(({ bytes }) => bytes))),
        optimizer: 4 * trainedBytes,
        peak: device === 'cpu' ? peakBytes() - before : null,
        checkpoint, extractedClip: extracted, encodedClip: encoded,
      },
      steps: stage.maxTrainSteps,
      firstStep: first.seconds,
      perStep: second.seconds,
      trialSteps: 1 + others.length,
      total: plan(second.seconds) + extra,
      flops: second.flops,
    };
  } finally {
    trial.dispose();
    emptyCache();
  }
}

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1];

/** From which step on a stage does more than before; null for a stage whose steps are all alike. */
function lateSteps(name: StageName, { vae }: TrainingConfig): { from: number } | null {
  return name === 'vae' && vae.textureStart > 1 && vae.textureStart < vae.generator.maxTrainSteps
    ? { from: vae.textureStart } : null;
}

/** The stage with one micro-batch a step: further ones take as long and no more memory. */
function startTrial(
  name: StageName, config: TrainingConfig, clips: ReturnType<typeof trialClip>[], device: string,
): Trial {
  refuseGiven(name, config);
  const once = structuredClone(config);
  const single = (optimization: OptimizationConfig) => {
    const micros = optimization.gradientAccumulationSteps;
    optimization.gradientAccumulationSteps = 1;
    return micros;
  };
  if (isMeasuring(name)) {
    const { optimization, loop } = once[configKey(name)];
    const micros = single(optimization);
    const stage = measuringStage(name, { config: once, train: clips, validation: [], device });
    // What it saves as its model: weights that all train.
    const networks = { [name]: scope(() => stage.state().model) };
    return { stage, loop, micros, networks, dispose: () => stage.dispose() };
  }
  const micros = name === 'vae' ? single(once.vae.generator) : single(once[configKey(name)].optimization);
  if (name === 'vae') single(once.vae.discriminator);
  const model = new HeartBeat(modelConfig(name, once, once.model.vae), { device, seed: once.seed });
  try {
    const frozenText = (name === 'video' || name === 'image') && !trainsTextEncoder(name, once);
    if (frozenText) holdTrialText(model, clips.map(({ prompt }) => prompt));
    const { stage, loop } = prepareStage(name, model, { config: once, train: clips, validation: [] });
    return {
      stage, loop, micros,
      networks: Object.fromEntries(componentNames
        .map((part: ComponentName) => [part, model.components[part].parameters()])),
      dispose: () => {
        stage.dispose?.();
        model.dispose();
      },
    };
  } catch (error) {
    model.dispose();
    throw error;
  }
}

function holdTrialText(model: HeartBeat, prompts: readonly string[]): void {
  model.holdText(keep(noGrad(() => scope(() =>
    new Map(['', ...new Set(prompts)].map((text) => [text, model.embedText([text], [1])]))))));
}

export interface SamplingEstimate {
  /** From the conditions to the noise; one denoising step with its guidance; the decoder. */
  readonly control: number;
  /** The median of the steps after the first, which warms up; the first where there is no other. */
  readonly perStep: number;
  readonly decode: number;
  /** Denoising steps taken, and the seconds of all of them. */
  readonly steps: number;
  readonly walked: number;
  readonly peak: number | null;
  /** Of one denoising step. */
  readonly flops: number;
}

/** Guided denoising of a clip with every condition, from random weights: one step, or as many as are asked for. */
export async function estimateSampling(
  config: TrainingConfig, dtype: DType, device = 'cpu', numInferenceSteps = 1,
): Promise<SamplingEstimate> {
  resetPeakBytes();
  const before = liveBytes();
  const vaeDtype = device === 'cpu' ? 'float32' : dtype;
  const shape = modelConfig('video', config, config.model.vae);
  const model = new HeartBeat(shape, { device, dtype, vaeDtype, seed: config.seed });
  try {
    const inputs = conditionInputsOf(trialClip(config, 0), model);
    const marks: number[] = [performance.now()];
    const counted = { flops: 0 };
    const denoise = model.denoise.bind(model);
    const watched = Object.assign(Object.create(model) as HeartBeat, {
      denoise: (...given: Parameters<HeartBeat['denoise']>) => {
        if (marks.length === 1) {
          if (device !== 'cpu') synchronize(device);
          marks.push(performance.now());
        }
        const { result, flops } = countFlops(() => denoise(...given));
        counted.flops += flops;
        return result;
      },
    });
    await synthesize(watched, inputs, {
      numInferenceSteps,
      onStep: () => {
        if (device !== 'cpu') synchronize(device);
        marks.push(performance.now());
      },
    });
    const ended = performance.now();
    await setImmediate();
    const [start, first, ...denoised] = marks;
    const steps = denoised.map((mark, i) => (mark - (denoised[i - 1] ?? first)) / 1000);
    return {
      control: (first - start) / 1000, perStep: median(steps.length > 1 ? steps.slice(1) : steps),
      decode: (ended - denoised.at(-1)!) / 1000, steps: steps.length, walked: sum(steps),
      peak: device === 'cpu' ? peakBytes() - before : null, flops: counted.flops / steps.length,
    };
  } finally {
    model.dispose();
    emptyCache();
  }
}
