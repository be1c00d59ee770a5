import { noGrad, scope } from '../tensor/memory.ts';
import { shapeText } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';

export function sameShape(a: Tensor, b: Tensor): boolean {
  return a.rank === b.rank && a.shape.every((size, axis) => size === b.shape[axis]);
}

/**
 * Copies `source` into the tensors of `target` by key, converted to their dtype and device;
 * nothing is copied when anything is wrong. Keys of `source` that `target` lacks are left aside.
 *
 * @param name whose tensors they are, for the error
 * @throws when a key is missing or has another shape
 */
export function copyAll(
  name: string,
  target: ReadonlyMap<string, Tensor>,
  source: ReadonlyMap<string, Tensor>,
): void {
  for (const [key, value] of target) {
    const given = source.get(key);
    if (given !== undefined && sameShape(given, value)) continue;
    const got = given === undefined ? 'no such key' : `shape ${shapeText(given.shape)}`;
    throw new Error(`${name}: expected ${key} of shape ${shapeText(value.shape)}, got ${got}`);
  }
  scope(() =>
    noGrad(() => {
      for (const [key, value] of target) value.copy_(source.get(key)!);
    }),
  );
}
