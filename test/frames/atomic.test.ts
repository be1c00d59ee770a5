import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { writeAtomic, writeFolderAtomic } from '../../src/frames/atomic.ts';
import type { Disk } from '../../src/frames/atomic.ts';

const folder = fs.mkdtempSync(join(tmpdir(), 'heartbeat-atomic-'));
after(() => fs.rmSync(folder, { recursive: true }));

const full = (): never => {
  throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
};

test('a file appears whole and replaces the old one', () => {
  const path = join(folder, 'a.bin');
  writeAtomic(path, Uint8Array.of(1, 2));
  writeAtomic(path, Uint8Array.of(3));
  assert.deepEqual([...fs.readFileSync(path)], [3]);
  assert.deepEqual(fs.readdirSync(folder), ['a.bin']);
});

test('short writes are continued', () => {
  const slow = ((descriptor: number, bytes: Uint8Array, at: number, count: number, to: number) =>
    fs.writeSync(descriptor, bytes, at, Math.min(count, 3), to)) as typeof fs.writeSync;
  const path = join(folder, 'slow.bin');
  writeAtomic(
    path,
    Uint8Array.from({ length: 10 }, (_, i) => i),
    { ...fs, writeSync: slow },
  );
  assert.deepEqual([...fs.readFileSync(path)], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  fs.rmSync(path);
});

const failing: Record<string, Partial<Disk>> = {
  'a full disk while writing': { writeSync: full as typeof fs.writeSync },
  'a full disk at fsync': { fsyncSync: full },
  'a full disk at rename': { renameSync: full },
};

for (const [name, calls] of Object.entries(failing)) {
  test(`${name} leaves the old file and nothing else`, () => {
    const path = join(folder, 'a.bin');
    assert.throws(
      () => writeAtomic(path, Uint8Array.of(9, 9, 9), { ...fs, ...calls }),
      /a\.bin: expected to write 3 bytes, got a full disk \(ENOSPC\)/,
    );
    assert.deepEqual([...fs.readFileSync(path)], [3]);
    assert.deepEqual(fs.readdirSync(folder), ['a.bin']);
  });
}

test('a missing folder is one sentence', () => {
  assert.throws(
    () => writeAtomic(join(folder, 'none', 'a.bin'), Uint8Array.of(1)),
    /expected to write 1 bytes, got a folder that does not exist \(ENOENT\)/,
  );
});

test('a folder appears whole or not at all', async () => {
  const target = join(folder, 'out');
  await assert.rejects(
    writeFolderAtomic(target, (there) => {
      writeAtomic(join(there, 'one'), Uint8Array.of(1));
      full();
    }),
    /no space/,
  );
  assert.deepEqual(fs.readdirSync(folder), ['a.bin']);
  const deep = join(folder, 'new', 'deeper', 'out');
  const noRoom = { ...fs, writeSync: full as typeof fs.writeSync };
  await assert.rejects(
    writeFolderAtomic(deep, (there) => writeAtomic(join(there, 'one'), Uint8Array.of(1), noRoom)),
    (error: Error) => error.message.startsWith(`${join(deep, 'one')}: expected to write 1 bytes`),
  );
  assert.deepEqual(fs.readdirSync(folder), ['a.bin']);
  fs.mkdirSync(target);
  await writeFolderAtomic(target, (there) => writeAtomic(join(there, 'one'), Uint8Array.of(1)));
  assert.deepEqual(fs.readdirSync(target), ['one']);
  await assert.rejects(
    writeFolderAtomic(target, () => {}),
    /expected a new or empty folder, got one that holds/,
  );
  assert.deepEqual(fs.readdirSync(target), ['one']);
});

/** A real full disk where the machine offers one: /dev/full refuses every byte. */
test('a device without space is reported', { skip: !fs.existsSync('/dev/full') }, () => {
  const onFull = ((_: string, __: string, mode: number) =>
    fs.openSync('/dev/full', 'w', mode)) as typeof fs.openSync;
  assert.throws(
    () => writeAtomic(join(folder, 'b.bin'), Uint8Array.of(1), { ...fs, openSync: onFull }),
    /b\.bin: expected to write 1 bytes, got a full disk \(ENOSPC\)/,
  );
  assert.ok(!fs.existsSync(join(folder, 'b.bin')));
});
