import { randomStream } from '../frames/random.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';

export interface GreyVariation {
  /** Largest change of gain and of gamma, as a factor; 1 changes nothing. */
  readonly range: number;
  readonly seed: number;
  /** Place of the first sample in the endless training, so that a resumed one draws the same. */
  readonly first: number;
}

/**
 * Another gain and gamma for each sample, so that shape and motion are learned and not the gain: a generated video
 * may be a little brighter or darker than real ones.
 *
 * @param shown (n, ...) in [0, 1]
 */
export function varyGrey(shown: Tensor, { range, seed, first }: GreyVariation): Tensor {
  const most = Math.log(range);
  const [count, ...rest] = shown.shape;
  const factors = (name: string) => tensor(Float32Array.from({ length: count }, (_, i) =>
    Math.exp(most * (2 * randomStream(name, seed, first + i).uniform() - 1))), [count, ...rest.map(() => 1)]);
  return shown.clamp(1e-3, 1).log().mul(factors('gamma')).exp().mul(factors('gain')).clamp(0, 1);
}
