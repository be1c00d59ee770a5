import * as aten from './aten.ts';
import { dtypeBytes, dtypeCode, dtypeOfCode, isDType } from './dtype.ts';
import type { DType } from './dtype.ts';
import { Handle } from './handle.ts';
import { noGrad, scope } from './memory.ts';
import type { External } from './native.ts';
import { native } from './native.ts';
import { resultsAre } from './operator.ts';
import { elements, shapeText } from './shape.ts';

/** `'cpu'`, `'cuda'`, `'cuda:0'`, `'mps'`. */
export type Device = string;
export interface BackwardOptions {
  readonly gradient?: Tensor;
  readonly inputs?: readonly Tensor[];
  readonly retainGraph?: boolean;
  readonly createGraph?: boolean;
}
type Dims = number | readonly number[];
type Operand = Tensor | number;

/** c10::MemoryFormat. */
const channelsLast = 2;
const channelsLast3d = 3;

/**
 * An immutable-looking handle on an `at::Tensor`. Methods ending in `_` write in place and give the
 * same tensor back. A tensor belongs to the scope it was born in (memory.ts). Broadcasting, type
 * promotion and autograd are libtorch's. A `number` without a fraction is an integer scalar.
 */
export class Tensor extends Handle {
  private sizes: readonly number[] | null = null;
  private type: DType | null = null;

  get shape(): readonly number[] { return (this.sizes ??= native().shape(this.external)); }
  get dtype(): DType { return (this.type ??= dtypeOfCode(native().scalarType(this.external))); }
  /** As libtorch says it: `cpu`, `cuda:0`. */
  get device(): Device { return native().device(this.external); }
  get numel(): number { return elements(this.shape); }
  get rank(): number { return this.shape.length; }
  get strides(): readonly number[] { return native().strides(this.external); }
  get bytes(): number { return this.numel * dtypeBytes(this.dtype); }

  // Autograd
  get requiresGrad(): boolean { return native().requiresGrad(this.external); }
  get isLeaf(): boolean { return native().isLeaf(this.external); }
  requiresGrad_(on = true): this {
    native().setRequiresGrad(this.external, on);
    return this;
  }
  /** The accumulated gradient; a new handle on it, which belongs to the open scope. */
  get grad(): Tensor | null {
    const external = native().grad(this.external);
    return external && new Tensor(external);
  }
  set grad(gradient: Tensor | null) {
    native().setGrad(this.external, gradient && gradient.external);
  }
  /**
   * Accumulates d(this)/d(leaf) into `grad` of every leaf, or of `inputs` only.
   * Without `gradient` this must be a scalar.
   */
  backward(options: BackwardOptions = {}): void {
    const { gradient, inputs, createGraph = false, retainGraph = createGraph } = options;
    const leaves = inputs ? inputs.map((input) => input.external) : null;
    try {
      const seed = gradient?.external ?? null;
      native().backward(this.external, seed, leaves, retainGraph, createGraph);
    } catch (error) {
      const message = (error as Error).message.replace(/\s+/g, ' ');
      const from = `${this.dtype} ${shapeText(this.shape)}`;
      throw new Error(`backward: ${message} (from ${from})`, { cause: error });
    }
  }
  detach(): Tensor { return aten.detach(this); }

