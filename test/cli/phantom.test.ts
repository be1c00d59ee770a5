/** `./heartbeat phantom` on several threads, in a process of its own. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { writeMriPhantom } from '../../src/data/mri-phantom/mri-phantom.ts';
import { writePhantom } from '../../src/data/phantom/phantom.ts';

const launcher = fileURLToPath(new URL('../../heartbeat', import.meta.url));
let folder = '';
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'heartbeat phantom '));
});
after(() => rmSync(folder, { recursive: true, force: true }));

const where = { cwd: '', encoding: 'utf8' } as const;
const phantom = (...args: string[]) => spawnSync(launcher, ['phantom', ...args], { ...where, cwd: folder });

/** Every file below, by its path, as bytes. */
function filesOf(name: string): Map<string, Buffer> {
  const paths = readdirSync(join(folder, name), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name)).sort();
  return new Map(paths.map((path) => [path.slice(join(folder, name).length), readFileSync(path)]));
}

describe('phantoms drawn on several threads', () => {
  it('are to the byte those of one, in both modalities', () => {
    writePhantom(join(folder, 'echo'), { patients: 2, seed: 4, views: ['2CH'] });
    const echo = phantom('--patients', '2', '--seed', '4', '--view', '2CH', '--workers', '3', '--output', 'echo 3');
    assert.equal(echo.status, 0, echo.stderr);
    assert.match(echo.stderr, /phantom: 2 patients in .* in echo 3\n$/);
    assert.deepEqual(filesOf('echo 3'), filesOf('echo'));
    writeMriPhantom(join(folder, 'mri'), { patients: 2, seed: 4 });
    const mri = phantom('--modality', 'mri', '--patients', '2', '--seed', '4', '--workers', '2', '--output', 'mri 2');
    assert.equal(mri.status, 0, mri.stderr);
    assert.deepEqual(filesOf('mri 2'), filesOf('mri'));
  });

  it('leave nothing and one sentence when one of them fails', () => {
    // No file may be larger than 30 blocks.
    const command = `ulimit -f 30; exec '${launcher}' phantom --patients 4 --workers 2 --modality mri --output failed`;
    const { status, stderr } = spawnSync('sh', ['-c', command], { ...where, cwd: folder });
    assert.equal(status, 1, stderr);
    assert.match(stderr, /^heartbeat: .*_sa\.nii\.gz: expected to write \d+ bytes, got EFBIG/);
    assert.equal(stderr.trimEnd().split('\n').length, 1, stderr);
    assert.deepEqual(readdirSync(folder).filter((name) => name.includes('failed')), []);
  });

  it('leave nothing on Ctrl+C', async () => {
    const child = spawn(launcher, ['phantom', '--workers', '2', '--output', 'stopped'], { cwd: folder });
    const exit = once(child, 'exit');
    const begun = () => readdirSync(folder, { recursive: true }).some((path) => /stopped.*patient0002/.test(`${path}`));
    while (!begun()) await sleep(20);
    child.kill('SIGINT');
    assert.deepEqual(await exit, [130, null]);
    assert.deepEqual(readdirSync(folder).filter((name) => name.includes('stopped')), []);
  });

  it('are drawn by one thread or more', () => {
    const { status, stderr } = phantom('--workers', '0', '--output', 'none');
    assert.equal(status, 2);
    assert.match(stderr, /--workers.*expected a whole number of at least 1/);
  });
});
