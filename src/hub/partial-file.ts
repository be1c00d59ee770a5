/**
 * The part of a blob that is there already. While a process writes it, its name holds host and
 * process (`HASH.heartbeat-HOST-PID.incomplete`), else it is `HASH.heartbeat.incomplete`. Every
 * change of hands is one rename, so that two processes never write one file; Python's client
 * has names of its own, and never meets these.
 */
import { closeSync, fstatSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, statSync,
  utimesSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** An owner that lives touches its file at least this often (ms). */
const touchEvery = 15_000;
/** After so long without a touch (ms) an owner counts as gone. */
const stale = 120_000;
const pollEvery = 300;

export interface PartialFile {
  readonly path: string;
  /** Bytes that are there. */
  size(): number;
  append(bytes: Uint8Array): void;
  /** Leaves the first `size` bytes. */
  truncate(size: number): void;
  /** Whole and right: flushed to the disk and renamed to the blob. */
  commit(): void;
  /** Gives it up for a later try to go on from; an empty one goes. */
  release(): void;
}

const host = hostname().replace(/[^A-Za-z0-9]/g, '-');
const ownSuffix = `.heartbeat-${host}-${process.pid}.incomplete`;

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

interface Found {
  readonly path: string;
  readonly size: number;
  /** Nobody writes it, and this process may take it. */
  readonly free: boolean;
  /** Another process is at work on it now. */
  readonly busy: boolean;
}

/** Every part of this blob that lies beside it, this process's own left out. */
function partsOf(blob: string): Found[] {
  const prefix = `${basename(blob)}.heartbeat`;
  return readdirSync(dirname(blob)).flatMap((name) => {
    const ours = name === `${basename(blob)}${ownSuffix}`;
    if (ours || !name.startsWith(prefix) || !name.endsWith('.incomplete')) return [];
    const path = join(dirname(blob), name);
    const found = statSync(path, { throwIfNoEntry: false });
    if (found === undefined) return [];
    const owner = /\.heartbeat-(.*)-(\d+)\.incomplete$/.exec(name);
    const here = owner?.[1] === host;
    const gone = here && !isRunning(Number(owner?.[2]));
    const fresh = Date.now() - found.mtimeMs < stale;
    return [{ path, size: found.size, free: owner === null || gone, busy: owner !== null && !gone && fresh }];
  });
}

/** Renames `from` to `to`; false when another process was quicker. */
function take(from: string, to: string): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

/** Creates an empty file, unless there is one. */
function createEmpty(path: string): void {
  try {
    closeSync(openSync(path, 'wx'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/**
 * Takes the part of `blob` for this process; the largest that nobody writes, else a new one. Waits
 * while another process is at work on it.
 *
 * @returns null when the other process has made the blob meanwhile (`isDone`)
 */
export async function claimPartial(
  blob: string,
  { isDone, onWait, signal }: { isDone: () => boolean; onWait?: () => void; signal?: AbortSignal },
): Promise<PartialFile | null> {
  mkdirSync(dirname(blob), { recursive: true });
  const idle = `${blob}.heartbeat.incomplete`;
  const own = `${blob}${ownSuffix}`;
  let told = false;
  for (;;) {
    signal?.throwIfAborted();
    if (isDone()) return null;
    const parts = partsOf(blob);
    if (parts.some(({ busy }) => busy)) {
      if (!told) onWait?.();
      told = true;
    } else {
      const [largest] = parts.filter(({ free }) => free).sort((a, b) => b.size - a.size);
      if (largest === undefined) createEmpty(idle);
      if (take(largest?.path ?? idle, own)) {
        // Two processes may have taken two files at the same moment: both step back, and one returns first.
        if (!partsOf(blob).some(({ busy }) => busy)) return open(blob, own, idle);
        giveBack(own, idle);
      }
    }
    await sleep(pollEvery * (0.5 + Math.random()), undefined, { signal }).catch(() => signal?.throwIfAborted());
  }
}

/** The owner's name becomes the free one, unless a larger part lies there. */
function giveBack(own: string, idle: string): void {
  const size = statSync(own, { throwIfNoEntry: false })?.size ?? 0;
  const other = statSync(idle, { throwIfNoEntry: false })?.size ?? -1;
  if (size === 0 || other >= size) rmSync(own, { force: true });
  else renameSync(own, idle);
}

function open(blob: string, own: string, idle: string): PartialFile {
  const descriptor = openSync(own, 'r+');
  let size = fstatSync(descriptor).size;
  const touch = setInterval(() => {
    const now = new Date();
    try {
      utimesSync(own, now, now);
    } catch {
      // Gone or not ours to touch: the next write says so.
    }
  }, touchEvery);
  touch.unref();
  let closed = false;
  const close = () => {
    clearInterval(touch);
    if (!closed) closeSync(descriptor);
    closed = true;
  };
  return {
    path: own,
    size: () => size,
    append(bytes) {
      let done = 0;
      try {
        while (done < bytes.length) done += writeSync(descriptor, bytes, done, bytes.length - done, size + done);
      } catch (error) {
        throw Object.assign(error as Error, { path: own });
      }
      size += bytes.length;
    },
    truncate(kept) {
      ftruncateSync(descriptor, kept);
      size = kept;
    },
    commit() {
      fsyncSync(descriptor);
      close();
      renameSync(own, blob);
      for (const { path, free } of partsOf(blob)) if (free) rmSync(path, { force: true });
    },
    release() {
      close();
      giveBack(own, idle);
    },
  };
}
