/** `sample` with a model of slices: a volume's mask in, a volume out. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import * as demo from '../../src/cli/demo.ts';
import * as sample from '../../src/cli/sample.ts';
import { listMnmsVolumes, readMnmsClip } from '../../src/data/mnms.ts';
import { readNifti, writeNifti } from '../../src/data/nifti.ts';
import { labelFrames } from '../../src/frames/frames.ts';
import { writePngSequence } from '../../src/frames/png.ts';
import { readRecipe } from '../../src/frames/recipe.ts';
import { readInputs } from '../../src/inputs/inputs.ts';
import { HEIGHT, labels, SLICES, WIDTH, writePatient, writeTable } from '../data/mnms-files.ts';
import { runVerb, writeTinyModel } from './sample-fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'heartbeat-sample-slices-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const at = (...parts: string[]) => join(folder, ...parts);

const mri = at('mri');
writeTinyModel(mri, ['model.frameAxis=slice', 'model.conditions=["text","mask"]']);
writeTable(at('data'), ['0,A1,,A,1,0,2,,,,,']);
const patient = writePatient(at('data'), 'A1');
const masks = join(patient, 'A1_sa_gt.nii.gz');
const size = { stage: 'video', frames: 4, frameAxis: 'slice', height: 32, width: 32, classes: 4 } as const;
const steps = ['--steps', '1', '--guidance-scale', '1', '--dtype', 'float32'];
const run = (output: string, ...args: string[]) =>
  runVerb(sample, ['--checkpoint', mri, '--output', at(output), ...steps, ...args]);

describe('sampling slices', () => {
  it('writes a volume, base first, with the masks that were asked for', async () => {
    assert.deepEqual(await run('out', '--mask', masks, '--text', 'SAX'), { code: 0, message: '' });
    assert.deepEqual(readdirSync(at('out')).sort(),
      ['masks.nii.gz', 'recipe.json', 'sheet.png', 'slices', 'volume.nii.gz']);
    assert.deepEqual(readdirSync(at('out', 'slices')),
      [1, 2, 3, 4].map((number) => `slice-0${number}.png`));
    const [volume, asked] = ['volume', 'masks'].map((name) => readNifti(at('out', `${name}.nii.gz`)));
    assert.deepEqual([volume.shape, asked.shape], [[32, 32, 4], [32, 32, 4]]);
    assert.ok(Math.abs(asked.spacing[2] - 9) < 1e-6 && Math.abs(asked.spacing[0] - 1.5 * 12 / 32) < 1e-6,
      String(asked.spacing));
    const clip = readMnmsClip(listMnmsVolumes(at('data'))[0], { size: 32, frames: 4 });
    assert.deepEqual(Uint8Array.from(asked.data), clip.masks!.data);
    const recipe = readRecipe(at('out', 'volume.nii.gz')) as { text: string };
    assert.equal(recipe.text, 'A cardiac MRI short axis view.');
  });

  it('shows every slice once, though the model has more frames', async () => {
    const few = at('few.nii.gz');
    const data = new Uint8Array(WIDTH * HEIGHT * 3);
    data.fill(1, 30, 40);
    data.fill(2, WIDTH * HEIGHT + 30, WIDTH * HEIGHT + 34);
    writeNifti(few, { shape: [WIDTH, HEIGHT, 3], spacing: [1, 1, 8], data });
    const { slices, masks: asked } = await readInputs({ mask: [few] }, size);
    assert.equal(asked!.frames, 4);
    assert.deepEqual(slices, { frames: [0, 2], spacing: 8, note: null });
  });

  it('takes the first labelled frame of a cine, or --time', async () => {
    const cine = at('cine.nii.gz');
    const data = labels(true);
    data.fill(0, 0, WIDTH * HEIGHT * SLICES);
    writeNifti(cine, { shape: [WIDTH, HEIGHT, SLICES, 4], spacing: [1, 1, 8], data });
    const { notes, slices } = await readInputs({ mask: [cine] }, size);
    assert.deepEqual(notes, [`--mask ${cine}: frame 1 of its 4 (--time takes another)`]);
    assert.deepEqual(slices!.frames, [0, 1, 2, 3]);
    assert.deepEqual((await readInputs({ mask: [cine] }, size, { time: 2 })).notes, []);
    await assert.rejects(readInputs({ mask: [cine] }, size, { time: 4 }), /frame 0\.\.3 .*, got --time 4$/);
    await assert.rejects(readInputs({ mask: [cine] }, size, { time: 0 }),
      /expected labels in at least one slice at frame 0, got 6 empty ones$/);
  });

  it('takes label maps of PNG, from base to apex', async () => {
    const data = labels(true).subarray(WIDTH * HEIGHT, WIDTH * HEIGHT * 5);
    writePngSequence(folder, labelFrames(4, HEIGHT, WIDTH, data.slice()), undefined, 'label');
    const { slices, masks: asked } = await readInputs({ mask: [at('label-*.png')] }, size);
    assert.deepEqual(slices, { frames: [0, 1, 2, 3], spacing: null, note: null });
    assert.ok(asked!.data.includes(3));
  });

  it('without a mask writes all that the model made', async () => {
    assert.equal((await run('free', '--text', 'SAX')).code, 0);
    assert.deepEqual(readdirSync(at('free')).sort(), ['recipe.json', 'sheet.png', 'slices', 'volume.nii.gz']);
    assert.deepEqual(readNifti(at('free', 'volume.nii.gz')).shape, [32, 32, 4]);
  });

  it('refuses what does not fit in one sentence, and writes nothing', async () => {
    const beat = at('beat');
    writeTinyModel(beat);
    const wrong = at('wrong.nii.gz');
    writeNifti(wrong, { shape: [4, 4, 2], spacing: [1, 1, 1], data: new Uint8Array(32).fill(7) });
    for (const [args, pattern, code] of [
      [['--image', at('label-01.png')], /expected a condition that the model .* knows \(text, mask\), got image/, 2],
      [['--mask', masks, masks], /--mask .*A1_sa_gt.nii.gz: expected PNG/, 1],
      [['--mask', wrong], /wrong.nii.gz: expected labels 0, 1, 2, 3, got 7 at x 0, y 0, slice 0/, 1],
      [['--mask', masks, '--time', '9'], /expected a frame 0..3 of its time axis, got --time 9/, 1],
      [['--time', '1'], /--time: expected with a model of slices and a --mask, got 1 without/, 1],
      [['--checkpoint', beat, '--mask', masks, '--time', '1'], /--time: expected with a model of slices/, 1],
    ] as const) {
      const { code: got, message } = await run('refused', ...args);
      assert.match(message, pattern);
      assert.equal(got, code, message);
    }
    assert.equal(readdirSync(folder).includes('refused'), false);
    const { message } = await runVerb(demo, ['--checkpoint', mri, '--output', at('demo')]);
    assert.match(message, /expected a model of ultrasound, got one of cardiac MRI/);
  });
});
