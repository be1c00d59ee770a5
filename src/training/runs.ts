import { join } from 'node:path';
import { conditions } from '../conditions/condition.ts';
import { HeartBeat, heartbeatConfig, type HeartBeatConfig } from '../heartbeat/heartbeat.ts';
import { loadComponent, saveModelFolder, weightsFile } from '../heartbeat/model-folder.ts';
import { readSafetensors } from '../tensor/safetensors.ts';
import { extractorNames, type ExtractorsConfig } from '../extractors/extractors.ts';
import { sha256 } from '../frames/file-hash.ts';
import { refuseGiven, sourceHash, startComponent, startTokenizer, vaeConfigOf } from './components.ts';
import type { TrainingConfig } from './config.ts';
import type { Ema } from '../nn/ema.ts';
import { lookCosts } from './look-costs.ts';
import { runStage, type LoopConfig, type LoopOptions, type LookCosts, type LoopResult, type Stage } from './loop.ts';
import { firstStage, trainingOf, trainsTextEncoder } from './methods.ts';
import { prepareText } from './prepare.ts';
import { allFrames, meanFrame, type PreparedClip } from './prepared-clip.ts';
import {
  configKey, expectModel, isMeasuring, modelOf, type MeasuringStageName, type ModelStageName, type StageName,
} from './run-folder.ts';
import { EchoVideoStage } from './stage-echo-video.ts';
import { ImageEncoderStage } from './stage-image-encoder.ts';
import { imageStage } from './stage-image.ts';
import { SegmenterStage } from './stage-segmenter.ts';
import { VaeStage } from './stage-vae.ts';
import { videoStage } from './stage-video.ts';

export { expectModel, modelOf, stageNames, type StageName } from './run-folder.ts';

export interface RunOptions extends Omit<LoopOptions, 'run' | 'config' | 'resolved' | 'decisive'> {
  readonly config: TrainingConfig;
  /** The run's folder; the stage writes below `<run>/<stage>`. */
  readonly run: string;
  readonly train: readonly PreparedClip[];
  readonly validation: readonly PreparedClip[];
  readonly device?: string;
  /** What the data set is called, for the card of a network that measures. */
  readonly data?: string;
  /** Where the tokens of a frozen text encoder are kept; nowhere when absent. */
  readonly cache?: string;
}

interface Prepared {
  readonly stage: Stage & { dispose?(): void };
  readonly ema: Ema;
  readonly loop: LoopConfig;
  /** Configuration of the finished model, which may know more than before (the VAE's scale). */
  readonly finished: () => HeartBeatConfig;
}

/** Trains one stage to its end, or until a stop is asked for, and then writes its model folder. */
export async function trainStage(name: StageName, options: RunOptions): Promise<LoopResult> {
  if (options.train.length === 0) {
    throw new Error(`train ${name}: expected clips to train on, got none`);
  }
  if (isMeasuring(name)) return trainMeasuring(name, options);
  const { config, run } = options;
  refuseGiven(name, config);
  const vae = name === 'image' || name === 'video' ? vaeConfigOf(config, run) : config.model.vae;
  const tokenizer = startTokenizer(name, config, run);
  const model = new HeartBeat(
    modelConfig(name, config, vae), { device: options.device, seed: config.seed, tokenizer });
  try {
    loadEarlierStages(model, name, config, run);
    holdFrozenText(model, name, options);
    const { stage, ema, loop, finished } = prepareStage(name, model, options);
    try {
      const folder = join(run, name);
      const { segmenter: _, echoVideo: __, ...recipe } = config;
      const resolved = plainCopy(recipe);
      const decisive = decisiveOf(configKey(name));
      const costs = costsOf(name, options);
      const result = await runStage(
        stage, { ...options, run: folder, config: loop, resolved, decisive, costs });
      if (result.finished) {
        const card = {
          preset: config.preset, method: config.method, stage: name, steps: result.step,
          seconds: Math.round(result.seconds), clips: options.train.length, seed: config.seed,
        };
        const whole = Object.assign(Object.create(model) as HeartBeat, { config: finished() });
        ema.withAverage(() => saveModelFolder(whole, modelOf(run, name), 'float32', card));
      }
      return result;
    } finally {
      stage.dispose?.();
    }
  } finally {
    model.dispose();
  }
}

/** A copy of the configuration as plain JSON, as `config.json` and the checkpoints keep it. */
function plainCopy(config: object): unknown {
  return JSON.parse(JSON.stringify(config));
}

/**
 * What of a resolved configuration decides a stage's weights: the method, the network, the seed, the views and
 * the stage's own recipe, but not the other stages', nor how often the loop saves or logs, nor what is
 * computed twice to save memory.
 */
function decisiveOf(key: ReturnType<typeof configKey>) {
  return (resolved: unknown) => {
    const { preset, method = 'heartbeat', seed, views, model, resolution, frames, extractors, [key]: recipe } =
      resolved as Record<string, unknown>;
    const { loop: _, gradientCheckpointing: __, ...own } = recipe as Record<string, unknown>;
    // Checkpoints from before there was a choice have the built-in extractors.
    const names = extractorNames(extractors as Partial<ExtractorsConfig> | undefined);
    const conditioned = key === 'image' || key === 'video' ? { extractors: names } : {};
    const network = model === undefined ? {} : { model: withDefaults(model) };
    return { preset, method, seed, views, ...network, resolution, frames, ...conditioned, [key]: own };
  };
}

/** A saved model configuration as it reads today: options that it is older than have their default. */
export function withDefaults(model: unknown): unknown {
  const parsed = heartbeatConfig.safeParse(model);
  return parsed.success ? parsed.data : model;
}

