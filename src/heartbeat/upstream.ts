/**
 * Upstream networks under upstream names: Stable Diffusion 1.5 in diffusers' folder layout, CLIP's
 * text model and tokenizer in transformers', MedSAM's image encoder in segment_anything's or
 * transformers'. Paths are local: the Hub's cache is src/hub's to find.
 */
import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { SchedulerConfig } from '../diffusion/schedule.ts';
import type { ClipTextConfig } from '../models/clip-text.ts';
import type { ImageEncoderConfig } from '../models/medsam.ts';
import { readTokenizerFolder, type TokenizerSource } from '../models/tokenizer-folder.ts';
import type { VaeConfig } from '../models/vae.ts';
import { isAddedToUNet, widenConvIn } from '../models/unet-weights.ts';
import { noGrad, scope } from '../tensor/memory.ts';
import { shapeText } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { HeartBeat, HeartBeatConfig } from './heartbeat.ts';
import { expectSameOptions, listed } from './upstream/config-files.ts';
import { imageEncoderOfShapes } from './upstream/image-encoder-shapes.ts';
import { ourKeys, upstreamNetworks, type Naming, type UpstreamNetwork } from './upstream/keys.ts';
import {
  readClipTextConfig, readSamConfig, readSchedulerConfig, readUNetConfig, readVaeConfig, type SpatialUNetConfig,
} from './upstream/networks.ts';
import { openWeights, withWeights, type StoredWeights } from './upstream/weight-files.ts';

export { upstreamNetworks, type UpstreamNetwork } from './upstream/keys.ts';

/** Where the upstream networks lie; null leaves a network as it was born. */
export const upstreamSources = z.strictObject({
  /** A folder with `unet/`, `vae/`, `scheduler/`, and, unless `clip` is given, `text_encoder/` and `tokenizer/`. */
  stableDiffusion: z.string().min(1).nullable().default(null),
  /** A folder with `text_encoder/` and `tokenizer/`, or with both networks' files side by side. */
  clip: z.string().min(1).nullable().default(null),
  /** segment_anything's `medsam_vit_b.pth`, or a folder of transformers' SamModel. */
  medsam: z.string().min(1).nullable().default(null),
});
export type UpstreamSources = z.input<typeof upstreamSources>;

/** Parts of a HeartBeat's configuration, as the upstream files say; absent where there is no source. */
export interface UpstreamConfig {
  /** diffusers' fields alone: `localChannels`, `imageQuery` and `temporal` are the caller's. */
  readonly unet?: SpatialUNetConfig;
  readonly vae?: VaeConfig;
  readonly scheduler?: SchedulerConfig;
  readonly text_encoder?: ClipTextConfig;
  readonly image_encoder?: ImageEncoderConfig;
}

/**
 * What the sources' configuration files say, in our words; no weight is read.
 *
 * @throws one sentence that names the file and every option that is not implemented
 */
export function upstreamConfig(sources: UpstreamSources): UpstreamConfig {
  const { stableDiffusion } = upstreamSources.parse(sources);
  const said = Object.entries(pathsOf(sources)).map(([network, path]) => {
    const name = network as UpstreamNetwork;
    return [name, configReaders[name](networkPlace(name, path))];
  });
  const scheduler = stableDiffusion === null ? {}
    : { scheduler: readSchedulerConfig(join(stableDiffusion, 'scheduler', 'scheduler_config.json')) };
  return { ...Object.fromEntries(said), ...scheduler };
}

const configReaders = {
  unet: (place: string) => readUNetConfig(configFile(place)),
  vae: (place: string) => readVaeConfig(configFile(place)),
  text_encoder: (place: string) => readClipTextConfig(configFile(place)),
  image_encoder: imageEncoderConfigOf,
};

/** CLIP's tokenizer of the sources, for `HeartBeatOptions.tokenizer`; null where there is no text source. */
export function upstreamTokenizer(sources: UpstreamSources): TokenizerSource | null {
  const { stableDiffusion, clip } = upstreamSources.parse(sources);
  const base = clip ?? stableDiffusion;
  if (base === null) return null;
  const places = [join(base, 'tokenizer'), base, join(dirname(base), 'tokenizer')];
  const names = ['vocab.json', 'tokenizer.json'];
  return readTokenizerFolder(places.find((place) => names.some((name) => existsSync(join(place, name)))) ?? places[0]);
}

/**
 * One network's upstream weights under our keys, on the CPU, in the dtype of the file.
 *
 * @param path the network's folder, a folder that holds it under its name, or a file
 * @throws one sentence when the file is damaged or holds something else
 */
export function loadUpstream(network: UpstreamNetwork, path: string): Map<string, Tensor> {
  return readNamed(openNetwork(network, networkPlace(network, path)));
}

export interface UpstreamOptions {
  /**
   * First values of the image branch's query: a copy of the text's, which has learnt to ask, or as
   * born. Its V is zero at birth, so that the network starts as Stable Diffusion (PAPER section 1).
   */
  readonly imageQuery?: 'text' | 'fresh';
}

/** The path of each network: its folder, a folder that holds it under its name, or a file. */
export type UpstreamPaths = Readonly<Partial<Record<UpstreamNetwork, string>>>;

/**
 * Starts a HeartBeat from upstream weights: `startNetworksFromUpstream` of every network that the
 * sources hold.
 */
export function startFromUpstream(
  model: HeartBeat, sources: UpstreamSources, options: UpstreamOptions = {},
): UpstreamNetwork[] {
  return startNetworksFromUpstream(model, pathsOf(sources), options);
}

/**
 * Starts networks of a HeartBeat from upstream weights, strictly: every key of the spatial networks
 * must be there, of its shape, and none besides. conv_in's new channels are zero; the image branch and
 * the temporal layers keep their first values, but for `imageQuery`. Whatever is wrong is found in the
 * files' headers, before a weight changes.
 *
 * @returns the networks that were started
 * @throws one sentence that names the file, and the keys or options that differ
 */
