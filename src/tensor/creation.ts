import { dtypeCode } from './dtype.ts';
import type { DType } from './dtype.ts';
import { native } from './native.ts';
import { operator } from './operator.ts';
import type { Generator } from './random.ts';
import { elements, shapeText } from './shape.ts';
import { Tensor } from './tensor-class.ts';
import type { Device } from './tensor-class.ts';

export interface Options {
  readonly dtype?: DType;
  readonly device?: Device;
}
export interface RandomOptions extends Options {
  /** Without one, libtorch's default generator. */
  readonly generator?: Generator;
}
export type Data =
  Float32Array | Float64Array | Uint8Array | Int32Array | BigInt64Array | readonly number[];

type Shape = readonly number[];
type Tail = [dtype: number, layout: null, device: string];

const aten = {
  empty: operator<(size: Shape, ...tail: Tail) => Tensor>(
    'empty.memory_format(size, dtype, layout, device)',
  ),
  zeros: operator<(size: Shape, ...tail: Tail) => Tensor>('zeros(size, dtype, layout, device)'),
  ones: operator<(size: Shape, ...tail: Tail) => Tensor>('ones(size, dtype, layout, device)'),
  full: operator<(size: Shape, value: number, ...tail: Tail) => Tensor>(
    'full(size, fill_value, dtype, layout, device)',
  ),
  eye: operator<(n: number, ...tail: Tail) => Tensor>('eye(n, dtype, layout, device)'),
  arange: operator<(start: number, end: number, step: number, ...tail: Tail) => Tensor>(
    'arange.start_step(start, end, step, dtype, layout, device)',
  ),
  linspace: operator<(start: number, end: number, steps: number, ...tail: Tail) => Tensor>(
    'linspace(start, end, steps, dtype, layout, device)',
  ),
  randn: operator<(size: Shape, generator: Generator | null, ...tail: Tail) => Tensor>(
    'randn.generator(size, generator, dtype, layout, device)',
  ),
  rand: operator<(size: Shape, generator: Generator | null, ...tail: Tail) => Tensor>(
    'rand.generator(size, generator, dtype, layout, device)',
  ),
  randint: operator<
    (low: number, high: number, size: Shape, generator: Generator | null, ...tail: Tail) => Tensor
  >('randint.low_generator(low, high, size, generator, dtype, layout, device)'),
  randperm: operator<(n: number, generator: Generator | null, ...tail: Tail) => Tensor>(
    'randperm.generator(n, generator, dtype, layout, device)',
  ),
};

function tail({ dtype, device }: Options, usual: DType = 'float32'): Tail {
  return [dtypeCode(dtype ?? usual), null, device ?? 'cpu'];
}

/** Elements not set. */
export function empty(shape: Shape, options: Options = {}): Tensor {
  return aten.empty(shape, ...tail(options));
}
export function zeros(shape: Shape, options: Options = {}): Tensor {
  return aten.zeros(shape, ...tail(options));
}
export function ones(shape: Shape, options: Options = {}): Tensor {
  return aten.ones(shape, ...tail(options));
}
export function full(shape: Shape, value: number, options: Options = {}): Tensor {
  return aten.full(shape, value, ...tail(options));
}
export function eye(n: number, options: Options = {}): Tensor {
  return aten.eye(n, ...tail(options));
}
export function zerosLike(x: Tensor): Tensor {
  return zeros(x.shape, x);
}
export function onesLike(x: Tensor): Tensor {
  return ones(x.shape, x);
}

/** 0, 1, ... below end, or from start in steps. int64 when all are whole, else float32. */
export function arange(end: number, options?: Options): Tensor;
export function arange(start: number, end: number, options?: Options): Tensor;
export function arange(start: number, end: number, step: number, options?: Options): Tensor;
export function arange(...given: (number | Options | undefined)[]): Tensor {
  const numbers = given.filter((value) => typeof value === 'number');
  const wanted = given.find((value) => typeof value === 'object') ?? {};
  const [start, end, step = 1] = numbers.length === 1 ? [0, numbers[0]] : numbers;
  const whole = [start, end, step].every(Number.isInteger);
  return aten.arange(start, end, step, ...tail(wanted, whole ? 'int64' : 'float32'));
}

/** `steps` values from start to end, both included. */
export function linspace(start: number, end: number, steps: number, options: Options = {}): Tensor {
  return aten.linspace(start, end, steps, ...tail(options));
}

/** Standard normal numbers. */
export function randn(shape: Shape, options: RandomOptions = {}): Tensor {
  return aten.randn(shape, options.generator ?? null, ...tail(options));
}
/** Uniform numbers in [0, 1). */
export function rand(shape: Shape, options: RandomOptions = {}): Tensor {
  return aten.rand(shape, options.generator ?? null, ...tail(options));
}
/** Whole numbers in low..high - 1, int64. */
export function randint(
  low: number,
  high: number,
  shape: Shape,
  options: RandomOptions = {},
): Tensor {
  return aten.randint(low, high, shape, options.generator ?? null, ...tail(options, 'int64'));
}
/** 0..n - 1 in random order, int64. */
export function randperm(n: number, options: RandomOptions = {}): Tensor {
  return aten.randperm(n, options.generator ?? null, ...tail(options, 'int64'));
}

/**
 * A tensor with a copy of `data`, row by row. Its dtype is that of the typed array (numbers:
 * float32) unless one is named. Throws when the shape has another number of elements.
 */
export function tensor(data: Data, shape?: Shape, options: Options = {}): Tensor {
  const wanted = shape ?? [data.length];
  if (elements(wanted) !== data.length) {
    const expected = `${elements(wanted)} elements for shape ${shapeText(wanted)}`;
    throw new Error(`tensor: expected ${expected}, got ${data.length}`);
  }
  const [array, dtype] = typed(data, options.dtype);
  const made = empty(wanted, { dtype });
  native().writeBytes(made.external, 0, array);
  const cast =
    options.dtype && options.dtype !== dtype ? replace(made, made.to(options.dtype)) : made;
  return options.device && options.device !== 'cpu' ? replace(cast, cast.to(options.device)) : cast;
}

function replace(old: Tensor, next: Tensor): Tensor {
  old.dispose();
  return next;
}

function typed(data: Data, wanted?: DType): [ArrayBufferView, DType] {
  if (data instanceof Float32Array) return [data, 'float32'];
  if (data instanceof Float64Array) return [data, 'float64'];
  if (data instanceof Uint8Array) return [data, 'uint8'];
  if (data instanceof Int32Array) return [data, 'int32'];
  if (data instanceof BigInt64Array) return [data, 'int64'];
  if (!Array.isArray(data)) throw new Error('tensor: expected a typed array or numbers');
  // Through float64, so that whole numbers past 2^24 reach int64 unharmed.
  const exact = wanted !== undefined && wanted !== 'float32';
  return exact ? [Float64Array.from(data), 'float64'] : [Float32Array.from(data), 'float32'];
}