/** A network that measures: apart from the model, on real clips. */
async function trainMeasuring(name: MeasuringStageName, options: RunOptions): Promise<LoopResult> {
  const { config, run, train } = options;
  const { preset, seed, views, segmenter, echoVideo, model: { resolution, frames } } = config;
  const stage = measuringStage(name, options);
  try {
    const folder = join(run, name);
    const recipe = name === 'segmenter' ? { segmenter } : { frames, echoVideo };
    const resolved = plainCopy({ preset, seed, views, resolution, ...recipe });
    const { loop } = config[configKey(name)];
    const result = await runStage(stage, {
      ...options, run: folder, config: loop, resolved, decisive: decisiveOf(configKey(name)),
      costs: costsOf(name, options),
    });
    if (result.finished) {
      const validated = stage.validate();
      const seconds = Math.round(result.seconds);
      stage.save(modelOf(run, name), {
        preset, resolution, steps: result.step, seconds, clips: train.length, seed, validation: validated,
        ...(options.data === undefined ? {} : { data: options.data }),
      });
    }
    return result;
  } finally {
    stage.dispose();
  }
}

/** A network that measures, before its first step. */
export function measuringStage(
  name: MeasuringStageName,
  { config, train, validation, device }: Pick<RunOptions, 'config' | 'train' | 'validation' | 'device'>,
) {
  const { segmenter, echoVideo, seed, model: { classes } } = config;
  return name === 'segmenter' ? new SegmenterStage(classes, train, validation, segmenter, seed, device)
    : new EchoVideoStage(train, validation, echoVideo, seed, device);
}

function costsOf(name: StageName, { config, validation }: RunOptions): LookCosts {
  return lookCosts(name, config, { frames: allFrames(validation).length, clips: validation.length });
}

/** A stage on `model` and the given clips, before its first step. */
export function prepareStage(
  name: ModelStageName, model: HeartBeat, options: Pick<RunOptions, 'config' | 'train' | 'validation'>,
): Prepared {
  const { config, train, validation } = options;
  const same = () => model.config;
  if (name === 'vae') {
    const stage = new VaeStage(model, train, validation, config.vae, config.seed);
    const finished = () => ({
      ...model.config, vae: { ...model.config.vae, ...stage.measureLatents() },
    });
    return { stage, ema: stage.generator.ema, loop: config.vae.loop, finished };
  }
  if (name === 'image-encoder') {
    const stage = new ImageEncoderStage(model, train, validation, config.imageEncoder, config.seed);
    return { stage, ema: stage.optimization.ema, loop: config.imageEncoder.loop, finished: same };
  }
  model.meanFrame = meanFrame(train);
  const training = trainingOf(name, config);
  const stage = name === 'image'
    ? imageStage(model, train, validation, config.image, config.seed, training)
    : videoStage(model, train, validation, config.video, config.seed, training);
  return { stage, ema: stage.optimization.ema, loop: config[name].loop, finished: same };
}

/** The model a stage trains: stage 1 has no temporal layers and no conditions that only a video has. */
export function modelConfig(
  name: ModelStageName, { model }: TrainingConfig, vae: HeartBeatConfig['vae'],
): HeartBeatConfig {
  const wanted = name === 'video' ? 'video' : 'image';
  const shown = conditions.filter(({ stages }) => stages.includes(wanted)).map((condition) => condition.name);
  return {
    ...model,
    conditions: model.conditions.filter((condition) => shown.includes(condition)),
    unet: { ...model.unet, temporal: name === 'video' },
    vae,
  };
}

function loadEarlierStages(model: HeartBeat, name: ModelStageName, config: TrainingConfig, run: string): void {
  if (name === firstStage(config.method)) {
    for (const component of ['vae', 'image_encoder', 'text_encoder', 'unet'] as const) {
      startComponent(model, component, config, run);
    }
  } else if (name === 'video') {
    const folder = expectModel(run, 'image');
    for (const component of ['vae', 'image_encoder', 'text_encoder', 'global_adapter'] as const) {
      loadComponent(model, component, join(folder, weightsFile(component)));
    }
    inflate(model, folder);
  }
}

/** The prompts' tokens, where this stage's text encoder stays as it is. */
function holdFrozenText(model: HeartBeat, name: ModelStageName, options: RunOptions): void {
  const { config, run, train, validation } = options;
  if ((name !== 'video' && name !== 'image') || trainsTextEncoder(name, config)) return;
  const hash = name === firstStage(config.method) ? sourceHash('text_encoder', config, run)
    : sha256(join(expectModel(run, 'image'), weightsFile('text_encoder')));
  const prompts = [...train, ...validation].map(({ prompt }) => prompt);
  model.holdText(prepareText(prompts, model, hash, options.cache ?? null));
}

/**
 * Loads stage 1's U-Net and local encoders into the video network (PAPER section 1): what stage 1 did not have,
 * the temporal layers and the encoders of video conditions, stays as born; anything else missing is an error.
 */
export function inflate(model: HeartBeat, folder: string): void {
  const born: Record<'unet' | 'local_encoders', RegExp> = {
    unet: /\.(temporal_attentions|temp_convs)\./, local_encoders: /^flow\./,
  };
  for (const component of ['unet', 'local_encoders'] as const) {
    const file = join(folder, weightsFile(component));
    const { tensors } = readSafetensors(file);
    try {
      const { missing, unexpected } = model.components[component].load(tensors, { strict: false });
      const strange = [...missing.filter((key) => !born[component].test(key)), ...unexpected];
      if (strange.length > 0) {
        throw new Error(
          `expected the image network of this model, got no match for ${strange[0]}`);
      }
    } catch (error) {
      throw new Error(`${file}: ${(error as Error).message}`);
    } finally {
      for (const value of tensors.values()) value.dispose();
    }
  }
}