  // Arithmetic
  add(b: Operand, alpha?: number): Tensor {
    return typeof b === 'number' ? aten.addNumber(this, b, alpha) : aten.add(this, b, alpha);
  }
  sub(b: Operand, alpha?: number): Tensor {
    return typeof b === 'number' ? aten.subNumber(this, b, alpha) : aten.sub(this, b, alpha);
  }
  mul(b: Operand): Tensor {
    return typeof b === 'number' ? aten.mulNumber(this, b) : aten.mul(this, b);
  }
  /** True division: integers give float32. */
  div(b: Operand): Tensor {
    return typeof b === 'number' ? aten.divNumber(this, b) : aten.div(this, b);
  }
  floorDivide(b: Tensor): Tensor { return aten.floorDivide(this, b); }
  remainder(b: Operand): Tensor {
    return typeof b === 'number' ? aten.remainderNumber(this, b) : aten.remainder(this, b);
  }
  pow(b: Operand): Tensor {
    return typeof b === 'number' ? aten.powNumber(this, b) : aten.pow(this, b);
  }
  maximum(b: Tensor): Tensor { return aten.maximum(this, b); }
  minimum(b: Tensor): Tensor { return aten.minimum(this, b); }
  /** this + weight (end - this). */
  lerp(end: Tensor, weight: Operand): Tensor {
    if (typeof weight === 'number') return aten.lerpNumber(this, end, weight);
    return aten.lerp(this, end, weight);
  }
  matmul(b: Tensor): Tensor { return aten.matmul(this, b); }
  neg(): Tensor { return aten.neg(this); }
  abs(): Tensor { return aten.abs(this); }
  sign(): Tensor { return aten.sign(this); }
  sqrt(): Tensor { return aten.sqrt(this); }
  rsqrt(): Tensor { return aten.rsqrt(this); }
  reciprocal(): Tensor { return aten.reciprocal(this); }
  square(): Tensor { return aten.square(this); }
  exp(): Tensor { return aten.exp(this); }
  expm1(): Tensor { return aten.expm1(this); }
  log(): Tensor { return aten.log(this); }
  log1p(): Tensor { return aten.log1p(this); }
  log2(): Tensor { return aten.log2(this); }
  sin(): Tensor { return aten.sin(this); }
  cos(): Tensor { return aten.cos(this); }
  atan2(x: Tensor): Tensor { return aten.atan2(this, x); }
  erf(): Tensor { return aten.erf(this); }
  floor(): Tensor { return aten.floor(this); }
  ceil(): Tensor { return aten.ceil(this); }
  round(): Tensor { return aten.round(this); }
  clamp(min: number | null, max: number | null = null): Tensor {
    return aten.clamp(this, min, max);
  }
  nanToNum(nan = 0): Tensor { return aten.nanToNum(this, nan); }

  // Activations
  sigmoid(): Tensor { return aten.sigmoid(this); }
  tanh(): Tensor { return aten.tanh(this); }
  relu(): Tensor { return aten.relu(this); }
  silu(): Tensor { return aten.silu(this); }
  gelu(approximate: 'none' | 'tanh' = 'none'): Tensor { return aten.gelu(this, approximate); }
  softplus(): Tensor { return aten.softplus(this); }
  leakyRelu(slope = 0.01): Tensor { return aten.leakyRelu(this, slope); }
  softmax(dim: number): Tensor { return aten.softmax(this, dim); }
  logSoftmax(dim: number): Tensor { return aten.logSoftmax(this, dim); }
  logSumExp(dims: Dims, keepdim = false): Tensor {
    return aten.logSumExp(this, list(dims), keepdim);
  }

  // Comparison and logic: bool tensors
  eq(b: Operand): Tensor {
    return typeof b === 'number' ? aten.eqNumber(this, b) : aten.eq(this, b);
  }
  ne(b: Operand): Tensor {
    return typeof b === 'number' ? aten.neNumber(this, b) : aten.ne(this, b);
  }
  gt(b: Operand): Tensor {
    return typeof b === 'number' ? aten.gtNumber(this, b) : aten.gt(this, b);
  }
  ge(b: Operand): Tensor {
    return typeof b === 'number' ? aten.geNumber(this, b) : aten.ge(this, b);
  }
  lt(b: Operand): Tensor {
    return typeof b === 'number' ? aten.ltNumber(this, b) : aten.lt(this, b);
  }
  le(b: Operand): Tensor {
    return typeof b === 'number' ? aten.leNumber(this, b) : aten.le(this, b);
  }
  logicalNot(): Tensor { return aten.logicalNot(this); }
  logicalAnd(b: Tensor): Tensor { return aten.logicalAnd(this, b); }
  logicalOr(b: Tensor): Tensor { return aten.logicalOr(this, b); }
  isNan(): Tensor { return aten.isNan(this); }
  isFinite(): Tensor { return aten.isFinite(this); }
  all(): boolean { return scope(() => Boolean(aten.item(aten.allTrue(this)))); }
  any(): boolean { return scope(() => Boolean(aten.item(aten.anyTrue(this)))); }
  /** `value` where `mask` (bool) holds, this elsewhere. */
  maskedFill(mask: Tensor, value: number): Tensor { return aten.maskedFill(this, mask, value); }

