/** The training clip nearest to a clip, in pixels and in features. */
import { byteFrames } from '../../frames/frames.ts';
import type { Frames } from '../../frames/frames.ts';
import { dispose, keep, noGrad, scope } from '../../tensor/memory.ts';
import { stack } from '../../tensor/ops.ts';
import { tensor, type Tensor } from '../../tensor/tensor.ts';
import { PICTURE_SIDE, type Fingerprint } from './fingerprint.ts';

/** Where two clips are compared: in small pictures, and in the features of networks. */
export const spaces = ['pixel', 'feature'] as const;
export type Space = (typeof spaces)[number];

/** Side at which pixels are compared. */
const MEASURED_SIDE = 32;
/** Moves along x and y that are tried, in pixels of the small pictures: up to 3 % of the side. */
const MOVES = [0, -1, 1, -2, 2];
/** A pixel is inside a clip's sector when some frame is brighter than this, of 0..1. */
const DARK = 4 / 255;
/** Pixels are compared that are inside the sector of at least this share of the training clips. */
const INSIDE = 0.99;
/** Added to variances: a picture of one grey, a feature that never changes. */
const LEAST = 1e-8;

export interface TrainingClip {
  readonly id: string;
  readonly patient: string;
  readonly view: string;
  /** A whole cycle, whose last frame leads to its first. */
  readonly whole: boolean;
}

export interface Neighbour {
  /** Name of the training clip. */
  readonly nearest: string;
  /** 1 - correlation, 0..2; 0 is the same clip. */
  readonly distance: number;
}

export type Neighbours = Readonly<Record<Space, Neighbour>>;

/**
 * Searches all training clips at once. The distance is 1 - Pearson's correlation, as the privacy
 * filters of synthetic medical images use it (Dar et al., arXiv 2402.01054; for echocardiograms
 * Reynaud et al., EchoNet-Synthetic, MICCAI 2024). They correlate the embeddings of one learned
 * network; here two spaces stand side by side, because each misses what the other sees:
 *
 * - pixel: the clip at 32 x 32, where 99 of 100 training clips of the view have their sector
 *   (with the rim of the sector among the pixels, two hearts that have nothing in common but a rare
 *   sector were the nearest of all); less its mean and over its deviation, so that gain and offset do not
 *   count; then less the mean training clip of the view (the chambers lie at much the same places, and
 *   their correlation would hide everything else), correlated over these pixels of all frames.
 *   It is the best over moves up to 3 % of the side (without them a copy moved so far was as far as a
 *   stranger) and, against a whole cycle, over all shifts in time; one of the two at a time, not both
 *   together. Pictures are not mirrored, turned or scaled to find a better one.
 * - feature: the networks' features, each less its mean over the training clips and over its deviation.
 */
export class NearestClips {
  private readonly clips: readonly TrainingClip[];
  private readonly groups: readonly ViewGroup[];
  private readonly features: { mean: Tensor; scale: Tensor; rows: Tensor };
  private readonly frames: number;

  /** @param prints of the clips, in their order, at least one */
  constructor(clips: readonly TrainingClip[], prints: readonly Fingerprint[]) {
    this.clips = clips;
    this.frames = prints[0].pictures.frames;
    [this.groups, this.features] = keep(scope(() => noGrad(() => {
      const pixels = prints.map(({ pictures }) => small(pictures));
      const views = [...new Set(clips.map(({ view }) => view))].sort();
      const groups = views.map((view): ViewGroup => {
        const members = clips.flatMap((clip, i) => (clip.view === view ? [i] : []));
        const own = stack(members.map((i) => pixels[i]), 0); // members f p
        const inside = insideMost(own);
        const rows = normalised(own, inside);
        const mean = meanOfRows(rows);
        return { members, inside, mean, rows: unit(rows.sub(mean)) };
      });
      const vectors = stack(prints.map(({ features }) => tensor(features)), 0);
      const mean = meanOfRows(vectors);
      const scale = vectors.sub(mean).pow(2).mean([0], true).add(LEAST).sqrt();
      return [groups, { mean, scale, rows: unit(vectors.sub(mean).div(scale)) }] as const;
    })));
  }

  /**
   * @param print of a clip of as many frames
   * @param except a patient whose clips do not count: a real clip's own
   * @returns null where no training clip is left
   */
  find(print: Fingerprint, except?: string): Neighbours | null {
    const { frames } = print.pictures;
    if (frames !== this.frames) {
      throw new Error(`memorisation: expected a clip of ${this.frames} frames, got ${frames}`);
    }
    const counts = this.clips.map(({ patient }) => patient !== except);
    if (!counts.includes(true)) return null;
    const [pixel, feature] = scope(() => noGrad(() =>
      [this.pixelSimilarities(print.pictures), this.featureSimilarities(print.features)]));
    return { pixel: this.best(pixel, counts), feature: this.best(feature, counts) };
  }

