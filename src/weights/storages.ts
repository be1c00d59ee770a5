/** The storages that a pickle names, by the ids that torch.save writes for them. */
import type { Caller } from './pickle-names.ts';
import { isCount, storageType } from './pickle-names.ts';
import { isTuple, kindOf } from './pickle-values.ts';
import type { Item, Storage } from './pickle-values.ts';
import { quoted } from './bytes.ts';
import { dtypeBytes } from '../tensor/dtype.ts';

/** The most that a key of a storage says: a number, or an address as text. */
const longestKey = 100;

/** Bytes of a storage as a whole. */
export function storageBytes({ dtype, elements }: Storage): number {
  return elements * dtypeBytes(dtype);
}

/** Collects the storages of one file; all mentions of a key must agree. */
export class Storages {
  /** Whole storages by key, in the order of their first mention. */
  readonly byKey = new Map<string, Storage>();

  /**
   * The storage of an id: ('storage', class, key, place, elements), or with a sixth part in files
   * before torch 1.6, which is None or (key of the view, first element, elements).
   */
  load(id: readonly Item[], caller: Caller): Storage {
    const [kind, type, key, , elements, view] = id;
    if (kind !== 'storage' || id.length < 5 || id.length > 6) {
      const got = typeof kind === 'string' ? quoted(kind) : kindOf(kind);
      throw caller.refusal(`expected the id of a storage, got one of ${got}`);
    }
    const dtype = storageType(type);
    if (dtype === null) throw caller.refusal(`expected a storage class, got ${kindOf(type)}`);
    if (typeof key !== 'string' || key.length > longestKey) {
      throw caller.refusal(`expected the key of a storage as text, got ${kindOf(key)}`);
    }
    const bytes = isCount(elements) ? elements * dtypeBytes(dtype) : NaN;
    if (!isCount(elements) || !Number.isSafeInteger(bytes)) {
      throw caller.refusal(`expected the size of storage ${quoted(key)}, got ${String(elements)}`);
    }
    const whole = this.once({ kind: 'storage', key, dtype, elements, begin: 0 }, caller);
    return view === undefined || view === null ? whole : viewOf(whole, view, caller);
  }

  private once(storage: Storage, caller: Caller): Storage {
    const { key, dtype, elements } = storage;
    const first = this.byKey.get(key);
    if (first === undefined) {
      caller.spend(20);
      this.byKey.set(key, storage);
      return storage;
    }
    if (first.dtype === dtype && first.elements === elements) return first;
    const was = `${first.elements} ${first.dtype}`;
    throw caller.refusal(`storage ${quoted(key)} is first ${was}, then ${elements} ${dtype}`);
  }
}

function viewOf(whole: Storage, view: Item, caller: Caller): Storage {
  const [, first, elements] = isTuple(view) ? view : [];
  if (!isCount(first) || !isCount(elements) || first + elements > whole.elements) {
    const of = `storage ${quoted(whole.key)} of ${whole.elements} elements`;
    throw caller.refusal(`expected a view that lies in ${of}`);
  }
  caller.spend(20);
  const begin = first * dtypeBytes(whole.dtype);
  return { ...whole, elements, begin };
}