  // Reductions; without dims over everything
  sum(dims?: Dims, keepdim = false): Tensor { return aten.sum(this, some(dims), keepdim); }
  mean(dims?: Dims, keepdim = false): Tensor { return aten.mean(this, some(dims), keepdim); }
  /** Variance with n - correction in the denominator: 1 the sample's, 0 the population's. */
  var(dims?: Dims, options: { correction?: number; keepdim?: boolean } = {}): Tensor {
    return aten.variance(this, some(dims), options.correction ?? 1, options.keepdim);
  }
  std(dims?: Dims, options: { correction?: number; keepdim?: boolean } = {}): Tensor {
    return aten.deviation(this, some(dims), options.correction ?? 1, options.keepdim);
  }
  amax(dims: Dims = [], keepdim = false): Tensor { return aten.amax(this, list(dims), keepdim); }
  amin(dims: Dims = [], keepdim = false): Tensor { return aten.amin(this, list(dims), keepdim); }
  argmax(dim: number | null = null, keepdim = false): Tensor {
    return aten.argmax(this, dim, keepdim);
  }
  argmin(dim: number | null = null, keepdim = false): Tensor {
    return aten.argmin(this, dim, keepdim);
  }
  prod(dim: number, keepdim = false): Tensor { return aten.prod(this, dim, keepdim); }
  cumsum(dim: number): Tensor { return aten.cumsum(this, dim); }
  cumprod(dim: number): Tensor { return aten.cumprod(this, dim); }
  /** The p-norm over dims; without dims of all elements. */
  norm(p = 2, dims: Dims = [], keepdim = false): Tensor {
    return aten.norm(this, p, list(dims), keepdim);
  }
  sort(dim = -1, descending = false): [values: Tensor, indices: Tensor] {
    return aten.sort(this, dim, descending);
  }
  topk(k: number, dim = -1, largest = true): [values: Tensor, indices: Tensor] {
    return aten.topk(this, k, dim, largest);
  }

  // Shape; one size may be -1
  reshape(shape: readonly number[]): Tensor { return aten.reshape(this, shape); }
  flatten(start = 0, end = -1): Tensor { return aten.flatten(this, start, end); }
  permute(dims: readonly number[]): Tensor { return aten.permute(this, dims); }
  transpose(a: number, b: number): Tensor { return aten.transpose(this, a, b); }
  unsqueeze(dim: number): Tensor { return aten.unsqueeze(this, dim); }
  squeeze(dim?: number): Tensor {
    return dim === undefined ? aten.squeeze(this) : aten.squeezeDim(this, dim);
  }
  expand(shape: readonly number[]): Tensor { return aten.expand(this, shape); }
  repeat(times: readonly number[]): Tensor { return aten.repeat(this, times); }
  repeatInterleave(times: number, dim: number | null = null): Tensor {
    return aten.repeatInterleave(this, times, dim);
  }
  narrow(dim: number, start: number, length: number): Tensor {
    return aten.narrow(this, dim, start, length);
  }
  slice(dim: number, start: number | null, end: number | null = null, step = 1): Tensor {
    return aten.slice(this, dim, start, end, step);
  }
  select(dim: number, index: number): Tensor { return aten.select(this, dim, index); }
  chunk(count: number, dim = 0): Tensor[] { return aten.chunk(this, count, dim); }
  flip(dims: Dims): Tensor { return aten.flip(this, list(dims)); }
  roll(shifts: Dims, dims: Dims): Tensor { return aten.roll(this, list(shifts), list(dims)); }
  indexSelect(dim: number, index: Tensor): Tensor { return aten.indexSelect(this, dim, index); }
  gather(dim: number, index: Tensor): Tensor { return aten.gather(this, dim, index); }
  contiguous(): Tensor { return aten.contiguous(this); }
  clone(): Tensor { return aten.clone(this); }
  /** Channels last in memory (n h w c, n d h w c): what bf16 convolutions are fast in. */
  channelsLast(): Tensor {
    const { rank } = this;
    if (rank !== 4 && rank !== 5) {
      throw new Error(`channelsLast: expected 4 or 5 dimensions, got ${shapeText(this.shape)}`);
    }
    return aten.contiguous(this, rank === 4 ? channelsLast : channelsLast3d);
  }
  /** This tensor where nothing changes, else a copy: `to('bfloat16')`, `to('cuda:0')`. */
  to(target: DType | Device): Tensor {
    if (isDType(target)) return aten.toDType(this, dtypeCode(target));
    return aten.toLayout(this, null, null, target);
  }

