import { setImmediate } from 'node:timers/promises';
import { conditions, type ConditionInputs, type ConditionName } from '../conditions/condition.ts';
import { validateConditions } from '../conditions/validation.ts';
import { guide, guideInOnePass, type Denoiser } from '../diffusion/guidance.ts';
import { createSampler, walk, type SamplerName } from '../diffusion/sampler.ts';
import type { Frames } from '../frames/frames.ts';
import { noGrad, scope } from '../tensor/memory.ts';
import { cat, zerosLike } from '../tensor/ops.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import type { ConditionBatch, Control, HeartBeat } from './heartbeat.ts';

export interface SynthesisOptions {
  /** The clip is a function of the seed, the conditions and the weights alone. */
  readonly seed?: number;
  readonly numInferenceSteps?: number;
  /** s of classifier-free guidance over text and image; local conditions are in both passes. */
  readonly guidanceScale?: number;
  /**
   * Both passes of the guidance as one, of a batch twice as large: in half of the time on a GPU, which is
   * otherwise kept waiting, and there the default; on a processor it is more memory for nothing.
   */
  readonly guidanceInOnePass?: boolean;
  readonly sampler?: SamplerName;
  /** Of the clip; the model's number of frames by default. An image model makes 1 as well. */
  readonly frames?: number;
  /** 0 drops a condition, 1 is as trained. */
  readonly strength?: Partial<Record<ConditionName, number>>;
  /** Called after each step; returning false stops with an error of name `AbortError`. */
  readonly onStep?: (index: number, total: number) => boolean | void;
}

export const synthesisDefaults = {
  seed: 0, numInferenceSteps: 50, guidanceScale: 2, sampler: 'ddim' as SamplerName,
} as const;

/** Frames decoded at a time: enough to keep two cores busy, little enough to stay in their caches. */
const decodedAtOnce = 4;

/**
 * One clip that obeys `inputs`, each of which may be absent (PAPER section 1, "Sampling is unpublished").
 * Grey, [0,1], `frames` frames of `config.resolution` squared. Conditions that do not fit the
 * model are one sentence (see `validateConditions`).
 */
export async function synthesize(
  model: HeartBeat, inputs: ConditionInputs, options: SynthesisOptions = {},
): Promise<Frames> {
  const { seed, numInferenceSteps, guidanceScale, sampler: name } = { ...synthesisDefaults, ...options };
  const strength = (condition: ConditionName) => [options.strength?.[condition] ?? 1];
  const { frames = model.config.frames } = options;
  const { resolution, classes, unet, conditions: known } = model.config;
  const stage = unet.temporal ? 'video' : 'image';
  if (stage === 'video' && frames !== model.config.frames) {
    throw new Error(`synthesis: expected the ${model.config.frames} frames of this video model, got ${frames}`);
  }
  validateConditions(inputs, { stage, frames, height: resolution, width: resolution, classes });
  expectKnown(inputs, known);
  const sampler = createSampler(name, model.schedule, numInferenceSteps);
  const { device } = model.components.unet;
  const { guidanceInOnePass = device !== 'cpu' } = options;
  const { control, free, both, start } = noGrad(() => scope(() => {
    const batch = conditionBatch(model, inputs);
    const flow = inputs.flow as Frames | undefined;
    const [obeyed] = strength('flow');
    const travel = flow === undefined || obeyed === 0 ? null : model.noiseTravel({ flow, strength: obeyed });
    const noise = model.clipNoise(seed, ['latent'], { frames, travel });
    const prior = (inputs.image as Frames | undefined) ?? null;
    const start = model.start(noise, sampler.timesteps[0], prior, ...strength('image'));
    const unconditional = { ...batch, prompts: [''], image: null };
    const control = model.control(batch, strength, frames);
    const free = guidanceScale === 1 ? null : model.control(unconditional, strength, frames);
    const both = free !== null && guidanceInOnePass ? besideEachOther(free, control) : null;
    return { control, free, both, start };
  }));
  let walking: ReturnType<typeof walk> | null = null;
  try {
    const dtype = model.components.unet.dtype;
    const denoise: Denoiser<Control> = (zt, t, told) =>
      model.denoise(zt.to(dtype), Array<number>(told.text.shape[0]).fill(t), told).to('float32');
    const predict = both === null ? guide(denoise, control, free ?? control, guidanceScale)
      : guideInOnePass(denoise, both, guidanceScale);
    const steps = walk(sampler, predict, start);
    walking = steps;
    for (;;) {
      const next = noGrad(() => steps.next());
      if (next.done) {
        try {
          return noGrad(() => decodeClip(model, next.value));
        } finally {
          next.value.dispose();
        }
      }
      if (options.onStep?.(next.value.index, next.value.total) === false) {
        throw Object.assign(new Error('synthesis: stopped on request'), { name: 'AbortError' });
      }
      await setImmediate();
    }
  } finally {
    walking?.return(start);
    for (const told of [control, free, both]) {
      for (const value of Object.values(told ?? {})) (value as Tensor | null)?.dispose();
    }
    start.dispose();
  }
}

/** The controls of two batches as that of one. */
function besideEachOther(a: Control, b: Control): Control {
  const join = (x: Tensor | null, y: Tensor | null) => {
    if (x === null && y === null) return null;
    return cat([x ?? zerosLike(y!), y ?? zerosLike(x!)], 0);
  };
  return { local: join(a.local, b.local), text: cat([a.text, b.text], 0), image: join(a.image, b.image) };
}

/** An image prior, too, that the model was never shown would change where the walk begins. */
function expectKnown(inputs: ConditionInputs, known: readonly ConditionName[]): void {
  const strange = (Object.keys(inputs) as ConditionName[])
    .find((name) => inputs[name] !== undefined && !known.includes(name));
  if (strange === undefined) return;
  throw new Error(
    `condition ${strange}: expected one of this model's conditions (${known.join(', ')}), got ${strange}`);
}

/** Typed arrays to one batch of a single clip; a condition that is absent is absent. */
function conditionBatch(model: HeartBeat, inputs: ConditionInputs): ConditionBatch {
  const device = model.components.unet.device;
  const dtype = model.components.unet.dtype;
  const local = new Map<ConditionName, Tensor>();
  for (const { name, kind } of conditions) {
    const planes = inputs[name];
    if (kind === 'local' && planes !== undefined) {
      local.set(name, planesOf(planes as Frames, device).to(dtype));
    }
  }
  const prior = inputs.image as Frames | undefined;
  const image = prior === undefined ? null : model.embedImage(planesOf(prior, device));
  return { local, prompts: [(inputs.text as string | undefined) ?? ''], image };
}

/** [c][f][h][w] -> f c h w */
function planesOf({ channels, frames, height, width, data }: Frames, device: string): Tensor {
  return tensor(data, [channels, frames, height, width], { device }).transpose(0, 1).contiguous();
}

/** Scaled latents (f, c, h, w) to grey frames. */
export function decodeClip(model: HeartBeat, latents: Tensor): Frames {
  const { frames, resolution } = { ...model.config, frames: latents.shape[0] };
  const data = scope(() => {
    const dtype = model.components.vae.dtype;
    const pieces: Tensor[] = [];
    for (let first = 0; first < frames; first += decodedAtOnce) {
      const piece = latents.narrow(0, first, Math.min(decodedAtOnce, frames - first));
      pieces.push(scope(() => model.decode(piece.to(dtype)).to('float32')));
    }
    return cat(pieces, 0).toFloat32();
  });
  return { channels: 1, frames, height: resolution, width: resolution, data };
}
