/** The image prior: one grey frame whose look the clip takes over. */
import { checkFrames, floatFrames } from '../frames/frames.ts';
import type { Frames } from '../frames/frames.ts';

/**
 * One frame as the image encoder takes it: 1 1 h w, stretched so that its darkest pixel is 0 and
 * its brightest 1 (MedSAM's own preprocessing, PAPER section 1). Three channels (RGB) are averaged.
 * A picture of one grey only says nothing and is refused.
 */
export function imagePrior(frame: Frames, where = 'image'): Frames {
  checkFrames(frame, where, { frames: 1 });
  if (frame.channels !== 1 && frame.channels !== 3) {
    throw new Error(`${where}: expected 1 (grey) or 3 (RGB) channels, got ${frame.channels}`);
  }
  const { height, width, channels, data } = frame;
  const size = height * width;
  const grey = floatFrames({ channels: 1, frames: 1, height, width });
  let [least, most] = [Infinity, -Infinity];
  for (let i = 0; i < size; i++) {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += data[c * size + i];
    grey.data[i] = sum / channels;
    least = Math.min(least, grey.data[i]);
    most = Math.max(most, grey.data[i]);
  }
  if (most - least < 1e-6) {
    throw new Error(`${where}: expected a picture with contrast, got the value ${most} everywhere`);
  }
  for (let i = 0; i < size; i++) grey.data[i] = (grey.data[i] - least) / (most - least);
  return grey;
}
