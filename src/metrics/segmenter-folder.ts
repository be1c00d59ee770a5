import type { Path } from '../nn/path.ts';
import { loadNetwork, networkWeights, saveNetwork } from './network-folder.ts';
import { Segmenter, segmenterConfig, type SegmenterConfig } from './segmenter.ts';

/** A segmenter with what was said about its training. `dispose` releases its weights. */
export interface LoadedSegmenter {
  readonly segmenter: Segmenter;
  readonly card: Record<string, unknown>;
  readonly dispose: () => void;
}

/** The file of a segmenter's weights, for a hash. */
export function segmenterWeights(folder: string): string {
  return networkWeights(folder);
}

/**
 * Writes a segmenter's folder, `config.json` and safetensors, all or nothing.
 *
 * @param path the root of its parameters
 * @param card plain JSON about the training
 */
export function saveSegmenter(
  folder: string, path: Path, config: SegmenterConfig, card: Record<string, unknown> = {},
): void {
  saveNetwork(folder, 'Segmenter', path, config, card);
}

/** The segmenter of a folder; every key must fit. */
export function loadSegmenter(folder: string, device = 'cpu'): LoadedSegmenter {
  const { network: segmenter, ...rest } = loadNetwork(folder, {
    kind: 'Segmenter', stage: 'segmenter', config: segmenterConfig,
    build: (path, config) => new Segmenter(path, config),
  }, device);
  return { segmenter, ...rest };
}
