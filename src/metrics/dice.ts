import { shapeText } from '../frames/frames.ts';
import type { Labels } from '../frames/frames.ts';

/**
 * Dice (1945) of one label: 2 |A and B| / (|A| + |B|) over all frames together.
 * Where neither has the label it is 1: nothing was asked for and nothing was found.
 *
 * @throws when the shapes differ
 */
export function dice(a: Labels, b: Labels, label: number): number {
  if (shapeText(a) !== shapeText(b)) {
    throw new Error(`dice: expected labels of one shape, got ${shapeText(a)} and ${shapeText(b)}`);
  }
  return diceOfRange(a.data, b.data, label, 0, a.data.length);
}

/** `dice` of every frame on its own. */
export function diceOfFrames(a: Labels, b: Labels, label: number): number[] {
  if (shapeText(a) !== shapeText(b) || a.channels !== 1) {
    throw new Error(
      `dice: expected labels of one shape and one channel, got ${shapeText(a)} and ${shapeText(b)}`,
    );
  }
  const size = a.height * a.width;
  return Array.from({ length: a.frames }, (_, frame) =>
    diceOfRange(a.data, b.data, label, frame * size, (frame + 1) * size));
}

function diceOfRange(
  a: Uint8Array, b: Uint8Array, label: number, start: number, end: number,
): number {
  let [both, either] = [0, 0];
  for (let i = start; i < end; i++) {
    const [inA, inB] = [a[i] === label ? 1 : 0, b[i] === label ? 1 : 0];
    both += inA & inB;
    either += inA + inB;
  }
  return either === 0 ? 1 : (2 * both) / either;
}
