/** One recording of a phantom patient: a whole cycle of one view with all that is true of it. */
import { byteFrames, labelFrames } from '../../frames/frames.ts';
import type { Frames, Labels, Point, Polyline } from '../../frames/frames.ts';
import { randomStream } from '../../frames/random.ts';
import { createHeart, pose, type Pose } from './motion.ts';
import type { PhantomParameters, View } from './patient.ts';
import { beamPlanes, createProbe, formImage, scanConvert, type Probe } from './probe.ts';
import { createScatterers, splatAll } from './scatterers.ts';
import { addLeafletFlow, createNodes, fillTruth } from './truth.ts';
import { leafletPoints, mitralLeaflets, tricuspidLeaflets, type LeafletCurve } from './valve.ts';

/** Stored flow is in steps of 1/flowScale pixel. */
export const flowScale = 32;

export interface PhantomSequence {
  readonly view: View;
  readonly video: Frames<Uint8Array>;          // 1 f h w, 0..255, black outside of the sector
  readonly masks: Labels;                      // f h w
  /**
   * [dx, dy][frame][height][width] in 1/flowScale pixels a frame, forward: the material at pixel p
   * of frame t is at p + flow(p, t) in frame t + 1; the last frame leads to frame 0
   * of the next beat. Zero outside of the sector. To bring frame t + 1 back to frame t, read it at p + flow(p, t).
   */
  readonly flow: Int16Array;
  readonly leaflets: readonly (readonly Polyline[])[];  // per frame, hinge first; pixel coordinates
  readonly endDiastole: number;                // 0-based frames
  readonly endSystole: number;
  readonly pixel: number;                      // mm
}

/** Renders one view. A pure function of its arguments. */
export function phantomSequence(patient: PhantomParameters, view: View): PhantomSequence {
  const { frames } = patient;
  const timing = { endSystole: patient.endSystole / frames, earlyFilling: patient.earlyFilling };
  const parameters = patient.views[view];
  const key = ['phantom', patient.seed, patient.index, view] as const;
  const heart = createHeart(parameters, timing);
  const poses = Array.from({ length: frames + 1 }, (_, t) => pose(heart, t / frames));
  const probe = createProbe(parameters.placement, parameters.imaging, key);
  const { width, height } = probe;
  const size = width * height;
  const video = byteFrames({ channels: 1, frames, height, width });
  const masks = labelFrames(frames, height, width);
  const flow = new Int16Array(2 * frames * size);
  const inside = new Uint8Array(size);
  for (const index of probe.pixels) inside[index] = 1;
  const mitral = poses.map((at) => mitralLeaflets(heart, at));
  const valves = poses.map((at, t) => [...mitral[t], ...tricuspidLeaflets(heart, at)]);

  const nodes = createNodes(probe);
  for (let t = 0; t < frames; t++) {
    const dx = flow.subarray(t * size, (t + 1) * size);
    const dy = flow.subarray((frames + t) * size, (frames + t + 1) * size);
    fillTruth(heart, probe, nodes, poses[t], poses[t + 1],
      masks.data.subarray(t * size, (t + 1) * size), dx, dy, flowScale);
    addLeafletFlow(probe, valves[t], valves[t + 1], dx, dy, flowScale, inside);
  }
  const scatterers = createScatterers(heart, poses[0], probe, key);
  renderVideo(poses, probe, video.data, randomStream(...key, 'frames').integer,
    parameters.imaging.persistence,
    (planes, t) => splatAll(heart, scatterers, probe, planes, poses[t], poses, t, valves[t]));
  return {
    view, video, masks, flow, endDiastole: 0, endSystole: patient.endSystole, pixel: probe.pixel,
    leaflets: mitral.slice(0, frames).map((pair) => pair.map((curve) => toPixels(probe, curve))),
  };
}

function renderVideo(poses: readonly Pose[], probe: Probe, video: Uint8Array,
  integer: (n: number) => number, persistence: number,
  splatFrame: (planes: ReturnType<typeof beamPlanes>, t: number) => void): void {
  const frames = poses.length - 1;
  const size = probe.width * probe.height;
  const planes = beamPlanes(probe);
  const cells = probe.beams * probe.ranges;
  const render = (t: number, grey: Float32Array): Float32Array => {
    splatFrame(planes, t);
    formImage(probe, planes, integer(8192), grey);
    return grey;
  };
  // The frame before the first is the last: the recording is one beat of many alike.
  const last = render(frames - 1, new Float32Array(cells));
  const mixed = new Float32Array(cells);
  let before = last;
  let spare = new Float32Array(cells);
  let other = new Float32Array(cells);
  for (let t = 0; t < frames; t++) {
    const now = t === frames - 1 ? last : render(t, spare);
    for (let o = 0; o < cells; o++) mixed[o] = now[o] + persistence * (before[o] - now[o]);
    scanConvert(probe, mixed, video.subarray(t * size, (t + 1) * size));
    before = now;
    [spare, other] = [other, spare];
  }
}

function toPixels(probe: Probe, curve: LeafletCurve): Point[] {
  return Array.from({ length: leafletPoints }, (_, k) => ({
    x: Math.round((curve[2 * k] / probe.pixel + probe.width / 2 - 0.5) * 1000) / 1000,
    y: Math.round((curve[2 * k + 1] / probe.pixel - 0.5) * 1000) / 1000,
  }));
}
