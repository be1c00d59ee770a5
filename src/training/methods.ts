/** HeartBeat and the methods it is compared with (PAPER section 3): which rooms each is composed of, as data. */
import { conditionNames, type ConditionName } from '../conditions/condition.ts';
import type { HeartBeatConfig } from '../heartbeat/heartbeat.ts';
import type { ParameterGroup } from '../models/unet-weights.ts';
import type { TrainingConfig } from './config.ts';
import type { OptimizationConfig } from './optimization.ts';
import type { StageName } from './run-folder.ts';
import type { Training } from './stage-denoising.ts';

/** The two stages of the paper; a method of one stage has `video` alone. */
export type DenoisingStageName = 'image' | 'video';

export interface MethodStage extends Training {
  /** Parts of the U-Net that train where its spatial weights are given (`pretrained.unet`), if they are others. */
  readonly unetGiven?: readonly ParameterGroup[];
}

export interface Method {
  readonly conditions: readonly ConditionName[];
  /** Where its networks differ from the preset's. */
  readonly network: {
    readonly unet?: Partial<HeartBeatConfig['unet']>;
    readonly local_encoders?: Partial<HeartBeatConfig['local_encoders']>;
    readonly global_adapter?: Partial<HeartBeatConfig['global_adapter']>;
  };
  /** Null where the video network is trained directly, from newborn or given spatial weights. */
  readonly image: MethodStage | null;
  readonly video: MethodStage;
}

const spatial: readonly ParameterGroup[] = [
  'spatial-convolution', 'spatial-self-attention', 'text-cross-attention', 'image-cross-attention',
];
/** Whichever of them a network has. */
const temporal: readonly ParameterGroup[] = ['temporal-attention', 'temporal-convolution'];

/**
 * What trains in which stage; what a network does not have is in no table. The text encoder is in none
 * either: see `trainsTextEncoder`.
 */
export const methods = {
  /** The framework itself (PAPER section 1, "What trains"). */
  heartbeat: {
    conditions: conditionNames,
    network: {},
    image: { unet: spatial, components: ['local_encoders', 'global_adapter'] },
    video: { unet: temporal, components: ['local_encoders.flow'] },
  },
  /** HeartBeat of text and mask. */
  'heartbeat-base': {
    conditions: ['text', 'mask'],
    network: { unet: { imageQuery: 'none' } },
    image: { unet: spatial, components: ['local_encoders'] },
    video: { unet: temporal, components: [] },
  },
  /** HeartBeat-Base's video network trained directly: what image pretraining is worth. */
  'heartbeat-3d': {
    conditions: ['text', 'mask'],
    network: { unet: { imageQuery: 'none' } },
    image: null,
    video: { unet: [...spatial, ...temporal], components: ['local_encoders'] },
  },
  /** VideoComposer (Wang et al. 2023): composes its conditions as HeartBeat does, trained as video from the start. */
  videocomposer: {
    conditions: conditionNames,
    network: {
      unet: { imageQuery: 'joint', temporalConvolution: true },
      local_encoders: { temporalHeads: 2 },
      global_adapter: { oneToken: true },
    },
    image: null,
    video: { unet: [...spatial, ...temporal], components: ['local_encoders', 'global_adapter'] },
  },
  /**
   * MoonShot (Zhang et al. 2024): image cross-attention is added to a text-to-image network whose weights stay
   * as they are, then temporal attention. Where no such network is given, its first stage makes it.
   */
  moonshot: {
    conditions: ['text', 'image'],
    network: { unet: { imageQuery: 'shared', localChannels: 0 } },
    image: { unet: spatial, unetGiven: ['image-cross-attention'], components: ['global_adapter'] },
    video: { unet: temporal, components: [] },
  },
} as const satisfies Record<string, Method>;

export type MethodName = keyof typeof methods;
export const methodNames = Object.keys(methods) as [MethodName, ...MethodName[]];

/** The stage that starts from newborn or given spatial weights: `image`, or `video` where that is all. */
export function firstStage(method: MethodName): DenoisingStageName {
  return methods[method].image === null ? 'video' : 'image';
}

/** @throws one sentence when the method has no such stage */
export function expectStage(stage: StageName, method: MethodName): void {
  if (stage !== 'image' || methods[method].image !== null) return;
  const others = methodNames.filter((name) => methods[name].image !== null);
  throw new Error(`train image: expected a method with an image stage (${others.join(', ')}), got ${method}, ` +
    'which trains as video from the start: run `train video`');
}

type Plan = Pick<TrainingConfig, 'method' | 'pretrained' | 'image' | 'video'>;

/**
 * Whether a stage trains the text encoder: the first one does where `image.trainTextEncoder` says that there is
 * no pretrained one. A method without an image stage trains it in its video stage, so that it is at no
 * disadvantage: its text would otherwise stay a newborn network's.
 */
export function trainsTextEncoder(
  stage: DenoisingStageName, { method, image }: Pick<Plan, 'method' | 'image'>,
): boolean {
  return image.trainTextEncoder && stage === firstStage(method);
}

/** What a stage of a configuration trains. */
export function trainingOf(stage: DenoisingStageName, plan: Plan): Training {
  expectStage(stage, plan.method);
  const { unet, unetGiven = unet, components } = (methods[plan.method] as Method)[stage]!;
  const own = plan.pretrained.unet === 'random' ? unet : unetGiven;
  const cross = stage === 'video' && plan.video.trainCrossAttention
    ? (['text-cross-attention', 'image-cross-attention'] as const) : [];
  return {
    unet: [...new Set([...own, ...cross])],
    components: [...components, ...(trainsTextEncoder(stage, plan) ? ['text_encoder'] : [])],
  };
}

/**
 * What of a preset a method changes. A method of one stage trains all of its network, so that it takes stage 1's
 * learning rate and warm-up, and it sees as many frames as both stages of the others do together: the budget of
 * all methods is the same.
 */
export function methodChanges(
  name: MethodName, { model, image, video }: Pick<TrainingConfig, 'model' | 'image' | 'video'>,
) {
  const { conditions, network, image: first }: Method = methods[name];
  const known = model.conditions.filter((condition) => conditions.includes(condition));
  const batch = ({ trainBatchSize, gradientAccumulationSteps }: OptimizationConfig) =>
    trainBatchSize * gradientAccumulationSteps;
  const { learningRate, lrWarmupSteps, maxTrainSteps: imageSteps } = image.optimization;
  const imagesInClips = (imageSteps * batch(image.optimization)) / (batch(video.optimization) * model.frames);
  const direct = {
    learningRate, lrWarmupSteps,
    maxTrainSteps: video.optimization.maxTrainSteps + Math.ceil(imagesInClips),
  };
  return {
    method: name,
    model: { conditions: known, ...network },
    ...(first === null ? { video: { optimization: direct } } : {}),
  };
}
