/** One file from the Hub into the cache: resumed where it was left, hashed as it comes, renamed when it is right. */
import type { Hash } from 'node:crypto';
import { statSync } from 'node:fs';
import { blobPath } from './cache.ts';
import { hasherLike, hashFile, isContentHash } from './content-hash.ts';
import { HubError, shownUrl } from './hub-error.ts';
import type { RemoteFile } from './hub.ts';
import { claimPartial, type PartialFile } from './partial-file.ts';
import { connectionError, request, retrying, type Answer, type HubAccess } from './request.ts';

export interface Transfer {
  /** The repository's folder in the cache. */
  readonly folder: string;
  readonly repository: string;
  readonly commit: string;
  readonly file: RemoteFile;
  /** Fetch it although its blob is there. */
  readonly force?: boolean;
  /** Bytes of the file that are there, each time there are more (or fewer, when it begins again). */
  readonly onProgress?: (bytes: number) => void;
  /** Another process is fetching the same file. */
  readonly onWait?: () => void;
}

/** A try that brought so many bytes (1 MiB) gives back all the tries. */
const worthwhile = 2 ** 20;

/** Whether the blob lies in the cache with the size it should have. Its bytes are not read. */
export function hasBlob(folder: string, { hash, size }: RemoteFile): boolean {
  return statSync(blobPath(folder, hash), { throwIfNoEntry: false })?.size === size;
}

/**
 * Fetches the file's blob.
 *
 * @throws HubError with what was expected and what came; the signal's reason. What came so far stays
 *   for another try, unless it is known to be wrong.
 */
export async function fetchBlob(transfer: Transfer, hub: HubAccess): Promise<void> {
  const { folder, file, force = false, onProgress, onWait } = transfer;
  const blob = blobPath(folder, file.hash);
  const before = force ? statSync(blob, { throwIfNoEntry: false }) : undefined;
  const isDone = () => {
    const now = statSync(blob, { throwIfNoEntry: false });
    return now?.size === file.size && (before === undefined || now.ino !== before.ino);
  };
  const partial = await claimPartial(blob, { isDone, onWait, signal: hub.signal });
  if (partial === null) return;
  try {
    const inherited = Math.min(partial.size(), file.size);
    if (await receive(transfer, partial, hub)) return partial.commit();
    const address = addressOf(transfer, hub);
    partial.truncate(0);
    onProgress?.(0);
    // A part that an earlier run left may have been damaged since: once more, from the beginning.
    if (inherited > 0 && (await receive(transfer, partial, hub))) return partial.commit();
    partial.truncate(0);
    throw new HubError(`${shownUrl(address)}: expected ${kindOf(file.hash)} ${file.hash}, got other bytes of the ` +
      'same number; nothing was kept; run this again, and if it stays so, something on the way changes files');
  } finally {
    partial.release();
  }
}

function kindOf(hash: string): string {
  return hash.length === 64 ? 'sha256' : 'git blob id';
}

function addressOf({ repository, commit, file }: Transfer, hub: HubAccess): string {
  return `${hub.endpoint}/${repository}/resolve/${commit}/${file.path.split('/').map(encodeURIComponent).join('/')}`;
}

/** Brings `partial` to the file's full size. Returns whether its bytes have the file's hash. */
async function receive(transfer: Transfer, partial: PartialFile, hub: HubAccess): Promise<boolean> {
  const { file, onProgress } = transfer;
  if (partial.size() > file.size) partial.truncate(0);
  const hasher = hasherLike(file.hash, file.size);
  await hashFile(partial.path, hasher, partial.size(), { signal: hub.signal });
  onProgress?.(partial.size());
  let began = partial.size();
  await retrying(async () => {
    began = partial.size();
    if (began < file.size) await receiveRest(transfer, partial, hasher, hub);
  }, hub, { patient: true, isProgress: () => partial.size() - began >= worthwhile });
  return hasher.digest('hex') === file.hash;
}

