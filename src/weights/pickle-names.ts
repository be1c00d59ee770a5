/** The Python names that a checkpoint may use, and what calling one of them means here. */
import { dtypeBytes, dtypes } from '../tensor/dtype.ts';
import type { DType } from '../tensor/dtype.ts';
import { numpyNumber, numpyType } from './numpy-scalar.ts';
import { PythonName, StoredTensor, isList, isStorage, isTuple, kindOf } from './pickle-values.ts';
import type { Item } from './pickle-values.ts';

/** What a call may ask of the machine that makes it. */
export interface Caller {
  /** Counts work done, and refuses when it is more than any checkpoint needs. */
  spend(units: number): void;
  refusal(why: string): Error;
}

type Call = (args: readonly Item[], caller: Caller) => Item;

/** The most axes of a tensor; libtorch's own operators stop at 64. */
const mostAxes = 64;
/** A tensor that repeats its elements (stride 0) may be larger than its storage up to this. */
const largestExpansion = 1024 * 1024;

const storageNames: Readonly<Record<string, DType>> = {
  'torch.FloatStorage': 'float32',
  'torch.DoubleStorage': 'float64',
  'torch.HalfStorage': 'float16',
  'torch.BFloat16Storage': 'bfloat16',
  'torch.ByteStorage': 'uint8',
  'torch.CharStorage': 'int8',
  'torch.ShortStorage': 'int16',
  'torch.IntStorage': 'int32',
  'torch.LongStorage': 'int64',
  'torch.BoolStorage': 'bool',
  'torch.ComplexFloatStorage': 'complex64',
  'torch.ComplexDoubleStorage': 'complex128',
  'torch.storage.UntypedStorage': 'uint8',
  'torch.UntypedStorage': 'uint8',
};

const calls: Readonly<Record<string, Call>> = {
  'collections.OrderedDict': (args, caller) => pairs(args, caller),
  'collections.Counter': (args, caller) => pairs(args, caller),
  'builtins.set': (args, caller) => new Set(listed(args, caller)),
  'builtins.frozenset': (args, caller) => new Set(listed(args, caller)),
  'builtins.bytes': (args, caller) => plainBytes(args, caller),
  'builtins.bytearray': (args, caller) => plainBytes(args, caller),
  '_codecs.encode': encode,
  'torch.Size': ([sizes], caller) => Object.freeze([...wholes(sizes, 'torch.Size', caller)]),
  'torch.device': device,
  'torch._utils._rebuild_tensor': (args, caller) => tensor(args.slice(0, 4), caller),
  'torch._utils._rebuild_tensor_v2': tensorOfStorage,
  'torch._utils._rebuild_tensor_v3': tensorOfBytes,
  'torch._utils._rebuild_parameter': parameter,
  'numpy.dtype': numpyType,
  'numpy.core.multiarray.scalar': numpyNumber,
  'numpy._core.multiarray.scalar': numpyNumber,
};

// Stable Diffusion's first checkpoints have this class as the key of a dictionary of settings.
const inert = ['pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint'];

const known = new Map<string, PythonName>(
  [
    ...Object.keys(storageNames),
    ...Object.keys(calls),
    ...dtypes.map((dtype) => `torch.${dtype}`),
    ...inert,
  ].map((name) => [name, new PythonName(name)]),
);
const storageTypes = new Map(Object.entries(storageNames));
const callsByName = new Map(Object.entries(calls));

/** The name as it may stand on the stack; null for every name that a checkpoint does not need. */
export function knownName(module: string, name: string): PythonName | null {
  const modern = module === '__builtin__' ? 'builtins' : module;
  return known.get(`${modern}.${name}`) ?? null;
}

/** What `callee(*args)` is, where that is one of the known ways to write data down. */
export function callName(callee: Item, args: readonly Item[], caller: Caller): Item {
  const call = callee instanceof PythonName ? callsByName.get(callee.name) : undefined;
  if (call === undefined) {
    throw caller.refusal(`${kindOf(callee)} is called, which no checkpoint needs`);
  }
  return call(args, caller);
}

