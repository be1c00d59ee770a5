/** Small patients in the CAMUS layout, made for tests. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeNifti } from '../../src/data/nifti.ts';
import type { NiftiContent } from '../../src/data/nifti.ts';

export const WIDTH = 12;
export const HEIGHT = 10;

/** Every pixel of frame t is 10 t + 10 inside a one pixel black border; masks hold t % 4. */
export function frameBytes(frames: readonly number[]): Uint8Array {
  const data = new Uint8Array(frames.length * WIDTH * HEIGHT);
  frames.forEach((frame, t) => {
    for (let y = 1; y < HEIGHT - 1; y++) {
      for (let x = 1; x < WIDTH - 1; x++) data[(t * HEIGHT + y) * WIDTH + x] = 10 * frame + 10;
    }
  });
  return data;
}

export function maskBytes(frames: readonly number[]): Uint8Array {
  return frameBytes(frames).map((grey) => (grey === 0 ? 0 : (grey / 10 - 1) % 4));
}

export function writePart(folder: string, name: string, change: Partial<NiftiContent>): void {
  mkdirSync(folder, { recursive: true });
  const content = { shape: [WIDTH, HEIGHT], spacing: [0.3, 0.3], data: frameBytes([0]), ...change };
  writeNifti(join(folder, `${name}.nii.gz`), content);
}

/** ED and ES stills, grey 10 and 60, with masks. */
export function writeStills(folder: string, patient: string, view: string): void {
  for (const [part, frame] of [
    ['ED', 0],
    ['ES', 5],
  ] as const) {
    writePart(folder, `${patient}_${view}_${part}`, { data: frameBytes([frame]) });
    writePart(folder, `${patient}_${view}_${part}_gt`, { data: maskBytes([frame]) });
  }
}

/** A sequence of `count` frames with masks, and its Info file. */
export function writeSequence(
  folder: string,
  patient: string,
  view: string,
  count: number,
  { kind = 'half_sequence', info = '' } = {},
): void {
  const frames = Array.from({ length: count }, (_, t) => t);
  const shape = [WIDTH, HEIGHT, count];
  writePart(folder, `${patient}_${view}_${kind}`, { shape, data: frameBytes(frames) });
  writePart(folder, `${patient}_${view}_${kind}_gt`, { shape, data: maskBytes(frames) });
  if (info) writeFileSync(join(folder, `Info_${view}.cfg`), info);
}