/** One request for what is missing. Returns when the file has its size. */
async function receiveRest(transfer: Transfer, partial: PartialFile, hasher: Hash, hub: HubAccess): Promise<void> {
  const { file, repository, onProgress } = transfer;
  const address = addressOf(transfer, hub);
  const start = partial.size();
  const headers: Record<string, string> = start > 0 ? { range: `bytes=${start}-` } : {};
  const answer = await request(address, repository, hub, { headers });
  const { response, watch } = answer;
  const where = shownUrl(response.url === '' ? address : response.url);
  try {
    refuseOther(answer, transfer, address);
    // A server that ignores Range sends all of it: what is there already is passed over.
    let skip = startOf(response, start, file, where);
    for await (const chunk of response.body ?? []) {
      watch.touch();
      const fresh = chunk.subarray(Math.min(skip, chunk.length));
      skip -= chunk.length - fresh.length;
      if (partial.size() + fresh.length > file.size) {
        partial.truncate(start);
        throw tooLong(where, file.size, 'more');
      }
      partial.append(fresh);
      hasher.update(fresh);
      onProgress?.(partial.size());
    }
  } catch (error) {
    if (isOfDisk(error)) throw error;
    throw connectionError(error, where, hub, watch);
  } finally {
    watch.stop();
    if (!response.bodyUsed) await response.body?.cancel().catch(() => {});
  }
  if (partial.size() < file.size) {
    throw new HubError(`${where}: expected ${file.size} bytes, got ${partial.size()} before the end; ` +
      'they are kept: run this again, and it goes on from there', { transient: true });
  }
}

function isOfDisk(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).syscall === 'write';
}

function tooLong(where: string, size: number, got: string): HubError {
  return new HubError(`${where}: expected ${size} bytes, got ${got}; only what was there before is kept; ` +
    'run this again, and look at HF_ENDPOINT if it stays so');
}

/** How many bytes of the body to pass over, so that it goes on at `start`. */
function startOf(response: Response, start: number, file: RemoteFile, where: string): number {
  if (response.status === 200) {
    const length = Number(response.headers.get('content-length') ?? 0);
    if (length > file.size) throw tooLong(where, file.size, `an answer of ${length}`);
    return start;
  }
  const range = response.headers.get('content-range') ?? '';
  const [, first, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(range) ?? [];
  if (response.status === 206 && Number(first) === start && (total === '*' || Number(total) === file.size)) return 0;
  throw new HubError(`${where}: expected bytes ${start} to ${file.size - 1} of ${file.size}, ` +
    `got HTTP ${response.status} with range "${range.replace(/[^\x20-\x7e]/g, '').slice(0, 60)}"; ` +
    'what was there is kept; run this again, and look at HF_ENDPOINT if it stays so');
}

/** The endpoint's headers must speak of the same file as its list of files did. */
function refuseOther({ hub: headers }: Answer, { commit, file }: Transfer, address: string): void {
  const plain = (text: string | null) => text?.replace(/^W\//, '').replace(/"/g, '') ?? '';
  const claims: [string, string, string][] = [
    ['commit', commit, plain(headers.get('x-repo-commit'))],
    ['hash', file.hash, plain(headers.get('x-linked-etag') ?? headers.get('etag'))],
  ];
  for (const [what, expected, got] of claims) {
    if (!isContentHash(got) || got === expected) continue;
    throw new HubError(`${shownUrl(address)}: expected ${what} ${expected}, got ${got}; ` +
      'the repository has changed, or HF_ENDPOINT is no whole Hub; run this again');
  }
  const size = headers.get('x-linked-size');
  if (size !== null && Number(size) !== file.size) {
    throw new HubError(`${shownUrl(address)}: expected ${file.size} bytes, got an offer of ${Number(size)}; ` +
      'run this again, and look at HF_ENDPOINT if it stays so');
  }
}
