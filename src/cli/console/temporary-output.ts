/**
 * Outputs appear whole or not at all: they are made under a temporary name beside their place and
 * renamed.
 */
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

const pending = new Set<string>();
let installed = false;

export interface TemporaryOutput {
  /** Where to write meanwhile: a sibling of the final place, hence on the same file system. */
  readonly path: string;
  /**
   * Renames the output to its final place, over a file or an empty folder; a folder with files in
   * it is an error.
   */
  commit(): void;
  /** Removes what was written. Nothing happens after `commit`. */
  discard(): void;
}

/**
 * A temporary path for `target`; removed when the process ends without `commit`. The parent folder
 * is made.
 */
export function temporaryOutput(target: string): TemporaryOutput {
  const final = resolve(target);
  const path = join(dirname(final), `.${basename(final)}.${process.pid}.tmp`);
  mkdirSync(dirname(final), { recursive: true });
  if (!installed) process.on('exit', removeTemporaryOutputs);
  installed = true;
  pending.add(path);
  return {
    path,
    commit() {
      renameSync(path, final);
      pending.delete(path);
    },
    discard() {
      if (pending.delete(path)) rmSync(path, { recursive: true, force: true });
    },
  };
}

/**
 * Removes every temporary output that was not committed. Runs at exit, and before a signal ends the
 * process.
 */
export function removeTemporaryOutputs(): void {
  // A thread may still write into it.
  for (const path of pending) rmSync(path, { recursive: true, force: true, maxRetries: 5 });
  pending.clear();
}
