/** The networks that measure single frames: a segmenter, and the encoder of one for their features. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { networkWeights } from '../metrics/network-folder.ts';
import { loadSegmenter, type LoadedSegmenter } from '../metrics/segmenter-folder.ts';
import type { Segmenter } from '../metrics/segmenter.ts';
import { sha256 } from '../frames/file-hash.ts';
import { encoderFeatures, measuringNetwork, type FeatureExtractor } from './feature-extractors.ts';

export interface FrameInstruments {
  readonly segmenter: Segmenter;
  readonly segmenterHash: string;
  readonly extractors: readonly FeatureExtractor[];
  /** What the encoder behind the Frechet echo distance was trained on. */
  readonly trainedOn: string;
  readonly dispose: () => void;
}

export interface FrameNetworks {
  /** A segmenter's folder, or a run that trained one; finds the masks, and gives features where nothing else does. */
  readonly segmenter?: string;
  /** A folder with `segmenter/` in it, as shipped or of a run; its encoder gives the features. */
  readonly echoFeatures?: string;
  /** What is taken where neither is given. */
  readonly released: string;
}

/**
 * Loads what measures single frames. The features are those of `echoFeatures`, else of `segmenter`, else of the
 * released one, which saw a phantom alone: real frames are better told apart by an encoder that was trained on
 * real frames of the same data set's training split.
 */
export function loadFrameInstruments(
  { segmenter, echoFeatures, released }: FrameNetworks, device = 'cpu',
): FrameInstruments {
  const features = echoFeatures ?? segmenter ?? released;
  const folders = [segmenter ?? echoFeatures ?? released, features].map(segmenterFolder);
  const open: LoadedSegmenter[] = [];
  const dispose = () => open.forEach((loaded) => loaded.dispose());
  try {
    for (const folder of new Set(folders)) open.push(loadSegmenter(folder, device));
    const [finder, encoder] = [open[0], open.at(-1)!];
    const trainedOn = trainingOf(encoder, features === released);
    const weights = networkWeights(folders[1]);
    const network = `encoder of this project's segmenter, trained on ${trainedOn}`;
    return {
      segmenter: finder.segmenter, segmenterHash: sha256(networkWeights(folders[0])), trainedOn, dispose,
      extractors: [encoderFeatures(encoder, weights, network)],
    };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** Of the network's own folder, of a stage's, of a run or of shipped networks. */
function segmenterFolder(folder: string): string {
  const own = [folder, join(folder, 'model')].find((place) => existsSync(networkWeights(place)));
  return own ?? measuringNetwork(folder, 'segmenter');
}

function trainingOf({ card }: LoadedSegmenter, released: boolean): string {
  if (released || card.data === 'phantom') return 'a phantom';
  return typeof card.data === 'string' ? `the training split of ${card.data}` : 'data that its card does not name';
}
