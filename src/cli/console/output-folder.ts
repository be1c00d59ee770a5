/** The folder a verb is to write: refused before the work, not after it. */
import {
  accessSync, constants, existsSync, mkdtempSync, readdirSync, rmdirSync, statSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { UserError } from './user-error.ts';

/**
 * Throws unless `output` is a new or empty folder in a place that can be written to. Nothing
 * stays. Exit code 2 for a place that is taken; the system's own error where writing is not allowed.
 */
export function expectNewFolder(output: string): void {
  if (existsSync(output) && !(statSync(output).isDirectory() && readdirSync(output).length === 0)) {
    const folder = statSync(output).isDirectory();
    const got = folder ? `${output}, which holds files` : `${output}, a file`;
    throw new UserError(`--output: expected a new or empty folder, got ${got}`, { exitCode: 2 });
  }
  expectWritable(output);
}

/**
 * Throws unless folders can be made where `output` is to be: under /proc permission is granted and
 * yet nothing can be made, and Node's recursive `mkdir` then tries for ever. Nothing stays.
 */
export function expectWritable(output: string): void {
  let place = resolve(output);
  while (!existsSync(place) && dirname(place) !== place) place = dirname(place);
  if (!statSync(place).isDirectory()) {
    throw new UserError(`--output ${output}: expected a folder at ${place}, got a file`, {
      exitCode: 2,
    });
  }
  accessSync(place, constants.W_OK);
  try {
    rmdirSync(mkdtempSync(join(place, '.heartbeat-')));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(`--output ${output}: expected a place where folders can be made, ` +
      `got ${code} in ${place}`, { cause: error });
  }
}

/** `name`, or `name-2`, `name-3`, ...: the first that is a new or empty folder. */
export function freeFolder(name: string): string {
  for (let number = 1; ; number++) {
    const folder = number === 1 ? name : `${name}-${number}`;
    if (!existsSync(folder)) return folder;
    if (statSync(folder).isDirectory() && readdirSync(folder).length === 0) return folder;
  }
}
