import assert from 'node:assert/strict';
import {
  mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { listClips } from '../../src/data/clips.ts';
import { loadSplit } from '../../src/training/clip-store.ts';
import { prepareClips, prepareLatents, type PrepareOptions } from '../../src/training/prepare.ts';
import type { PreparedClip } from '../../src/training/prepared-clip.ts';
import { frameBytes, HEIGHT, WIDTH, writePart, writeStills } from '../data/camus-files.ts';
import { injectFault } from '../support/disk-faults.ts';
import { expectNoLeaks } from '../support/leaks.ts';
import { drawnClips, tinyConfig, tinyModel } from './drawn-clips.ts';

expectNoLeaks();

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'heartbeat prepare '));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const cacheOf = () => readdirSync(join(folder, 'cache')).sort();
const patientFolder = (root: string, patient: string) =>
  join(folder, root, 'database_nifti', patient);

/** LV cavity above, left atrium below, so that there is a valve between them. */
function heart(rows: number): Uint8Array {
  return Uint8Array.from({ length: WIDTH * HEIGHT }, (_, i) => {
    const [x, y] = [i % WIDTH, Math.floor(i / WIDTH)];
    if (x < 3 || x > 8 || y < 1 || y > 8) return 0;
    return y <= rows ? 1 : 3;
  });
}

/** One patient with stills of one view below `root`. */
function still(root: string, patient: string): string {
  const home = patientFolder(root, patient);
  writeStills(home, patient, '4CH');
  for (const part of ['ED', 'ES']) {
    writePart(home, `${patient}_4CH_${part}_gt`, { data: heart(5) });
  }
  return join(folder, root);
}

function prepare(root: string, change: Partial<PrepareOptions> = {}): Promise<PreparedClip[]> {
  const options = { cache: join(folder, 'cache'), resolution: 32, frames: 2, ...change };
  return prepareClips(listClips(root), options);
}

/** Modification times, which tell a file that was read from one that was made again. */
const stamps = () => cacheOf().map((name) =>
  statSync(join(folder, 'cache', name), { bigint: true }).mtimeNs);

