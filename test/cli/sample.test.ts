/** `sample` and `demo` through the command line's code, with a tiny model of made-up weights. */
import assert from 'node:assert/strict';
import {
  existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import * as demo from '../../src/cli/demo.ts';
import { chooseDType } from '../../src/cli/dtype-choice.ts';
import * as sample from '../../src/cli/sample.ts';
import { readNifti } from '../../src/data/nifti.ts';
import { readPng } from '../../src/frames/png.ts';
import { readRecipe } from '../../src/frames/recipe.ts';
import { synthesisDefaults } from '../../src/heartbeat/synthesis.ts';
import { expectNoLeaks } from '../support/leaks.ts';
import { ed, es, greyOf, writeGrey, writeLabels, writePatient } from '../support/patient-files.ts';
import { FRAMES, runVerb, writeTinyModel } from './sample-fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'heartbeat-sample-'));
const checkpoint = join(folder, 'model');
const files = writePatient(join(folder, 'patient'), FRAMES);
expectNoLeaks();
before(() => writeTinyModel(checkpoint));
after(() => rmSync(folder, { recursive: true, force: true }));

let runs = 0;
const usual = ['--steps', '2', '--dtype', 'float32', '--threads', '1', '--checkpoint', checkpoint];

/** The folder of a run that must succeed. */
async function sampled(...args: string[]): Promise<string> {
  const output = join(folder, `out${runs++}`);
  const result = await runVerb(sample, [...args, ...usual, '--output', output]);
  assert.deepEqual(result, { code: 0, message: '' });
  return output;
}

const pixels = (output: string) => readNifti(join(output, 'video.nii.gz')).data;
const every = [
  '--text', '4CH', '--image', files.frame, '--sketch', files.sketch, '--mask', files.edMask,
  files.esMask, '--skeleton', files.skeleton, '--flow', files.flow,
];

describe('each condition', () => {
  const ways: [string, string[]][] = [
    ['text', ['--text', '4CH']],
    ['image', ['--image', files.frame]],
    ['sketch', ['--sketch', files.sketch]],
    ['a sketch of a frame', ['--sketch-from', files.png]],
    ['a mask sequence', ['--mask', files.masks]],
    ['ED and ES masks', ['--mask', files.edMask, files.esMask]],
    ['skeleton', ['--skeleton', files.skeleton]],
    ['skeleton of masks', ['--skeleton', files.masks]],
    ['arrow', ['--arrow', files.arrow]],
    ['flow', ['--flow', files.flow]],
    ['flow of a video', ['--flow', files.video]],
    ['all together', every],
  ];
  const seen = new Map<string, string>();
  before(async () => {
    seen.set(Buffer.from(pixels(await sampled()) as Uint8Array).toString('hex'), 'nothing');
  });
  for (const [what, args] of ways) {
    it(`${what} gives a clip of its own`, async () => {
      const key = Buffer.from(pixels(await sampled(...args)) as Uint8Array).toString('hex');
      assert.equal(seen.get(key), undefined);
      seen.set(key, what);
    });
  }
});

describe('a model of stage 1', () => {
  const image = join(folder, 'image model');
  before(() => writeTinyModel(image, [], false));
  const framesOf = async (...args: string[]) => {
    const output = join(folder, `out${runs++}`);
    const result = await runVerb(sample, [...args, ...usual, '--checkpoint', image, '--output', output]);
    assert.deepEqual(result, { code: 0, message: '' });
    assert.ok(existsSync(join(output, 'sheet.png')) && existsSync(join(output, 'video.mp4')));
    return readdirSync(join(output, 'frames')).length;
  };
  it('makes a single frame', async () => {
    for (const args of [['--text', '2CH'], ['--mask', files.edMask], ['--mask', files.esMask, '--image', files.frame]]) {
      assert.equal(await framesOf(...args), 1, args.join(' '));
    }
  });
  it('makes a sequence for two masks', async () => {
    assert.equal(await framesOf('--mask', files.edMask, files.esMask), FRAMES);
  });
  it('takes no flow', async () => {
    const args = ['--flow', files.flow, ...usual, '--checkpoint', image, '--output', join(folder, 'none')];
    const { code, message } = await runVerb(sample, args);
    assert.equal(code, 2);
    assert.match(message, /^--flow: expected a condition that the model .* knows \(.*\), got flow$/);
  });
});

describe('seeds', () => {
  it('the same gives the same bytes in every file, another gives another clip', async () => {
    const [a, b] = [await sampled(...every, '--seed', '5'), await sampled(...every, '--seed', '5')];
    const names = readdirSync(a, { recursive: true, encoding: 'utf8' }).sort();
    assert.deepEqual(readdirSync(b, { recursive: true, encoding: 'utf8' }).sort(), names);
    assert.deepEqual(names.filter((name) => !name.startsWith('frames')), [
      'flow.nii.gz', 'masks.nii.gz', 'recipe.json', 'sheet.png', 'video.gif', 'video.mp4',
      'video.nii.gz',
    ]);
    assert.equal(names.filter((name) => name.endsWith('.png')).length, FRAMES + 1);
    for (const name of names.filter((path) => path !== 'frames')) {
      assert.ok(readFileSync(join(a, name)).equals(readFileSync(join(b, name))), name);
    }
    assert.notDeepEqual(pixels(await sampled(...every, '--seed', '6')), pixels(a));
  });

  it('--count takes the next ones, and each clip is that of its seed alone', async () => {
    const several = await sampled('--text', '4CH', '--seed', '5', '--count', '2');
    assert.deepEqual(readdirSync(several).sort(), ['seed-5', 'seed-6']);
    const alone = await sampled('--text', '4CH', '--seed', '6');
    assert.deepEqual(pixels(join(several, 'seed-6')), pixels(alone));
  });
});

describe('settings', () => {
  it('a strength of 0 is as if the condition were not given, others are not', async () => {
    const without = pixels(await sampled('--text', '4CH'));
    const given = ['--text', '4CH', '--mask', files.masks];
    assert.deepEqual(pixels(await sampled(...given, '--strength', 'mask=0')), without);
    const half = pixels(await sampled(...given, '--strength', 'mask=0.5'));
    assert.notDeepEqual(half, without);
    assert.notDeepEqual(half, pixels(await sampled(...given)));
  });

  it('samplers and guidance matter, and both names of the steps are one', async () => {
    const plain = pixels(await sampled('--text', '4CH'));
    assert.notDeepEqual(pixels(await sampled('--text', '4CH', '--sampler', 'dpm-solver++')), plain);
    assert.notDeepEqual(pixels(await sampled('--text', '4CH', '--guidance-scale', '4')), plain);
    assert.deepEqual(pixels(await sampled('--text', '4CH', '--num-inference-steps', '2')), plain);
  });

  it('the defaults in the help are the framework\'s', async () => {
    const { Command } = await import('commander');
    const command = new Command();
    sample.register(command);
    const help = command.helpInformation().replace(/\s+/g, ' ');
    const { seed, numInferenceSteps, guidanceScale, sampler } = synthesisDefaults;
    for (const value of [seed, numInferenceSteps, guidanceScale, sampler]) {
      assert.ok(help.includes(`(default: ${value})`), `no "(default: ${value})" in the help`);
    }
  });

  it('bf16 is chosen where the processor has it', () => {
    assert.equal(chooseDType('cpu', 'flags : avx512f avx512_bf16'), 'bfloat16');
    assert.equal(chooseDType('cpu', 'flags : avx2 avx512f'), 'float32');
    assert.equal(chooseDType('cuda:0', 'flags : avx2'), 'bfloat16');
    assert.equal(chooseDType('mps', 'flags : avx512_bf16'), 'float32');
  });
});

describe('the recipe', () => {
  it('is inside every file and tells the clip', async () => {
    const output = await sampled(...every, '--strength', 'mask=0.5', '--seed', '3');
    const recipe = JSON.parse(readFileSync(join(output, 'recipe.json'), 'utf8'));
    for (const name of ['video.mp4', 'video.gif', 'video.nii.gz', 'sheet.png', 'masks.nii.gz',
      'flow.nii.gz', join('frames', 'frame-01.png')]) {
      assert.deepEqual(readRecipe(join(output, name)), recipe, name);
    }
    assert.equal(recipe.version, '0.1.0');
    assert.equal(recipe.text, 'An ECHO with 4-chamber view.');
    assert.deepEqual(recipe.strength, { mask: 0.5 });
    const { seed, numInferenceSteps, guidanceScale, sampler, dtype } = recipe.sampling;
    assert.deepEqual([seed, numInferenceSteps, guidanceScale, sampler, dtype],
      [3, 2, 2, 'ddim', 'float32']);
    assert.match(recipe.checkpoint.sha256, /^[0-9a-f]{64}$/);
    assert.equal(recipe.config.resolution, 32);
    const digests = recipe.conditions.flatMap((c: { files: { sha256: string }[] }) => c.files);
    assert.equal(digests.length, 6);
    assert.ok(readPng(join(output, 'sheet.png')).height > 7 * 112, 'a row for every condition');
  });
});

describe('demo', () => {
  it('draws a phantom and gives it all, the same for the same seed', async () => {
    const outputs = [1, 2].map((n) => join(folder, `demo${n}`));
    for (const output of outputs) {
      assert.equal((await runVerb(demo, [...usual, '--output', output])).message, '');
    }
    assert.deepEqual(pixels(outputs[0]), pixels(outputs[1]));
    const recipe = readRecipe(join(outputs[0], 'video.mp4')) as {
      conditions: { condition: string; given: string }[];
    };
    assert.deepEqual(recipe.conditions.map(({ condition }) => condition),
      ['text', 'image', 'sketch', 'mask', 'skeleton', 'flow']);
    assert.match(recipe.conditions[0].given, /^phantom patient 9001 of seed 0, 4CH$/);
  });

  it('takes a patient\'s ED frame and its ED and ES masks', async () => {
    const patient = join(folder, 'patient0005');
    mkdirSync(patient);
    const at = (part: string) => join(patient, `patient0005_4CH_${part}.nii.gz`);
    writeGrey(at('ED'), greyOf(ed));
    writeGrey(at('ES'), greyOf(es));
    writeLabels(at('ED_gt'), ed);
    const output = join(folder, 'demo-patient');
    const args = ['--patient', patient, ...usual, '--output', output];
    const result = await runVerb(demo, args);
    assert.equal(result.code, 1);
    assert.match(result.message, /patient0005_4CH_ES_gt\.nii\.gz: expected the patient's ES_gt/);
    assert.ok(!existsSync(output));
    writeLabels(at('ES_gt'), es);
    assert.equal((await runVerb(demo, args)).message, '');
    const asFlags = await sampled('--text', '4CH', '--image', at('ED'), '--mask', at('ED_gt'),
      at('ES_gt'), '--skeleton', 'mask');
    assert.deepEqual(pixels(output), pixels(asFlags));
    const { message } = await runVerb(demo, ['--view', '2CH', ...args.slice(0, -1), `${output}2`]);
    assert.match(message, /^--view 2CH: expected one of .* \(4CH\), got 2CH$/);
  });
});
