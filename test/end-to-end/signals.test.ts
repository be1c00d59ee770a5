/** `./heartbeat train` under Ctrl+C and SIGTERM, as a user meets it: in a process of its own. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { listCheckpoints } from '../../src/training/checkpoint.ts';
import { writePart } from '../data/camus-files.ts';

const launcher = fileURLToPath(new URL('../../heartbeat', import.meta.url));

describe('train, interrupted', () => {
  const folder = mkdtempSync(join(tmpdir(), 'heartbeat signals '));
  const data = join(folder, 'data');
  const run = join(folder, 'run');
  before(() => {
    for (const patient of ['patient0001', 'patient0002']) {
      for (const part of ['ED', 'ES']) {
        const home = join(data, 'database_nifti', patient);
        writePart(home, `${patient}_4CH_${part}`, {});
      }
    }
    mkdirSync(join(data, 'database_split'));
    const lists = { training: 'patient0001\npatient0002\n', validation: '' };
    for (const [name, text] of Object.entries(lists)) {
      writeFileSync(join(data, 'database_split', `subgroup_${name}.txt`), text);
    }
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** Runs `train vae`, sends `signal` once `step` steps are logged, and waits for the end. */
  async function train(signal: 'SIGINT' | 'SIGTERM' | null, step: number, ...flags: string[]) {
    const child = spawn(launcher, [
      'train', 'vae', '--preset', 'tiny', '--data', data, '--output', run, '--threads', '1',
      '--set', 'vae.loop.loggingSteps=1', '--set', 'vae.loop.previewSteps=100000',
      '--max-train-steps', '100000', '--lr-warmup-steps', '2', ...flags,
    ], { stdio: ['ignore', 'pipe', 'pipe'] });
    let [out, err] = ['', ''];
    child.stdout.on('data', (text) => { out += text; });
    child.stderr.on('data', (text) => { err += text; });
    const ended = once(child, 'exit') as Promise<[number | null, string | null]>;
    if (signal !== null) {
      while (child.exitCode === null && lastStep() < step) {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      child.kill(signal);
    }
    const [code] = await ended;
    return { code, out, err };
  }

  function lastStep(): number {
    const file = join(run, 'vae', 'metrics.jsonl');
    if (!existsSync(file)) return 0;
    const whole = readFileSync(file, 'utf8').split('\n').slice(0, -1);
    return whole.length === 0 ? 0 : (JSON.parse(whole.at(-1)!) as { step: number }).step;
  }

  it('Ctrl+C saves the step it was at and exits 130', async () => {
    const { code, out, err } = await train('SIGINT', 2);
    assert.equal(code, 130, err);
    assert.equal(out, '');
    assert.match(err, /nobody in the validation split/);
    assert.match(err, /stopped at step \d+, saved: --resume-from-checkpoint latest goes on/);
    const [{ step }, ...others] = listCheckpoints(join(run, 'vae'));
    assert.deepEqual(others, []);
    assert.equal(step, lastStep());
    assert.equal(Number(/stopped at step (\d+)/.exec(err)![1]), step);
    assert.ok(!existsSync(join(run, 'vae', 'model')), 'a model before the end');
  });

  it('goes on from there; SIGTERM saves as well and exits 143', async () => {
    const [{ step: before }] = listCheckpoints(join(run, 'vae'));
    const { code, err } = await train(
      'SIGTERM', before + 2, '--resume-from-checkpoint', 'latest');
    assert.equal(code, 143, err);
    const step = listCheckpoints(join(run, 'vae')).at(-1)!.step;
    assert.ok(step >= before + 2, `resumed at ${before}, stopped at ${step}`);
    const lines = readFileSync(join(run, 'vae', 'metrics.jsonl'), 'utf8').trimEnd().split('\n')
      .map((line) => JSON.parse(line) as { step: number; event?: string; name?: string });
    const marks = lines.filter(({ event }) => event === 'resume');
    assert.deepEqual(marks.map((line) => line.step), [before]);
    const losses = lines.filter(({ name }) => name === 'train/loss').map((line) => line.step);
    assert.deepEqual(losses, Array.from({ length: step }, (_, i) => i + 1), 'each step once');
  });

  it('with another recipe refuses to go on: one sentence, exit 1', async () => {
    const { code, err } = await train(
      null, 0, '--resume-from-checkpoint', 'latest', '--learning-rate', '0.5');
    assert.equal(code, 1);
    assert.match(err, /heartbeat: .*checkpoint-\d+: cannot resume, the configuration differs: /);
    assert.match(err, /: vae\.generator\.learningRate: expected 0\.5, got 0\.002/);
  });
});
