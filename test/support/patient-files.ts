/** Files as a user has them, of a drawn heart: frames, masks, drawings, strokes and flow. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { interpolateCycle } from '../../src/conditions/mask-cycle.ts';
import { VECTOR_INTENT, writeNifti } from '../../src/data/nifti.ts';
import { byteFrames, floatFrames, frameAt, labelFrames, plane } from '../../src/frames/frames.ts';
import type { Frames, Labels } from '../../src/frames/frames.ts';
import { writePng } from '../../src/frames/png.ts';
import { drawHeart, ED, ES } from '../conditions/shapes.ts';

/** The heart of conditions/shapes.ts between margins: pictures of 96 x 72, wider than high. */
export const WIDTH = 96;
export const HEIGHT = 72;
export const SPACING = [0.5, 0.5] as const;

function heart(shape: typeof ED): Labels {
  const square = drawHeart({ ...shape, side: HEIGHT });
  const wide = labelFrames(1, HEIGHT, WIDTH);
  for (let y = 0; y < HEIGHT; y++) {
    const row = square.data.subarray(y * HEIGHT, (y + 1) * HEIGHT);
    wide.data.set(row, y * WIDTH + (WIDTH - HEIGHT) / 2);
  }
  return wide;
}

export const ed = heart(ED);
export const es = heart(ES);

/** A whole cycle of `frames` masks, ED first. */
export function cycle(frames: number): Labels {
  return interpolateCycle(ed, es, { frames });
}

/** Grey pictures in 0..1 that look a little like tissue, by label and place, moving with them. */
export function greyOf(masks: Labels): Frames {
  const grey = floatFrames({ channels: 1, ...sizeOf(masks) });
  const levels = [0.35, 0.1, 0.8, 0.15];
  masks.data.forEach((label, i) => {
    const x = i % masks.width;
    const y = Math.floor(i / masks.width) % masks.height;
    const inside = Math.abs(x - masks.width / 2) < 6 + 0.55 * y;
    grey.data[i] = inside ? levels[label] + 0.1 * Math.sin(0.9 * x) * Math.cos(0.7 * y) : 0;
  });
  return grey;
}

function sizeOf({ frames, height, width }: Labels) {
  return { frames, height, width };
}

export function writeLabels(path: string, masks: Labels): string {
  const { width, height, frames } = masks;
  const shape = frames === 1 ? [width, height] : [width, height, frames];
  writeNifti(path, { shape, data: masks.data, spacing: SPACING });
  return path;
}

/** As CAMUS stores frames: float32 of 0..255. */
export function writeGrey(path: string, grey: Frames): string {
  const { width, height, frames } = grey;
  const shape = frames === 1 ? [width, height] : [width, height, frames];
  writeNifti(path, { shape, data: grey.data.map((v) => Math.round(255 * v)), spacing: SPACING });
  return path;
}

/** The same displacement (pixels, or mm where the description says so) everywhere. */
export function writeFlow(
  path: string,
  frames: number,
  move: (t: number) => readonly [number, number],
  description = 'pixels',
): string {
  const flow = floatFrames({ channels: 2, frames, height: HEIGHT, width: WIDTH });
  for (let t = 0; t < frames; t++) {
    const [dx, dy] = move(t);
    plane(flow, 0, t).fill(dx);
    plane(flow, 1, t).fill(dy);
  }
  const shape = [WIDTH, HEIGHT, 1, frames, 2];
  writeNifti(path, {
    shape, data: flow.data, spacing: SPACING, intent: VECTOR_INTENT, description,
  });
  return path;
}

/** One folder with every kind of input for a model of `frames` frames; returns the paths. */
export function writePatient(folder: string, frames: number) {
  mkdirSync(folder, { recursive: true });
  const at = (name: string) => join(folder, name);
  const whole = cycle(frames);
  const drawing = byteFrames({ channels: 1, frames: 1, height: HEIGHT, width: WIDTH });
  drawing.data.fill(255);
  for (let x = 30; x < 66; x++) drawing.data.fill(0, 40 * WIDTH + x, 40 * WIDTH + x + 2);
  writePng(at('sketch.png'), drawing);
  const stroke = [{ x: 36, y: 44 }, { x: 48, y: 46 }, { x: 60, y: 44 }];
  const size = { width: WIDTH, height: HEIGHT };
  const json = (name: string, value: unknown) => {
    writeFileSync(at(name), JSON.stringify(value));
    return at(name);
  };
  return {
    edMask: writeLabels(at('ED_gt.nii.gz'), ed),
    esMask: writeLabels(at('ES_gt.nii.gz'), es),
    masks: writeLabels(at('cycle_gt.nii.gz'), whole),
    frame: writeGrey(at('ED.nii.gz'), greyOf(ed)),
    video: writeGrey(at('cycle.nii.gz'), greyOf(whole)),
    sketch: at('sketch.png'),
    skeleton: json('skeleton.json', { ...size, frames: stroke }),
    arrow: json('arrow.json', { ...size, stroke, from: { x: 48, y: 46 }, to: { x: 48, y: 36 } }),
    flow: writeFlow(at('flow.nii.gz'), frames, (t) => [1, t - 1]),
    png: (() => {
      writePng(at('ED.png'), frameAt(greyOf(ed), 0));
      return at('ED.png');
    })(),
  };
}
