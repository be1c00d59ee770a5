/** Hashes of files of any size: Node reads no file above 2 GiB at once. */
import { createHash, type Hash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';

/** Adds the bytes of a file to a hash, read in pieces. Errors: those of the file system. */
export function hashFile(hash: Hash, path: string): void {
  const handle = openSync(path, 'r');
  const piece = Buffer.alloc(1 << 20);
  try {
    for (let n = readSync(handle, piece); n > 0; n = readSync(handle, piece)) hash.update(piece.subarray(0, n));
  } finally {
    closeSync(handle);
  }
}

/** sha256 of a file as hexadecimal text. */
export function sha256(path: string): string {
  const hash = createHash('sha256');
  hashFile(hash, path);
  return hash.digest('hex');
}
