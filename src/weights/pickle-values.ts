/** What a checkpoint may hold once it is read: data, and nothing that runs. */
import type { DType } from '../tensor/dtype.ts';

/** A storage that tensors look into: its bytes are read from `key` when they are asked for. */
export interface Storage {
  readonly kind: 'storage';
  /** The file's name of the bytes. */
  readonly key: string;
  /** Type of an element; uint8 for bytes without a type. */
  readonly dtype: DType;
  /** Elements, and where the first of them is, in bytes from the start of what `key` names. */
  readonly elements: number;
  readonly begin: number;
}

/** One tensor of a checkpoint: where its elements are. */
export class StoredTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Elements from one index to the next, for each axis. */
  readonly strides: readonly number[];
  /** First element, counted in `dtype` from the start of the storage. */
  readonly offset: number;
  readonly storage: Storage;
  readonly requiresGrad: boolean;

  constructor(fields: StoredTensor) {
    this.dtype = fields.dtype;
    this.shape = fields.shape;
    this.strides = fields.strides;
    this.offset = fields.offset;
    this.storage = fields.storage;
    this.requiresGrad = fields.requiresGrad;
  }
}

/** A Python name that stands in the file as a value, `torch.bfloat16`. It is never looked up. */
export class PythonName {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/** A NumPy type on its way to a number. */
export class NumpyType {
  readonly code: string;
  littleEndian = true;

  constructor(code: string) {
    this.code = code;
  }
}

/**
 * A value of a checkpoint. Dictionaries of every kind are Maps, so that no key can reach a
 * prototype; tuples and torch.Size are frozen arrays, lists are not; integers past 2^53 are bigint;
 * torch.device is text (`cuda:0`).
 */
export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly Value[]
  | Map<Value, Value>
  | Set<Value>
  | StoredTensor
  | PythonName;

/** What can lie on the stack of the unpickler. */
export type Item =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly Item[]
  | Map<Item, Item>
  | Set<Item>
  | StoredTensor
  | PythonName
  | NumpyType
  | Storage;

export function isStorage(item: Item | undefined): item is Storage {
  return typeof item === 'object' && item !== null && 'kind' in item && item.kind === 'storage';
}

/** Tuples are frozen, so that APPEND cannot change them. */
export function isTuple(item: Item | undefined): item is readonly Item[] {
  return Array.isArray(item) && Object.isFrozen(item);
}

export function isList(item: Item | undefined): item is Item[] {
  return Array.isArray(item) && !Object.isFrozen(item);
}

/** A kind of value in words. */
export function kindOf(item: Item | undefined): string {
  if (item === undefined) return 'nothing';
  if (item === null) return 'None';
  if (typeof item === 'boolean') return 'a boolean';
  if (typeof item === 'number' || typeof item === 'bigint') return 'a number';
  if (typeof item === 'string') return 'text';
  if (item instanceof Uint8Array) return 'bytes';
  if (isTuple(item)) return 'a tuple';
  if (isList(item)) return 'a list';
  if (item instanceof Map) return 'a dictionary';
  if (item instanceof Set) return 'a set';
  if (item instanceof StoredTensor) return 'a tensor';
  if (item instanceof PythonName) return `the name ${item.name}`;
  return item instanceof NumpyType ? 'a NumPy type' : 'a storage';
}
