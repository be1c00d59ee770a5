/** The gate through the command line's code: sample, memorisation build and check. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import * as build from '../../src/cli/memorisation-build.ts';
import * as check from '../../src/cli/memorisation-check.ts';
import { openGateNetworks } from '../../src/cli/memorisation-gate.ts';
import * as sample from '../../src/cli/sample.ts';
import { writePhantom } from '../../src/data/phantom/phantom.ts';
import { loadEchoFeatures } from '../../src/evaluation/feature-extractors.ts';
import { fingerprint } from '../../src/evaluation/memorisation/fingerprint.ts';
import { readIndex, writeIndex, type IndexAbout } from '../../src/evaluation/memorisation/index-file.ts';
import { readRecipe } from '../../src/frames/recipe.ts';
import { readUserClip } from '../../src/inputs/clip-files.ts';
import { saveNetwork } from '../../src/metrics/network-folder.ts';
import { Segmenter } from '../../src/metrics/segmenter.ts';
import { EchoVideo } from '../../src/models/echo-video.ts';
import { rootPath } from '../../src/nn/path.ts';
import { resolveConfig } from '../../src/training/config.ts';
import { expectNoLeaks } from '../support/leaks.ts';
import { runVerb, writeTinyModel, FRAMES } from './sample-fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'memorisation-cli-'));
const at = (...parts: string[]) => join(folder, ...parts);
const config = resolveConfig({ preset: 'tiny' });
const size = { resolution: config.model.resolution, frames: FRAMES };
const usual = ['--steps', '2', '--dtype', 'float32', '--threads', '1', '--checkpoint', at('model'), '--text', '4CH'];
const gated = [...usual, '--memorisation-index', at('index'), '--echo-features', at('echo')];

const share = { n: 1, patients: 1, count: 0, value: 0, low: 0, high: 0.975 };
const calibration: IndexAbout['calibration'] = {
  falseAlarmRate: 0.05, patients: 19, clips: 19, thresholds: { pixel: 0.001, feature: 0.0001 },
  realised: { pixel: share, feature: share }, joint: share, medians: { pixel: 1, feature: 1 },
};

/** Small networks with random weights, as the released ones lie. */
function writeNetworks(): void {
  const path = rootPath({ seed: 2 });
  const encoder = { ...config.segmenter.network, classes: 4 };
  new Segmenter(path, encoder);
  saveNetwork(at('echo', 'segmenter'), 'Segmenter', path, encoder, { resolution: 32 });
  path.dispose();
  const second = rootPath({ seed: 3 });
  new EchoVideo(second, config.echoVideo.network);
  saveNetwork(at('echo', 'echo-video'), 'EchoVideo', second, config.echoVideo.network);
  second.dispose();
}

/** An index of the clips that seeds 0 and 7 give: a model that repeats what it was trained on. */
function writeRepeated(): void {
  const echo = loadEchoFeatures(at('echo'));
  const clips = [0, 7].map((seed) =>
    ({ id: `patient${seed}_4CH`, patient: `patient${seed}`, view: '4CH', whole: true, files: {} }));
  const prints = [0, 7].map((seed) =>
    fingerprint(readUserClip(at(`seed${seed}`, 'video.nii.gz'), size), echo.extractors));
  const about = { ...size, clips, heldOut: [], falseAlarmRate: 0.05, calibration, reason: null, power: [] };
  writeIndex(at('index'), about, prints, echo.extractors);
  writeIndex(at('large'), { ...about, resolution: 999 }, prints, echo.extractors);
  writeIndex(at('blind'), { ...about, calibration: null, reason: 'too few clips' }, prints, echo.extractors);
  echo.dispose();
}

expectNoLeaks();
after(() => rmSync(folder, { recursive: true, force: true }));
before(async () => {
  writeTinyModel(at('model'));
  writeNetworks();
  for (const seed of ['0', '7']) {
    const output = at(`seed${seed}`);
    assert.equal((await runVerb(sample, [...usual, '--seed', seed, '--output', output])).message, '');
  }
  writeRepeated();
});

