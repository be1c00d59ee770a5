/** Conditions as pictures to look at: RGB rows under the frames of a contact sheet. */
import { byteFrames } from '../frames/frames.ts';
import type { Frames } from '../frames/frames.ts';
import { LABEL_COLOURS } from '../frames/paint.ts';

/** RGB bytes, 3 f h w. */
export type Painting = Frames<Uint8Array>;

/** One-hot (or soft) planes c f h w as a mixture of the labels' colours. */
export function paintLabels(planes: Frames): Painting {
  const painting = blank(planes);
  const size = pixels(planes);
  for (let c = 0; c < planes.channels; c++) {
    const colour = LABEL_COLOURS[c % LABEL_COLOURS.length];
    for (let i = 0; i < size; i++) {
      const value = planes.data[c * size + i];
      for (let k = 0; k < 3; k++) {
        const at = k * size + i;
        painting.data[at] = Math.min(255, painting.data[at] + Math.round(value * colour[k]));
      }
    }
  }
  return painting;
}

/** A plane in [0,1] as grey. */
export function paintGrey(planes: Frames): Painting {
  const painting = blank(planes);
  const size = pixels(planes);
  for (let i = 0; i < size; i++) {
    const grey = Math.round(255 * Math.min(Math.max(planes.data[i], 0), 1));
    for (let k = 0; k < 3; k++) painting.data[k * size + i] = grey;
  }
  return painting;
}

/** A plane in [0,1] as black lines on white, the way sketches are drawn on paper. */
export function paintInk(planes: Frames): Painting {
  const painting = paintGrey(planes);
  for (let i = 0; i < painting.data.length; i++) painting.data[i] = 255 - painting.data[i];
  return painting;
}

/**
 * Flow (dx, dy) 2 f h w on Middlebury's colour wheel (Baker et al., "A database and evaluation
 * methodology for optical flow", 2011): hue is the direction, white stands still, full colour is
 * `largest` (in the flow's own unit; by default the clip's largest displacement).
 */
export function paintFlow(flow: Frames, largest?: number): Painting {
  const painting = blank(flow);
  const size = pixels(flow);
  let most = 0;
  for (let i = 0; i < size; i++) {
    most = Math.max(most, Math.hypot(flow.data[i], flow.data[size + i]));
  }
  const scale = 1 / Math.max(largest ?? most, 1e-12);
  for (let i = 0; i < size; i++) {
    const colour = flowColour(flow.data[i] * scale, flow.data[size + i] * scale);
    for (let k = 0; k < 3; k++) painting.data[k * size + i] = colour[k];
  }
  return painting;
}

/** Red to yellow, green, cyan, blue, magenta and back, in Middlebury's uneven steps. */
const WHEEL = makeWheel([
  { steps: 15, from: [255, 0, 0], to: [255, 255, 0] },
  { steps: 6, from: [255, 255, 0], to: [0, 255, 0] },
  { steps: 4, from: [0, 255, 0], to: [0, 255, 255] },
  { steps: 11, from: [0, 255, 255], to: [0, 0, 255] },
  { steps: 13, from: [0, 0, 255], to: [255, 0, 255] },
  { steps: 6, from: [255, 0, 255], to: [255, 0, 0] },
]);

interface Arc {
  readonly steps: number;
  readonly from: readonly number[];
  readonly to: readonly number[];
}

function makeWheel(arcs: readonly Arc[]): number[][] {
  return arcs.flatMap(({ steps, from, to }) => {
    return Array.from({ length: steps }, (_, i) => {
      return from.map((start, k) => {
        // Rising parts are cut down, falling ones are the cut mirror, as in the original program.
        const share = Math.floor((255 * i) / steps);
        return start === to[k] ? start : start < to[k] ? share : 255 - share;
      });
    });
  });
}

/** RGB of a displacement with length 1 at full colour; longer ones are darkened. */
export function flowColour(u: number, v: number): [number, number, number] {
  const radius = Math.hypot(u, v);
  const angle = Math.atan2(-v, -u) / Math.PI;
  const place = ((angle + 1) / 2) * (WHEEL.length - 1);
  const first = Math.floor(place);
  const next = (first + 1) % WHEEL.length;
  const share = place - first;
  return [0, 1, 2].map((k) => {
    const hue = ((1 - share) * WHEEL[first][k] + share * WHEEL[next][k]) / 255;
    const value = radius <= 1 ? 1 - radius * (1 - hue) : hue * 0.75;
    return Math.floor(255 * value);
  }) as [number, number, number];
}

function blank({ frames, height, width }: Frames): Painting {
  return byteFrames({ channels: 3, frames, height, width });
}

function pixels({ frames, height, width }: Frames): number {
  return frames * height * width;
}