  // In place
  copy_(source: Tensor): this { aten.copyInto(this, source); return this; }
  add_(b: Operand, alpha?: number): this {
    if (typeof b === 'number') aten.addNumberInto(this, b * (alpha ?? 1));
    else aten.addInto(this, b, alpha);
    return this;
  }
  sub_(b: Operand, alpha?: number): this {
    if (typeof b === 'number') aten.subNumberInto(this, b * (alpha ?? 1));
    else aten.subInto(this, b, alpha);
    return this;
  }
  mul_(b: Operand): this {
    if (typeof b === 'number') aten.mulNumberInto(this, b);
    else aten.mulInto(this, b);
    return this;
  }
  div_(b: Operand): this {
    if (typeof b === 'number') aten.divNumberInto(this, b);
    else aten.divInto(this, b);
    return this;
  }
  lerp_(end: Tensor, weight: number): this { aten.lerpInto(this, end, weight); return this; }
  clamp_(min: number | null, max: number | null = null): this {
    aten.clampInto(this, min, max);
    return this;
  }
  sqrt_(): this { aten.sqrtInto(this); return this; }
  addcmul_(a: Tensor, b: Tensor, value = 1): this {
    aten.addcmulInto(this, a, b, value);
    return this;
  }
  addcdiv_(a: Tensor, b: Tensor, value = 1): this {
    aten.addcdivInto(this, a, b, value);
    return this;
  }
  fill_(value: number): this { aten.fillInto(this, value); return this; }
  zero_(): this { aten.zeroInto(this); return this; }
  normal_(mean = 0, std = 1, generator?: unknown): this {
    aten.normalInto(this, mean, std, generator);
    return this;
  }
  uniform_(from = 0, to = 1, generator?: unknown): this {
    aten.uniformInto(this, from, to, generator);
    return this;
  }

  // To JavaScript
  /** The only element as a number. Throws when there are several. */
  item(): number { return Number(aten.item(this)); }
  /** A copy of all elements, row by row. */
  toFloat32(): Float32Array { return this.read('float32', new Float32Array(this.numel)); }
  toFloat64(): Float64Array { return this.read('float64', new Float64Array(this.numel)); }
  /** Fractions are cut off; the caller clamps to 0..255. */
  toUint8(): Uint8Array { return this.read('uint8', new Uint8Array(this.numel)); }
  toInt32(): Int32Array { return this.read('int32', new Int32Array(this.numel)); }
  toBigInt64(): BigInt64Array { return this.read('int64', new BigInt64Array(this.numel)); }

  private read<A extends ArrayBufferView>(dtype: DType, target: A): A {
    return scope(() => noGrad(() => {
      const plain = aten.toLayout(this, dtypeCode(dtype), null, 'cpu').contiguous();
      native().readBytes(plain.external, 0, target);
      return target;
    }));
  }

  override toString(): string {
    if (this.disposed) return 'Tensor(disposed)';
    return `Tensor(${this.dtype} ${shapeText(this.shape)} ${this.device})`;
  }
}

function list(dims: Dims): readonly number[] {
  return typeof dims === 'number' ? [dims] : dims;
}

function some(dims: Dims | undefined): readonly number[] | null {
  return dims === undefined ? null : list(dims);
}

resultsAre((external: External) => new Tensor(external));

