import { plane, shapeText } from '../frames/frames.ts';
import type { Frames, Labels } from '../frames/frames.ts';

/**
 * How jerky a course is: sum of squared second differences over that of the first differences. 0 for
 * a straight line, 4 sin^2(w / 2) for a sine of w radians a frame, 3 for white noise, 4 where every
 * frame undoes the one before; null where nothing moves, or with fewer than 3 frames.
 *
 * @param courses each of as many frames
 */
function jerkiness(courses: Iterable<ArrayLike<number>>): number | null {
  let [first, second] = [0, 0];
  for (const values of courses) {
    for (let t = 0; t + 2 < values.length; t++) {
      const [now, next] = [values[t + 1] - values[t], values[t + 2] - values[t + 1]];
      // as many first differences as second ones: the mean of the two that each is made of
      first += (now * now + next * next) / 2;
      second += (next - now) ** 2;
    }
  }
  return first === 0 ? null : second / first;
}

/**
 * Temporal roughness of the grey levels inside the sector, all pixels together; see `jerkiness` for
 * what its values mean. Speckle that every frame draws anew has 3.
 *
 * @param video 1 f h w
 * @param inside h w, not 0 inside
 */
export function temporalRoughness(video: Frames, inside: Uint8Array): number | null {
  const { channels, frames, height, width } = video;
  if (channels !== 1 || inside.length !== height * width) {
    throw new Error('roughness: expected a grey video and a sector of its size, ' +
      `got ${shapeText(video)} and ${inside.length} values`);
  }
  const planes = Array.from({ length: frames }, (_, t) => plane(video, 0, t));
  const bad = video.data.find((value) => !Number.isFinite(value));
  if (bad !== undefined) throw new Error(`roughness: expected finite pixels, got ${bad}`);
  return jerkiness(coursesOf(planes, inside));
}

function* coursesOf(planes: readonly Float32Array[], inside: Uint8Array): Generator<number[]> {
  for (let i = 0; i < inside.length; i++) {
    if (inside[i] !== 0) yield planes.map((grey) => grey[i]);
  }
}

/** The same of the area of one label over time: a cavity that grows and shrinks in jumps. */
export function areaRoughness(labels: Labels, label: number): number | null {
  const areas = Array.from({ length: labels.frames }, (_, t) =>
    plane(labels, 0, t).reduce((sum, value) => sum + (value === label ? 1 : 0), 0));
  return jerkiness([areas]);
}
