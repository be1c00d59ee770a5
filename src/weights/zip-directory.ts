/** The central directory of a zip archive: names, sizes and places of its entries. */
import { Refusal, quoted } from './bytes.ts';
import type { Bytes } from './bytes.ts';

export interface Entry {
  readonly name: string;
  readonly rawName: Buffer;
  /** 0 stored, 8 deflated. */
  readonly method: number;
  readonly crc: number;
  /** Bytes of the content, and bytes that it takes in the file. */
  readonly size: number;
  readonly storedSize: number;
  readonly headerAt: number;
  /** Where the next entry, or the directory, begins. */
  readonly limit: number;
}

const largestDirectory = 16 * 1024 * 1024;
const longestName = 1_024;
const endSize = 22;
const utf8 = new TextDecoder('utf-8', { fatal: true });

interface Directory {
  readonly at: number;
  readonly size: number;
  readonly entries: number;
}

/**
 * Reads the directory. Throws a Refusal when it is not whole, an entry is encrypted or packed in a
 * way that is not read, a name comes twice or leads out of the archive, or entries overlap.
 */
export function readDirectory(file: Bytes): Map<string, Entry> {
  const { at, size, entries } = findDirectory(file);
  if (size > largestDirectory) {
    throw new Refusal(`expected a zip directory of at most ${largestDirectory} bytes, got ${size}`);
  }
  const bytes = Buffer.alloc(size);
  file.readInto(bytes, at);
  const found = new Map<string, Omit<Entry, 'limit'>>();
  let next = 0;
  for (let count = 0; count < entries; count++) {
    if (next + 46 > size || bytes.readUInt32LE(next) !== 0x02014b50) {
      throw new Refusal(`expected ${entries} entries in the zip directory, got ${count}`);
    }
    const lengths = [28, 30, 32].map((field) => bytes.readUInt16LE(next + field));
    const end = next + 46 + lengths[0] + lengths[1] + lengths[2];
    if (end > size) throw new Refusal('the zip directory is cut short');
    const entry = readEntry(bytes.subarray(next, end), lengths[0], lengths[1]);
    if (found.has(entry.name)) throw new Refusal(`entry ${quoted(entry.name)} comes twice`);
    found.set(entry.name, entry);
    next = end;
  }
  if (next !== size) throw new Refusal(`expected ${next} bytes of zip directory, got ${size}`);
  return withLimits(found, at);
}

/** The end record, which is the last thing in the file: torch.save writes no comment after it. */
function findDirectory(file: Bytes): Directory {
  const cut = new Refusal('expected a zip directory at the end of the file: it is cut short');
  if (file.size < endSize) throw cut;
  const endAt = file.size - endSize;
  const end = Buffer.alloc(endSize);
  file.readInto(end, endAt);
  if (end.readUInt32LE(0) !== 0x06054b50 || end.readUInt16LE(20) !== 0) throw cut;
  const onDisk = end.readUInt16LE(8);
  const entries = end.readUInt16LE(10);
  const size = end.readUInt32LE(12);
  const at = end.readUInt32LE(16);
  if (end.readUInt32LE(4) !== 0 || onDisk !== entries) {
    throw new Refusal('expected an archive in one part');
  }
  const tooLarge = entries === 0xffff || size === 0xffffffff || at === 0xffffffff;
  if (!tooLarge && at + size === endAt) return { at, size, entries };
  // torch.save writes a record of zip64 between the two although nothing needs it.
  const large = findLargeDirectory(file, endAt);
  const agree = large.at === at && large.size === size && large.entries === entries;
  if (!tooLarge && !agree) throw new Refusal('the two end records of the zip directory disagree');
  return large;
}

