import { dtypeOfCode } from './dtype.ts';
import type { External } from './native.ts';
import { native } from './native.ts';

/** Elements of a shape: the product of its sizes, 1 for a scalar. */
export function elements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** `1x3x256x256`, or `scalar`. */
export function shapeText(shape: readonly number[]): string {
  return shape.length === 0 ? 'scalar' : shape.join('x');
}

/** What an operator was given, for an error: `float32 1x3x8x8`, numbers, lists; or null. */
export function describe(value: unknown): string | null {
  if (typeof value === 'number' || typeof value === 'string') return String(value);
  if (Array.isArray(value)) {
    if (value.length > 8) return `${value.length} items`;
    return `[${value.map((item) => describe(item) ?? '?').join(', ')}]`;
  }
  if (typeof value !== 'object' || value === null) return null;
  try {
    const external = value as External;
    return `${dtypeOfCode(native().scalarType(external))} ${shapeText(native().shape(external))}`;
  } catch {
    return null;
  }
}
