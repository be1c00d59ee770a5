import type { ConditionName } from '../conditions/condition.ts';
import type { Frames } from '../frames/frames.ts';
import { scope } from '../tensor/memory.ts';
import { cat } from '../tensor/ops.ts';
import { readSafetensorsHeader, readSafetensorsPart } from '../tensor/safetensors.ts';
import { tensor, zeros, type Tensor } from '../tensor/tensor.ts';

/**
 * Planes of one condition, frame by frame. `labels` are expanded to one plane a class in the batch,
 * `unit` bytes stand for 0..1, `real` numbers for themselves.
 */
export type PreparedPlanes =
  | { readonly kind: 'labels' | 'unit'; readonly channels: 1; readonly data: Uint8Array }  // f H W
  | { readonly kind: 'real'; readonly channels: number; readonly data: Float32Array };     // f c H W

/** What is known of the heartbeat of a clip. */
export interface Beat {
  /** 0-based frames of end diastole and end systole. */
  readonly ed: number;
  readonly es: number;
  /** The clip is a whole cycle: its last frame leads to its first. */
  readonly whole: boolean;
  /** Ejection fraction in percent; null where it is unknown. */
  readonly ef: number | null;
}

/** Numbers of which a part is read from a file when it is asked for: too many to hold for every clip. */
export class StoredFloats {
  readonly length: number;
  private readonly file: string;
  private readonly name: string;

  /** @throws when the file has no tensor of this name */
  constructor(file: string, name: string) {
    const stored = readSafetensorsHeader(file).tensors.get(name);
    if (stored === undefined) throw new Error(`${file}: expected a tensor ${name}, got none`);
    this.length = stored.shape.reduce((a, b) => a * b, 1);
    this.file = file;
    this.name = name;
  }

  /** As a typed array's, except that the result is a copy. */
  subarray(begin: number, end: number): Float32Array {
    return scope(() => readSafetensorsPart(this.file, this.name, begin, end - begin).toFloat32());
  }
}

/** A clip as training reads it: extracted once by `prepare`, kept in memory as typed arrays. */
export interface PreparedClip {
  readonly id: string;
  readonly patient: string;
  readonly view: string;
  readonly prompt: string;
  readonly frames: number;
  readonly size: number;
  /** ED and ES stills only: good for images, not for video. */
  readonly stills: boolean;
  /** Absent where it is unknown. */
  readonly beat?: Beat;
  readonly video: Uint8Array; // f H W
  readonly planes: ReadonlyMap<ConditionName, PreparedPlanes>;
  /** Posterior of the VAE, before the scale; null until `prepare` has run with one. */
  latents: { readonly mean: Float32Array; readonly logvar: Float32Array } | null; // f c h w
  /** Of the frozen image encoder, likewise; MedSAM's of one clip are 67 MB. */
  embedding: Float32Array | StoredFloats | null; // f c g g
}

/** One frame of one clip. */
export interface FrameOf { readonly clip: PreparedClip; readonly frame: number }

/** Every frame of every clip, in order. */
export function allFrames(clips: readonly PreparedClip[]): FrameOf[] {
  return clips.flatMap((clip) => Array.from({ length: clip.frames }, (_, frame) => ({ clip, frame })));
}

/** Copies the same-sized piece that each frame has in an array of its clip, one after the other. */
function gather<T extends Uint8Array | Float32Array>(
  picks: readonly FrameOf[], empty: (length: number) => T,
  of: (clip: PreparedClip) => T | (T extends Float32Array ? StoredFloats : never), piece: number,
): T {
  const out = empty(picks.length * piece);
  picks.forEach(({ clip, frame }, i) => {
    out.set(of(clip).subarray(frame * piece, (frame + 1) * piece) as T & Uint8Array, i * piece);
  });
  return out;
}

const bytes = (length: number) => new Uint8Array(length);
const floats = (length: number) => new Float32Array(length);

/** Grey pictures in [0,1] on `device`. n 1 H W */
export function pictures(picks: readonly FrameOf[], device = 'cpu'): Tensor {
  const { size } = picks[0].clip;
  const data = gather(picks, bytes, (clip) => clip.video, size * size);
  return tensor(data, [picks.length, 1, size, size], { device }).to('float32').div(255);
}

