import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { ConditionName } from '../conditions/condition.ts';
import type { ClipSource } from '../data/clips.ts';
import type { Extractors } from '../extractors/extractors.ts';
import type { MnmsSource } from '../data/mnms.ts';
import { inLanes, TaskThread } from '../frames/worker.ts';
import type { HeartBeat } from '../heartbeat/heartbeat.ts';
import { keep, noGrad, scope } from '../tensor/memory.ts';
import { cat } from '../tensor/ops.ts';
import { readSafetensors, writeSafetensors } from '../tensor/safetensors.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import { sha256 } from '../frames/file-hash.ts';
import { extractSource, type ExtractionTask } from './extract-clip.ts';
import {
  allFrames, pictures, StoredFloats, type PreparedClip, type PreparedPlanes,
} from './prepared-clip.ts';

/** Bumped when an extractor changes what it finds: old caches are not mistaken for new ones. */
const extraction = 2;

export interface PrepareOptions {
  readonly cache: string;
  readonly resolution: number;
  readonly frames: number;
  /** Of flow and sketches; the built-in ones by default. They stay the caller's to dispose of. */
  readonly extractors?: Extractors;
  /** Threads that extract clips at once, 1 (the default) being this one; networks run in this one alone. */
  readonly workers?: number;
  readonly onProgress?: (done: number, total: number, id: string) => void;
  /** Sequences that cannot be used, each with its reason. */
  readonly onSkip?: (id: string, reason: string) => void;
  readonly stopRequested?: () => boolean;
}

/**
 * Reads clips and extracts their conditions once; later calls read the cache. A cache file's key is
 * the sha256 of the source files, of the preprocessing and of the extractors, so that a changed
 * source, another size or a network's other weights are another file; a cache file that is broken is
 * made again. Signals arrive between clips; clips under way when a stop is asked for, or when another
 * one fails, are still finished and kept. The number of threads changes neither files nor result.
 *
 * @throws what a source cannot give, unless `onSkip` takes it; a cache that cannot be written
 */
export async function prepareClips(
  sources: readonly (ClipSource | MnmsSource)[], options: PrepareOptions,
): Promise<PreparedClip[]> {
  const { cache, resolution, frames, extractors, workers = 1, onProgress, onSkip, stopRequested } = options;
  mkdirSync(cache, { recursive: true });
  const network = Object.keys(extractors?.identity ?? {}).length > 0;
  const lanes = network ? 1 : Math.max(1, Math.min(workers, sources.length));
  const threads = lanes === 1 ? [] : Array.from({ length: lanes }, () => new TaskThread<ExtractionTask, PreparedClip>(
    new URL('./prepare-worker.ts', import.meta.url)));
  const prepared: (PreparedClip | null)[] = [];
  let done = 0;
  try {
    await inLanes(sources.length, lanes, async (index, lane) => {
      const source = sources[index];
      const file = join(cache, `${source.id}-${cacheKey(source, options)}.safetensors`);
      let clip = readWhole(file, readPrepared);
      if (clip === null) {
        try {
          const task = { source, size: { size: resolution, frames } };
          clip = await (threads[lane]?.run(task) ?? extractSource(task, extractors));
        } catch (error) {
          if (onSkip === undefined) throw error;
          onSkip(source.id, (error as Error).message);
        }
        if (clip !== null) writePrepared(file, clip);
      }
      prepared[index] = clip;
      onProgress?.(++done, sources.length, source.id);
      await setImmediate();
    }, stopRequested);
  } finally {
    await Promise.all(threads.map((thread) => thread.end()));
  }
  return prepared.filter((clip) => clip !== null);
}

/** What a cache file holds; null when there is none, or a broken one, which is to be made again. */
function readWhole<T>(file: string, read: (file: string) => T): T | null {
  if (!existsSync(file)) return null;
  try {
    return read(file);
  } catch {
    return null;
  }
}

function cacheKey(
  source: ClipSource | MnmsSource, { resolution, frames, extractors }: PrepareOptions,
): string {
  // of a cine one phase is read: its name and its place on the time axis
  const phase = source.kind === 'slices' ? { phase: source.phase, time: source.time } : {};
  const preprocessing = { extraction, resolution, frames, ...phase, ...extractors?.identity };
  const hash = createHash('sha256').update(JSON.stringify(preprocessing));
  for (const [name, content] of Object.entries(sourceFiles(source))) {
    hash.update(name).update(content);
  }
  return hash.digest('hex').slice(0, 16);
}

/** The files that a clip is read from, by name, with the sha256 of each. */
export function sourceFiles(source: ClipSource | MnmsSource): Record<string, string> {
  const stem = source.kind === 'slices' ? source.patient : source.id;
  const part = { stills: '(ED|ES)', slices: 'sa' }[source.kind as string] ?? source.kind;
  const ofPart = new RegExp(`^_${part}[._]`);
  const isRead = (file: string) => file === `Info_${source.view}.cfg` ||
    (file.startsWith(stem) && ofPart.test(file.slice(stem.length)));
  const names = readdirSync(source.folder).filter(isRead).sort();
  return Object.fromEntries(names.map((name) => [name, sha256(join(source.folder, name))]));
}

/**
 * Fills in the latents of the VAE and the embeddings of the image encoder, from the cache where it
 * has them. Cache key: sha256 of the pictures and of both networks' weights.
 */
