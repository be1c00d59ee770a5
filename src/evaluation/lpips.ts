/** LPIPS as an evaluation measures it, with weights that its user has: a trunk's and the linear layers'. */
import type { Frames } from '../frames/frames.ts';
import { loadLpips, lpipsBetween, lpipsTitle } from '../metrics/lpips.ts';
import { lpipsTrunkTitle } from '../models/lpips.ts';
import { rootPath } from '../nn/path.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { sha256 } from '../frames/file-hash.ts';
import { readPublished } from './published-weights.ts';

/** What a card says of it. */
export interface LpipsAbout {
  /** `LPIPS (AlexNet, 0.1)` with the published weights alone. */
  readonly title: string;
  readonly network: string;
  /** Of the trunk's file and of the linear layers', joined by `+`. */
  readonly sha256: string;
  readonly input: string;
}

export interface LpipsMetric {
  readonly about: LpipsAbout;
  /** Mean over frames; videos are 1 f h w in [0, 1], of one shape. */
  readonly between: (a: Frames, b: Frames) => number;
  readonly dispose: () => void;
}

/** What `--lpips` and `--lpips-trunk` name. */
export interface LpipsFiles {
  /** torchvision's AlexNet or VGG-16. */
  readonly trunk: string;
  /** `alex.pth` or `vgg.pth` of the `lpips` package's weights/v0.1. */
  readonly linear: string;
}

/**
 * Opens the two files, torch.save or safetensors.
 *
 * @throws one sentence when a file is none, or has other tensors
 */
export function openLpips({ trunk, linear }: LpipsFiles, device = 'cpu'): LpipsMetric {
  const path = rootPath({ device });
  const read: ReadonlyMap<string, Tensor>[] = [];
  try {
    for (const file of [trunk, linear]) read.push(readPublished(file));
    const network = loadLpips(path, read[0], read[1]);
    const hashes = [sha256(trunk), sha256(linear)] as const;
    const about: LpipsAbout = {
      title: lpipsTitle(network.trunk, ...hashes), sha256: hashes.join('+'),
      network: `${lpipsTrunkTitle(network.trunk)} and the linear layers of lpips 0.1`,
      input: 'frames at their own size, 2x - 1, grey to 3 channels; mean over frames',
    };
    return { about, between: (a, b) => lpipsBetween(network, a, b), dispose: () => path.dispose() };
  } catch (error) {
    path.dispose();
    const { message } = error as Error;
    const named = [trunk, linear].some((file) => message.startsWith(file));
    throw named ? error : new Error(`${trunk} with ${linear}: ${message}`, { cause: error });
  } finally {
    for (const tensors of read) for (const value of tensors.values()) value.dispose();
  }
}
