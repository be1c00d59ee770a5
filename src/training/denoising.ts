import {
  conditions, dropConditions, type ConditionDropout, type ConditionName,
} from '../conditions/condition.ts';
import type { NoiseTravel } from '../diffusion/noise-prior.ts';
import { addNoise, predictionTarget } from '../diffusion/objective.ts';
import { randomStream } from '../frames/random.ts';
import type { HeartBeat } from '../heartbeat/heartbeat.ts';
import type { DType } from '../tensor/dtype.ts';
import { cat, mseLoss } from '../tensor/ops.ts';
import { noise } from '../tensor/random.ts';
import type { Tensor } from '../tensor/tensor.ts';
import {
  conditionPlanes, embeddings, flowOf, posteriors, type FrameOf, type PreparedClip,
} from './prepared-clip.ts';

/**
 * What one element of a batch is made of: its frames (one, or the whole clip), the image prior's and the
 * single sketch's.
 */
export interface Sample {
  readonly clip: PreparedClip;
  readonly frames: readonly number[];
  readonly prior: number;
  /** Names every random draw of this sample; two samples of one key see the same noise. */
  readonly key: readonly (string | number)[];
}

export interface DenoisingOptions {
  readonly seed: number;
  readonly dtype: DType;
  readonly dropout: ConditionDropout;
  /** Batch statistics in the adapter's norm. */
  readonly training: boolean;
  /** A step of the schedule for each sample; drawn uniformly when absent. */
  readonly timesteps?: readonly number[];
}

/**
 * E || target - prediction(z_t, t, control) ||^2, plain MSE (PAPER section 1), over a batch of samples
 * with as many frames each: one in stage 1, a clip in stage 2.
 */
export function denoisingLoss(
  model: HeartBeat, samples: readonly Sample[], options: DenoisingOptions,
): Tensor {
  const { seed, dtype } = options;
  const device = model.components.unet.device;
  const frames = samples[0].frames.length;
  const picks = samples.flatMap(({ clip, frames }) => frames.map((frame) => ({ clip, frame })));
  const streams = samples.map(({ key }) => randomStream('denoising', seed, ...key));
  const t = options.timesteps ?? streams.map((stream) => stream.integer(model.schedule.steps));
  const kept = samples.map(({ clip }, i) => {
    const keep = dropConditions(streams[i], options.dropout);
    return (name: ConditionName) => (keep[name] && has(model, clip, name) ? 1 : 0);
  });

  const shape = model.latentShape(frames);
  const each = (draw: (sample: Sample, i: number) => Tensor) => cat(samples.map(draw), 0).to(device);
  const { mean, std } = posteriors(picks, shape);
  const drawn = each(({ key }) => noise(seed, ['posterior', ...key], shape));
  const z0 = model.vae.scaleLatents(mean.to(device).add(std.to(device).mul(drawn)));
  const epsilon = each(({ clip, key }, i) => {
    const travel = frames > 1 && kept[i]('flow') > 0 ? travelOf(clip, model) : null;
    return model.clipNoise(seed, ['epsilon', ...key], { frames, travel, fineDrawnBy: device });
  });
  const perFrame = t.flatMap((step) => Array<number>(frames).fill(step));
  const zt = addNoise(model.schedule, z0, epsilon, perFrame);

  const { global_adapter: { channels = 256, grid = 64 } } = model.config;
  const priors: FrameOf[] = samples.map(({ clip, prior }) => ({ clip, frame: prior }));
  const image = () => embeddings(priors, channels, grid).to(device);
  const local = new Map<ConditionName, Tensor>();
  for (const condition of conditions) {
    const { name, single } = condition;
    if (!model.localEncoders.has(name) || kept.every((keep) => keep(name) === 0)) continue;
    const shown = single ? samples.map(({ clip, frames }) => ({ clip, frame: frames[0] })) : picks;
    const planes = conditionPlanes(name, shown, condition.channels(model.config.classes), device);
    local.set(name, planes.to(dtype));
  }
  const control = model.control(
    {
      local,
      prompts: samples.map(({ clip }) => clip.prompt),
      image: model.config.conditions.includes('image') ? image() : null,
    },
    (name) => kept.map((keep) => keep(name)), frames, options.training);
  const prediction = model.denoise(zt.to(dtype), t, control).to('float32');
  return mseLoss(prediction, predictionTarget(model.schedule, z0, epsilon, perFrame));
}

/** Of the clips of this process: the same at every visit. */
const travels = new WeakMap<PreparedClip, { readonly grid: number; readonly travel: NoiseTravel | null }>();

function travelOf(clip: PreparedClip, model: HeartBeat): NoiseTravel | null {
  const grid = model.config.noisePrior.alongFlow === null ? 0 : model.latentSize;
  const known = travels.get(clip);
  if (known?.grid === grid) return known.travel;
  const flow = grid === 0 ? null : flowOf(clip);
  const travel = flow && model.noiseTravel({ flow, strength: 1 });
  travels.set(clip, { grid, travel });
  return travel;
}

/** Whether this clip can give this condition at all, and the model take it. */
function has({ config }: HeartBeat, clip: PreparedClip, name: ConditionName): boolean {
  if (!config.conditions.includes(name)) return false;
  const { kind } = conditions.find((condition) => condition.name === name)!;
  return kind === 'global' || clip.planes.has(name);
}
