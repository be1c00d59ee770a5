/** The object that a checkpoint holds, checked to be finite data, and the tensors in it. */
import { Refusal, quoted } from './bytes.ts';
import { NumpyType, PythonName, StoredTensor, isStorage } from './pickle-values.ts';
import type { Item, Value } from './pickle-values.ts';

// Values are shared in a pickle, so that a small one can unfold without end: written out, a
// checkpoint has at most this many values, this deep, this many tensors, names this long.
const mostValues = 8_000_000;
const deepest = 64;
const mostTensors = 200_000;
const longestName = 500;

export interface Tree {
  readonly value: Value;
  /** Every tensor by its path: keys of dictionaries and places in lists, joined by dots. */
  readonly tensors: Map<string, StoredTensor>;
}

/**
 * Finds the tensors of `root`. Throws a Refusal when it contains itself, unfolds to more than any
 * checkpoint has, or holds what is no data; or when two tensors have one path.
 */
export function readTree(root: Item): Tree {
  const tensors = new Map<string, StoredTensor>();
  const path: string[] = [];
  let values = 0;

  const here = () => (path.length === 0 ? 'the object' : quoted(path.join('.').slice(0, longestName)));

  function step(name: string, item: Item): void {
    path.push(name);
    visit(item);
    path.pop();
  }

  function visit(item: Item): void {
    if (++values > mostValues) throw new Refusal('expected fewer values, the same ones come again and again');
    if (item === null || typeof item !== 'object' || item instanceof Uint8Array) return;
    if (item instanceof PythonName) return;
    if (item instanceof StoredTensor) return add(item);
    if (isStorage(item) || item instanceof NumpyType) {
      throw new Refusal(`${here()} is a bare storage or type, expected data`);
    }
    if (path.length >= deepest) {
      throw new Refusal(`expected values nested at most ${deepest} deep, ${here()} is deeper`);
    }
    if (item instanceof Map) {
      for (const [key, value] of item) {
        if (typeof key === 'object') step('key', key);
        step(keyName(key), value);
      }
    } else {
      let place = 0;
      for (const value of item) step(String(place++), value);
    }
  }

  function add(tensor: StoredTensor): void {
    const name = path.join('.');
    if (name.length > longestName) {
      throw new Refusal(`expected the name of a tensor to have at most ${longestName} letters`);
    }
    if (tensors.has(name)) throw new Refusal(`two tensors are called ${quoted(name)}`);
    if (tensors.size >= mostTensors) {
      throw new Refusal(`expected at most ${mostTensors} tensors`);
    }
    tensors.set(name, tensor);
  }

  visit(root);
  return { value: root as Value, tensors };
}

function keyName(key: Item): string {
  if (key instanceof PythonName) return key.name;
  return typeof key === 'object' && key !== null ? 'tuple' : String(key);
}
