/** What could become of a training clip on its way through a model, to measure what is caught. */
import { smoothPlane } from '../../conditions/smoothing.ts';
import { floatFrames, plane } from '../../frames/frames.ts';
import type { Frames } from '../../frames/frames.ts';
import { randomStream } from '../../frames/random.ts';

export interface Disturbance {
  readonly name: string;
  /** In words, with its size. */
  readonly what: string;
  /** Whether the gate is meant to catch it. */
  readonly meant: boolean;
  /** Null where it does not apply. */
  readonly of: (clip: DisturbedClip) => Frames | null;
}

export interface DisturbedClip {
  readonly id: string;
  readonly whole: boolean;
  /** 1 f h w in [0, 1]. */
  readonly video: Frames;
  /** A clip of another patient, of the same view where there is one. */
  readonly other: Frames;
}

const shared = {
  noise: (id: string, video: Frames) => {
    const stream = randomStream('memorisation noise', id);
    return map(video, (value) => value + 0.1 * stream.normal());
  },
  gain: (video: Frames) => map(video, (value) => Math.min(1, 1.4 * value) ** 0.8),
  blur: (video: Frames) => planes(video, (values) =>
    smoothPlane(values, video.height, video.width, 0.015 * video.width)),
};

export const disturbances: readonly Disturbance[] = [
  { name: 'copy', what: 'as it is', meant: true, of: ({ video }) => video },
  {
    name: 'noise', what: 'with noise of deviation 0.1 of the grey range', meant: true,
    of: ({ id, video }) => shared.noise(id, video),
  },
  { name: 'gain', what: 'with gain 1.4 and gamma 0.8', meant: true, of: ({ video }) => shared.gain(video) },
  {
    name: 'shift', what: 'moved right and down by 2 % of the side', meant: true,
    of: ({ video }) => moved(video, Math.max(1, Math.round(0.02 * video.width))),
  },
  {
    name: 'blur', what: 'blurred, sigma 1.5 % of the side', meant: true, of: ({ video }) => shared.blur(video),
  },
  {
    name: 'time', what: 'begun a third of a cycle later', meant: true,
    of: ({ video, whole }) => (whole ? later(video, Math.round(video.frames / 3)) : null),
  },
  {
    name: 'noise-gain-blur', what: 'with that noise, gain and blur', meant: true,
    of: ({ id, video }) => shared.blur(shared.gain(shared.noise(id, video))),
  },
  {
    name: 'blend', what: 'half and half with one of another patient', meant: true,
    of: ({ video, other }) => ({ ...video, data: video.data.map((value, i) => (value + other.data[i]) / 2) }),
  },
  { name: 'mirrored', what: 'left and right exchanged', meant: false, of: ({ video }) => mirrored(video) },
];

function map(video: Frames, of: (value: number) => number): Frames {
  return { ...video, data: video.data.map((value) => Math.min(1, Math.max(0, of(value)))) };
}

function planes(video: Frames, of: (values: Float32Array) => Float32Array): Frames {
  const result = floatFrames(video);
  for (let t = 0; t < video.frames; t++) plane(result, 0, t).set(of(plane(video, 0, t)));
  return map(result, (value) => value);
}

/** What comes in from outside is black. */
function moved(video: Frames, by: number): Frames {
  const { width, height } = video;
  return planes(video, (values) => {
    const out = new Float32Array(values.length);
    for (let y = by; y < height; y++) {
      out.set(values.subarray((y - by) * width, (y - by) * width + width - by), y * width + by);
    }
    return out;
  });
}

function mirrored(video: Frames): Frames {
  const { width, height } = video;
  return planes(video, (values) => {
    const out = new Float32Array(values.length);
    for (let y = 0; y < height; y++) {
      out.set(values.slice(y * width, (y + 1) * width).reverse(), y * width);
    }
    return out;
  });
}

function later(video: Frames, by: number): Frames {
  const result = floatFrames(video);
  for (let t = 0; t < video.frames; t++) {
    plane(result, 0, t).set(plane(video, 0, (t + by) % video.frames));
  }
  return result;
}