describe('sample behind the gate', () => {
  it('marks a copy in the recipe, and names the nearest clip', async () => {
    const { code, message } = await runVerb(sample, [...gated, '--output', at('marked')]);
    assert.deepEqual([code, message], [0, '']);
    const recipe = readRecipe(at('marked', 'video.nii.gz'))!.memorisation as Record<string, unknown>;
    assert.deepEqual(recipe.marked, ['pixel', 'feature']);
    assert.deepEqual(recipe.nearest, { pixel: 'patient0_4CH', feature: 'patient0_4CH' });
    assert.match(recipe.note as string, /^MARKED as memorised by pixel and feature: pixel 0\.000 \(marked up to 0\.001\)/);
  });

  it('blocks a copy: exit 1, one sentence, and nothing is left', async () => {
    const before = readdirSync(folder).sort();
    const { code, message } = await runVerb(sample, [...gated, '--on-memorised', 'block', '--output', at('none')]);
    assert.equal(code, 1);
    assert.match(message, /^--on-memorised block: expected clips farther from every training clip, got seed 0 \(MARKED .* from patient0_4CH.*\): it was not written$/);
    assert.deepEqual(readdirSync(folder).sort(), before);
  });

  it('writes the others of several, without naming a patient', async () => {
    const { code, message } = await runVerb(sample, [...gated, '--on-memorised', 'block', '--count', '2',
      '--output', at('two')]);
    assert.equal(code, 1);
    assert.match(message, /got seed 0 /);
    assert.deepEqual(readdirSync(at('two')), ['seed-1']);
    const recipe = readRecipe(at('two', 'seed-1', 'video.nii.gz'))!.memorisation as Record<string, unknown>;
    assert.deepEqual(recipe.marked, []);
    assert.ok(!JSON.stringify(recipe).includes('patient'));
  });

  it('refuses an index that does not fit, before any step', async () => {
    const cases: [string[], number, RegExp][] = [
      [['--memorisation-index', at('large')], 1, /large: this memorisation index does not fit \(resolution: expected 32, got 999\): build it again/],
      [['--memorisation-index', at('blind')], 1, /expected an index with thresholds, got one without \(too few clips\)/],
      [['--memorisation-index', at('nothing')], 1, /nothing: expected a memorisation index .* got none/],
      [['--on-memorised', 'block'], 2, /--on-memorised: expected --memorisation-index as well, got none/],
    ];
    for (const [flags, expected, sentence] of cases) {
      const more = flags[0] === '--on-memorised' ? [] : ['--echo-features', at('echo')];
      const { code, message } = await runVerb(sample, [...usual, ...flags, ...more, '--output', at('none')]);
      assert.equal(code, expected);
      assert.match(message, sentence);
      assert.ok(!existsSync(at('none')));
    }
  });
});

describe('memorisation check', () => {
  const flags = ['--index', at('index'), '--echo-features', at('echo')];

  it('finds the copy in a folder of clips, and draws it', async () => {
    const { code, message } = await runVerb(check, [at('two'), at('seed7'), ...flags, '--output', at('checked')]);
    assert.deepEqual([code, message], [0, '']);
    const { clips } = JSON.parse(readFileSync(at('checked', 'check.json'), 'utf8')) as
      { clips: { clip: string; marked: string[]; pixel: { nearest: string } }[] };
    assert.deepEqual(clips.map(({ marked }) => marked), [['pixel', 'feature'], []]);
    assert.deepEqual([clips[0].clip, clips[0].pixel.nearest], [at('seed7', 'video.nii.gz'), 'patient7_4CH']);
    assert.ok(existsSync(at('checked', 'nearest.png')));
    const blocked = await runVerb(check, [at('seed7'), ...flags, '--on-memorised', 'block']);
    assert.equal(blocked.code, 1);
    assert.match(blocked.message, /got 1 of 1, the nearest .*seed7/);
  });
});

