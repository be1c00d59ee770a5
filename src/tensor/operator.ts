import { Boxed, Handle } from './handle.ts';
import { describe } from './shape.ts';
import { collectGarbage, relievePressure } from './memory.ts';
import type { External, NativeValue } from './native.ts';
import { native } from './native.ts';

/** One operator that we use: `name.overload` and its arguments in the schema's order. */
export interface Declaration {
  readonly name: string;
  readonly overload: string;
  readonly parameters: readonly string[];
  /** Only newer versions have it: whoever calls it asks `hasOperator` first. */
  readonly optional: boolean;
}

/** Every operator named in TypeScript; a test compares it with the loaded libtorch. */
export const declarations: Declaration[] = [];

/** Sees every operator that is called: its declaration, what it was given and what it gave. */
export type CallObserver = (declaration: Declaration, given: readonly unknown[], result: unknown) => void;
let observer: CallObserver | null = null;

/** Runs `body` while `watch` sees its calls, those of backward passes left out. */
export function observeCalls<T>(watch: CallObserver, body: () => T): T {
  const before = observer;
  observer = watch;
  try {
    return body();
  } finally {
    observer = before;
  }
}

let makeTensor: (external: External) => Handle;

/** The class that results become; told once, by tensor.ts. */
export function resultsAre(make: (external: External) => Handle): void {
  makeTensor = make;
}

/**
 * A typed function for one ATen operator, declared as `name.overload(argument, ...)`. Missing
 * trailing arguments take the schema's defaults; null is None. In-place operators give undefined.
 */
export function operator<F>(declared: string, { optional = false } = {}): F {
  const declaration = parse(declared, optional);
  declarations.push(declaration);
  let index = -1;
  const run = (...args: unknown[]): unknown => {
    if (index < 0) index = resolve(declaration);
    const given = observer === null ? null : [...args];
    for (let i = 0; i < args.length; i++) {
      const value = args[i];
      if (value instanceof Boxed) args[i] = value.external;
      else if (Array.isArray(value) && value.length > 0 && typeof value[0] === 'object')
        args[i] = externals(value);
    }
    let result: NativeValue;
    try {
      result = native().call(index, ...args);
    } catch (error) {
      if (!outOfMemory.test((error as Error).message))
        throw explain(declaration, args, error as Error);
      collectGarbage();
      try {
        result = native().call(index, ...args);
      } catch (again) {
        throw explain(declaration, args, again as Error);
      }
    }
    relievePressure();
    const made = toResult(result);
    if (given !== null) observer?.(declaration, given, made);
    return made;
  };
  return run as F;
}

const outOfMemory = /can't allocate memory|not enough memory|out of memory/i;

function parse(declared: string, optional: boolean): Declaration {
  const found = /^(\w+)(?:\.(\w+))?\(([\w, ]*)\)$/.exec(declared);
  if (!found) throw new Error(`operator: expected name.overload(arguments), got ${declared}`);
  const parameters = found[3]
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean);
  return { name: found[1], overload: found[2] ?? '', parameters, optional };
}

function resolve({ name, overload }: Declaration): number {
  const index = native().operator(`aten::${name}`, overload);
  if (index < 0)
    throw new Error(`${name}: the loaded libtorch has no operator aten::${name}.${overload}`);
  return index;
}

function externals(values: unknown[]): unknown[] {
  return values.map((value) => (value instanceof Boxed ? value.external : value));
}

function toResult(value: NativeValue): unknown {
  if (typeof value !== 'object' || value === null) return value;
  return Array.isArray(value) ? value.map(toResult) : makeTensor(value);
}

/** libtorch's sentence, with the operator and what it was given. */
function explain({ name, parameters }: Declaration, args: unknown[], error: Error): Error {
  const given = args.flatMap((value, i) => {
    const text = describe(value);
    return text === null ? [] : [`${parameters[i] ?? `argument ${i}`} ${text}`];
  });
  const message = error.message
    .replace(/\s*Exception raised from[\s\S]*$/, '')
    .replace(/\s+/g, ' ')
    .trim();
  const got = given.length > 0 ? ` (${given.join(', ')})` : '';
  return new Error(`${name}: ${message}${got}`, { cause: error });
}
