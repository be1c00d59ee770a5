/** Bytes at positions: a file that is read piece by piece, never whole. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

/**
 * What is wrong with a file from outside, in words that do not name the file yet: `refusing` puts
 * its path in front.
 */
export class Refusal extends Error {}

/** Bytes that can be read at any position. */
export interface Bytes {
  readonly size: number;
  /** Fills `target` with the bytes from `at` on. Throws when they are not all there. */
  readInto(target: Uint8Array, at: number): void;
}

/** Runs `body`; what it refuses becomes one sentence that begins with the path. */
export function refusing<T>(path: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw new Error(`${path}: ${error.message}`, { cause: error });
  }
}

/** Text of a file from outside as it may stand in a message: short, on one line, in quotes. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text).replace(
    /[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    '?',
  );
}

/** A file open for positioned reads. */
export class OpenFile implements Bytes {
  readonly path: string;
  readonly size: number;
  private descriptor: number | null;

  /** Throws a Refusal when there is no such file, or it is a folder or a device. */
  constructor(path: string) {
    this.path = path;
    try {
      // A pipe must not make this wait for somebody who writes to it.
      this.descriptor = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new Refusal(code === 'ENOENT' ? 'no such file' : `cannot be opened (${code})`);
    }
    const status = fstatSync(this.descriptor);
    if (!status.isFile()) {
      this.close();
      throw new Refusal('expected a file');
    }
    this.size = status.size;
  }

  readInto(target: Uint8Array, at: number): void {
    if (this.descriptor === null) throw new Refusal('expected an open file, it was closed');
    for (let done = 0; done < target.length;) {
      const count = this.readSome(this.descriptor, target, done, at + done);
      if (count === 0) throw new Refusal(`ended at byte ${at + done} while it was read`);
      done += count;
    }
  }

  /** Twice is once. */
  close(): void {
    if (this.descriptor === null) return;
    closeSync(this.descriptor);
    this.descriptor = null;
  }

  private readSome(file: number, target: Uint8Array, done: number, position: number): number {
    try {
      return readSync(file, target, done, target.length - done, position);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new Refusal(`cannot be read at byte ${position} (${code})`);
    }
  }
}

/** Bytes begin..begin + size of other bytes. */
export class Part implements Bytes {
  readonly size: number;
  private readonly whole: Bytes;
  private readonly begin: number;

  constructor(whole: Bytes, begin: number, size: number) {
    this.whole = whole;
    this.begin = begin;
    this.size = size;
  }

  readInto(target: Uint8Array, at: number): void {
    if (at < 0 || at + target.length > this.size) {
      const asked = `${at}..${at + target.length}`;
      throw new Refusal(`expected bytes within 0..${this.size}, got ${asked}`);
    }
    this.whole.readInto(target, this.begin + at);
  }
}

/** Bytes in memory. */
export class MemoryBytes implements Bytes {
  readonly size: number;
  private readonly content: Uint8Array;

  constructor(content: Uint8Array) {
    this.content = content;
    this.size = content.length;
  }

  readInto(target: Uint8Array, at: number): void {
    if (at < 0 || at + target.length > this.size) {
      throw new Refusal(`expected bytes within 0..${this.size}, got ${at}..${at + target.length}`);
    }
    target.set(this.content.subarray(at, at + target.length));
  }
}