/** The element type of a storage class, or null. */
export function storageType(item: Item | undefined): DType | null {
  return item instanceof PythonName ? (storageTypes.get(item.name) ?? null) : null;
}

/** A whole number >= 0 that counts something. */
export function isCount(item: Item | undefined): item is number {
  return typeof item === 'number' && Number.isSafeInteger(item) && item >= 0;
}

/** Puts an entry into a dictionary. Throws for a key that Python would not take, or twice one. */
export function setEntry(map: Map<Item, Item>, key: Item, value: Item, caller: Caller): void {
  const plain = key === null || typeof key !== 'object' || isTuple(key) || key instanceof PythonName;
  if (!plain) throw caller.refusal(`a dictionary has ${kindOf(key)} as key`);
  if (map.has(key)) throw caller.refusal('a dictionary has the same key twice');
  map.set(key, value);
}

/** Puts a value into a set. */
export function addMember(set: Set<Item>, member: Item, caller: Caller): void {
  const plain = member === null || typeof member !== 'object' || isTuple(member);
  if (!plain) throw caller.refusal(`a set has ${kindOf(member)} as member`);
  set.add(member);
}

/** OrderedDict(), OrderedDict([(key, value), ...]) as Python 2 wrote it, Counter({...}). */
function pairs(args: readonly Item[], caller: Caller): Map<Item, Item> {
  const made = new Map<Item, Item>();
  caller.spend(20);
  if (args.length === 0) return made;
  const [given] = args;
  const entries = given instanceof Map ? [...given] : given;
  if (args.length > 1 || !Array.isArray(entries)) {
    throw caller.refusal(`expected a dictionary of pairs, got ${kindOf(given)}`);
  }
  caller.spend(entries.length);
  for (const pair of entries as readonly Item[]) {
    if (!Array.isArray(pair) || pair.length !== 2) {
      throw caller.refusal(`expected a pair of key and value, got ${kindOf(pair)}`);
    }
    setEntry(made, pair[0] as Item, pair[1] as Item, caller);
  }
  return made;
}

function listed(args: readonly Item[], caller: Caller): Item[] {
  caller.spend(20);
  if (args.length === 0) return [];
  const [given] = args;
  if (args.length > 1 || !(isList(given) || isTuple(given))) {
    throw caller.refusal(`expected a set of a list, got ${kindOf(given)}`);
  }
  caller.spend(given.length);
  const members = new Set<Item>();
  for (const member of given) addMember(members, member, caller);
  return [...members];
}

function plainBytes(args: readonly Item[], caller: Caller): Uint8Array {
  if (args.length === 0) return new Uint8Array(0);
  const [given] = args;
  if (args.length === 1 && given instanceof Uint8Array) return given;
  throw caller.refusal(`expected bytes of bytes, got ${kindOf(given)}`);
}

/** _codecs.encode(text, 'latin1'): how protocol 2 writes bytes. */
function encode([text, encoding]: readonly Item[], caller: Caller): Uint8Array {
  if (typeof text !== 'string' || (encoding !== 'latin1' && encoding !== 'latin-1')) {
    throw caller.refusal('expected _codecs.encode to be given text and latin1');
  }
  caller.spend(Math.ceil(text.length / 8));
  if (/[^\u0000-\u00ff]/.test(text)) throw caller.refusal('expected bytes as latin1 text');
  return Uint8Array.from(Buffer.from(text, 'latin1'));
}

function device([type, index]: readonly Item[], caller: Caller): string {
  if (typeof type !== 'string' || !/^[a-z0-9_:]{1,32}$/.test(type)) {
    throw caller.refusal('expected the name of a device');
  }
  if (index === undefined || index === null) return type;
  if (!isCount(index)) throw caller.refusal(`expected the number of a device, got ${kindOf(index)}`);
  return `${type}:${index}`;
}

