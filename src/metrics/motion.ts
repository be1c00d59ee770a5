import { plane, shapeText } from '../frames/frames.ts';
import type { Frames, Labels } from '../frames/frames.ts';

export interface FlowAgreement {
  /** Mean end-point error |found - asked| in pixels per frame (Otte and Nagel 1994). */
  readonly error: number;
  /** The same for a flow that is zero: the mean length of what was asked for. */
  readonly still: number;
  /**
   * sum(found . asked) / sum(asked . asked): 1 when the motion has the asked size and direction, 0
   * for none or an unrelated one.
   */
  readonly following: number;
  /** Pixels compared, over all frames. */
  readonly pixels: number;
}

/**
 * How far a found flow is from the asked one, over the frame pairs 0..f-2 (what follows the last
 * frame is another matter) and the pixels of each frame where `within` holds.
 *
 * @param found 2 f h w over the side, forward, as the flow condition
 * @param asked likewise
 * @param labels 1 f h w
 * @returns null where no pixel is within; `following` is 0 where nothing was asked to move
 * @throws when the shapes differ or a flow compared is not finite
 */
export function compareFlow(
  found: Frames, asked: Frames, labels: Labels, within: (label: number) => boolean,
): FlowAgreement | null {
  const fits = [found, asked].every((flow) => flow.channels === 2 && flow.frames === labels.frames
    && flow.height === labels.height && flow.width === labels.width);
  if (!fits || labels.channels !== 1) {
    throw new Error(
      `flow: expected two flows (2 f h w) and labels of one shape, got ${shapeText(found)}, ` +
        `${shapeText(asked)} and ${shapeText(labels)}`,
    );
  }
  const side = Math.max(labels.height, labels.width);
  let [error, still, product, square, pixels] = [0, 0, 0, 0, 0];
  for (let t = 0; t + 1 < labels.frames; t++) {
    const map = plane(labels, 0, t);
    const [fx, fy] = [plane(found, 0, t), plane(found, 1, t)];
    const [ax, ay] = [plane(asked, 0, t), plane(asked, 1, t)];
    for (let i = 0; i < map.length; i++) {
      if (!within(map[i])) continue;
      error += Math.hypot(fx[i] - ax[i], fy[i] - ay[i]);
      still += Math.hypot(ax[i], ay[i]);
      product += fx[i] * ax[i] + fy[i] * ay[i];
      square += ax[i] * ax[i] + ay[i] * ay[i];
      pixels++;
    }
  }
  if (pixels === 0) return null;
  if (!Number.isFinite(error) || !Number.isFinite(still)) {
    throw new Error('flow: expected finite flows, got NaN or infinity');
  }
  return {
    error: (side * error) / pixels, still: (side * still) / pixels,
    following: square > 0 ? product / square : 0, pixels,
  };
}

/**
 * Mean squared difference of consecutive frames inside the sector: speckle that flickers raises it,
 * a picture that stands still lowers it.
 *
 * @param video 1 f h w, at least 2 frames
 * @param inside h w, not 0 inside the sector
 */
export function frameDifference(video: Frames, inside: Uint8Array): number {
  const { channels, frames, height, width } = video;
  if (channels !== 1 || frames < 2 || inside.length !== height * width) {
    throw new Error(
      `frame difference: expected a grey video of at least 2 frames and a sector of its size, ` +
        `got ${shapeText(video)} and ${inside.length} values`,
    );
  }
  let [sum, count] = [0, 0];
  for (let t = 0; t + 1 < frames; t++) {
    const [now, next] = [plane(video, 0, t), plane(video, 0, t + 1)];
    for (let i = 0; i < now.length; i++) {
      if (inside[i] === 0) continue;
      sum += (next[i] - now[i]) ** 2;
      count++;
    }
  }
  if (count === 0) throw new Error('frame difference: expected a sector, got none');
  if (!Number.isFinite(sum)) throw new Error('frame difference: expected finite pixels, got NaN');
  return sum / count;
}
