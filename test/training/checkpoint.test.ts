import assert from 'node:assert/strict';
import {
  cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { dispose, scope } from '../../src/tensor/memory.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import {
  findCheckpoint, listCheckpoints, readCheckpoint, writeCheckpoint,
} from '../../src/training/checkpoint.ts';
import { withFault } from '../support/disk-faults.ts';
import { expectNoLeaks } from '../support/leaks.ts';

expectNoLeaks();

let run = '';
beforeEach(() => {
  run = mkdtempSync(join(tmpdir(), 'heartbeat run '));
});
afterEach(() => rmSync(run, { recursive: true, force: true }));

/** Writes a checkpoint whose only weight is its step number. */
function write(step: number, keep = 2): string {
  return scope(() => {
    const weight = tensor([step, step + 0.5], [2]);
    const moment = tensor([-step], [1]);
    const record = { step, config: { preset: 'tiny' }, progress: { seconds: step } };
    const tensors = {
      model: new Map([['weight', weight]]), optimizer: new Map([['weight.exp_avg', moment]]),
    };
    return writeCheckpoint(run, record, tensors, keep);
  });
}

function weightOf(path: string): number[] {
  const { tensors } = readCheckpoint(path);
  const values = [...tensors.model.get('weight')!.toFloat32()];
  dispose(tensors);
  return values;
}

const names = () => readdirSync(run).sort();

/** Every file of a folder with its bytes. */
function contents(folder: string): Record<string, string> {
  return Object.fromEntries(readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => [path, readFileSync(path).toString('hex')]));
}

describe('checkpoints', () => {
  it('hold what was written: tensors by file and key, step, configuration and progress', () => {
    const { record, tensors } = readCheckpoint(write(3));
    assert.deepEqual(record, { step: 3, config: { preset: 'tiny' }, progress: { seconds: 3 } });
    assert.deepEqual(Object.keys(tensors).sort(), ['model', 'optimizer']);
    assert.deepEqual([...tensors.model.get('weight')!.toFloat32()], [3, 3.5]);
    assert.deepEqual([...tensors.optimizer.get('weight.exp_avg')!.toFloat32()], [-3]);
    dispose(tensors);
    assert.deepEqual(readdirSync(join(run, 'checkpoint-3')).sort(),
      ['manifest.json', 'model.safetensors', 'optimizer.safetensors'], 'safetensors and JSON only');
  });

  it('come in the order of their numbers: 9 before 10 before 100', () => {
    for (const step of [100, 9, 10]) write(step, 9);
    mkdirSync(join(run, 'checkpoint-7.tmp-1'));
    mkdirSync(join(run, 'checkpoint-x'));
    assert.deepEqual(listCheckpoints(run).map(({ step }) => step), [9, 10, 100]);
    assert.equal(findCheckpoint(run, 'latest'), join(run, 'checkpoint-100'));
    assert.equal(findCheckpoint(run, 'checkpoint-9'), join(run, 'checkpoint-9'));
    assert.equal(findCheckpoint(join(run, 'none'), 'latest'), null);
    assert.throws(() => findCheckpoint(run, 'checkpoint-8'), /expected a folder at checkpoint-8/);
  });

  it('keep the newest few, by number', () => {
    for (const step of [8, 9, 10, 11]) write(step, 2);
    assert.deepEqual(names(), ['checkpoint-10', 'checkpoint-11']);
    write(12, 1);
    assert.deepEqual(names(), ['checkpoint-12']);
  });

  it('replace one of the same step, and clear what a killed process left', () => {
    write(4);
    mkdirSync(join(run, 'checkpoint-4.tmp-99999'));
    writeFileSync(join(run, 'checkpoint-4.tmp-99999', 'model.safetensors'), 'half');
    assert.deepEqual(weightOf(write(4)), [4, 4.5]);
    assert.deepEqual(names(), ['checkpoint-4']);
  });

  it('name the file that is damaged, and what is wrong with it', () => {
    const whole = write(5);
    const damages: [string, (folder: string) => void, RegExp][] = [
      ['truncated', (folder) => truncateSync(join(folder, 'model.safetensors'), 20),
        /expected \d+ bytes in .*model\.safetensors, got 20$/],
      ['missing', (folder) => rmSync(join(folder, 'optimizer.safetensors')),
        /expected \d+ bytes in .*optimizer\.safetensors, got 0$/],
      ['flipped', (folder) => {
        const path = join(folder, 'model.safetensors');
        const bytes = readFileSync(path);
        bytes[bytes.length - 1] ^= 1;
        writeFileSync(path, bytes);
      }, /expected the sha256 of the manifest for .*model\.safetensors, got another$/],
      ['no manifest', (folder) => rmSync(join(folder, 'manifest.json')),
        /expected manifest\.json in .*, got none$/],
      ['half a manifest', (folder) => truncateSync(join(folder, 'manifest.json'), 30),
        /expected JSON in .*manifest\.json, got something else$/],
      ['another format', (folder) => writeFileSync(join(folder, 'manifest.json'), '{"format": 1}'),
        /expected format heartbeat-checkpoint-1 in .*manifest\.json, got 1$/],
    ];
    for (const [what, damage, sentence] of damages) {
      const folder = join(run, 'damaged');
      cpSync(whole, folder, { recursive: true });
      damage(folder);
      assert.throws(() => readCheckpoint(folder), (error: Error) => {
        assert.match(error.message, sentence, what);
        assert.match(error.message, /^checkpoint: [^\n]+$/);
        return true;
      });
      rmSync(folder, { recursive: true });
    }
  });
});

describe('a checkpoint that cannot be written', () => {
  const faults: [Parameters<typeof withFault>[0], string, number, string][] = [
    ['writeSync', 'ENOSPC', 0, 'before the first byte'],
    ['writeSync', 'ENOSPC', 3, 'in its second file'],
    ['fsyncSync', 'EIO', 1, 'when it is flushed'],
    ['writeFileSync', 'ENOSPC', 0, 'at its manifest'],
    ['renameSync', 'EXDEV', 2, 'at its own rename'],
  ];
  for (const [call, code, after, when] of faults) {
    it(`${when} (${code}) leaves the older ones whole and nothing else`, () => {
      write(1);
      write(2);
      const before = contents(run);
      const failed = withFault(call, code, after, () => {
        assert.throws(() => write(3), (error: Error) => {
          assert.match(error.message, /^checkpoint: could not write .*checkpoint-3: [^\n]+$/);
          assert.ok(error.message.includes(code), error.message);
          return true;
        });
      });
      assert.ok(failed > 0, `${call} was never called a ${after + 1}-th time`);
      assert.deepEqual(contents(run), before);
      assert.deepEqual(names(), ['checkpoint-1', 'checkpoint-2']);
      assert.deepEqual(weightOf(findCheckpoint(run, 'latest')!), [2, 2.5]);
    });
  }

  it('in the place of one of the same step leaves that one', () => {
    write(2);
    const before = contents(run);
    // renames: two files of tensors, the old folder aside, and then the new one into its place
    for (const after of [2, 3]) {
      const failed = withFault('renameSync', 'EIO', after, () => {
        assert.throws(() => write(2), /could not write .*checkpoint-2: EIO/);
      }, 1);
      assert.equal(failed, 1);
      assert.deepEqual(contents(run), before);
    }
  });
});
