import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Handle, currentScope, enterScope } from './handle.ts';
import type { Scope } from './handle.ts';
import { isLoaded, native } from './native.ts';

/**
 * Runs `body` and releases every tensor born inside, except those in its result (any nesting of
 * arrays, plain records, Maps and Sets), which move to the outer scope. Tensors that the scope does
 * not own (born outside, or kept) are left alone. On a throw everything born inside is released.
 * Throws when the body returns a promise: a scope held open across an await would own the tensors
 * of whatever runs in between.
 */
export function scope<T>(body: () => T): T {
  const own: Scope = { outer: currentScope(), born: [] };
  enterScope(own);
  try {
    const result = body();
    refusePromise('scope', result);
    walk(result, (handle) => {
      if (handle.owner !== own) return;
      handle.owner = own.outer;
      own.outer?.born.push(handle);
    });
    return result;
  } finally {
    enterScope(own.outer);
    for (const handle of own.born) if (handle.owner === own) handle.dispose();
  }
}

/** Takes the tensors in `value` (any nesting) out of all scopes: parameters, optimizer state. */
export function keep<T>(value: T): T {
  walk(value, (handle) => {
    handle.owner = null;
  });
  return value;
}

/** Releases the tensors in `value` (any nesting). */
export function dispose(value: unknown): void {
  walk(value, (handle) => handle.dispose());
}

/** Runs `body` without recording gradients. Throws when it returns a promise. */
export function noGrad<T>(body: () => T): T {
  return withGradMode(false, body);
}

/** Runs `body` recording gradients, also inside `noGrad`. */
export function enableGrad<T>(body: () => T): T {
  return withGradMode(true, body);
}

function withGradMode<T>(on: boolean, body: () => T): T {
  const addon = native();
  const before = addon.gradMode();
  addon.setGradMode(on);
  try {
    const result = body();
    refusePromise(on ? 'enableGrad' : 'noGrad', result);
    return result;
  } finally {
    addon.setGradMode(before);
  }
}

function refusePromise(name: string, result: unknown): void {
  if (typeof (result as { then?: unknown } | null)?.then !== 'function') return;
  Promise.resolve(result).catch(() => {});
  throw new Error(
    `${name}: expected a synchronous body, got a promise (tensors do not survive an await)`,
  );
}

function walk(value: unknown, visit: (handle: Handle) => void, seen = new Set<unknown>()): void {
  if (value instanceof Handle) return visit(value);
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || seen.has(value))
    return;
  if (Array.isArray(value) || value instanceof Set) {
    seen.add(value);
    for (const item of value) walk(item, visit, seen);
  } else if (value instanceof Map) {
    seen.add(value);
    for (const [key, item] of value) {
      walk(key, visit, seen);
      walk(item, visit, seen);
    }
  } else {
    const prototype = Object.getPrototypeOf(value) as unknown;
    if (prototype !== null && prototype !== Object.prototype) return;
    seen.add(value);
    for (const item of Object.values(value)) walk(item, visit, seen);
  }
}

/** Tensor handles that are not released yet. */
export function liveTensors(): number {
  return isLoaded() ? native().liveTensors() : 0;
}

/** Bytes of CPU tensor storage in use, whoever holds it: handles, views, the autograd graph. */
export function liveBytes(): number {
  return isLoaded() ? native().liveBytes() : 0;
}

/** The most that `liveBytes` was since the start or the last `resetPeakBytes`. */
export function peakBytes(): number {
  return isLoaded() ? native().memory()[1] : 0;
}

export function resetPeakBytes(): void {
  if (isLoaded()) native().resetPeak();
}

/** Gives freed CPU blocks that wait to be used again back to the system. */
export function emptyCache(): void {
  if (isLoaded()) native().emptyCache();
}

let collector: (() => void) | null = null;

/** Runs the garbage collector now, which releases handles that nobody holds. */
export function collectGarbage(): void {
  if (!collector) {
    setFlagsFromString('--expose-gc');
    collector = runInNewContext('gc') as () => void;
  }
  collector();
}

const leastBudget = 1 << 30;
let budget = leastBudget;
let untilCheck = 0;

/** Backstop for handles dropped outside scopes: past a budget of live bytes, collect garbage. */
export function relievePressure(): void {
  if (untilCheck-- > 0) return;
  untilCheck = 15;
  if (native().liveBytes() < budget) return;
  collectGarbage();
  budget = Math.max(leastBudget, 2 * native().liveBytes());
}
