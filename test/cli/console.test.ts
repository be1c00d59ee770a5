import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { integer, namedNumber, normalizeFlags, number } from '../../src/cli/console/flags.ts';
import { formatDuration, startProgress } from '../../src/cli/console/progress.ts';
import { styleFor } from '../../src/cli/console/style.ts';
import { temporaryOutput } from '../../src/cli/console/temporary-output.ts';
import {
  describeError,
  exitCodeOf,
  Interrupted,
  UserError,
} from '../../src/cli/console/user-error.ts';
import { blasAmong } from '../../src/cli/machine.ts';
import { editDistance, nearestName, unknownName } from '../../src/training/nearest-name.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'heartbeat console '));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('nearest name', () => {
  it('counts insertions, deletions, substitutions and swaps', () => {
    const cases: [string, string, number][] = [
      ['', 'abc', 3],
      ['kitten', 'sitting', 3],
      ['ab', 'ba', 1],
      ['ca', 'abc', 3],
      ['same', 'same', 0],
    ];
    for (const [a, b, distance] of cases) {
      assert.equal(editDistance(a, b), distance, `${a} ${b}`);
      assert.equal(editDistance(b, a), distance, `${b} ${a}`);
    }
  });

  it('finds keys in any spelling and leaves the far ones', () => {
    const keys = ['learningRate', 'maxTrainSteps', 'seed'];
    assert.equal(nearestName('learning_rate', keys), 'learningRate');
    assert.equal(nearestName('max-train-step', keys), 'maxTrainSteps');
    assert.equal(nearestName('sede', keys), 'seed');
    assert.equal(nearestName('guidance', keys), null);
    assert.equal(unknownName('key', 'sede', keys), 'unknown key "sede": did you mean "seed"?');
    assert.match(
      unknownName('key', 'guidance', keys),
      /expected one of learningRate, maxTrainSteps, seed/,
    );
  });
});

describe('flags', () => {
  it('take - and _ alike, in names only', () => {
    assert.deepEqual(
      normalizeFlags([
        'train',
        '--max_train_steps=5',
        '--output',
        'a_b',
        '--set=x_y',
        '--',
        '--a_b',
      ]),
      ['train', '--max-train-steps=5', '--output', 'a_b', '--set=x_y', '--', '--a_b'],
    );
  });

  it('parse numbers and say what was expected', () => {
    assert.equal(integer({ min: 0 })('12'), 12);
    assert.equal(number({ max: 1 })('1e-4'), 1e-4);
    assert.deepEqual(namedNumber()('mask=0.5', { text: 1 }), { text: 1, mask: 0.5 });
    assert.throws(() => integer({ min: 1, max: 3 })('4'), /expected a whole number from 1 to 3/);
    for (const text of ['', '1.5', '1e3', '0x10', 'NaN', '99999999999999999999']) {
      assert.throws(() => integer()(text), /expected a whole number/, text);
    }
    for (const text of ['', ' ', 'Infinity', 'one'])
      assert.throws(() => number()(text), /expected a number/, text);
    assert.throws(() => namedNumber()('mask', undefined), /expected name=number/);
  });
});