export async function prepareLatents(
  clips: readonly PreparedClip[], model: HeartBeat, hashes: { vae: string; imageEncoder: string },
  options: Pick<PrepareOptions, 'cache' | 'onProgress' | 'stopRequested'>,
): Promise<void> {
  const short = (...parts: readonly (string | Uint8Array)[]) => {
    const hash = parts.reduce((sum, part) => sum.update(part), createHash('sha256'));
    return hash.digest('hex').slice(0, 16);
  };
  const key = short(hashes.vae, hashes.imageEncoder);
  for (const [index, clip] of clips.entries()) {
    if (options.stopRequested?.()) return;
    const name = `${clip.id}-${short(clip.video)}-${key}.latents.safetensors`;
    const file = join(options.cache, name);
    let encoded = readWhole(file, readEncoded);
    if (encoded === null) {
      scope(() => noGrad(() => writeSafetensors(file, encodeClip(clip, model), {})));
      encoded = readEncoded(file);
    }
    Object.assign(clip, encoded);
    options.onProgress?.(index + 1, clips.length, clip.id);
    await setImmediate();
  }
}

/** Embeddings of a clip are held in memory up to this many numbers, and else read frame by frame. */
export const heldEmbedding = 2 ** 20;

function readEncoded(file: string): Pick<PreparedClip, 'latents' | 'embedding'> {
  const floats = (name: string) => scope(() => {
    const values = new StoredFloats(file, name);
    return values.subarray(0, values.length);
  });
  const embedding = new StoredFloats(file, 'embedding');
  return {
    latents: { mean: floats('mean'), logvar: floats('logvar') },
    embedding: embedding.length <= heldEmbedding ? embedding.subarray(0, embedding.length) : embedding,
  };
}

/** Pixels that one pass of the image encoder sees: its memory goes with them. */
const encodedAtOnce = 2 ** 20;

function encodeClip(clip: PreparedClip, model: HeartBeat): Map<string, Tensor> {
  const shown = pictures(allFrames([clip])).to(model.components.vae.device);
  const { mean, logvar } = model.encode(shown);
  const several = Math.max(1, Math.floor(encodedAtOnce / model.config.image_encoder.img_size ** 2));
  const pieces = Array.from({ length: Math.ceil(clip.frames / several) }, (_, i) => {
    const piece = shown.narrow(0, i * several, Math.min(several, clip.frames - i * several));
    return scope(() => model.embedImage(piece).to('cpu'));
  });
  const embedding = cat(pieces, 0);
  const stored = embedding.numel > heldEmbedding ? embedding.to('float16') : embedding;
  return new Map([['mean', mean], ['logvar', logvar], ['embedding', stored]]);
}

/**
 * The frozen text encoder's tokens of every prompt, and of the empty one, (1, tokens, width) each, from the
 * cache (null for none) where it has them. Cache key: sha256 of the prompts and of the encoder's weights.
 * They belong to the caller.
 */
export function prepareText(
  prompts: readonly string[], model: HeartBeat, hash: string, cache: string | null,
): Map<string, Tensor> {
  const texts = ['', ...new Set(prompts.filter((prompt) => prompt !== ''))].sort();
  const key = createHash('sha256').update(JSON.stringify([texts, hash])).digest('hex').slice(0, 16);
  const file = cache === null ? null : join(cache, `text-${key}.safetensors`);
  if (cache !== null) mkdirSync(cache, { recursive: true });
  return keep(noGrad(() => scope(() => {
    let tokens = file === null ? null : readWhole(file, (file) => readSafetensors(file).tensors);
    if (tokens === null || texts.some((_, i) => !tokens!.has(`${i}`))) {
      tokens = new Map(texts.map((text, i) => [`${i}`, model.embedText([text], [1])]));
      if (file !== null) writeSafetensors(file, tokens, { prompts: JSON.stringify(texts) });
    }
    const { device } = model.components.text_encoder;
    return new Map(texts.map((text, i) => [text, tokens.get(`${i}`)!.to(device)]));
  })));
}

function writePrepared(file: string, clip: PreparedClip): void {
  scope(() => {
    const { video, planes, latents: _, embedding: __, ...about } = clip;
    const tensors = new Map([['video', tensor(video, [video.length])]]);
    const kinds: Record<string, { kind: string; channels: number }> = {};
    for (const [name, { kind, channels, data }] of planes) {
      tensors.set(name, tensor(data, [data.length]));
      kinds[name] = { kind, channels };
    }
    writeSafetensors(file, tensors, { clip: JSON.stringify(about), planes: JSON.stringify(kinds) });
  });
}

function readPrepared(file: string): PreparedClip {
  return scope(() => {
    const { tensors, metadata } = readSafetensors(file);
    const kinds = Object.entries(JSON.parse(metadata.planes)) as [ConditionName, PreparedPlanes][];
    const planes = new Map(kinds.map(([name, { kind, channels }]) => {
      const stored = tensors.get(name)!;
      const data = kind === 'real' ? stored.toFloat32() : stored.toUint8();
      return [name, { kind, channels, data } as PreparedPlanes];
    }));
    const about = JSON.parse(metadata.clip) as Omit<PreparedClip, 'video' | 'planes'>;
    const video = tensors.get('video')!.toUint8();
    return { ...about, video, planes, latents: null, embedding: null };
  });
}
