/** Grey windows of images whose units mean nothing by themselves, such as MRI. */
import type { Stack } from './stack.ts';

/**
 * The grey levels at two percentiles of all voxels of a stack, linear between ranks as NumPy's
 * `percentile`. Throws one sentence when they are the same: such a stack shows nothing.
 */
export function percentileWindow(
  stack: Stack,
  [lower, upper]: readonly [number, number],
): { low: number; high: number } {
  const sorted = stack.data.slice().sort();
  const at = (percent: number): number => {
    const rank = (percent / 100) * (sorted.length - 1);
    const below = Math.floor(rank);
    const above = Math.min(below + 1, sorted.length - 1);
    return sorted[below] + (rank - below) * (sorted[above] - sorted[below]);
  };
  const low = at(lower);
  const high = at(upper);
  if (!(high > low)) {
    throw new Error(
      `${stack.path}: expected different grey levels at percentiles ${lower} and ${upper}, ` +
        `got ${low} at both`,
    );
  }
  return { low, high };
}
