/**
 * Zip archives read by position, as PKWARE's APPNOTE 6.3 has them: stored and deflated entries,
 * zip64. The libraries on npm (yauzl, zip.js) read asynchronously only, and leave duplicate names,
 * overlapping entries or checksums to their users; a step of this engine is synchronous, and a
 * checkpoint is a file from anywhere.
 */
import { inflateRawSync } from 'node:zlib';
import { Part, Refusal, quoted } from './bytes.ts';
import type { Bytes } from './bytes.ts';
import { crc32 } from './crc32.ts';
import { readDirectory } from './zip-directory.ts';
import type { Entry } from './zip-directory.ts';

/** A deflated entry is inflated whole, so it may not be larger than this. */
const largestInflated = 512 * 1024 * 1024;
/** deflate cannot do better than 1032 to 1. */
const largestRatio = 1032;
const block = 1024 * 1024;

/** The entries of an archive by name. */
export class Archive {
  readonly entries: ReadonlyMap<string, Entry>;
  private readonly file: Bytes;
  private readonly opened = new Map<Entry, Bytes>();
  /** The deflated entry that was read last. */
  private inflated: { entry: Entry; content: Buffer } | null = null;

  /** Throws a Refusal when the file is no archive, or one that hides something. */
  constructor(file: Bytes) {
    this.file = file;
    this.entries = readDirectory(file);
  }

  /** The content of an entry, its checksum compared before the first byte is given out. */
  open(entry: Entry): Bytes {
    let bytes = this.opened.get(entry);
    if (bytes === undefined) {
      const stored = new Part(this.file, contentStart(this.file, entry), entry.storedSize);
      bytes =
        entry.method === 0
          ? new Checked(entry, stored)
          : { size: entry.size, readInto: (target, at) => this.copyInflated(entry, stored, target, at) };
      this.opened.set(entry, bytes);
    }
    return bytes;
  }

  private copyInflated(entry: Entry, stored: Bytes, target: Uint8Array, at: number): void {
    if (this.inflated?.entry !== entry) this.inflated = { entry, content: inflate(entry, stored) };
    const { content } = this.inflated;
    if (at < 0 || at + target.length > content.length) {
      throw new Refusal(`${named(entry)} ends at byte ${content.length}`);
    }
    content.copy(target, 0, at, at + target.length);
  }
}

function named({ name }: Entry): string {
  return `entry ${quoted(name)}`;
}

/** Where the content begins: behind the entry's own header, which must agree with the directory. */
function contentStart(file: Bytes, entry: Entry): number {
  const header = Buffer.alloc(30);
  const fits = entry.headerAt + 30 <= entry.limit;
  if (fits) file.readInto(header, entry.headerAt);
  if (!fits || header.readUInt32LE(0) !== 0x04034b50) {
    throw new Refusal(`${named(entry)} has no header at byte ${entry.headerAt}`);
  }
  const nameLength = header.readUInt16LE(26);
  const start = entry.headerAt + 30 + nameLength + header.readUInt16LE(28);
  if (start + entry.storedSize > entry.limit) {
    throw new Refusal(`${named(entry)} reaches into what follows it`);
  }
  const name = Buffer.alloc(nameLength);
  file.readInto(name, entry.headerAt + 30);
  if (!name.equals(entry.rawName) || header.readUInt16LE(8) !== entry.method) {
    throw new Refusal(`${named(entry)} is called otherwise in its own header`);
  }
  return start;
}

function wrongChecksum(entry: Entry, got: number): Refusal {
  const hex = (crc: number) => crc.toString(16).padStart(8, '0');
  const sums = `expected checksum ${hex(entry.crc)}, got ${hex(got)}`;
  return new Refusal(`${named(entry)} is damaged: ${sums}`);
}

/** A stored entry: read by position, after its checksum has been compared once. */
class Checked implements Bytes {
  readonly size: number;
  private readonly entry: Entry;
  private readonly stored: Bytes;
  private checked = false;

  constructor(entry: Entry, stored: Bytes) {
    this.entry = entry;
    this.stored = stored;
    this.size = stored.size;
  }

  readInto(target: Uint8Array, at: number): void {
    if (!this.checked) this.check();
    this.stored.readInto(target, at);
  }

  private check(): void {
    const buffer = Buffer.allocUnsafe(Math.min(block, this.size));
    let crc = 0;
    for (let at = 0; at < this.size; at += block) {
      const part = buffer.subarray(0, Math.min(block, this.size - at));
      this.stored.readInto(part, at);
      crc = crc32(part, crc);
    }
    if (crc !== this.entry.crc) throw wrongChecksum(this.entry, crc);
    this.checked = true;
  }
}

function inflate(entry: Entry, stored: Bytes): Buffer {
  const most = Math.min(largestInflated, largestRatio * stored.size + 64);
  if (entry.size > most || stored.size > largestInflated) {
    const given = `${entry.size} bytes from ${stored.size}`;
    throw new Refusal(`${named(entry)}: expected to inflate to at most ${most} bytes, got ${given}`);
  }
  const packed = Buffer.allocUnsafe(stored.size);
  stored.readInto(packed, 0);
  let content: Buffer;
  try {
    content = inflateRawSync(packed, { maxOutputLength: Math.max(1, entry.size) });
  } catch (error) {
    const tooLong = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
    const why = tooLong ? `is longer than the ${entry.size} bytes it claims` : 'cannot be inflated';
    throw new Refusal(`${named(entry)} ${why}`);
  }
  if (content.length !== entry.size) {
    throw new Refusal(`${named(entry)}: expected ${entry.size} bytes, got ${content.length}`);
  }
  const crc = crc32(content);
  if (crc !== entry.crc) throw wrongChecksum(entry, crc);
  return content;
}
