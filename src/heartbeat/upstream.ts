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
import type { HeartBeat } from './heartbeat.ts';
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
  const text = placeOf('text_encoder', sources);
  const image = placeOf('image_encoder', sources);
  return {
    ...(stableDiffusion === null ? {} : {
      unet: readUNetConfig(configFile(placeOf('unet', sources)!)),
      vae: readVaeConfig(configFile(placeOf('vae', sources)!)),
      scheduler: readSchedulerConfig(join(stableDiffusion, 'scheduler', 'scheduler_config.json')),
    }),
    ...(text === null ? {} : { text_encoder: readClipTextConfig(configFile(text)) }),
    ...(image === null ? {} : { image_encoder: imageEncoderConfigOf(image) }),
  };
}

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

/**
 * Starts a HeartBeat from upstream weights, strictly: every key of the spatial networks must be
 * there, of its shape, and none besides. conv_in's new channels are zero; the image branch and the
 * temporal layers keep their first values, but for `imageQuery`. Whatever is wrong is found in the
 * files' headers, before a weight changes.
 *
 * @returns the networks that were started
 * @throws one sentence that names the file, and the keys or options that differ
 */
export function startFromUpstream(
  model: HeartBeat, sources: UpstreamSources, { imageQuery = 'text' }: UpstreamOptions = {},
): UpstreamNetwork[] {
  const opened = upstreamNetworks.flatMap((network) => {
    const place = placeOf(network, sources);
    if (place === null) return [];
    const stored = openNetwork(network, place);
    expectFit(model, network, stored);
    return [[network, stored] as const];
  });
  const said = upstreamConfig(sources);
  for (const [network, { file }] of opened) {
    expectSameOptions(file.path, network, model.config[network], said[network]!);
  };
  for (const [network, stored] of opened) {
    const path = model.components[network];
    withWeights(readNamed(stored), (tensors) => scope(() => noGrad(() => {
      if (network !== 'unet') return path.load(tensors);
      const state = path.state();
      const [, channels] = state.get(convIn)!.shape;
      path.load(new Map([...tensors, [convIn, widenConvIn(tensors.get(convIn)!, channels)]]), { strict: false });
      if (imageQuery === 'fresh') return;
      for (const [key, value] of state) {
        const text = tensors.get(key.replace('.to_q_image.', '.to_q.'));
        if (key.includes('.to_q_image.') && text !== undefined) value.copy_(text);
      }
    })));
  }
  return opened.map(([network]) => network);
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

function placeOf(network: UpstreamNetwork, sources: UpstreamSources): string | null {
  const { stableDiffusion, clip, medsam } = upstreamSources.parse(sources);
  const path = { unet: stableDiffusion, vae: stableDiffusion, text_encoder: clip ?? stableDiffusion, image_encoder: medsam };
  const found = path[network];
  return found === null ? null : networkPlace(network, found);
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
