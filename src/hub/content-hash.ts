/** The Hub names a content by its hash; these recompute it. */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';

/** Whether `text` is one of the Hub's hashes: sha256 of a large file, git blob id (sha1) of a small one. */
export function isContentHash(text: string): boolean {
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text);
}

/** A hasher of the kind of `hash`, ready for the file's bytes; `size` is their number, which git's kind begins with. */
export function hasherLike(hash: string, size: number): Hash {
  return hash.length === 64 ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`);
}

/** Feeds the first `size` bytes of a file to `hasher`. `onBytes` is told how many each time; `signal` stops it. */
export async function hashFile(
  path: string,
  hasher: Hash,
  size: number,
  { onBytes, signal }: { onBytes?: (bytes: number) => void; signal?: AbortSignal } = {},
): Promise<void> {
  if (size === 0) return;
  for await (const chunk of createReadStream(path, { end: size - 1, highWaterMark: 1 << 20, signal })) {
    hasher.update(chunk as Buffer);
    onBytes?.((chunk as Buffer).length);
  }
}
