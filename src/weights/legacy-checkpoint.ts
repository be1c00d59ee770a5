/**
 * What torch.save wrote before torch 1.6, and writes with `_use_new_zipfile_serialization=False`:
 * pickles of a magic number, a protocol version, the machine, the object and the keys of its
 * storages, then for each key the number of elements (int64) and the elements, little-endian.
 */
import { Part, Refusal, quoted } from './bytes.ts';
import type { Bytes } from './bytes.ts';
import { PickleInput } from './pickle-input.ts';
import { isList, kindOf } from './pickle-values.ts';
import type { Item } from './pickle-values.ts';
import { noStorages, readPickle } from './pickle.ts';
import { Storages, storageBytes } from './storages.ts';
import type { Content } from './zip-checkpoint.ts';

const magicNumber = 0x1950a86a20f9469cfc6cn;
const protocolVersion = 1001;

export function readLegacyCheckpoint(file: Bytes): Content {
  const input = new PickleInput(file, 'the file');
  const magic = readPickle(input, noStorages);
  if (magic !== magicNumber) {
    throw new Refusal('is a pickle, but none of torch.save: its magic number is not there');
  }
  const version = readPickle(input, noStorages);
  if (version !== protocolVersion) {
    const got = typeof version === 'number' ? String(version) : kindOf(version);
    throw new Refusal(`expected protocol version ${protocolVersion}, got ${got}`);
  }
  const machine = readPickle(input, noStorages);
  if (!(machine instanceof Map)) {
    throw new Refusal(`expected the machine's sizes in a dictionary, got ${kindOf(machine)}`);
  }
  const named = new Storages();
  const root = readPickle(input, (id, caller) => named.load(id, caller));
  const keys = readPickle(input, noStorages);
  const storages = placeStorages(file, input.position, keys, named);
  return { format: 'legacy', root, storages, bigEndian: false };
}

/** Walks over the storages without reading them. */
function placeStorages(file: Bytes, from: number, keys: Item, named: Storages): Map<string, Bytes> {
  if (!isList(keys)) throw new Refusal(`expected the keys of storages, got ${kindOf(keys)}`);
  const places = new Map<string, Bytes>();
  let at = from;
  for (const key of keys) {
    const storage = typeof key === 'string' ? named.byKey.get(key) : undefined;
    if (storage === undefined || places.has(storage.key)) {
      const got = typeof key === 'string' ? quoted(key) : kindOf(key);
      throw new Refusal(`expected every storage of the object once, got ${got}`);
    }
    const bytes = storageBytes(storage);
    if (at + 8 + bytes > file.size) {
      const left = Math.max(0, file.size - at - 8);
      throw new Refusal(
        `expected ${bytes} bytes of storage ${quoted(storage.key)}, got ${left}: the file is cut short`,
      );
    }
    const count = Buffer.alloc(8);
    file.readInto(count, at);
    if (count.readBigInt64LE(0) !== BigInt(storage.elements)) {
      const expected = `${storage.elements} elements of storage ${quoted(storage.key)}`;
      throw new Refusal(`expected ${expected}, got ${count.readBigInt64LE(0)}`);
    }
    places.set(storage.key, new Part(file, at + 8, bytes));
    at += 8 + bytes;
  }
  for (const key of named.byKey.keys()) {
    if (!places.has(key)) throw new Refusal(`storage ${quoted(key)} is named, but not in the file`);
  }
  return places;
}