describe('prepared clips', () => {
  it('hold the pictures and every condition that the source can give', async () => {
    const [clip] = await prepare(still('a', 'patient0001'));
    const { id, patient, view, prompt, frames, size, stills } = clip;
    assert.deepEqual({ id, patient, view, prompt, frames, size, stills }, {
      id: 'patient0001_4CH', patient: 'patient0001', view: '4CH',
      prompt: 'An ECHO with 4-chamber view.', frames: 2, size: 32, stills: true,
    });
    assert.equal(clip.video.length, 2 * 32 * 32);
    assert.deepEqual([...clip.planes.keys()].sort(), ['mask', 'skeleton', 'sketch']);
    assert.ok(clip.planes.get('mask')!.data.every((label) => label <= 3));
    assert.equal(clip.latents, null);
  });

  it('without a left atrium in their masks lack the valve, and are not left out', async () => {
    const root = still('a', 'patient0001');
    for (const part of ['ED', 'ES']) {
      const data = heart(8);
      writePart(patientFolder('a', 'patient0001'), `patient0001_4CH_${part}_gt`, { data });
    }
    const [clip] = await prepare(root);
    assert.deepEqual([...clip.planes.keys()].sort(), ['mask', 'sketch']);
  });

  it('are read from the cache the second time, the same to the byte', async () => {
    const root = still('a', 'patient0001');
    const first = await prepare(root);
    const made = stamps();
    assert.equal(cacheOf().length, 1);
    assert.deepEqual(await prepare(root), first);
    assert.deepEqual(stamps(), made, 'the cache was written again');
  });

  it('of a changed source, mask or size are made anew, beside the old', async () => {
    const root = still('a', 'patient0001');
    const [first] = await prepare(root);
    const home = patientFolder('a', 'patient0001');
    writePart(home, 'patient0001_4CH_ED', { data: frameBytes([9]) });
    const [brighter] = await prepare(root);
    assert.notDeepEqual(brighter.video, first.video);
    assert.equal(cacheOf().length, 2);
    writePart(home, 'patient0001_4CH_ED_gt', { data: heart(4) });
    const [relabelled] = await prepare(root);
    assert.notDeepEqual(relabelled.planes.get('mask'), brighter.planes.get('mask'));
    assert.equal((await prepare(root, { resolution: 16 }))[0].size, 16);
    assert.equal(cacheOf().length, 4);
  });

  it('of two patients of one name in different folders do not meet', async () => {
    const [a, b] = [still('a', 'patient0001'), still('b', 'patient0001')];
    writePart(patientFolder('b', 'patient0001'), 'patient0001_4CH_ES', { data: frameBytes([7]) });
    const first = await prepare(a);
    const second = await prepare(b);
    assert.notDeepEqual(second[0].video, first[0].video);
    assert.equal(cacheOf().length, 2);
    assert.deepEqual(await prepare(a), first);
    assert.deepEqual(await prepare(b), second);
  });

  it('of a patient whose name means something to a regular expression are told apart', async () => {
    const root = still('a', 'a.c(1)');
    still('a', 'abc(1)');
    assert.equal((await prepare(root)).length, 2);
    writePart(patientFolder('a', 'a.c(1)'), 'a.c(1)_4CH_ED', { data: frameBytes([8]) });
    await prepare(root);
    assert.equal(cacheOf().length, 3, 'the changed source of a.c(1) was not seen');
  });

  it('whose cache file is broken are made again', async () => {
    const root = still('a', 'patient0001');
    const first = await prepare(root);
    const [name] = cacheOf();
    const file = join(folder, 'cache', name);
    const whole = readFileSync(file);
    for (const damage of [
      () => truncateSync(file, 100), () => writeFileSync(file, ''), () => writeFileSync(file, '{}'),
    ]) {
      damage();
      const skipped: string[] = [];
      assert.deepEqual(await prepare(root, { onSkip: (id) => skipped.push(id) }), first);
      assert.deepEqual(skipped, []);
      assert.deepEqual(readFileSync(file), whole);
    }
  });

  it('whose source is unusable are left out with a reason, or are an error', async () => {
    const root = still('a', 'patient0001');
    still('a', 'patient0002');
    const bad = join(patientFolder('a', 'patient0001'), 'patient0001_4CH_ED.nii.gz');
    truncateSync(bad, 40);
    const skipped: string[] = [];
    const seen: number[] = [];
    const clips = await prepare(root, {
      onSkip: (id, reason) => skipped.push(`${id}: ${reason}`),
      onProgress: (done) => seen.push(done),
    });
    assert.deepEqual(clips.map(({ id }) => id), ['patient0002_4CH']);
    assert.equal(skipped.length, 1);
    assert.ok(skipped[0].includes(bad), skipped[0]);
    assert.deepEqual(seen, [1, 2]);
    await assert.rejects(prepare(root), (error: Error) => error.message.includes(bad));
  });

  it('on a full disk are an error, not a clip left out, and leave nothing', async () => {
    const root = still('a', 'patient0001');
    const skipped: string[] = [];
    const fault = injectFault('writeSync', 'ENOSPC', 0);
    try {
      await assert.rejects(prepare(root, { onSkip: (id) => skipped.push(id) }),
        /cache.*safetensors: cannot be written: ENOSPC/);
    } finally {
      fault.restore();
    }
    assert.ok(fault.failed() > 0);
    assert.deepEqual(skipped, []);
    assert.deepEqual(cacheOf(), []);
  });

  it('end early when a stop is asked for, and the rest is made the next time', async () => {
    const root = still('a', 'patient0001');
    still('a', 'patient0002');
    let done = 0;
    const some = await prepare(root, {
      onProgress: (count) => { done = count; }, stopRequested: () => done > 0,
    });
    assert.equal(some.length, 1);
    assert.equal((await prepare(root)).length, 2);
  });
});