/** The mean of all frames of all clips, rounded to 8 bits: the model's `meanFrame`. */
export function meanFrame(clips: readonly PreparedClip[]): Frames {
  const { size } = clips[0];
  const sum = new Float64Array(size * size);
  for (const { video } of clips) for (let i = 0; i < video.length; i++) sum[i % sum.length] += video[i];
  const frames = clips.reduce((n, clip) => n + clip.frames, 0);
  return { channels: 1, frames: 1, height: size, width: size, data: Float32Array.from(sum, (v) => Math.round(v / frames) / 255) };
}

/** Label numbers. n 1 H W, uint8 */
export function labels(picks: readonly FrameOf[]): Tensor {
  const { size } = picks[0].clip;
  const data = gather(picks, bytes, (clip) => clip.planes.get('mask')!.data as Uint8Array, size * size);
  return tensor(data, [picks.length, 1, size, size]);
}

/** Planes of a local condition on `device`; frames whose clip lacks it are zeros. n c H W */
export function conditionPlanes(
  name: ConditionName, picks: readonly FrameOf[], channels: number, device = 'cpu',
): Tensor {
  const { size } = picks[0].clip;
  const area = size * size;
  const kind = picks.map(({ clip }) => clip.planes.get(name)).find((found) => found !== undefined)?.kind;
  const shape = [picks.length, channels, size, size];
  if (kind === undefined) return zeros(shape, { device });
  if (kind === 'real') {
    const nothing = floats(channels * area * Math.max(...picks.map(({ frame }) => frame + 1)));
    const of = (clip: PreparedClip) => (clip.planes.get(name)?.data as Float32Array | undefined) ?? nothing;
    return tensor(gather(picks, floats, of, channels * area), shape, { device });
  }
  const nothing = bytes(area * Math.max(...picks.map(({ frame }) => frame + 1)));
  const of = (clip: PreparedClip) => (clip.planes.get(name)?.data as Uint8Array | undefined) ?? nothing;
  // bytes travel to the device, and become numbers there
  const data = tensor(gather(picks, bytes, of, area), [picks.length, 1, size, size], { device });
  if (kind === 'unit') return data.to('float32').div(255);
  return cat(Array.from({ length: channels }, (_, label) => data.eq(label).to('float32')), 1);
}

/** The whole clip's flow, 2 f h w; null where the clip has none. */
export function flowOf({ planes, frames, size }: PreparedClip): Frames | null {
  const flow = planes.get('flow')?.data as Float32Array | undefined; // f 2 h w
  if (flow === undefined) return null;
  const [area, data] = [size * size, floats(flow.length)];
  for (let t = 0; t < frames; t++) {
    for (let c = 0; c < 2; c++) data.set(flow.subarray((2 * t + c) * area, (2 * t + c + 1) * area), (c * frames + t) * area);
  }
  return { channels: 2, frames, height: size, width: size, data };
}

/** Posterior mean and standard deviation, before the scale. n c h w each */
export function posteriors(
  picks: readonly FrameOf[], shape: readonly number[],
): { mean: Tensor; std: Tensor } {
  const [, c, h, w] = shape;
  const part = (name: 'mean' | 'logvar') => {
    const of = (clip: PreparedClip) => expectPrepared(clip.latents, clip, 'latents')[name];
    return tensor(gather(picks, floats, of, c * h * w), [picks.length, c, h, w]);
  };
  return { mean: part('mean'), std: part('logvar').mul(0.5).exp() };
}

/** The image encoder's embedding. n c g g */
export function embeddings(picks: readonly FrameOf[], channels: number, grid: number): Tensor {
  const of = (clip: PreparedClip) => expectPrepared(clip.embedding, clip, 'image embeddings');
  const data = gather(picks, floats, of, channels * grid * grid);
  return tensor(data, [picks.length, channels, grid, grid]);
}

function expectPrepared<T>(value: T | null, clip: PreparedClip, what: string): T {
  if (value !== null) return value;
  throw new Error(`prepared clip ${clip.id}: expected ${what}, got none: run prepare with a trained VAE and image encoder`);
}
