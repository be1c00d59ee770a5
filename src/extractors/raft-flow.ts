import { flowOfPairs, type FlowEstimator } from '../conditions/flow.ts';
import type { Frames } from '../frames/frames.ts';
import { RAFT_LEAST_SIDE, type RaftSmall } from '../models/raft.ts';
import { keep, noGrad, scope } from '../tensor/memory.ts';
import { tensor, upsampleBilinear2d } from '../tensor/ops.ts';
import type { Tensor } from '../tensor/tensor.ts';

export interface RaftOptions {
  /** Longer side in pixels at which pictures are matched, rounded to a multiple of 8. */
  readonly side: number;
  /** Steps of refinement. */
  readonly updates: number;
}

/**
 * RAFT-small as a flow estimator: frames are enlarged to `side`, where the eighth at which it matches
 * is still fine enough for the tissue of an echo, and its flow is brought back.
 *
 * @throws when its answer is not finite, which its weights must be to blame for
 */
export function raftFlow(
  network: Pick<RaftSmall, 'features' | 'context' | 'match'>, { side, updates }: RaftOptions,
): FlowEstimator {
  return (video, sector = null, last = 'hold') => {
    const size = matchingSize(video, side);
    const features = new Map<number, Tensor>();
    const picture = (t: number) => enlarged(video, t, size);
    const featuresOf = (t: number) => {
      const found = features.get(t) ?? keep(scope(() => noGrad(() => network.features(picture(t)))));
      features.set(t, found);
      return found;
    };
    try {
      return flowOfPairs(video, sector, last, (from, to) => scope(() => noGrad(() => {
        const [before, after] = [featuresOf(from), featuresOf(to)];
        const flow = network.match(before, after, network.context(picture(from)), updates);
        const { height, width } = video;
        const back = upsampleBilinear2d(flow, [height, width], false);
        const scale = tensor([width / size.width, height / size.height], [1, 2, 1, 1]);
        const pixels = back.mul(scale).permute([0, 2, 3, 1]).toFloat32();
        if (pixels.every(Number.isFinite)) return pixels;
        throw new Error(`raft: expected a finite flow, got NaN or infinity at frame ${from}`);
      })));
    } finally {
      for (const found of features.values()) found.dispose();
    }
  };
}

/** Multiples of 8 in the video's aspect, the longer about `side`, none below the network's least. */
function matchingSize(
  { height, width }: Frames, side: number,
): { readonly height: number; readonly width: number } {
  const factor = Math.max(side / Math.max(height, width), RAFT_LEAST_SIDE / Math.min(height, width));
  const rounded = (size: number) => Math.max(RAFT_LEAST_SIDE, 8 * Math.round((size * factor) / 8));
  return { height: rounded(height), width: rounded(width) };
}

/** Frame t in [-1, 1], (1, 3, h, w). */
function enlarged(
  { height, width, data }: Frames, t: number, size: { height: number; width: number },
): Tensor {
  const area = height * width;
  const frame = tensor(data.subarray(t * area, (t + 1) * area), [1, 1, height, width]);
  const large = upsampleBilinear2d(frame, [size.height, size.width], false).mul(2).sub(1);
  return large.expand([1, 3, size.height, size.width]).contiguous();
}
