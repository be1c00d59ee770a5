/** Files that must be refused, and the sentence that says so. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { openCheckpoint } from '../../src/weights/checkpoint.ts';

/** A folder of its own for every test file, gone when its tests are. */
export const folder = mkdtempSync(join(tmpdir(), 'hostile-'));
after(() => rmSync(folder, { recursive: true, force: true }));
export const file = join(folder, 'file.pt');

/** The sentence with which a file is refused when it is opened, or a tensor of it is read; without its path. */
export function refusal(content: Uint8Array, read?: string): string {
  writeFileSync(file, content);
  let message = '';
  assert.throws(
    () => {
      const checkpoint = openCheckpoint(file);
      try {
        if (read !== undefined) checkpoint.read(read);
      } finally {
        checkpoint.close();
      }
    },
    (error: Error) => {
      assert.equal(error.constructor, Error, error.stack);
      ({ message } = error);
      return true;
    },
  );
  assert.ok(message.startsWith(`${file}: `) && !message.includes('\n') && message.length < 500, message);
  return message.slice(file.length + 2);
}
