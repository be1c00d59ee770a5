/**
 * Masks that were resized by interpolating label numbers carry thin false layers: between 0 and 3
 * the numbers 1 and 2 appear, between 0 and 2 a 1 (the 224 x 224 copy of CAMUS is such a one).
 */
import { labelFrames, plane } from '../frames/frames.ts';
import type { Labels } from '../frames/frames.ts';

/**
 * Gives every pixel of labels 1 and 2 that lies in no 3 x 3 block of its own label to the label
 * that most of its already settled neighbours have. Regions stay, layers of one or two pixels go.
 */
export function cleanLabelBorders(labels: Labels): Labels {
  const { frames, height, width } = labels;
  const result = labelFrames(frames, height, width, labels.data.slice());
  for (let t = 0; t < frames; t++) settle(plane(result, 0, t), height, width);
  return result;
}

function settle(labels: Uint8Array, height: number, width: number): void {
  const settled = findBlocks(labels, height, width);
  let open: number[] = [];
  settled.forEach((done, index) => {
    if (!done) open.push(index);
  });
  while (open.length > 0) {
    // Decided on the state before this round, so that the result has no scan direction.
    const choices = open.map((index) => commonNeighbour(labels, settled, index, height, width));
    const rest: number[] = [];
    open.forEach((index, k) => {
      const choice = choices[k];
      if (choice === null) {
        rest.push(index);
      } else {
        labels[index] = choice;
        settled[index] = 1;
      }
    });
    if (rest.length === open.length) return;
    open = rest;
  }
}

/** 1 where a pixel keeps its label: labels 0 and 3, and 1 or 2 within a 3 x 3 block of its own. */
function findBlocks(labels: Uint8Array, height: number, width: number): Uint8Array {
  const settled = new Uint8Array(labels.length);
  for (let i = 0; i < labels.length; i++) settled[i] = labels[i] === 1 || labels[i] === 2 ? 0 : 1;
  for (let y = 1; y < height - 1; y++) {
    for (let x = 1; x < width - 1; x++) {
      const centre = y * width + x;
      if (labels[centre] !== 1 && labels[centre] !== 2) continue;
      const block = neighbours(centre, height, width);
      if (block.every((index) => labels[index] === labels[centre])) {
        settled[centre] = 1;
        for (const index of block) settled[index] = 1;
      }
    }
  }
  return settled;
}

function commonNeighbour(
  labels: Uint8Array,
  settled: Uint8Array,
  index: number,
  height: number,
  width: number,
): number | null {
  const votes = [0, 0, 0, 0];
  for (const other of neighbours(index, height, width)) {
    if (settled[other]) votes[labels[other]] += 1;
  }
  const most = Math.max(...votes);
  return most === 0 ? null : votes.indexOf(most);
}

function neighbours(index: number, height: number, width: number): number[] {
  const x = index % width;
  const y = (index - x) / width;
  const found: number[] = [];
  for (let dy = -1; dy <= 1; dy++) {
    for (let dx = -1; dx <= 1; dx++) {
      const inside = y + dy >= 0 && y + dy < height && x + dx >= 0 && x + dx < width;
      if (inside && (dx !== 0 || dy !== 0)) found.push(index + dy * width + dx);
    }
  }
  return found;
}
