import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { claimFolder } from '../../src/training/stage-folder.ts';

const root = mkdtempSync(join(tmpdir(), 'heartbeat-claim-'));
after(() => rmSync(root, { recursive: true }));

test('a folder is one training\'s until it is released', () => {
  const folder = join(root, 'vae');
  const release = claimFolder(folder, true);
  assert.throws(() => claimFolder(folder, false), /expected a folder that no other process writes to, got process \d+ on /);
  release();
  assert.ok(!existsSync(join(folder, 'training.lock')));
  claimFolder(folder, true)();
});

test('the claim of a process that is gone counts for nothing; that of another machine does', () => {
  const folder = join(root, 'image');
  mkdirSync(folder);
  const file = join(folder, 'training.lock');
  writeFileSync(file, `${2 ** 22 + 1} on ${hostname()}`); // above Linux's largest process number
  claimFolder(folder, true)();
  writeFileSync(file, '1 on elsewhere');
  assert.throws(() => claimFolder(folder, true), /got process 1 on elsewhere; if it is gone, delete .*training\.lock$/);
});

test('a training that starts anew does not mix with checkpoints that lie there', () => {
  const folder = join(root, 'video');
  mkdirSync(join(folder, 'checkpoint-500'), { recursive: true });
  assert.throws(() => claimFolder(folder, true),
    /expected an empty folder for a new training, got checkpoint-500: --resume-from-checkpoint latest goes on/);
  claimFolder(folder, false)();
});
