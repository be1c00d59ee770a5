/**
 * Features of ultrasound pictures and clips by this project's own networks. A Frechet distance on
 * them is a Frechet echo distance, and never FID or FVD: these networks were trained on a phantom.
 */
import type { Frames } from '../frames/frames.ts';
import { EchoVideo, echoVideoConfig, echoVideoInput } from '../models/echo-video.ts';
import { noGrad, scope } from '../tensor/memory.ts';
import { adaptiveAvgPool2d, upsampleBilinear2d } from '../tensor/ops.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import type { FeatureRows } from './features.ts';
import { loadNetwork, type LoadedNetwork } from './network-folder.ts';
import type { Segmenter } from './segmenter.ts';

/** Views in the order in which the view head counts. */
export const echoVideoViews = ['2CH', '4CH'] as const;

/** The video network of a folder; every key must fit. */
export function loadEchoVideo(folder: string, device = 'cpu'): LoadedNetwork<EchoVideo> {
  return loadNetwork(folder, {
    kind: 'EchoVideo', stage: 'echo-video', config: echoVideoConfig,
    build: (path, config) => new EchoVideo(path, config),
  }, device);
}

/**
 * A vector a frame: the lowest level of the segmenter's encoder, mean over its positions. Frames of
 * another side than `size` are averaged down over the area of each new pixel, or made larger
 * bilinearly without aligned corners.
 *
 * @param video 1 f h w in [0, 1]
 * @param size side that the segmenter was trained on
 */
export function echoImageFeatures(segmenter: Segmenter, video: Frames, size: number): FeatureRows {
  return scope(() => noGrad(() => {
    const x = squares(clipTensor(video, segmenter.device), size);
    const batches = Array.from({ length: Math.ceil(video.frames / 16) }, (_, i) => scope(() =>
      segmenter.features(x.narrow(0, 16 * i, Math.min(16, video.frames - 16 * i))).toFloat32()));
    const dimension = batches[0].length / Math.min(16, video.frames);
    const data = new Float32Array(video.frames * dimension);
    batches.forEach((part, i) => data.set(part, 16 * i * dimension));
    return { rows: video.frames, dimension, data };
  }));
}

export interface EchoClipReading {
  /** One vector for the clip. */
  readonly features: FeatureRows;
  /** The view that it looks like. */
  readonly view: (typeof echoVideoViews)[number];
}

/** @param video 1 f h w in [0, 1] */
export function readEchoClip(network: EchoVideo, video: Frames): EchoClipReading {
  return scope(() => noGrad(() => {
    const { height, width, frames } = video;
    const clip = clipTensor(video, network.device).reshape([1, 1, frames, height, width]);
    const x = echoVideoInput(clip, network.config.size);
    const view = network.call(x).view.argmax(1).to('float32').item();
    const data = network.features(x).toFloat32();
    return {
      features: { rows: 1, dimension: network.dimension, data }, view: echoVideoViews[view],
    };
  }));
}

/** f 1 h w */
function clipTensor({ channels, frames, height, width, data }: Frames, device: string): Tensor {
  if (channels !== 1) throw new Error(`echo features: expected 1 channel, got ${channels}`);
  return tensor(data, [frames, 1, height, width], { device });
}

function squares(x: Tensor, size: number): Tensor {
  const [, , height, width] = x.shape;
  if (height === size && width === size) return x;
  return height >= size && width >= size ? adaptiveAvgPool2d(x, [size, size])
    : upsampleBilinear2d(x, [size, size], false);
}