/** Sizes or strides. */
function wholes(item: Item | undefined, what: string, caller: Caller): readonly number[] {
  if (!Array.isArray(item) || item.length > mostAxes) {
    const got = Array.isArray(item) ? `${item.length} numbers` : kindOf(item);
    throw caller.refusal(`${what}: expected a tuple of at most ${mostAxes} numbers, got ${got}`);
  }
  for (const value of item as readonly Item[]) {
    if (!isCount(value)) {
      const got = typeof value === 'number' ? String(value) : kindOf(value);
      throw caller.refusal(`${what}: expected whole numbers >= 0, got ${got}`);
    }
  }
  return item as readonly number[];
}

/** (storage, offset, size, stride, requires_grad, backward_hooks, metadata = None) */
function tensorOfStorage(args: readonly Item[], caller: Caller): StoredTensor {
  refuseMetadata(args[6], caller);
  return tensor(args.slice(0, 5), caller);
}

/** (storage, offset, size, stride, requires_grad, backward_hooks, dtype, metadata = None) */
function tensorOfBytes(args: readonly Item[], caller: Caller): StoredTensor {
  refuseMetadata(args[7], caller);
  const name = args[6] instanceof PythonName ? args[6].name : '';
  const dtype = dtypes.find((one) => `torch.${one}` === name);
  if (dtype === undefined) {
    throw caller.refusal(`expected the dtype of a tensor, got ${kindOf(args[6])}`);
  }
  return tensor(args.slice(0, 5), caller, dtype);
}

/** Conjugate and negative views are the only metadata there are. */
function refuseMetadata(metadata: Item | undefined, caller: Caller): void {
  if (metadata === undefined || metadata === null) return;
  if (metadata instanceof Map && metadata.size === 0) return;
  throw caller.refusal('a tensor is a conjugate or negative view, expected a plain one');
}

/** (tensor, requires_grad, backward_hooks) */
function parameter([given, requiresGrad]: readonly Item[], caller: Caller): StoredTensor {
  if (!(given instanceof StoredTensor)) {
    throw caller.refusal(`expected a parameter to be made of a tensor, got ${kindOf(given)}`);
  }
  caller.spend(20);
  return new StoredTensor({ ...given, requiresGrad: requiresGrad === true });
}

/** Checks that every element of the tensor lies in its storage. */
function tensor(args: readonly Item[], caller: Caller, wanted?: DType): StoredTensor {
  const [storage, offset, size, stride, requiresGrad] = args;
  if (!isStorage(storage)) {
    throw caller.refusal(`expected a tensor to be made of a storage, got ${kindOf(storage)}`);
  }
  const shape = [...wholes(size, 'size of a tensor', caller)];
  const strides = [...wholes(stride, 'stride of a tensor', caller)];
  if (shape.length !== strides.length) {
    const got = `${shape.length} sizes and ${strides.length} strides`;
    throw caller.refusal(`expected as many strides as sizes, got ${got}`);
  }
  if (!isCount(offset)) throw caller.refusal('expected the offset of a tensor >= 0');
  caller.spend(20);
  const dtype = wanted ?? storage.dtype;
  const made = { dtype, shape, strides, offset, storage, requiresGrad: requiresGrad === true };
  checkExtent(made, caller);
  return new StoredTensor(made);
}

function checkExtent({ dtype, shape, strides, offset, storage }: StoredTensor, caller: Caller) {
  const width = dtypeBytes(dtype);
  const held = storage.elements * dtypeBytes(storage.dtype);
  const bytes = shape.reduce((product, size) => product * size, 1) * width;
  const text = `a tensor of ${dtype} ${shape.length === 0 ? 'scalar' : shape.join('x')}`;
  if (bytes === 0) return;
  const last = shape.reduce((sum, size, axis) => sum + (size - 1) * strides[axis], offset);
  if (!Number.isSafeInteger(bytes) || !Number.isSafeInteger(last) || (last + 1) * width > held) {
    const needs = `reaches to element ${last} of a storage of ${Math.floor(held / width)}`;
    throw caller.refusal(`${text} ${needs}`);
  }
  if (bytes > Math.max(held, largestExpansion)) {
    throw caller.refusal(`${text} is larger than its storage of ${held} bytes`);
  }
}
