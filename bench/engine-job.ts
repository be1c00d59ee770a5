import { NoiseSchedule } from '../src/diffusion/schedule.ts';
import { UNetConfig } from '../src/models/unet.ts';
import type { presets } from '../src/training/presets.ts';

/** Parts of the benchmark that run in one process; the steps have one each, for their memory. */
export type Part = 'operators' | 'train' | 'sample' | 'check' | 'weights';
export type Precision = 'float32' | 'bfloat16';

/** What differs from process to process. */
export interface JobOptions {
  readonly parts: readonly Part[];
  readonly dtype: Precision;
  readonly threads: number;
  readonly iterations: number;
  readonly warmUp: number;
  /** Where the weights are, and the outputs go that are compared. */
  readonly folder: string;
  /** Whether PyTorch's side works in channels-last; this engine's networks always do. */
  readonly channelsLast: boolean;
  /** Count the bytes of PyTorch's tensors in one more step, under its profiler. */
  readonly memory: boolean;
}

type Model = ReturnType<(typeof presets)['small']>['model'];

/** Everything that one process is told; both sides read the same JSON. */
export function jobFor(model: Model, options: JobOptions) {
  const unet = UNetConfig.parse({ ...model.unet, temporal: true });
  const schedule = new NoiseSchedule();
  const t = [801, 333];
  const [from, to] = [801, 781];
  const grid = model.global_adapter?.tokenGrid ?? 8;
  return {
    ...options,
    unet,
    frames: model.frames ?? 16,
    clips: t.length,
    textTokens: model.text_encoder?.max_position_embeddings ?? 32,
    imageTokens: grid * grid,
    t,
    signal: t.map((step) => schedule.signal(step)),
    noise: t.map((step) => schedule.noise(step)),
    lr: 1e-4,
    emaDecay: 0.998,
    /** One step of a DDIM walk of 50. */
    sampling: {
      from,
      guidance: 2,
      signalFrom: schedule.signal(from),
      noiseFrom: schedule.noise(from),
      signalTo: schedule.signal(to),
      noiseTo: schedule.noise(to),
    },
    /** Pictures, channels, side; 3x3. */
    convolutions: [
      [32, 96, 16],
      [32, 192, 8],
      [8, 128, 32],
      [4, 32, 128],
    ],
    /** Batch, heads, queries, keys, width of a head. */
    attentions: [
      [32, 4, 256, 256, 24],
      [512, 4, 16, 16, 24],
      [2, 4, 4096, 64, 24],
      [1, 8, 1024, 1024, 64],
    ],
  };
}
export type Job = ReturnType<typeof jobFor>;

/** Milliseconds of one call, and bytes where the part measures them. */
export interface Measurement {
  readonly wall: number;
  readonly processor: number;
  /** Largest resident size over that of the process with libtorch loaded and nothing made. */
  readonly resident?: number;
  /** Largest sum of tensors in one step, beyond those that were there before it. */
  readonly tensors?: number;
}
/** What a process prints. */
export interface Report {
  readonly torch: string;
  readonly results: Record<string, Measurement>;
}
