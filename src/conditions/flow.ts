/**
 * The optical-flow condition: where the tissue goes. 2 planes (dx, dy): the material at a pixel of
 * frame t is displaced forward by that much in frame t + 1, divided by the picture's side (the
 * longer one). Zero outside the sector. From a video it is Farneback's dense flow ("Two-frame
 * motion estimation based on polynomial expansion", 2003), as OpenCV computes it.
 */
import { checkFrames, floatFrames, plane, shapeText } from '../frames/frames.ts';
import type { Frames, Labels } from '../frames/frames.ts';
import { findSector } from './sector.ts';

/** OpenCV's parameters; `window` is a share of the longer side, made an odd number of pixels. */
export const FARNEBACK = {
  pyramidScale: 0.5,
  levels: 3,
  window: 0.2,
  iterations: 3,
  neighbours: 5,
  sigma: 1.1,
  gaussianWindow: true,
} as const;

/** What the last frame says, which has no next one: the motion before it, or that to frame 0. */
export type LastFlow = 'hold' | 'loop';

/** Flow of a grey video: 1 f h w in [0,1] -> 2 f h w. One frame stands still. */
export type FlowEstimator = (video: Frames, sector?: Labels | null, last?: LastFlow) => Frames;

let estimator: Promise<{ estimate: FlowEstimator }> | null = null;

/** Loads OpenCV (8 MB, a quarter of a second) on the first call only. */
export async function loadFlowEstimator(): Promise<FlowEstimator> {
  estimator ??= loadOpenCv().then(({ cv }) => ({
    estimate: (video, sector = null, last = 'hold') => estimateFlow(cv, video, sector, last),
  }));
  return (await estimator).estimate;
}

/** Pairs of frames whose flow is wanted; under `hold` the last frame's is made by `holdLast`. */
export function framePairs(frames: number, last: LastFlow): [number, number][] {
  const pairs: [number, number][] = [];
  for (let t = 0; t + 1 < frames; t++) pairs.push([t, t + 1]);
  if (last === 'loop' && frames > 1) pairs.push([frames - 1, 0]);
  return pairs;
}

/** Copies the flow of the last but one frame to the last one, in place. */
export function holdLast(flow: Frames, last: LastFlow): void {
  if (last === 'loop' || flow.frames < 2) return;
  for (let c = 0; c < 2; c++) {
    plane(flow, c, flow.frames - 1).set(plane(flow, c, flow.frames - 2));
  }
}

/**
 * Flow of a video from the motion of its pairs of frames: checked, divided by the longer side, zero
 * outside the sector (found where none is given), the last frame by `last`.
 *
 * @param displacement pixels (dx, dy) of each pixel of frame `from` to frame `to`, one pair after
 * the other, row by row
 */
export function flowOfPairs(
  video: Frames,
  sector: Labels | null,
  last: LastFlow,
  displacement: (from: number, to: number) => Float32Array,
): Frames {
  checkFrames(video, 'flow', { channels: 1, minimum: -1e-3, maximum: 1 + 1e-3 });
  const { frames, height, width } = video;
  const inside = sector ? sectorPlane(sector, video) : wholeSector(video);
  const flow = floatFrames({ channels: 2, frames, height, width });
  const side = Math.max(height, width);
  for (const [from, to] of framePairs(frames, last)) {
    const found = displacement(from, to);
    const [dx, dy] = [plane(flow, 0, from), plane(flow, 1, from)];
    for (let i = 0; i < inside.length; i++) {
      if (!inside[i]) continue;
      dx[i] = found[2 * i] / side;
      dy[i] = found[2 * i + 1] / side;
    }
  }
  holdLast(flow, last);
  return flow;
}

function estimateFlow(
  cv: OpenCv,
  video: Frames,
  sector: Labels | null,
  last: LastFlow,
): Frames {
  const side = Math.max(video.height, video.width);
  const window = Math.max(5, 2 * Math.round((FARNEBACK.window * side - 1) / 2) + 1);
  const grey = new Map<number, Matrix>();
  const frame = (t: number) => {
    const matrix = grey.get(t) ?? greyMatrix(cv, video, t);
    grey.set(t, matrix);
    return matrix;
  };
  const found = new cv.Mat();
  try {
    return flowOfPairs(video, sector, last, (from, to) => {
      cv.calcOpticalFlowFarneback(
        frame(from), frame(to), found,
        FARNEBACK.pyramidScale, FARNEBACK.levels, window, FARNEBACK.iterations,
        FARNEBACK.neighbours, FARNEBACK.sigma,
        FARNEBACK.gaussianWindow ? cv.OPTFLOW_FARNEBACK_GAUSSIAN : 0,
      );
      return found.data32F;
    });
  } finally {
    for (const matrix of [...grey.values(), found]) matrix.delete();
  }
}

function sectorPlane(sector: Labels, video: Frames): Uint8Array {
  if (sector.height !== video.height || sector.width !== video.width) {
    throw new Error(
      `flow: expected a sector of ${video.width} x ${video.height}, got ${shapeText(sector)}`,
    );
  }
  return plane(sector, 0, 0);
}

/** The sector of the brightest each pixel gets in the clip. */
function wholeSector(video: Frames): Uint8Array {
  const brightest = plane(video, 0, 0).slice();
  for (let t = 1; t < video.frames; t++) {
    plane(video, 0, t).forEach((value, i) => {
      if (value > brightest[i]) brightest[i] = value;
    });
  }
  return findSector(brightest, video.height, video.width);
}

function greyMatrix(cv: OpenCv, video: Frames, frame: number): Matrix {
  const matrix = new cv.Mat(video.height, video.width, cv.CV_8UC1);
  plane(video, 0, frame).forEach((value, i) => {
    matrix.data[i] = Math.min(255, Math.max(0, Math.round(255 * value)));
  });
  return matrix;
}

interface Matrix {
  readonly data: Uint8Array;
  readonly data32F: Float32Array;
  delete(): void;
}

interface OpenCv {
  readonly Mat: new (rows?: number, columns?: number, type?: number) => Matrix;
  readonly CV_8UC1: number;
  readonly OPTFLOW_FARNEBACK_GAUSSIAN: number;
  calcOpticalFlowFarneback(
    before: Matrix, after: Matrix, flow: Matrix,
    pyramidScale: number, levels: number, window: number, iterations: number,
    neighbours: number, sigma: number, flags: number,
  ): void;
  onRuntimeInitialized?: () => void;
}

const PROCESS_EVENTS = ['uncaughtException', 'unhandledRejection'] as const;

/**
 * The module is a thenable that resolves to itself: awaiting it never ends, so it travels in a
 * record. Its build also installs process-wide handlers that turn any later error into its own
 * abort; those are taken off again.
 */
async function loadOpenCv(): Promise<{ cv: OpenCv }> {
  const before = PROCESS_EVENTS.map((event) => process.listeners(event as 'uncaughtException'));
  const library = (await import('@techstark/opencv-js')) as unknown as { default: OpenCv };
  const record = { cv: library.default };
  if (!record.cv.Mat) {
    await new Promise<void>((resolve) => {
      record.cv.onRuntimeInitialized = resolve;
    });
  }
  PROCESS_EVENTS.forEach((event, i) => {
    for (const listener of process.listeners(event as 'uncaughtException')) {
      if (!before[i].includes(listener)) process.off(event, listener);
    }
  });
  return record;
}
