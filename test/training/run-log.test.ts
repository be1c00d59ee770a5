import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { readPng } from '../../src/frames/png.ts';
import { everyLog, openRunLog } from '../../src/training/run-log.ts';
import { crc32c, openEventWriter, wholeRecords } from '../../src/training/tensorboard.ts';

// Printed by test/golden/tensorboard-events.py with the tensorboard package.
const golden = JSON.parse(
  readFileSync(new URL('../golden/tensorboard-events.json', import.meta.url), 'utf8'),
) as { crc32c: Record<string, number>; png: string; first: string; resumed: string };
const clock = () => 1700000000.25;
const png = Buffer.from(golden.png, 'hex');

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'heartbeat log '));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function writeGoldenEvents(): string {
  const writer = openEventWriter(folder, { clock });
  writer.scalar('train/loss', 0.75, 1);
  writer.scalar('train/loss', 0, 300);
  writer.image('preview', png, 2 ** 33);
  writer.text('config', '**mask** ½', 2);
  writer.close();
  return writer.path;
}

describe('TensorBoard events', () => {
  it('has the CRC-32C of RFC 3720', () => {
    for (const [text, crc] of Object.entries(golden.crc32c))
      assert.equal(crc32c(Buffer.from(text)), crc);
  });

  it('writes the bytes that the tensorboard package writes', () => {
    assert.equal(readFileSync(writeGoldenEvents()).toString('hex'), golden.first);
  });

  it('appends when resumed, after cutting off a record that was left unfinished', () => {
    const path = writeGoldenEvents();
    appendFileSync(path, Buffer.from(golden.first, 'hex').subarray(0, 30));
    const writer = openEventWriter(folder, { clock, resumeStep: 2 });
    writer.scalar('x', -1e-20, 3);
    writer.close();
    assert.equal(readFileSync(path).toString('hex'), golden.first + golden.resumed);
    assert.equal(readdirSync(folder).length, 1);
  });

  it('takes a damaged length as the end of what is whole', () => {
    const bytes = Buffer.from(golden.first, 'hex');
    const whole = wholeRecords(bytes);
    assert.equal(whole, bytes.length);
    const damaged = Buffer.concat([bytes, Buffer.alloc(40, 7)]);
    assert.equal(wholeRecords(damaged), bytes.length);
  });

  it('refuses an image that is no PNG', () => {
    const writer = openEventWriter(folder, { clock });
    assert.throws(() => writer.image('a', new Uint8Array(3), 0), /expected a PNG, got 3 bytes/);
    writer.close();
  });
});

describe('run log', () => {
  const lines = () =>
    readFileSync(join(folder, 'metrics.jsonl'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);

  it('writes JSONL, events and previews, and tells other listeners', () => {
    const heard: string[] = [];
    const listener = {
      scalar: (name: string, value: number, step: number) => {
        heard.push(`${name}=${value}@${step}`);
      },
      image: (name: string) => {
        heard.push(name);
      },
      text: (name: string) => {
        heard.push(name);
      },
      close: () => {
        heard.push('closed');
      },
    };
    const log = openRunLog(folder, { clock, also: [listener] });
    log.scalar('train/loss', 0.5, 1);
    log.scalar('train/loss', NaN, 2);
    log.image('sample/all conditions', png, 40);
    log.text('config', 'a: 1', 0);
    log.close();
    assert.deepEqual(lines(), [
      { time: 1700000000.25, step: 1, name: 'train/loss', value: 0.5 },
      { time: 1700000000.25, step: 2, name: 'train/loss', value: 'NaN' },
      {
        time: 1700000000.25,
        step: 40,
        name: 'sample/all conditions',
        image: 'previews/sample-all-conditions-00000040.png',
      },
      { time: 1700000000.25, step: 0, name: 'config', text: 'a: 1' },
    ]);
    assert.deepEqual(
      readFileSync(join(folder, 'previews/sample-all-conditions-00000040.png')),
      png,
    );
    assert.equal(readdirSync(join(folder, 'logs')).length, 1);
    assert.deepEqual(heard, [
      'train/loss=0.5@1',
      'train/loss=NaN@2',
      'sample/all conditions',
      'config',
      'closed',
    ]);
  });

  it('takes pictures as values too, and makes a PNG of them', () => {
    const log = openRunLog(folder, { clock });
    log.image(
      'ramp',
      { channels: 1, frames: 1, height: 1, width: 2, data: Float32Array.of(0, 1) },
      3,
    );
    log.close();
    const picture = readPng(join(folder, 'previews/ramp-00000003.png'));
    assert.deepEqual([picture.width, picture.height, ...picture.data], [2, 1, 0, 1]);
  });

  it('appends when resumed and cuts off an unfinished line', () => {
    const first = openRunLog(folder, { clock });
    first.scalar('a', 1, 1);
    first.close();
    appendFileSync(join(folder, 'metrics.jsonl'), '{"time":17,"st');
    const second = openRunLog(folder, { clock, resumeStep: 1 });
    second.scalar('a', 2, 2);
    second.close();
    const rows = lines().map(({ step, name, value, event }) => [step, name ?? event, value]);
    assert.deepEqual(rows, [
      [1, 'a', 1],
      [1, 'resume', undefined],
      [2, 'a', 2],
    ]);
  });

  it('hands every call to every log', () => {
    const calls: string[] = [];
    const named = (name: string) => ({
      scalar: () => {
        calls.push(`${name} scalar`);
      },
      image: () => {
        calls.push(`${name} image`);
      },
      text: () => {
        calls.push(`${name} text`);
      },
      close: () => {
        calls.push(`${name} close`);
      },
    });
    const log = everyLog([named('a'), named('b')]);
    log.scalar('x', 1, 1);
    log.close();
    assert.deepEqual(calls, ['a scalar', 'b scalar', 'a close', 'b close']);
  });
});