describe('the gate of an image model', () => {
  const picture = [...usual.slice(0, -4), '--checkpoint', at('image-model'), '--text', '4CH'];
  const withNetworks = ['--echo-features', at('echo')];

  before(async () => {
    writeTinyModel(at('image-model'), [], false);
    for (const seed of ['0', '7']) await runVerb(sample, [...picture, '--seed', seed, '--output', at(`picture${seed}`)]);
    const networks = await openGateNetworks(at('echo'), 1);
    const prints = [0, 7].map((seed) => fingerprint(readUserClip(at(`picture${seed}`, 'video.nii.gz'),
      { resolution: size.resolution }), networks.extractors));
    const clips = [0, 7].map((seed) =>
      ({ id: `patient${seed}_4CH_ED`, patient: `patient${seed}`, view: '4CH', whole: false, files: {} }));
    const about = { ...size, frames: 1, clips, heldOut: [], falseAlarmRate: 0.05, calibration, reason: null, power: [] };
    writeIndex(at('pictures'), about, prints, networks.extractors);
    networks.dispose();
  });

  it('blocks a picture that is a copy, and finds it on the disk', async () => {
    const { code, message } = await runVerb(sample, [...picture, ...withNetworks, '--memorisation-index', at('pictures'),
      '--on-memorised', 'block', '--output', at('none')]);
    assert.equal(code, 1);
    assert.match(message, /got seed 0 \(MARKED .* from patient0_4CH_ED.*\): it was not written$/);
    const checked = await runVerb(check, [at('picture7'), ...withNetworks, '--index', at('pictures'),
      '--on-memorised', 'block']);
    assert.match(checked.message, /got 1 of 1, the nearest .*picture7/);
  });

  it('is not that of clips', async () => {
    const { message } = await runVerb(sample, [...usual, ...withNetworks, '--memorisation-index', at('pictures'),
      '--output', at('none')]);
    assert.match(message, /pictures: this memorisation index does not fit \(frames: expected 4, got 1\): build it again/);
  });

  it('indexes pictures where the model is one of images', async () => {
    writePhantom(at('beats'), { patients: 1, seed: 3, views: ['4CH'] });
    assert.deepEqual(await runVerb(build, ['--data', at('beats'), '--output', at('of-pictures'),
      '--checkpoint', at('image-model'), ...withNetworks]), { code: 0, message: '' });
    const { about } = readIndex(at('of-pictures'));
    assert.deepEqual([about.frames, about.clips.length, about.clips[0].id, about.networks.map(({ name }) => name)],
      [1, 16, 'patient0001_4CH_01', ['echo-frames']]);
  });
});

describe('memorisation build', () => {
  it('indexes a training split, keeps what is not stale, and says what it cannot do', async () => {
    writePhantom(at('data'), { patients: 1, seed: 3, views: ['4CH'] });
    const flags = ['--data', at('data'), '--output', at('own'), '--checkpoint', at('model'),
      '--echo-features', at('echo'), '--threads', '1'];
    assert.deepEqual(await runVerb(build, flags), { code: 0, message: '' });
    const { about, hash } = readIndex(at('own'));
    assert.deepEqual(about.clips.map(({ id }) => id), ['patient0001_4CH']);
    assert.equal(about.calibration, null);
    assert.match(about.reason!, /at least 19 clips, .* got 0 clips of 0 patients/);
    await runVerb(build, flags);
    assert.equal(readIndex(at('own')).hash, hash);
    rmSync(at('own'), { recursive: true });
    await runVerb(build, flags);
    assert.equal(readIndex(at('own')).hash, hash, 'the same bytes from the same clips');
    const info = at('data', 'database_nifti', 'patient0001', 'Info_4CH.cfg');
    writeFileSync(info, `${readFileSync(info, 'utf8')}\nSex: F\n`);
    const stale = await runVerb(check, [at('two'), '--index', at('own'), '--echo-features', at('echo'),
      '--data', at('data')]);
    assert.match(stale.message, /does not fit \(training clips: the files of patient0001_4CH have changed since\)/);
    await runVerb(build, flags);
    assert.notEqual(readIndex(at('own')).hash, hash, 'a stale index is replaced');
  });

  it('refuses an empty training split in one sentence', async () => {
    writeFileSync(at('data', 'database_split', 'subgroup_training.txt'), '');
    const { code, message } = await runVerb(build, ['--data', at('data'), '--output', at('never'),
      '--checkpoint', at('model'), '--echo-features', at('echo')]);
    assert.equal(code, 1);
    assert.match(message, /data: expected clips of at least 4 frames in the training split, got none$/);
    assert.ok(!existsSync(at('never')));
  });
});
