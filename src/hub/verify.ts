/** Whether what lies in the cache is what the Hub gave, byte for byte. */
import type { CachedFile } from './cache.ts';
import type { WeightFile } from './catalogue.ts';
import { hasherLike, hashFile } from './content-hash.ts';

export type FileState =
  /** The bytes have the hash that the file is known by. */
  | { readonly kind: 'whole'; readonly pinned: boolean }
  | { readonly kind: 'missing' }
  | { readonly kind: 'damaged'; readonly expected: string; readonly got: string }
  /** Neither the catalogue nor the cache knows a hash. */
  | { readonly kind: 'unknown' };

/**
 * Reads a file of the cache and compares. `onBytes` is told how many bytes were read each time.
 *
 * @throws the signal's reason, or what the file system says
 */
export async function verifyFile(
  file: WeightFile,
  cached: CachedFile | undefined,
  options: { onBytes?: (bytes: number) => void; signal?: AbortSignal } = {},
): Promise<FileState> {
  if (cached === undefined) return { kind: 'missing' };
  if (file.size !== null && file.size !== cached.size) {
    return { kind: 'damaged', expected: `${file.size} bytes`, got: `${cached.size} bytes` };
  }
  const expected = file.hash ?? cached.hash;
  if (expected === null) return { kind: 'unknown' };
  const hasher = hasherLike(expected, cached.size);
  await hashFile(cached.path, hasher, cached.size, options);
  const got = hasher.digest('hex');
  return got === expected ? { kind: 'whole', pinned: file.hash !== null } : { kind: 'damaged', expected, got };
}
