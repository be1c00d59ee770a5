/** The networks whose features sets of videos are compared by. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Frames } from '../frames/frames.ts';
import { echoImageFeatures, loadEchoVideo, readEchoClip } from '../metrics/echo-features.ts';
import {
  distanceName, featureNetworks, loadI3d, loadInception, type FeatureNetworkName,
} from '../metrics/feature-networks.ts';
import type { FeatureRows } from '../metrics/features.ts';
import { networkWeights } from '../metrics/network-folder.ts';
import { loadSegmenter, type LoadedSegmenter } from '../metrics/segmenter-folder.ts';
import type { EchoVideo } from '../models/echo-video.ts';
import { i3dInput } from '../models/i3d.ts';
import { inceptionInput } from '../models/inception.ts';
import { rootPath } from '../nn/path.ts';
import { noGrad, scope } from '../tensor/memory.ts';
import { cat } from '../tensor/ops.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import { sha256 } from '../frames/file-hash.ts';
import { readPublished } from './published-weights.ts';

/** What a card says of an extractor. */
export interface ExtractorAbout {
  readonly name: 'echo-frames' | 'echo-clips' | 'inception' | 'i3d';
  /** Whether it gives a vector for every frame, or one for a clip. */
  readonly of: 'frames' | 'clips';
  readonly network: string;
  /** sha256 of the file of its weights. */
  readonly sha256: string;
  readonly dimension: number;
  /** How a video in [0, 1] becomes its input, and which features are taken. */
  readonly input: string;
  /** What distances on its features are called. */
  readonly frechet: string;
  readonly kernel: string;
}

export interface FeatureExtractor {
  readonly about: ExtractorAbout;
  /** @param video 1 f h w in [0, 1] */
  readonly extract: (video: Frames) => FeatureRows;
}

/** Echo features as they are shipped: `segmenter/` and `echo-video/` in one folder. */
export interface EchoFeatures {
  readonly extractors: readonly FeatureExtractor[];
  readonly echoVideo: EchoVideo;
  /** sha256 of the video network's weights. */
  readonly echoVideoHash: string;
  readonly dispose: () => void;
}

const own = (what: string) => ({
  frechet: `Frechet echo distance, ${what}`, kernel: `kernel echo distance, ${what}`,
});

const resized = (side: number) => `each frame to ${side}x${side} (mean over the area of a pixel ` +
  'where it is larger, bilinear without aligned corners where it is smaller), 2x - 1';

/** The folder of a measuring network below `folder`: as networks are shipped, or of a run that trained it. */
export function measuringNetwork(folder: string, stage: 'segmenter' | 'echo-video'): string {
  const [shipped, ofRun] = [join(folder, stage), join(folder, stage, 'model')];
  return existsSync(networkWeights(ofRun)) ? ofRun : shipped;
}

/**
 * Features of frames by a segmenter's encoder.
 *
 * @param weights the file that it was loaded from
 * @param network what the card calls it
 */
export function encoderFeatures(
  { segmenter, card }: LoadedSegmenter, weights: string, network = "encoder of this project's segmenter",
): FeatureExtractor {
  const size = Number(card.resolution ?? 128);
  return {
    about: {
      name: 'echo-frames', of: 'frames', network, sha256: sha256(weights),
      dimension: segmenter.config.widths.at(-1)!, ...own('frames'),
      input: `${resized(size)}; mean over positions of the lowest level`,
    },
    extract: (shown) => echoImageFeatures(segmenter, shown, size),
  };
}

/** Loads the project's own extractors. */
export function loadEchoFeatures(folder: string, device = 'cpu'): EchoFeatures {
  const [images, clips] = [measuringNetwork(folder, 'segmenter'), measuringNetwork(folder, 'echo-video')];
  const encoder = loadSegmenter(images, device);
  let video: ReturnType<typeof loadEchoVideo>;
  try {
    video = loadEchoVideo(clips, device);
  } catch (error) {
    encoder.dispose();
    throw error;
  }
  const { network } = video;
  const echoVideoHash = sha256(networkWeights(clips));
  const frames = encoderFeatures(encoder, networkWeights(images));
  const whole: FeatureExtractor = {
    about: {
      name: 'echo-clips', of: 'clips', network: "this project's echo video network",
      sha256: echoVideoHash, dimension: network.dimension, ...own('clips'),
      input: `${resized(network.config.size)}; mean over positions of the last level, of that mean ` +
        'and standard deviation over time',
    },
    extract: (shown) => readEchoClip(network, shown).features,
  };
  const dispose = () => [encoder, video].forEach((loaded) => loaded.dispose());
  return { extractors: [frames, whole], echoVideo: network, echoVideoHash, dispose };
}

/** Pictures that go through a published network at a time. */
const batch = 8;

/**
 * Inception or I3D with the weights of a file (torch.save or safetensors), strictly by upstream's
 * keys. The distances are called FID, KID and FVD only where the file is the published one.
 */
export function loadPublished(
  name: FeatureNetworkName, file: string, device = 'cpu',
): FeatureExtractor & { readonly dispose: () => void } {
  const path = rootPath({ device });
  const tensors = readPublished(file);
  try {
    const network = name === 'inception' ? loadInception(path, tensors) : loadI3d(path, tensors);
    const hash = sha256(file);
    const { name: title, dimension, preprocessing } = featureNetworks[name];
    const input = name === 'inception' ? inceptionInput : (x: Tensor) => i3dInput(asClip(x));
    const extract = ({ frames, height, width, data }: Frames): FeatureRows => scope(() => noGrad(() => {
      const x = tensor(data, [frames, 1, height, width], { device });
      const size = name === 'inception' ? batch : frames;
      const parts = Array.from({ length: Math.ceil(frames / size) }, (_, i) => scope(() =>
        network.call(input(x.narrow(0, i * size, Math.min(size, frames - i * size))))));
      const rows = cat(parts, 0);
      return { rows: rows.shape[0], dimension, data: rows.toFloat32() };
    }));
    const about: ExtractorAbout = {
      name, of: name === 'inception' ? 'frames' : 'clips', network: title, sha256: hash, dimension,
      input: preprocessing, frechet: distanceName('frechet', name, hash),
      kernel: distanceName('kernel', name, hash),
    };
    return { about, extract, dispose: () => path.dispose() };
  } catch (error) {
    path.dispose();
    throw new Error(`${file}: ${(error as Error).message}`, { cause: error });
  } finally {
    for (const value of tensors.values()) value.dispose();
  }
}

/** (f, 1, h, w) -> (1, 1, f, h, w) */
function asClip(x: Tensor): Tensor {
  const [frames, , height, width] = x.shape;
  return x.reshape([1, 1, frames, height, width]);
}
