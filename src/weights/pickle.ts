/**
 * A reader of Python pickles (protocols 2 to 5) for data alone. It has no way to run anything: a
 * name in the file is compared with a short list (pickle-names.ts), and every other is refused by
 * name. Python's documentation of `pickletools` describes the opcodes.
 */
import { Refusal, quoted } from './bytes.ts';
import { opcodeName } from './pickle-opcodes.ts';
import type { PickleInput } from './pickle-input.ts';
import { addMember, callName, knownName, setEntry } from './pickle-names.ts';
import type { Caller } from './pickle-names.ts';
import { setByteOrder, shortest } from './numpy-scalar.ts';
import { NumpyType, PythonName, isList, isTuple, kindOf } from './pickle-values.ts';
import type { Item, Storage } from './pickle-values.ts';

/** Limits far above any checkpoint, so that no file can make much more than it says. */
const mostWork = 8_000_000;
const deepestMarks = 1_000;
const longestInteger = 1_024;

/** What a storage's id in the file stands for. */
export type PersistentLoad = (id: readonly Item[], caller: Caller) => Storage;

type Opcode = (machine: Unpickler) => void;

/** Reads one pickle. */
class Unpickler implements Caller {
  readonly input: PickleInput;
  private readonly load: PersistentLoad;
  private readonly stack: Item[] = [];
  private readonly marks: number[] = [];
  private readonly memo = new Map<number, Item>();
  /** OrderedDicts, which alone among dictionaries have attributes. */
  private readonly ordered = new WeakSet<object>();
  private work = 0;

  constructor(input: PickleInput, load: PersistentLoad) {
    this.input = input;
    this.load = load;
  }

  run(): Item {
    this.input.begin();
    for (;;) {
      const code = this.input.byte();
      if (code === 0x2e) break;
      const opcode = opcodes[code];
      if (opcode === undefined) {
        throw this.refusal(`the opcode ${opcodeName(code)} is refused, no checkpoint needs it`);
      }
      opcode(this);
    }
    if (this.marks.length > 0 || this.stack.length !== 1) {
      throw this.refusal(`expected one value at the end, got ${this.stack.length}`);
    }
    return this.stack[0];
  }

  refusal(why: string): Refusal {
    return this.input.refusal(why);
  }

  spend(units: number): void {
    this.work += units;
    if (this.work > mostWork) {
      throw this.refusal('more values than any checkpoint has, or the same ones made again');
    }
  }

  push(item: Item, units = 1): void {
    this.spend(units);
    this.stack.push(item);
  }

  pop(): Item {
    const floor = this.marks.length === 0 ? 0 : this.marks[this.marks.length - 1];
    if (this.stack.length <= floor) throw this.refusal('expected a value, the stack is empty');
    return this.stack.pop()!;
  }

  top(): Item {
    const item = this.pop();
    this.stack.push(item);
    return item;
  }

  mark(): void {
    if (this.marks.length >= deepestMarks) {
      throw this.refusal(`expected values nested at most ${deepestMarks} deep`);
    }
    this.marks.push(this.stack.length);
  }

  popMark(): Item[] {
    const from = this.marks.pop();
    if (from === undefined) throw this.refusal('expected a mark, there is none');
    const items = this.stack.splice(from);
    this.spend(items.length);
    return items;
  }

  discard(): void {
    if (this.marks.length > 0 && this.marks[this.marks.length - 1] === this.stack.length) {
      this.marks.pop();
    } else this.pop();
  }

  tuple(items: Item[]): void {
    this.push(Object.freeze(items) as readonly Item[], 4);
  }

  popped(count: number): Item[] {
    const items = Array.from({ length: count }, () => this.pop());
    return items.reverse();
  }

  append(items: readonly Item[]): void {
    const list = this.top();
    if (!isList(list)) throw this.refusal(`values are appended to ${kindOf(list)}, expected a list`);
    for (const item of items) list.push(item);
  }

  setItems(items: readonly Item[], map: Item): void {
    if (!(map instanceof Map)) {
      throw this.refusal(`items are set in ${kindOf(map)}, expected a dictionary`);
    }
    if (items.length % 2 !== 0) throw this.refusal('expected a value for every key');
    for (let i = 0; i < items.length; i += 2) setEntry(map, items[i], items[i + 1], this);
  }

  addItems(items: readonly Item[], set: Item): void {
    if (!(set instanceof Set)) throw this.refusal(`members are added to ${kindOf(set)}`);
    for (const item of items) addMember(set, item, this);
  }

  name(module: Item, name: Item): void {
    if (typeof module !== 'string' || typeof name !== 'string') {
      throw this.refusal(`expected a name as text, got ${kindOf(module)} and ${kindOf(name)}`);
    }
    const known = knownName(module, name);
    if (known !== null) return this.push(known);
    const dotted = `${module}.${name}`;
    const shown = /^[\w.]{1,120}$/.test(dotted) ? dotted : quoted(dotted);
    throw this.refusal(`${shown} is refused: only data is read, no code of a file is ever run`);
  }

  reduce(): void {
    const [callee, args] = this.popped(2);
    if (!isTuple(args)) throw this.refusal(`expected arguments in a tuple, got ${kindOf(args)}`);
    const made = callName(callee, args, this);
    const isOrdered = callee instanceof PythonName && callee.name === 'collections.OrderedDict';
    if (isOrdered) this.ordered.add(made as object);
    this.push(made);
  }