describe('clips prepared on several threads', () => {
  const patients = ['patient0001', 'patient0002', 'patient0003', 'patient0004'];
  const every = () => {
    const [root] = patients.map((patient) => still('a', patient));
    writePart(patientFolder('a', 'patient0003'), 'patient0003_4CH_ES', { data: frameBytes([7]) });
    return root;
  };
  const bytes = (name: string) => new Map(readdirSync(join(folder, name)).sort().map(
    (file) => [file, readFileSync(join(folder, name, file))]));

  it('are those of one, in the same order and to the byte, and are made again when broken', async () => {
    const root = every();
    const alone = await prepare(root);
    const seen: number[] = [];
    const cache = join(folder, 'three');
    const change = { cache, workers: 3, onProgress: (done: number) => void seen.push(done) };
    assert.deepEqual(await prepare(root, change), alone);
    assert.deepEqual(seen, [1, 2, 3, 4]);
    const whole = bytes('cache');
    assert.deepEqual(bytes('three'), whole);
    truncateSync(join(cache, [...whole.keys()][2]), 100);
    assert.deepEqual(await prepare(root, change), alone);
    assert.deepEqual(bytes('three'), whole);
  });

  it('are left out with the reason that one thread gives, or are its error, and the others are kept', async () => {
    const root = every();
    const bad = join(patientFolder('a', 'patient0002'), 'patient0002_4CH_ED.nii.gz');
    truncateSync(bad, 40);
    const reasons = async (workers: number) => {
      const skipped: string[] = [];
      const onSkip = (id: string, reason: string) => void skipped.push(`${id}: ${reason}`);
      const clips = await prepare(root, { cache: join(folder, `${workers}`), workers, onSkip });
      assert.deepEqual(clips.map(({ patient }) => patient), patients.filter((name) => name !== 'patient0002'));
      return skipped;
    };
    const skipped = await reasons(2);
    assert.ok(skipped.length === 1 && skipped[0].includes(bad), `${skipped}`);
    assert.deepEqual(await reasons(1), skipped);
    await assert.rejects(prepare(root, { workers: 2 }), (error: Error) => error.message.includes(bad));
    assert.ok(cacheOf().includes([...bytes('1').keys()][0]), `${cacheOf()}`);
  });

  it('are kept when a stop is asked for, those under way too', async () => {
    const root = every();
    let done = 0;
    const some = await prepare(root, {
      workers: 2, onProgress: (count) => { done = count; }, stopRequested: () => done > 0,
    });
    assert.equal(some.length, 2);
    assert.equal(cacheOf().length, 2);
    const made = stamps();
    assert.equal((await prepare(root)).length, 4);
    assert.deepEqual(stamps().filter((stamp) => made.includes(stamp)).length, 2, 'made a second time');
  });
});

describe('latents', () => {
  it('are kept by pictures and weights, and made again when broken', async () => {
    const model = tinyModel({ temporal: false });
    const options = { cache: folder };
    const find = () => readdirSync(folder).filter((name) => name.endsWith('.latents.safetensors'));
    try {
      const run = async (vae: string) => {
        const [clip] = drawnClips(1);
        await prepareLatents([clip], model, { vae, imageEncoder: 'b' }, options);
        return clip;
      };
      const first = await run('a');
      assert.equal(first.latents!.mean.length, 4 * 4 * 16 * 16);
      assert.equal(first.embedding!.length, 4 * 16 * 8 * 8);
      const [name] = find();
      truncateSync(join(folder, name), 64);
      assert.deepEqual(await run('a'), first);
      assert.equal(find().length, 1);
      await run('another VAE');
      assert.equal(find().length, 2);
      const [other] = drawnClips(1);
      const changed = { ...other, video: other.video.map((value) => 255 - value) };
      await prepareLatents([changed], model, { vae: 'a', imageEncoder: 'b' }, options);
      assert.equal(find().length, 3);
      assert.notDeepEqual(changed.latents, first.latents);
    } finally {
      model.dispose();
    }
  });
});

describe('a split', () => {
  function splits(lists: Record<string, string>): string {
    const root = still('a', 'patient0001');
    mkdirSync(join(root, 'database_split'));
    for (const [name, text] of Object.entries(lists)) {
      writeFileSync(join(root, 'database_split', `subgroup_${name}.txt`), text);
    }
    return root;
  }
  const store = (data: string, report: string[] = []) => ({
    config: tinyConfig(1), data, cache: join(folder, 'cache'),
    report: (line: string) => void report.push(line),
  });

  it('that is empty is no clips and one line', async () => {
    const root = splits({ training: 'patient0001\n', validation: '\n' });
    const lines: string[] = [];
    assert.equal((await loadSplit('training', store(root, lines))).length, 1);
    assert.deepEqual(lines, []);
    assert.deepEqual(await loadSplit('validation', store(root, lines)), []);
    assert.deepEqual(lines, [`${root}: nobody in the validation split: no held-out figures`]);
  });

  it('to train on that is empty is one sentence', async () => {
    const root = splits({ training: '', validation: 'patient0001\n' });
    await assert.rejects(loadSplit('training', store(root)),
      /expected patients to train on in its training split, got none$/);
  });

  it('whose patients are all absent is still an error', async () => {
    const root = splits({ training: 'patient0008\n' });
    const lines: string[] = [];
    await assert.rejects(loadSplit('training', store(root, lines)), /expected patient folders/);
    assert.match(lines[0], /patient0008.*left out/);
  });
});
