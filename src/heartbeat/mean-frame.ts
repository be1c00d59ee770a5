import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Frames } from '../frames/frames.ts';
import { readPng, writePng } from '../frames/png.ts';

export const meanFrameFile = 'mean_frame.png';

/** Writes `HeartBeat.meanFrame`, 8 bits, into a model's folder; nothing where there is none. */
export function writeMeanFrame(path: string, frame: Frames | null): void {
  if (frame !== null) writePng(join(path, meanFrameFile), frame);
}

/** The mean training frame of a model folder; null where it has none. Throws where it does not fit the model. */
export function readMeanFrame(path: string, resolution: number): Frames | null {
  const file = join(path, meanFrameFile);
  if (!existsSync(file)) return null;
  const frame = readPng(file);
  const { channels, height, width } = frame;
  if (channels !== 1 || height !== resolution || width !== resolution) {
    throw new Error(`model: expected ${resolution}x${resolution} grey pixels in ${file}, ` +
      `got ${width}x${height} of ${channels} channels`);
  }
  return frame;
}
