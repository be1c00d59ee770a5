/** Fetches the files of a weight that the cache lacks. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { findSnapshot, repositoryFolder, showInSnapshot, snapshotFolder, writeMain } from './cache.ts';
import { filesOf, type Variant, type Weight } from './catalogue.ts';
import { lookUp, type RemoteFile, type Revision } from './hub.ts';
import type { HubAccess } from './request.ts';
import { fetchBlob, hasBlob } from './transfer.ts';

export interface Plan {
  readonly weight: Weight;
  readonly revision: Revision;
  /** The repository's folder in the cache. */
  readonly folder: string;
  /** Where the files will stand. */
  readonly snapshot: string;
  readonly missing: readonly RemoteFile[];
}

export interface PullOptions {
  /** Fetch what is there, too. */
  readonly force?: boolean;
  /** Bytes of the missing files that are there, and the file at work. */
  readonly onProgress?: (bytes: number, path: string) => void;
  /** Another process is fetching that file. */
  readonly onWait?: (path: string) => void;
}

/** Asks the Hub what the weight consists of, and finds what of it the cache lacks (with `force`: all of it). */
export async function planPull(
  weight: Weight,
  variant: Variant,
  cache: string,
  hub: HubAccess,
  force = false,
): Promise<Plan> {
  const revision = await lookUp(weight, filesOf(weight, variant), hub);
  const folder = repositoryFolder(cache, weight.repository);
  const snapshot = snapshotFolder(folder, revision.commit);
  const isThere = (file: RemoteFile) => hasBlob(folder, file) ||
    statSync(join(snapshot, file.path), { throwIfNoEntry: false })?.size === file.size;
  const missing = revision.files.filter((file) => force || !isThere(file));
  return { weight, revision, folder, snapshot, missing };
}

/**
 * Carries the plan out: each file appears in the snapshot when it is whole and has its hash.
 *
 * @throws HubError; the signal's reason. What is whole stays, what is not is gone on from next time.
 */
export async function carryOut(plan: Plan, hub: HubAccess, options: PullOptions = {}): Promise<void> {
  const { weight, revision, folder, missing } = plan;
  const { commit } = revision;
  const { force, onProgress, onWait } = options;
  let before = 0;
  for (const file of missing) {
    await fetchBlob({
      folder, repository: weight.repository, commit, file, force,
      onProgress: (bytes) => onProgress?.(before + bytes, file.path),
      onWait: () => onWait?.(file.path),
    }, hub);
    before += file.size;
    onProgress?.(before, file.path);
  }
  for (const { path, hash, ...file } of revision.files) {
    if (hasBlob(folder, { path, hash, ...file })) showInSnapshot(folder, commit, path, hash);
  }
  if (revision.isMain) writeMain(folder, commit);
}

/**
 * The folder of a weight that is whole in the cache, without asking anyone; null when a file of it
 * is missing or has another size than the catalogue knows.
 */
export function findWeight(weight: Weight, variant: Variant, cache: string): string | null {
  const files = filesOf(weight, variant);
  const folder = repositoryFolder(cache, weight.repository);
  const snapshot = findSnapshot(folder, files.map(({ path }) => path), weight.revision);
  if (snapshot === null) return null;
  const whole = files.every(({ path, size }) => {
    const found = snapshot.files.get(path);
    return found !== undefined && (size ?? found.size) === found.size;
  });
  return whole ? snapshot.folder : null;
}
