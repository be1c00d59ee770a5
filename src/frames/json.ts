/** JSON files that are written whole or not at all. */
import { readFileSync } from 'node:fs';
import { writeAtomic } from './atomic.ts';

/** One line, atomically. */
export function writeJson(file: string, value: unknown): void {
  writeAtomic(file, new TextEncoder().encode(`${JSON.stringify(value)}\n`));
}

/** @throws one sentence that names a file that is no JSON */
export function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    throw new Error(`${file}: expected JSON, got something else`);
  }
}
