/** The command line as a user meets it: through ./heartbeat, in a process of its own. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const launcher = fileURLToPath(new URL('../../heartbeat', import.meta.url));
let elsewhere = '';
before(() => {
  elsewhere = mkdtempSync(join(tmpdir(), 'heart beat '));
});
after(() => rmSync(elsewhere, { recursive: true, force: true }));

function heartbeat(
  args: readonly string[],
  environment: Record<string, string> = {},
  program = launcher,
) {
  const result = spawnSync(program, args, {
    cwd: elsewhere,
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HOME: elsewhere, ...environment },
  });
  return { code: result.status, out: result.stdout, err: result.stderr };
}

/** One line on stderr and nothing on stdout. */
function assertSentence(result: { out: string; err: string }, pattern: RegExp): void {
  assert.match(result.err, pattern);
  assert.equal(result.err.trimEnd().split('\n').length, 1, result.err);
  assert.equal(result.out, '');
}

describe('help', () => {
  it('lists the commands and exits 0', () => {
    for (const args of [['--help'], ['-h'], ['help']]) {
      const { code, out, err } = heartbeat(args);
      assert.equal(code, 0);
      assert.equal(err, '');
      for (const word of ['doctor', 'phantom', 'Examples:', 'Exit codes'])
        assert.ok(out.includes(word), word);
    }
  });

  it('of a command shows flags, defaults and an example', () => {
    for (const args of [
      ['phantom', '--help'],
      ['help', 'phantom'],
    ]) {
      const { code, out } = heartbeat(args);
      assert.equal(code, 0);
      for (const text of ['--patients', '--seed', '--output', 'default: ', 'Examples:']) {
        assert.ok(out.includes(text), text);
      }
    }
  });

  it('answers within 0.3 s once set up', () => {
    heartbeat(['--help']);
    const seconds = Array.from({ length: 5 }, () => {
      const began = performance.now();
      heartbeat(['--help']);
      return (performance.now() - began) / 1000;
    });
    // The quickest of five: other tests share the cores.
    assert.ok(Math.min(...seconds) < 0.3, `took ${seconds.map((s) => s.toFixed(2)).join(', ')} s`);
  });

  it('works through a symbolic link, from a folder with a space in its name', () => {
    const link = join(elsewhere, 'the link');
    symlinkSync(launcher, link);
    const { code, out } = heartbeat(['--help'], {}, link);
    assert.equal(code, 0);
    assert.ok(out.includes('Usage:'));
  });

  it('without a command is bad usage', () => {
    const { code, err } = heartbeat([]);
    assert.equal(code, 2);
    assert.ok(err.includes('Usage:'));
  });
});

describe('mistakes', () => {
  it('an unknown command names the nearest and exits 2', () => {
    const result = heartbeat(['docter']);
    assert.equal(result.code, 2);
    assertSentence(result, /^heartbeat: unknown command "docter": did you mean "doctor"\? /);
  });

  it('an unknown flag names the nearest and exits 2', () => {
    const result = heartbeat(['phantom', '--pateints', '3']);
    assert.equal(result.code, 2);
    assertSentence(result, /^heartbeat: unknown flag "--pateints": did you mean "--patients"\? /);
  });

  it('a bad value says what was expected and exits 2', () => {
    const result = heartbeat(['phantom', '--patients', 'three', '--output', 'x']);
    assert.equal(result.code, 2);
    assertSentence(result, /--patients.*'three'.*expected a whole number from 1 to 9999/);
  });

  it('_ in a flag is as good as -', () => {
    assertSentence(
      heartbeat(['phantom', '--out_put', 'x']),
      /unknown flag "--out-put": did you mean "--output"/,
    );
  });

  it('a missing value and a missing flag exit 2', () => {
    assert.equal(heartbeat(['phantom', '--patients']).code, 2);
    assert.equal(heartbeat(['phantom']).code, 2);
  });

  it('a part that a study does not have, or one in a dry run, exits 2 and writes nothing', () => {
    const only = ['study', '--preset', 'tiny', '--output', 'table', '--only'];
    const unknown = heartbeat([...only, 'heartbaet']);
    assert.equal(unknown.code, 2);
    assertSentence(unknown, /^heartbeat: --only: unknown part of the study "heartbaet": did you mean "heartbeat"\?/);
    assert.equal(heartbeat([...only, 'shared', '--dry-run']).code, 2);
    assert.ok(!existsSync(join(elsewhere, 'table')));
  });

  it('refuses a flag of the other modality, and writes MRI with its own', () => {
    const mri = ['phantom', '--modality', 'mri', '--patients', '1', '--output', 'mri'];
    assertSentence(heartbeat([...mri, '--view', '4CH']),
      /^heartbeat: --view: expected with --modality echo only, got 4CH with --modality mri$/m);
    assertSentence(heartbeat(['phantom', '--frames', '5', '--output', 'echo']),
      /--frames: expected with --modality mri only, got 5 with --modality echo/);
    assert.equal(heartbeat([...mri, '--frames', '1']).code, 2);
    const { code, err } = heartbeat(mri);
    assert.equal(code, 0, err);
    assert.ok(existsSync(join(elsewhere, 'mri/OpenDataset/Training/Labeled/MRI0001/MRI0001_sa.nii.gz')));
  });

  it('a failure of the system exits 1 with the path, and the stack only when asked for', () => {
    const args = ['phantom', '--patients', '1', '--output', '/proc/data'];
    const result = heartbeat(args);
    assert.equal(result.code, 1);
    assertSentence(result, /^heartbeat: --output \/proc\/data: expected a place where folders can be made, got ENOENT in \/proc/);
    assert.match(heartbeat(args, { HEARTBEAT_DEBUG: '1' }).err, /\n +at .*\.ts:\d+/);
  });

  it('an output folder that holds files is refused, and keeps them', () => {
    const result = heartbeat(['phantom', '--output', process.cwd()]);
    assert.equal(result.code, 2);
    assertSentence(result, /--output: expected a new or empty folder/);
  });

  it('plain text where colour is not wanted', () => {
    assert.doesNotMatch(heartbeat(['docter'], { NO_COLOR: '1' }).err, /\x1b/);
  });
});

describe('launcher', () => {
  it('says in one sentence that Node is missing, and exits 2', () => {
    const result = spawnSync('/bin/sh', [launcher, '--help'], {
      encoding: 'utf8',
      env: { PATH: elsewhere },
    });
    assert.equal(result.status, 2);
    assert.match(result.stderr, /Node\.js 20 or newer is needed/);
  });
});