  dispose(): void {
    dispose([this.groups, this.features]);
  }

  private pixelSimilarities(pictures: Frames<Uint8Array>): Float64Array {
    const moved = MOVES.flatMap((x) => MOVES.map((y) => small(pictures, [y, x]))); // of f p
    const later = Array.from({ length: this.frames - 1 }, (_, by) => moved[0].roll(by + 1, 0));
    const tried = stack([...moved, ...later], 0); // ways f p
    const similarities = new Float64Array(this.clips.length);
    for (const { members, inside, mean, rows } of this.groups) {
      const table = unit(normalised(tried, inside).sub(mean)).matmul(rows.transpose(0, 1)).toFloat32(); // ways, members
      members.forEach((clipAt, column) => {
        const ways = moved.length + (this.clips[clipAt].whole ? later.length : 0);
        let best = -1;
        for (let row = 0; row < ways; row++) best = Math.max(best, table[row * members.length + column]);
        similarities[clipAt] = best;
      });
    }
    return similarities;
  }

  private featureSimilarities(features: Float32Array): Float64Array {
    const { mean, scale, rows } = this.features;
    if (features.length !== rows.shape[1]) {
      throw new Error(`memorisation: expected ${rows.shape[1]} features, got ${features.length}`);
    }
    const vector = unit(tensor(features).reshape([1, -1]).sub(mean).div(scale));
    return vector.matmul(rows.transpose(0, 1)).toFloat64();
  }

  private best(similarities: Float64Array, counts: readonly boolean[]): Neighbour {
    let at = -1;
    similarities.forEach((value, i) => {
      if (counts[i] && (at < 0 || value > similarities[at])) at = i;
    });
    const distance = Number(Math.max(0, 1 - similarities[at]).toFixed(6));
    return { nearest: this.clips[at].id, distance };
  }
}

interface ViewGroup {
  /** Numbers of its clips. */
  readonly members: readonly number[];
  /** 1 1 p: 1 where pixels are compared, else 0 */
  readonly inside: Tensor;
  /** 1, f p */
  readonly mean: Tensor;
  /** Members, f p; of length 1 */
  readonly rows: Tensor;
}

/** f p, p = 32 x 32, in [0, 1]; moved before by so many pixels (y, x). */
function small({ frames, data }: Frames<Uint8Array>, by: readonly [number, number] = [0, 0]): Tensor {
  const ratio = PICTURE_SIDE / MEASURED_SIDE;
  return tensor(data).to('float32').div(255).reshape([frames, PICTURE_SIDE, PICTURE_SIDE]).roll(by, [1, 2])
    .reshape([frames, MEASURED_SIDE, ratio, MEASURED_SIDE, ratio]).mean([2, 4])
    .reshape([frames, MEASURED_SIDE ** 2]);
}

/** Clips n f p -> 1 1 p; everywhere when no pixel is inside most of them. */
function insideMost(clips: Tensor): Tensor {
  const share = clips.amax([1]).gt(DARK).to('float32').mean([0], true).unsqueeze(1);
  const inside = share.ge(INSIDE);
  return inside.any() ? inside.to('float32') : share.mul(0).add(1);
}

/** Clips n f p -> n, f p: mean 0 and deviation 1 over the pixels inside, 0 at the others. */
function normalised(clips: Tensor, inside: Tensor): Tensor {
  const frames = clips.shape[1];
  const count = inside.sum([1, 2], true).mul(frames);
  const centred = clips.sub(clips.mul(inside).sum([1, 2], true).div(count)).mul(inside);
  const deviation = centred.mul(centred).sum([1, 2], true).div(count).add(LEAST).sqrt();
  return centred.div(deviation).reshape([clips.shape[0], -1]);
}

/** Of one row alone it is nothing: less itself, no clip would be like it. */
function meanOfRows(rows: Tensor): Tensor {
  const mean = rows.mean([0], true);
  return rows.shape[0] > 1 ? mean : mean.mul(0);
}

/** Rows of length 1; a row of zeros stays one. */
function unit(rows: Tensor): Tensor {
  return rows.div(rows.mul(rows).sum([-1], true).add(LEAST).sqrt());
}

/** The frames of a training clip as an index keeps them. */
export function picturesAt(all: Uint8Array, frames: number, clip: number): Frames<Uint8Array> {
  const size = frames * PICTURE_SIDE * PICTURE_SIDE;
  const shape = { channels: 1, frames, height: PICTURE_SIDE, width: PICTURE_SIDE };
  return byteFrames(shape, all.slice(clip * size, (clip + 1) * size));
}

