import { randomStream } from '../frames/random.ts';

/**
 * Which item comes at place `index` of an endless training: every epoch is a fresh shuffle, a function of
 * (seed, epoch) alone, so that a resumed run and any batch size see the same order.
 */
export function shuffledOrder(seed: number, count: number): (index: number) => number {
  if (!Number.isInteger(count) || count < 1) {
    throw new Error(`order: expected at least 1 item to train on, got ${count}`);
  }
  let cachedEpoch = -1;
  const order = new Uint32Array(count);
  return (index) => {
    const epoch = Math.floor(index / count);
    if (epoch !== cachedEpoch) {
      const stream = randomStream('order', seed, epoch);
      for (let i = 0; i < count; i++) order[i] = i;
      for (let i = count - 1; i > 0; i--) {
        const j = stream.integer(i + 1);
        [order[i], order[j]] = [order[j], order[i]];
      }
      cachedEpoch = epoch;
    }
    return order[index % count];
  };
}
