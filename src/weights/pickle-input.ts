import { Refusal, quoted } from './bytes.ts';
import type { Bytes } from './bytes.ts';

/** The longest pickle that is read. A checkpoint of 2,000 tensors has one of 400 kB. */
export const LARGEST_PICKLE = 64 * 1024 * 1024;
const windowSize = 64 * 1024;
/** The longest line of a GLOBAL opcode. */
const longestLine = 200;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The bytes of one or more pickles that follow each other, read through a small window. */
export class PickleInput {
  /** What is read, for messages: `archive/data.pkl`, or `the file`. */
  readonly where: string;
  private readonly source: Bytes;
  private window = Buffer.alloc(0);
  private windowAt = 0;
  private at: number;
  private end = 0;

  constructor(source: Bytes, where: string, at = 0) {
    this.source = source;
    this.where = where;
    this.at = at;
    this.begin();
  }

  /** The next byte to be read. */
  get position(): number {
    return this.at;
  }

  /** A pickle starts here: the limit on its length counts from here. */
  begin(): void {
    this.end = Math.min(this.source.size, this.at + LARGEST_PICKLE);
  }

  byte(): number {
    return this.take(1)[0];
  }

  /** The next `count` bytes; the buffer is good until the next call. */
  take(count: number): Buffer {
    if (count > this.end - this.at) {
      const left = this.end - this.at;
      const why =
        this.end < this.source.size
          ? `a pickle of at most ${LARGEST_PICKLE} bytes`
          : `${count} more bytes, ${left} are left`;
      throw this.refusal(`expected ${why}`);
    }
    const start = this.at - this.windowAt;
    this.at += count;
    if (start >= 0 && start + count <= this.window.length) {
      return this.window.subarray(start, start + count);
    }
    const from = this.at - count;
    const length = Math.min(Math.max(count, windowSize), this.source.size - from);
    this.window = Buffer.allocUnsafe(length);
    this.windowAt = from;
    this.source.readInto(this.window, from);
    return this.window.subarray(0, count);
  }

  /** The next `count` bytes as UTF-8. */
  text(count: number): string {
    const bytes = this.take(count);
    try {
      return utf8.decode(bytes);
    } catch {
      throw this.refusal('expected text in UTF-8');
    }
  }

  /** Text up to the next line feed. */
  line(): string {
    const bytes: number[] = [];
    for (let byte = this.byte(); byte !== 10; byte = this.byte()) {
      if (bytes.push(byte) > longestLine) {
        const start = quoted(String.fromCharCode(...bytes.slice(0, 40)));
        throw this.refusal(`expected a name of at most ${longestLine} bytes, got ${start} and more`);
      }
    }
    return Buffer.from(bytes).toString('latin1');
  }

  /** A length of `count` bytes, little-endian, that must be possible here. */
  length(count: 1 | 4 | 8): number {
    const bytes = this.take(count);
    const value = count === 8 ? bytes.readBigUInt64LE(0) : BigInt(bytes.readUIntLE(0, count));
    if (value > this.end - this.at) {
      throw this.refusal(`a length of ${value} bytes where ${this.end - this.at} are left`);
    }
    return Number(value);
  }

  refusal(why: string): Refusal {
    return new Refusal(`${why} (${this.where}, byte ${this.at})`);
  }
}
