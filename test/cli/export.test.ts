/** `./heartbeat export` and `import` as a user meets them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { modelHash, readModelIndex, saveModelFolder } from '../../src/heartbeat/model-folder.ts';
import { exportedModel } from '../heartbeat/exported-model.ts';
import { expectNoLeaks } from '../support/leaks.ts';

expectNoLeaks();

const launcher = fileURLToPath(new URL('../../heartbeat', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'heart beat export '));
after(() => rmSync(root, { recursive: true, force: true }));

function heartbeat(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(launcher, args, { cwd: root, encoding: 'utf8' });
  return { code: status, out: stdout, err: stderr };
}

it('a model goes out and comes back the same, and nothing that is there is overwritten', () => {
  const model = exportedModel();
  saveModelFolder(model, join(root, 'model'), 'float32', { seconds: 4 });
  model.dispose();
  const exported = heartbeat('export', '--checkpoint', 'model', '--output', 'out/exported');
  assert.deepEqual([exported.code, exported.out], [0, `${join(root, 'out', 'exported')}\n`], exported.err);
  assert.match(exported.err, /unet\/ is the spatial part/);
  const imported = heartbeat('import', '--input', 'out/exported', '--output', 'back');
  assert.deepEqual([imported.code, imported.err], [0, '']);
  assert.equal(modelHash(join(root, 'back')), modelHash(join(root, 'model')));
  assert.deepEqual(readModelIndex(join(root, 'back')), readModelIndex(join(root, 'model')));

  const again = heartbeat('export', '--checkpoint', 'model', '--output', 'back');
  assert.equal(again.code, 2);
  assert.match(again.err, /^heartbeat: --output: expected a new or empty folder, got back, which holds files\n$/);
  const wrong = heartbeat('import', '--input', 'model', '--output', 'other');
  assert.equal(wrong.code, 1);
  assert.match(wrong.err, /^heartbeat: .*expected a folder that `heartbeat export` wrote, got one without .*config\.json\n$/);
  assert.ok(!existsSync(join(root, 'other')));
  assert.deepEqual(readdirSync(root).sort(), ['back', 'model', 'out']);
});
