import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { hashFile, sha256 } from '../../src/frames/file-hash.ts';

const folder = mkdtempSync(join(tmpdir(), 'heartbeat hash '));
after(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, 'file');

test('a file larger than Node reads at once has the hash that sha256sum gives', () => {
  const file = openSync(path, 'w');
  ftruncateSync(file, 2 ** 31 + 1); // no disk is taken for its zeros
  closeSync(file);
  assert.equal(sha256(path), 'b8030a8ab89280935633d8d991da3d9907c0f12e8b6fc3bfc515f4d440872b6e');
});

test('an empty file, and files one after the other', () => {
  writeFileSync(path, '');
  assert.equal(sha256(path), createHash('sha256').digest('hex'));
  const [hash, expected] = [createHash('sha256'), createHash('sha256')];
  for (const text of ['heart', 'beat'.repeat(500_000)]) {
    writeFileSync(path, text);
    hashFile(hash, path);
    expected.update(text);
  }
  assert.equal(hash.digest('hex'), expected.digest('hex'));
});
