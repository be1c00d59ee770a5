/**
 * All-or-nothing writing: a reader sees the old file or the whole new one, never half of it,
 * also after a crash or on a full disk.
 */
import * as nodeFs from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

/** The calls that touch the disk, so that a test can make any of them fail. */
export type Disk = Pick<
  typeof nodeFs,
  'openSync' | 'writeSync' | 'fsyncSync' | 'closeSync' | 'renameSync' | 'rmSync'
>;

let counter = 0;

/** A hidden sibling of `path` that no other process or call picks. */
export function temporaryName(path: string): string {
  counter += 1;
  return join(dirname(path), `.${basename(path)}.${process.pid}-${counter}.part`);
}

/**
 * Writes `bytes` to a temporary file in the same folder, fsyncs it and renames it to `path`.
 * On any failure (ENOSPC, missing folder, no permission) the temporary file is removed, an
 * existing `path` stays as it was, and one sentence is thrown.
 */
export function writeAtomic(path: string, bytes: Uint8Array, disk: Disk = nodeFs): void {
  const target = resolve(path);
  const temporary = temporaryName(target);
  let descriptor: number | null = null;
  try {
    descriptor = disk.openSync(temporary, 'wx', 0o644);
    let done = 0;
    while (done < bytes.length) {
      done += disk.writeSync(descriptor, bytes, done, bytes.length - done, done);
    }
    disk.fsyncSync(descriptor);
    disk.closeSync(descriptor);
    descriptor = null;
    disk.renameSync(temporary, target);
  } catch (error) {
    if (descriptor !== null) closeQuietly(descriptor, disk);
    disk.rmSync(temporary, { force: true });
    throw new Error(`${path}: expected to write ${bytes.length} bytes, got ${reason(error)}`, {
      cause: error,
    });
  }
}

/**
 * Fills a new folder through `fill(temporaryFolder)` and renames it to `folder` when all is
 * written; on failure nothing is left, and messages name `folder`. It must not exist, or be empty.
 */
export async function writeFolderAtomic(
  folder: string,
  fill: (temporaryFolder: string) => void | Promise<void>,
): Promise<void> {
  const target = resolve(folder);
  if (nodeFs.existsSync(target)) {
    if (!nodeFs.statSync(target).isDirectory() || nodeFs.readdirSync(target).length > 0) {
      throw new Error(`${folder}: expected a new or empty folder, got one that holds something`);
    }
  }
  const temporary = temporaryName(target);
  let firstMade: string | undefined;
  try {
    firstMade = nodeFs.mkdirSync(temporary, { recursive: true });
    await fill(temporary);
    // POSIX renames onto an empty folder; Windows does not, so the empty one goes first.
    nodeFs.rmSync(target, { recursive: true, force: true });
    nodeFs.renameSync(temporary, target);
  } catch (error) {
    // Parent folders that did not exist before go as well.
    nodeFs.rmSync(firstMade ?? temporary, { recursive: true, force: true });
    if (error instanceof Error) error.message = error.message.replaceAll(temporary, folder);
    throw error;
  }
}

function closeQuietly(descriptor: number, disk: Disk): void {
  try {
    disk.closeSync(descriptor);
  } catch {
    // The first error is the one to report.
  }
}

function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  const known: Record<string, string> = {
    ENOSPC: 'a full disk (ENOSPC)',
    EDQUOT: 'a used-up disk quota (EDQUOT)',
    ENOENT: 'a folder that does not exist (ENOENT)',
    EACCES: 'no permission (EACCES)',
    EROFS: 'a read-only disk (EROFS)',
    EISDIR: 'a folder of that name (EISDIR)',
  };
  return known[code ?? ''] ?? message;
}
