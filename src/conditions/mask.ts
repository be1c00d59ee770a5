/** The mask condition: one-hot planes of the data set's labels. */
import { checkLabels, floatFrames, labelFrames, plane } from '../frames/frames.ts';
import type { Frames, Labels } from '../frames/frames.ts';

/** CAMUS and the phantom: background, LV cavity, myocardium, left atrium. */
export const CAMUS_CLASSES = 4;

/**
 * One plane a label: (1 f h w) labels 0..classes-1 -> (classes f h w) of 0 and 1.
 * Throws on labels the data set does not have.
 */
export function oneHot(labels: Labels, classes = CAMUS_CLASSES, where = 'mask'): Frames {
  checkLabels(labels, Array.from({ length: classes }, (_, label) => label), where);
  const { frames, height, width } = labels;
  const planes = floatFrames({ channels: classes, frames, height, width });
  const size = labels.data.length;
  for (let i = 0; i < size; i++) planes.data[labels.data[i] * size + i] = 1;
  return planes;
}

/** The label with the largest plane at each pixel: (c f h w) -> (1 f h w); the first of equals. */
export function labelsOf(planes: Frames): Labels {
  const { channels, frames, height, width } = planes;
  const labels = labelFrames(frames, height, width);
  const size = labels.data.length;
  for (let i = 0; i < size; i++) {
    let best = 0;
    for (let c = 1; c < channels; c++) {
      if (planes.data[c * size + i] > planes.data[best * size + i]) best = c;
    }
    labels.data[i] = best;
  }
  return labels;
}

/** Pixels of each label in each frame: [frame][label]. */
export function labelAreas(labels: Labels, classes = CAMUS_CLASSES): number[][] {
  return Array.from({ length: labels.frames }, (_, t) => {
    const areas = new Array<number>(classes).fill(0);
    for (const label of plane(labels, 0, t)) areas[label]++;
    return areas;
  });
}
