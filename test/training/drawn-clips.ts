/** Small clips drawn for tests, with every condition and without a file: a disc that beats. */
import { skeletonsFromMasks, drawSkeleton } from '../../src/conditions/skeleton.ts';
import { randomStream } from '../../src/frames/random.ts';
import { HeartBeat, type HeartBeatConfig } from '../../src/heartbeat/heartbeat.ts';
import { noGrad, scope } from '../../src/tensor/memory.ts';
import { tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { resolveConfig, type TrainingConfig } from '../../src/training/config.ts';
import type { PreparedClip, PreparedPlanes } from '../../src/training/prepared-clip.ts';
import type { ConditionName } from '../../src/conditions/condition.ts';
import type { RunLog } from '../../src/training/run-log.ts';

const size = 32;
const frames = 4;

/** LV cavity 1 in myocardium 2, left atrium 3 below; the cavity's radius follows the cycle. */
function labelAt(x: number, y: number, t: number, radius: number): number {
  const beating = radius * (1 - 0.3 * Math.sin((Math.PI * t) / frames));
  const fromCavity = Math.hypot(x - 16, (y - 12) * 0.8);
  if (y >= 18 && Math.hypot(x - 16, y - 23) < 5) return 3;
  if (y > 18) return 0;
  return fromCavity < beating ? 1 : fromCavity < beating + 3 ? 2 : 0;
}

/** A clip of 4 frames, 32x32, a function of its number; latents and embedding when asked for. */
export function drawnClip(number: number, { latents = false } = {}): PreparedClip {
  const stream = randomStream('drawn clip', number);
  const area = size * size;
  const mask = new Uint8Array(frames * area);
  const video = new Uint8Array(frames * area);
  const sketch = new Uint8Array(frames * area);
  const flow = new Float32Array(frames * 2 * area);
  const grey = [20, 40, 150, 70];
  for (let t = 0; t < frames; t++) {
    for (let i = 0; i < area; i++) {
      const [x, y] = [i % size, Math.floor(i / size)];
      const label = labelAt(x, y, t, 5 + (number % 3));
      mask[t * area + i] = label;
      video[t * area + i] = Math.round(grey[label] * (0.7 + 0.6 * stream.uniform()));
      sketch[t * area + i] = label !== labelAt(x + 1, y, t, 5 + (number % 3)) ? 255 : 0;
      flow[(2 * t) * area + i] = ((16 - x) / size) * 0.02;
      flow[(2 * t + 1) * area + i] = ((12 - y) / size) * 0.02;
    }
  }
  const labels = { channels: 1, frames, height: size, width: size, data: mask };
  const strokes = drawSkeleton(skeletonsFromMasks(labels), size, size);
  const planes = new Map<ConditionName, PreparedPlanes>([
    ['sketch', { kind: 'unit', channels: 1, data: sketch }],
    ['mask', { kind: 'labels', channels: 1, data: mask }],
    ['skeleton', {
      kind: 'unit', channels: 1, data: Uint8Array.from(strokes.data, (v) => Math.round(255 * v)),
    }],
    ['flow', { kind: 'real', channels: 2, data: flow }],
  ]);
  const view = number % 2 === 0 ? '2CH' : '4CH';
  const normals = (count: number) => Float32Array.from({ length: count }, () => stream.normal());
  const latentLength = frames * 4 * 16 * 16;
  return {
    id: `drawn${number}_${view}`, patient: `drawn${number}`, view,
    prompt: `An ECHO with ${view[0]}-chamber view.`, frames, size, stills: false, video, planes,
    beat: { ed: 0, es: 2, whole: true, ef: 50 },
    latents: latents
      ? { mean: normals(latentLength), logvar: new Float32Array(latentLength).fill(-4) } : null,
    embedding: latents ? normals(frames * 16 * 8 * 8) : null,
  };
}

export function drawnClips(count: number, options = {}): PreparedClip[] {
  return Array.from({ length: count }, (_, number) => drawnClip(number, options));
}

/** Preset `tiny` with few steps, and no look at itself before the last one. */
export function tinyConfig(steps: number, ...overrides: string[]): TrainingConfig {
  const optimizers = [
    'vae.generator', 'vae.discriminator', 'imageEncoder.optimization', 'image.optimization',
    'video.optimization', 'segmenter.optimization', 'echoVideo.optimization',
  ];
  const stages = ['vae', 'imageEncoder', 'image', 'video', 'segmenter', 'echoVideo'];
  return resolveConfig({
    preset: 'tiny',
    overrides: [
      ...optimizers.flatMap((name) => [
        `${name}.maxTrainSteps=${steps}`, `${name}.lrWarmupSteps=2`, `${name}.trainBatchSize=2`,
      ]),
      ...stages.flatMap((name) => [
        `${name}.loop.checkpointingSteps=1000`, `${name}.loop.validationSteps=1000`,
        `${name}.loop.previewSteps=1000`, `${name}.loop.loggingSteps=1`,
      ]),
      'vae.textureStart=2', ...overrides,
    ],
  });
}

/** A network of preset tiny; `temporal` with the parts of stage 2, otherwise those of stage 1. */
export function tinyModel(
  { temporal = true, seed = 0, change = {} as Partial<HeartBeatConfig> } = {},
): HeartBeat {
  const { model } = tinyConfig(1);
  const conditions = model.conditions.filter((name) => temporal || name !== 'flow');
  return new HeartBeat(
    { ...model, conditions, unet: { ...model.unet, temporal }, ...change }, { seed });
}

/**
 * Fills what is zero at birth (the local features' input weights, temporal and image projections)
 * with small numbers, so that every condition reaches the output as in a trained network.
 */
export function wake(model: HeartBeat): void {
  scope(() => noGrad(() => {
    for (const [key, value] of model.components.unet.parameters()) {
      const size = value.numel;
      const stream = randomStream('wake', key);
      if (value.abs().sum().item() > 0 && key !== 'conv_in.weight') continue;
      const small = Float32Array.from({ length: size }, () => 0.2 * stream.normal());
      value.add_(like(value, small));
    }
  }));
}

function like(value: Tensor, data: Float32Array): Tensor {
  return tensor(data, value.shape, { device: value.device });
}

/** Named copies of the values of tensors. */
export function valuesOf(state: ReadonlyMap<string, Tensor>): Map<string, Float32Array> {
  return new Map([...state].map(([key, value]) => [key, value.toFloat32()]));
}

/** Keys whose numbers differ in any bit. */
export function changedKeys(
  before: ReadonlyMap<string, Float32Array>, after: ReadonlyMap<string, Float32Array>,
): string[] {
  const bytes = ({ buffer, byteOffset, byteLength }: Float32Array) =>
    Buffer.from(buffer, byteOffset, byteLength);
  return [...after.keys()].filter((key) => {
    const old = before.get(key);
    return old === undefined || !bytes(old).equals(bytes(after.get(key)!));
  });
}

export interface RecordedLog extends RunLog {
  readonly scalars: { name: string; value: number; step: number }[];
  readonly images: { name: string; step: number }[];
}

/** A log that keeps what it is told. */
export function recordedLog(): RecordedLog {
  const scalars: RecordedLog['scalars'] = [];
  const images: RecordedLog['images'] = [];
  return {
    scalars, images,
    scalar: (name, value, step) => void scalars.push({ name, value, step }),
    image: (name, _, step) => void images.push({ name, step }),
    text: () => {},
    close: () => {},
  };
}