/** The directory of an archive of zip64, by the locator before the end record. */
function findLargeDirectory(file: Bytes, endAt: number): Directory {
  const broken = new Refusal('expected the zip directory to end at its end record');
  const locatorAt = endAt - 20;
  if (locatorAt < 56) throw broken;
  const locator = Buffer.alloc(20);
  file.readInto(locator, locatorAt);
  const recordAt = Number(locator.readBigUInt64LE(8));
  if (locator.readUInt32LE(0) !== 0x07064b50 || recordAt > locatorAt - 56) throw broken;
  const record = Buffer.alloc(56);
  file.readInto(record, recordAt);
  const length = Number(record.readBigUInt64LE(4));
  if (record.readUInt32LE(0) !== 0x06064b50 || recordAt + 12 + length !== locatorAt) throw broken;
  const [onDisk, entries, size, at] = [24, 32, 40, 48].map((field) => Number(record.readBigUInt64LE(field)));
  if (record.readUInt32LE(16) !== 0 || record.readUInt32LE(20) !== 0 || onDisk !== entries) {
    throw new Refusal('expected an archive in one part');
  }
  if (at + size !== recordAt) throw new Refusal('expected the zip directory to end at its end record');
  return { at, size, entries };
}

function readEntry(record: Buffer, nameLength: number, extraLength: number): Omit<Entry, 'limit'> {
  const rawName = Buffer.from(record.subarray(46, 46 + nameLength));
  const name = readName(rawName);
  const refuse = (why: string) => new Refusal(`entry ${quoted(name)} ${why}`);
  const flags = record.readUInt16LE(8);
  const method = record.readUInt16LE(10);
  if ((flags & 0x2041) !== 0) throw refuse('is encrypted');
  if (method !== 0 && method !== 8) {
    throw refuse(`is packed by method ${method}, expected 0 (stored) or 8 (deflated)`);
  }
  const fields = { size: 24, storedSize: 20, headerAt: 42 };
  const extra = record.subarray(46 + nameLength, 46 + nameLength + extraLength);
  const large = zip64Field(extra);
  let at = 0;
  const read = (field: number) => {
    const value = record.readUInt32LE(field);
    if (value !== 0xffffffff) return value;
    if (large === null || at + 8 > large.length) throw refuse('lacks its size of zip64');
    at += 8;
    return Number(large.readBigUInt64LE(at - 8));
  };
  const size = read(fields.size);
  const storedSize = read(fields.storedSize);
  const headerAt = read(fields.headerAt);
  const numbers = [size, storedSize, headerAt];
  if (!numbers.every(Number.isSafeInteger)) throw refuse('has a size past counting');
  if (method === 0 && size !== storedSize) {
    throw refuse(`is stored, but has two sizes: ${size} and ${storedSize} bytes`);
  }
  return { name, rawName, method, crc: record.readUInt32LE(16), size, storedSize, headerAt };
}

/** The extra field number 1, which holds what does not fit into 32 bits. */
function zip64Field(extra: Buffer): Buffer | null {
  for (let at = 0; at + 4 <= extra.length;) {
    const end = at + 4 + extra.readUInt16LE(at + 2);
    if (extra.readUInt16LE(at) === 1 && end <= extra.length) return extra.subarray(at + 4, end);
    at = end;
  }
  return null;
}

function readName(raw: Buffer): string {
  let name: string;
  try {
    name = utf8.decode(raw);
  } catch {
    throw new Refusal(`expected the names of entries in UTF-8, got ${quoted(raw.toString('latin1'))}`);
  }
  const folder = name.endsWith('/') ? name.slice(0, -1) : name;
  const steps = folder.split('/');
  const leaves = steps.some((step) => step === '' || step === '.' || step === '..');
  if (leaves || raw.length > longestName || /[\\:\u0000-\u001f]/.test(name)) {
    throw new Refusal(`entry ${quoted(name)}: expected a name that stays inside the archive`);
  }
  return name;
}

/** Adds where each entry must end: at the next one's header. */
function withLimits(found: Map<string, Omit<Entry, 'limit'>>, directoryAt: number): Map<string, Entry> {
  const order = [...found.values()].sort((a, b) => a.headerAt - b.headerAt);
  const limits = new Map<string, number>();
  order.forEach((entry, i) => {
    const limit = i + 1 < order.length ? order[i + 1].headerAt : directoryAt;
    if (entry.headerAt + 30 + entry.rawName.length + entry.storedSize > limit) {
      throw new Refusal(`entry ${quoted(entry.name)} reaches into what follows it`);
    }
    limits.set(entry.name, limit);
  });
  return new Map([...found].map(([name, entry]) => [name, { ...entry, limit: limits.get(name)! }]));
}
