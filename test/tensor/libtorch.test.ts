import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import '../../src/tensor/ops.ts';
import { physicalCores } from '../../src/tensor/cores.ts';
import { addonPath, findLibtorch, nativeSources, root } from '../../src/tensor/libtorch.ts';
import { liveBytes, liveTensors } from '../../src/tensor/memory.ts';
import { isLoaded, libtorch } from '../../src/tensor/native.ts';
import { getThreads } from '../../src/tensor/device.ts';
import { zeros } from '../../src/tensor/tensor.ts';

test('importing the room does not load libtorch; the first tensor does, on all cores', () => {
  assert.equal(isLoaded(), false);
  assert.deepEqual([liveTensors(), liveBytes()], [0, 0]);
  assert.equal(isLoaded(), false);
  zeros([1]).dispose();
  assert.equal(isLoaded(), true);
  assert.match(libtorch().version, /^\d+\.\d+/);
  if (!process.env.OMP_NUM_THREADS) assert.equal(getThreads(), physicalCores());
});

test('the addon of the libtorch in use is where its name says', () => {
  const path = addonPath(findLibtorch());
  assert.ok(path.startsWith(join(root, 'build', 'native')) && existsSync(path));
  for (const source of nativeSources) assert.ok(existsSync(join(root, 'native', source)), source);
});

/** Runs the build script as a person would, with another environment. */
function build(env: Record<string, string>): { status: number | null; out: string; err: string } {
  const script = join(root, 'scripts', 'build-native.sh');
  const { status, stdout, stderr } = spawnSync('bash', [script], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  return { status, out: stdout, err: stderr };
}

test('the build script prints one line, and nothing is built twice', () => {
  const { status, out, err } = build({});
  assert.deepEqual([status, err], [0, '']);
  assert.match(out, /^native: ready for libtorch \d\S* \(.*\)\n$/);
});

test('a LIBTORCH without one is one sentence and exit 2', () => {
  const { status, out, err } = build({ LIBTORCH: '/nonexistent' });
  assert.deepEqual([status, out], [2, '']);
  assert.match(err, /^LIBTORCH: expected lib\/libtorch_cpu\.\w+ and .* in \/nonexistent\n$/);
});
