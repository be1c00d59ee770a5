/**
 * The cache on the disk, laid out as every Hub client lays it out, so that what one has fetched the
 * others find: `models--organisation--name/{blobs,refs,snapshots}`. A blob is named by its hash;
 * a snapshot is a folder named by a commit, of links to blobs; a ref is a branch's commit.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, readlinkSync, renameSync, rmSync, statSync,
  symlinkSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { temporaryName, writeAtomic } from '../frames/atomic.ts';
import { isContentHash } from './content-hash.ts';

export interface CachedFile {
  /** Where it is read: in the snapshot. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** The name of its blob; null for a plain file, which a system without links has instead. */
  readonly hash: string | null;
}

export interface Snapshot {
  readonly commit: string;
  readonly folder: string;
  /** Those of the files asked for that are there, by their path in the repository. */
  readonly files: ReadonlyMap<string, CachedFile>;
}

/** The folder of a repository (`organisation/name`) below the cache. */
export function repositoryFolder(cache: string, repository: string): string {
  return join(cache, `models--${repository.replaceAll('/', '--')}`);
}

export function blobPath(folder: string, hash: string): string {
  return join(folder, 'blobs', hash);
}

function isCommit(text: string): boolean {
  return /^[0-9a-f]{40}$/.test(text);
}

/** The commit that `main` had when it was last fetched; null where none is written. */
export function readMain(folder: string): string | null {
  const path = join(folder, 'refs', 'main');
  const text = existsSync(path) ? readFileSync(path, 'utf8').trim() : '';
  return isCommit(text) ? text : null;
}

export function writeMain(folder: string, commit: string): void {
  if (readMain(folder) === commit) return;
  mkdirSync(join(folder, 'refs'), { recursive: true });
  writeAtomic(join(folder, 'refs', 'main'), Buffer.from(commit));
}

function cachedFile(snapshot: string, path: string): CachedFile | null {
  const place = join(snapshot, path);
  const found = statSync(place, { throwIfNoEntry: false });
  if (found === undefined || !found.isFile()) return null;
  return { path: place, size: found.size, hash: blobName(place) };
}

/** The hash that a link in a snapshot leads to. The blob may itself be a link into a store that caches share. */
function blobName(place: string): string | null {
  try {
    const target = readlinkSync(place);
    return isContentHash(basename(target)) ? basename(target) : null;
  } catch {
    return null;
  }
}

/**
 * The snapshot that holds most of `paths`: the pinned revision's before `main`'s before any other,
 * newest first; null when none holds any.
 */
export function findSnapshot(folder: string, paths: readonly string[], revision: string | null): Snapshot | null {
  const root = join(folder, 'snapshots');
  if (!existsSync(root)) return null;
  const age = (commit: string) => statSync(join(root, commit), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const present = readdirSync(root).filter(isCommit).sort((a, b) => age(b) - age(a));
  const preferred = [revision, readMain(folder)].filter((commit) => commit !== null && present.includes(commit));
  let best: Snapshot | null = null;
  for (const commit of new Set([...(preferred as string[]), ...present])) {
    const snapshot = join(root, commit);
    const files = new Map(paths.flatMap((path) => {
      const found = cachedFile(snapshot, path);
      return found === null ? [] : [[path, found] as const];
    }));
    if (files.size > (best?.files.size ?? 0)) best = { commit, folder: snapshot, files };
  }
  return best;
}

export function snapshotFolder(folder: string, commit: string): string {
  return join(folder, 'snapshots', commit);
}

/**
 * Lets the snapshot of `commit` show the blob `hash` as `path`: by a relative link, or by a copy
 * where the system has no links. A reader sees the old or the new one, never none.
 */
export function showInSnapshot(folder: string, commit: string, path: string, hash: string): void {
  const place = join(snapshotFolder(folder, commit), path);
  if (blobName(place) === hash && existsSync(place)) return;
  const blob = blobPath(folder, hash);
  mkdirSync(dirname(place), { recursive: true });
  const temporary = temporaryName(place);
  try {
    try {
      symlinkSync(relative(dirname(place), blob), temporary);
    } catch (error) {
      if (!['EPERM', 'ENOTSUP', 'ENOSYS', 'EINVAL'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
      copyFileSync(blob, temporary);
    }
    renameSync(temporary, place);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
