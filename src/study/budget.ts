/** The same budget for every method: as many frames through the optimizer, whatever the stages. */
import { resolveConfig, type ConfigSources, type TrainingConfig } from '../training/config.ts';
import type { ModelStageName } from '../training/run-folder.ts';
import { methodOf } from './methods.ts';
import type { StudyConfig, StudyMethod } from './study-config.ts';

/** How a study's training reads its sources; `resolveConfig` where only sizes and numbers of steps matter. */
export type Resolve = (sources: ConfigSources) => TrainingConfig;

/** The configuration of what all methods share. */
export function sharedConfig(
  { preset, seed, views, set, steps }: StudyConfig, resolve: Resolve = resolveConfig,
): TrainingConfig {
  const own = Object.entries(steps).flatMap(([stage, count]) =>
    (count === undefined ? [] : [`${stage}.optimization.maxTrainSteps=${count}`]));
  return resolve({
    preset, seed, overrides: [`views=[${views.join(',')}]`, ...set, ...own],
  });
}

/** Frames of real clips that one optimizer step of a stage sees. */
function framesOfStep(stage: 'image' | 'video', config: TrainingConfig): number {
  const { trainBatchSize, gradientAccumulationSteps } = config[stage].optimization;
  return trainBatchSize * gradientAccumulationSteps * (stage === 'video' ? config.model.frames : 1);
}

export interface Budget {
  /** Optimizer steps of each stage. */
  readonly steps: Readonly<Partial<Record<'image' | 'video', number>>>;
  /** Frames seen in all stages: a picture of stage 1 is one, a clip of stage 2 as many as it has. */
  readonly frames: number;
}

/**
 * A method's configuration, with the steps that give it as many frames as a method of two stages has
 * (to the nearest step).
 */
export function methodConfig(
  study: StudyConfig, method: StudyMethod, resolve: Resolve = resolveConfig,
): { readonly config: TrainingConfig; readonly budget: Budget } {
  const shared = sharedConfig(study);
  const { stages } = methodOf(method.method);
  const changes = [`model.conditions=[${method.trainedWith.join(',')}]`, ...method.set];
  const { preset, seed, views, set } = study;
  const sources = (more: readonly string[]): ConfigSources => ({
    preset, method: method.method, seed,
    overrides: [`views=[${views.join(',')}]`, ...set, ...changes, ...more],
  });
  const before = resolveConfig(sources([]));
  const trained = stages.filter(isDenoising);
  const wanted = (['image', 'video'] as const).map((stage) => ({
    stage, frames: framesOfStep(stage, shared) * shared[stage].optimization.maxTrainSteps,
  }));
  const total = wanted.reduce((sum, { frames }) => sum + frames, 0);
  const steps = Object.fromEntries(trained.map((stage) => {
    const frames = trained.length === 1 ? total
      : wanted.find((entry) => entry.stage === stage)!.frames;
    return [stage, Math.max(1, Math.round(frames / framesOfStep(stage, before)))];
  })) as Budget['steps'];
  const config = resolve(sources(Object.entries(steps)
    .map(([stage, count]) => `${stage}.optimization.maxTrainSteps=${count}`)));
  const frames = trained.reduce((sum, stage) => sum + steps[stage]! * framesOfStep(stage, config), 0);
  return { config, budget: { steps, frames } };
}

function isDenoising(stage: ModelStageName): stage is 'image' | 'video' {
  return stage === 'image' || stage === 'video';
}