describe('errors', () => {
  it('are one line, with the exit code of their kind', () => {
    assert.equal(describeError(new UserError('a\n  b')), 'a b');
    assert.match(
      describeError(new TypeError('x is undefined')),
      /^TypeError: x is undefined \(a defect in heartbeat/,
    );
    assert.deepEqual(
      [
        new UserError('a'),
        new UserError('a', { exitCode: 2 }),
        new Interrupted('SIGINT'),
        new Interrupted('SIGTERM'),
        7,
      ].map(exitCodeOf),
      [1, 2, 130, 143, 1],
    );
  });

  it('of the system name the path and the reason', () => {
    assert.throws(
      () => readFileSync(join(folder, 'none')),
      (error) => {
        assert.equal(describeError(error), `${join(folder, 'none')}: no such file or folder`);
        return true;
      },
    );
    const full = Object.assign(new Error('write'), { code: 'ENOSPC', syscall: 'write' });
    assert.equal(describeError(full), 'the disk is full (write)');
  });
});

describe('progress', () => {
  function recorded(isTTY: boolean) {
    let now = 0;
    let text = '';
    const stream = {
      isTTY,
      columns: 80,
      write: (part: string) => {
        text += part;
      },
    };
    const progress = startProgress({
      label: 'train',
      total: 100,
      unit: 'steps',
      initial: 10,
      stream,
      clock: () => now,
    });
    return {
      progress,
      advance: (seconds: number) => {
        now += seconds * 1000;
      },
      text: () => text,
    };
  }

  it('prints a plain line every five seconds where there is no terminal', () => {
    const { progress, advance, text } = recorded(false);
    for (let done = 11; done <= 30; done++) {
      advance(0.5);
      progress.update(done, 'loss 0.5');
    }
    progress.finish('saved');
    assert.equal(
      text(),
      'train 20/100 steps, 2.0 steps/s, 40 s left, loss 0.5\n' +
        'train 30/100 steps, 2.0 steps/s, 35 s left, loss 0.5\ntrain: 30 steps in 10 s, saved\n',
    );
  });

  it('redraws one line on a terminal, within its width', () => {
    const { progress, advance, text } = recorded(true);
    for (let done = 11; done <= 60; done++) {
      advance(2);
      progress.update(done, 'a very long note '.repeat(9));
    }
    const drawn = text().split('\r\x1b[2K').slice(1);
    assert.equal(drawn.length, 50);
    assert.ok(drawn.every((line) => line.length < 80 && !line.includes('\n')));
    assert.match(drawn[49], /^█{12}░{8} train 60\/100 steps, 2\.0 s each, 1 min 20 s left/);
  });

  it('says durations as people do', () => {
    assert.deepEqual([7.4, 200, 7500].map(formatDuration), ['7 s', '3 min 20 s', '2 h 05 min']);
  });
});

describe('style', () => {
  it('colours only a terminal without NO_COLOR', () => {
    const terminal = { isTTY: true };
    assert.equal(styleFor(terminal, {}).red('x'), '\x1b[31mx\x1b[39m');
    assert.equal(styleFor(terminal, { NO_COLOR: '1' }).red('x'), 'x');
    assert.equal(styleFor({ isTTY: false }, {}).bold('x'), 'x');
  });
});

describe('BLAS', () => {
  it('is told from the libraries in use', () => {
    const libraries = '/usr/lib/x86_64-linux-gnu';
    assert.equal(blasAmong([`${libraries}/blas/libblas.so.3.11.0`], '').reference, true);
    assert.equal(blasAmong([`${libraries}/openblas-pthread/libblas.so.3`], '').name, 'OpenBLAS');
    assert.equal(
      blasAmong([], 'BLAS_INFO=mkl, Intel(R) oneAPI Math Kernel Library').name,
      'MKL, inside libtorch',
    );
  });
});

describe('temporary outputs', () => {
  it('appear whole or not at all, and never replace a folder with files in it', () => {
    const target = join(folder, 'new', 'out');
    const output = temporaryOutput(target);
    mkdirSync(output.path);
    writeFileSync(join(output.path, 'a'), 'a');
    assert.deepEqual(readdirSync(join(folder, 'new')).length, 1);
    output.commit();
    assert.deepEqual(readdirSync(join(folder, 'new')), ['out']);
    const second = temporaryOutput(target);
    mkdirSync(second.path);
    assert.throws(() => second.commit(), /ENOTEMPTY|EEXIST/);
    second.discard();
    assert.deepEqual(readdirSync(join(folder, 'new')), ['out']);
    assert.deepEqual(readdirSync(target), ['a']);
  });
});

describe('signals', () => {
  const fixture = fileURLToPath(new URL('./signal-fixture.ts', import.meta.url));

  function interrupted(
    mode: string,
    signals: readonly NodeJS.Signals[],
  ): Promise<{ code: number | null; err: string }> {
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, [
        '--import',
        'tsx',
        fixture,
        join(folder, 'out'),
        mode,
      ]);
      let err = '';
      const pending = [...signals];
      const next = () => {
        const signal = pending.shift();
        if (signal !== undefined) child.kill(signal);
      };
      child.stdout.on('data', next);
      child.stderr.on('data', (text: Buffer) => {
        err += text.toString();
        next();
      });
      child.on('error', reject);
      child.on('exit', (code) => resolve({ code, err }));
    });
  }

  it('Ctrl+C stops at the edge of a step, and what was saved stays: 130', async () => {
    const { code, err } = await interrupted('loop', ['SIGINT']);
    assert.equal(code, 130);
    assert.match(err, /stopping at the end of this step/);
    assert.equal(readFileSync(join(folder, 'out'), 'utf8'), 'whole');
    assert.deepEqual(readdirSync(folder), ['out']);
  });

  it('SIGTERM does the same: 143', async () => {
    assert.equal((await interrupted('loop', ['SIGTERM'])).code, 143);
    assert.deepEqual(readdirSync(folder), ['out']);
  });

  it('a second Ctrl+C ends at once and leaves nothing half-written', async () => {
    assert.equal((await interrupted('deaf', ['SIGINT', 'SIGINT'])).code, 130);
    assert.deepEqual(readdirSync(folder), []);
  });

  it('the first one ends at once where no loop reads the flag', async () => {
    assert.equal((await interrupted('at-once', ['SIGINT'])).code, 130);
    assert.deepEqual(readdirSync(folder), []);
  });
});