  /**
   * The attributes of an OrderedDict (`_metadata` of a state_dict) are read and left aside; the
   * byte order of a NumPy type is kept; nothing else has a state.
   */
  build(): void {
    const state = this.pop();
    const item = this.top();
    if (item instanceof NumpyType) return setByteOrder(item, state, this);
    const plain = typeof item === 'object' && item !== null && this.ordered.has(item);
    if (!plain || !(state instanceof Map)) {
      const got = `${kindOf(state)} for ${kindOf(item)}`;
      throw this.refusal(`expected attributes of an OrderedDict in a dictionary, got ${got}`);
    }
  }

  newObject(): void {
    const [callee] = this.popped(2);
    throw this.refusal(`an object of ${kindOf(callee)} is made, which no checkpoint needs`);
  }

  put(index: number): void {
    this.spend(4);
    this.memo.set(index, this.top());
  }

  memoize(): void {
    this.put(this.memo.size);
  }

  get(index: number): void {
    const item = this.memo.get(index);
    if (item === undefined) throw this.refusal(`value ${index} is asked for before it is made`);
    this.push(item);
  }

  persistent(): void {
    const id = this.pop();
    if (!isTuple(id)) throw this.refusal(`expected a storage's id in a tuple, got ${kindOf(id)}`);
    this.push(this.load(id, this), 4);
  }

  protocol(): void {
    const version = this.input.byte();
    if (version < 2 || version > 5) {
      throw this.refusal(`expected a pickle of protocol 2 to 5, got ${version}`);
    }
  }

  /** A whole number of `count` bytes, two's complement. */
  integer(count: number): void {
    if (count > longestInteger) {
      throw this.refusal(`expected a whole number of at most ${longestInteger} bytes, got ${count}`);
    }
    const bytes = Buffer.from(this.input.take(count)).reverse();
    const value = count === 0 ? 0n : BigInt(`0x${bytes.toString('hex')}`);
    this.push(shortest(BigInt.asIntN(8 * count, value)), 1 + Math.ceil(count / 8));
  }

  /** A copy of the next `count` bytes. */
  bytes(count: number): void {
    this.push(Uint8Array.from(this.input.take(count)), 20);
  }
}

const opcodes: Readonly<Record<number, Opcode>> = {
  0x80: (m) => m.protocol(),
  0x95: (m) => void m.input.length(8),
  0x28: (m) => m.mark(),
  0x30: (m) => m.discard(),
  0x31: (m) => void m.popMark(),
  0x32: (m) => m.push(m.top()),
  0x4e: (m) => m.push(null),
  0x88: (m) => m.push(true),
  0x89: (m) => m.push(false),
  0x4a: (m) => m.push(m.input.take(4).readInt32LE(0)),
  0x4b: (m) => m.push(m.input.byte()),
  0x4d: (m) => m.push(m.input.take(2).readUInt16LE(0)),
  0x8a: (m) => m.integer(m.input.length(1)),
  0x8b: (m) => m.integer(m.input.length(4)),
  0x47: (m) => m.push(m.input.take(8).readDoubleBE(0)),
  0x8c: (m) => m.push(m.input.text(m.input.length(1))),
  0x58: (m) => m.push(m.input.text(m.input.length(4))),
  0x8d: (m) => m.push(m.input.text(m.input.length(8))),
  0x55: (m) => m.push(m.input.text(m.input.length(1))),
  0x54: (m) => m.push(m.input.text(m.input.length(4))),
  0x43: (m) => m.bytes(m.input.length(1)),
  0x42: (m) => m.bytes(m.input.length(4)),
  0x8e: (m) => m.bytes(m.input.length(8)),
  0x96: (m) => m.bytes(m.input.length(8)),
  0x5d: (m) => m.push([], 4),
  0x6c: (m) => m.push(m.popMark(), 4),
  0x61: (m) => m.append([m.pop()]),
  0x65: (m) => m.append(m.popMark()),
  0x29: (m) => m.tuple([]),
  0x74: (m) => m.tuple(m.popMark()),
  0x85: (m) => m.tuple(m.popped(1)),
  0x86: (m) => m.tuple(m.popped(2)),
  0x87: (m) => m.tuple(m.popped(3)),
  0x7d: (m) => m.push(new Map(), 20),
  0x64: (m) => {
    const items = m.popMark();
    const map = new Map<Item, Item>();
    m.setItems(items, map);
    m.push(map, 20);
  },
  0x73: (m) => {
    const items = m.popped(2);
    m.setItems(items, m.top());
  },
  0x75: (m) => {
    const items = m.popMark();
    m.setItems(items, m.top());
  },
  0x8f: (m) => m.push(new Set(), 20),
  0x90: (m) => {
    const items = m.popMark();
    m.addItems(items, m.top());
  },
  0x91: (m) => {
    const items = m.popMark();
    const set = new Set<Item>();
    m.addItems(items, set);
    m.push(set, 20);
  },
  0x63: (m) => m.name(m.input.line(), m.input.line()),
  0x93: (m) => {
    const [module, name] = m.popped(2);
    m.name(module, name);
  },
  0x52: (m) => m.reduce(),
  0x62: (m) => m.build(),
  0x81: (m) => m.newObject(),
  0x71: (m) => m.put(m.input.byte()),
  0x72: (m) => m.put(m.input.take(4).readUInt32LE(0)),
  0x94: (m) => m.memoize(),
  0x68: (m) => m.get(m.input.byte()),
  0x6a: (m) => m.get(m.input.take(4).readUInt32LE(0)),
  0x51: (m) => m.persistent(),
};

/**
 * Reads the next pickle of `input`.
 *
 * @param load what the id of a storage stands for
 * @throws a Refusal that says what is wrong or not allowed, and at which byte
 */
export function readPickle(input: PickleInput, load: PersistentLoad): Item {
  return new Unpickler(input, load).run();
}

/** For pickles that have no business with storages. */
export const noStorages: PersistentLoad = (_, caller) => {
  throw caller.refusal('a storage is named where there is none');
};