export function startNetworksFromUpstream(
  model: HeartBeat, paths: UpstreamPaths, { imageQuery = 'text' }: UpstreamOptions = {},
): UpstreamNetwork[] {
  const opened = upstreamNetworks.flatMap((network) => {
    const path = paths[network];
    if (path === undefined) return [];
    const place = networkPlace(network, path);
    const stored = openNetwork(network, place);
    expectFit(model, network, stored);
    expectOptions(model.config, network, place);
    return [[network, stored] as const];
  });
  for (const [network, stored] of opened) {
    const at = model.components[network];
    withWeights(readNamed(stored), (tensors) => scope(() => noGrad(() => {
      if (network !== 'unet') return at.load(tensors);
      const state = at.state();
      const [, channels] = state.get(convIn)!.shape;
      at.load(new Map([...tensors, [convIn, widenConvIn(tensors.get(convIn)!, channels)]]), { strict: false });
      if (imageQuery === 'fresh') return;
      for (const [key, value] of state) {
        const text = tensors.get(key.replace('.to_q_image.', '.to_q.'));
        if (key.includes('.to_q_image.') && text !== undefined) value.copy_(text);
      }
    })));
  }
  return opened.map(([network]) => network);
}

/**
 * Refuses networks of other options than the configuration's, by their configuration files and headers alone: for
 * who wants to know before there is a model.
 *
 * @throws one sentence that names the file and the options that differ
 */
export function expectUpstreamOptions(config: HeartBeatConfig, paths: UpstreamPaths): void {
  for (const network of upstreamNetworks) {
    const path = paths[network];
    if (path !== undefined) expectOptions(config, network, networkPlace(network, path));
  }
}

function expectOptions(config: HeartBeatConfig, network: UpstreamNetwork, place: string): void {
  expectSameOptions(openNetwork(network, place).file.path, network, config[network], configReaders[network](place));
}

const convIn = 'conv_in.weight';

interface Opened {
  readonly file: StoredWeights;
  readonly naming: Naming;
}

function openNetwork(network: UpstreamNetwork, place: string): Opened {
  const file = openWeights(place);
  return { file, naming: ourKeys(network, file.path, file.shapes.keys()) };
}

function readNamed({ file, naming }: Opened): Map<string, Tensor> {
  return scope(() => {
    const read = file.read(naming.prefix);
    const whole = [...naming.keys].filter(([name]) => !/^(b?float|half)/.test(read.get(name)!.dtype));
    if (whole.length > 0) {
      const [[name]] = whole;
      throw new Error(`${file.path}: expected weights of real numbers, got ${name} of ${read.get(name)!.dtype}`);
    }
    return new Map([...naming.keys].map(([name, key]) => [key, read.get(name)!]));
  });
}

/** Refuses missing, extra and misshapen keys, all of them in one sentence. */
function expectFit(model: HeartBeat, network: UpstreamNetwork, { file, naming }: Opened): void {
  const wanted = new Map([...model.components[network].state()]
    .filter(([key]) => network !== 'unet' || !isAddedToUNet(key))
    .map(([key, { shape }]) => [key, shape]));
  const { in_channels: own } = model.config.unet as { in_channels: number };
  const given = new Map([...naming.keys].map(([name, key]) => [key, file.shapes.get(name)!]));
  const fits = (key: string, got: readonly number[]) => {
    const [out, channels, ...kernel] = wanted.get(key)!;
    const narrow = network === 'unet' && key === convIn && got[1] === own;
    return got.join() === [out, ...(channels === undefined ? [] : [narrow ? own : channels]), ...kernel].join();
  };
  const missing = [...wanted.keys()].filter((key) => !given.has(key));
  const extra = [...naming.keys].filter(([, key]) => !wanted.has(key)).map(([name]) => name);
  const misshapen = [...given].filter(([key, got]) => wanted.has(key) && !fits(key, got))
    .map(([key, got]) => `${key} (expected ${shapeText(wanted.get(key)!)}, got ${shapeText(got)})`);
  const wrong = [['missing', missing], ['extra', extra], ['misshapen', misshapen]] as const;
  if (wrong.every(([, keys]) => keys.length === 0)) return;
  const told = wrong.filter(([, keys]) => keys.length > 0).map(([what, keys]) => `${keys.length} ${what}: ${listed(keys)}`);
  throw new Error(`${file.path}: expected the ${wanted.size} keys of this ${network}, got ${told.join('; ')}`);
}

function pathsOf(sources: UpstreamSources): UpstreamPaths {
  const { stableDiffusion, clip, medsam } = upstreamSources.parse(sources);
  const text = clip ?? stableDiffusion;
  return {
    ...(stableDiffusion === null ? {} : { unet: stableDiffusion, vae: stableDiffusion }),
    ...(text === null ? {} : { text_encoder: text }),
    ...(medsam === null ? {} : { image_encoder: medsam }),
  };
}

function networkPlace(network: UpstreamNetwork, path: string): string {
  const inside = join(path, network);
  return isFolder(path) && isFolder(inside) ? inside : path;
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function configFile(place: string): string {
  return join(isFolder(place) ? place : dirname(place), 'config.json');
}

/** segment_anything's files have no configuration: their shapes tell it. */
function imageEncoderConfigOf(place: string): ImageEncoderConfig {
  if (isFolder(place) && existsSync(configFile(place))) return readSamConfig(configFile(place));
  const { file, naming } = openNetwork('image_encoder', place);
  return imageEncoderOfShapes(file.path, new Map([...naming.keys].map(([name, key]) => [key, file.shapes.get(name)!])));
}
