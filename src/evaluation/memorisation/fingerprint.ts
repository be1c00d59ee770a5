/** What the gate keeps of a clip: small pictures, and a vector of features. */
import { byteFrames, checkFrames, floatFrames } from '../../frames/frames.ts';
import type { Frames } from '../../frames/frames.ts';
import { resizeFrames } from '../../frames/resize.ts';
import type { FeatureRows } from '../../metrics/features.ts';
import type { FeatureExtractor } from '../feature-extractors.ts';

/** Side of the small pictures: large enough to look at. */
export const PICTURE_SIDE = 64;

export interface Fingerprint {
  /** 1 f 64 64. */
  readonly pictures: Frames<Uint8Array>;
  readonly features: Float32Array;
}

/** The networks' features of a clip, and what an index says of them. */
export type GateExtractor = Pick<FeatureExtractor, 'extract'> & {
  readonly about: Pick<FeatureExtractor['about'], 'name' | 'of' | 'sha256' | 'dimension' | 'input'>;
};

/**
 * The clip rounded to 8 bits, as it is delivered, then averaged down; of each extractor the vector of
 * the clip, or the mean and the standard deviation over its frames.
 *
 * @param video 1 f h w in [0, 1]; bf16 may leave that by a hair
 */
export function fingerprint(video: Frames, extractors: readonly GateExtractor[]): Fingerprint {
  checkFrames(video, 'clip to compare', { channels: 1 });
  const data = video.data.map((value) => Math.round(255 * Math.min(1, Math.max(0, value))) / 255);
  const rounded = floatFrames(video, data);
  const small = resizeFrames(rounded, PICTURE_SIDE, PICTURE_SIDE);
  const bytes = Uint8Array.from(small.data, (value) => Math.round(255 * Math.min(1, Math.max(0, value))));
  const vectors = extractors.map(({ about, extract }) => {
    const rows = extract(rounded);
    return about.of === 'clips' ? meanOf(rows) : [...meanOf(rows), ...deviationOf(rows)];
  });
  return { pictures: byteFrames(small, bytes), features: Float32Array.from(vectors.flat()) };
}

/** Length of `Fingerprint.features`. */
export function featureCount(extractors: readonly GateExtractor[]): number {
  return extractors.reduce((sum, { about }) => sum + about.dimension * (about.of === 'clips' ? 1 : 2), 0);
}

function meanOf({ rows, dimension, data }: FeatureRows): number[] {
  return Array.from({ length: dimension }, (_, d) => {
    let sum = 0;
    for (let row = 0; row < rows; row++) sum += data[row * dimension + d];
    return sum / rows;
  });
}

function deviationOf(features: FeatureRows): number[] {
  const { rows, dimension, data } = features;
  return meanOf(features).map((mean, d) => {
    let sum = 0;
    for (let row = 0; row < rows; row++) sum += (data[row * dimension + d] - mean) ** 2;
    return Math.sqrt(sum / rows);
  });
}
