/** What a user can give wrongly: one sentence, exit code 1 or 2, and nothing written. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { findCheckpoint } from '../../src/cli/model-choice.ts';
import * as demo from '../../src/cli/demo.ts';
import * as sample from '../../src/cli/sample.ts';
import { writeNifti } from '../../src/data/nifti.ts';
import { byteFrames, frameAt, selectFrames } from '../../src/frames/frames.ts';
import { writePng } from '../../src/frames/png.ts';
import { expectNoLeaks } from '../support/leaks.ts';
import {
  cycle, ed, HEIGHT, SPACING, WIDTH, writeFlow, writeLabels, writePatient,
} from '../support/patient-files.ts';
import { FRAMES, runVerb, writeTinyModel } from './sample-fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'heartbeat-mistakes-'));
const files = writePatient(join(folder, 'patient'), FRAMES);
const at = (name: string) => join(folder, name);
expectNoLeaks();
after(() => rmSync(folder, { recursive: true, force: true }));

/** A file with these bytes or this text; its path. */
function file(name: string, content: string | Uint8Array): string {
  writeFileSync(at(name), content);
  return at(name);
}

/** The frame with one voxel of another value. */
function frameWith(name: string, value: number): string {
  const data = Float32Array.from({ length: WIDTH * HEIGHT }, (_, i) => i % 200);
  data[7] = value;
  const bytes = { shape: [WIDTH, HEIGHT], data, spacing: SPACING };
  if (Number.isFinite(value)) {
    writeNifti(at(name), bytes);
    return at(name);
  }
  // Our writer refuses NaN, so it is put into the written file: voxels begin at byte 352.
  data[7] = 0;
  writeNifti(at(name), bytes);
  const raw = readFileSync(at(name));
  raw.writeFloatLE(value, raw.length - 4 * data.length + 4 * 7);
  writeFileSync(at(name), raw);
  return at(name);
}

function blank(name: string): string {
  writePng(at(name), byteFrames({ channels: 1, frames: 1, height: 8, width: 8 }));
  return at(name);
}

function wrongLabel(): string {
  const wrong = frameAt(ed, 0);
  wrong.data[0] = 9;
  return writeLabels(at('nine.nii.gz'), wrong);
}

const line = [{ x: 1, y: 1 }, { x: 9, y: 1 }];
const arrow = { stroke: [line[0], line[0]], from: line[0], to: line[1] };
const json = (name: string, value: unknown) => file(name, JSON.stringify(value));

type Row = readonly [args: readonly string[], code: 1 | 2, message: RegExp];
const rows: readonly Row[] = [
  [['--mask', at('none.nii.gz')], 1, /none\.nii\.gz: expected a NIfTI file, got no such file/],
  [['--mask', file('cut.nii.gz', readFileSync(files.edMask).subarray(0, 120)), files.esMask], 1,
    /cut\.nii\.gz: expected \d+ bytes after unzipping, got fewer: the file is truncated/],
  [['--mask', file('text.nii', 'no header')], 1, /text\.nii: expected a NIfTI file .*, got/],
  [['--mask', wrongLabel(), files.esMask], 1, /nine.*expected labels 0, 1, 2, 3, got 9 at frame 0/],
  [['--mask', writeLabels(at('three.nii.gz'), selectFrames(cycle(4), [0, 1, 2]))], 1,
    /three\.nii\.gz: expected 4 frames as the model has .*, got 3/],
  [['--mask', writeLabels(at('odd.nii.gz'), selectFrames(cycle(8), [3, 4, 5, 6, 7]))], 1,
    /odd\.nii\.gz: expected 4 frames .*, got 5 frames that are neither/],
  [['--mask', files.esMask, files.edMask], 1, /expected the ED mask first/],
  [['--mask', at('none/mask-*.png')], 1, /none\/mask-\*\.png: expected PNG files, got none/],
  [['--image', frameWith('nan.nii', NaN)], 1, /nan\.nii: expected finite voxels, got NaN at/],
  [['--image', frameWith('bright.nii', 4000)], 1, /expected grey levels 0\.\.255, got 0\.\.4000/],
  [['--image', blank('black.png')], 1, /black\.png: expected a picture with contrast/],
  [['--image', file('cut.png', readFileSync(files.png).subarray(0, 300))], 1,
    /cut\.png: expected a whole PNG file, got/],
  [['--image', file('scan.dcm', 'DICM')], 1, /scan\.dcm: expected NIfTI .* or PNG .*, got \.dcm/],
  [['--sketch', blank('empty.png')], 1, /empty\.png: expected lines on paper, got one grey/],
  [['--sketch', files.frame], 1, /expected a drawing in PNG, got NIfTI \(--sketch-from/],
  [['--sketch-from', blank('night.png')], 1, /night\.png: expected a picture with echo to draw/],
  [['--skeleton', file('broken.json', '{"frames": [')], 1, /broken\.json: expected JSON, got/],
  [['--skeleton', json('point.json', { frames: [line[0]] })], 1, /point\.json: expected \{"width"/],
  [['--skeleton', json('two.json', { frames: [line, line] })], 1,
    /two\.json: expected 1 stroke or one for each of 4 frames, got 2/],
  [['--arrow', json('arrow.json', arrow)], 1, /expected a stroke of at least 2 different points/],
  [['--flow', at('film.mp4')], 1, /film\.mp4: expected NIfTI .*, got \.mp4 .*ffmpeg/],
  [['--flow', writeFlow(at('short.nii.gz'), 2, () => [1, 1])], 1,
    /short\.nii\.gz: expected at least 4 frames as the model has, got 2/],
  [['--flow', writeFlow(at('far.nii.gz'), 4, () => [400, 0])], 1,
    /expected displacements below the picture's side, got 4\.2 sides in one frame/],
  [['--flow', 'mask'], 2, /--flow mask: expected masks to find it in \(--mask\), got none/],
  [['--sketch', 'a.png', '--sketch-from', 'b.png'], 2, /expected one way to give the sketch/],
  [['--text', '4CH', '--strength', 'maks=1'], 2, /unknown condition "maks": did you mean "mask"/],
  [['--text', '4CH', '--strength', 'mask=1'], 2, /expected a condition that is given \(text\)/],
  [['--text', '4CH', '--strength', 'text=-1'], 2, /expected a number of at least 0/],
  [['--steps', '3', '--num-inference-steps', '4'], 2, /expected the same as --num-inference-steps/],
  [['--steps', '0'], 2, /expected a whole number from 1 to 999/],
  [['--sampler', 'euler'], 2, /Allowed choices are ddim, dpm-solver\+\+/],
  [['--device', 'tpu'], 2, /--device: expected one of cpu.*, got tpu/],
  [['--frobnicate'], 2, /unknown option/],
];

describe('a mistake', () => {
  const checkpoint = at('model');
  before(() => writeTinyModel(checkpoint));
  for (const [args, code, message] of rows) {
    const shown = args.map((word) => word.split('/').at(-1)).join(' ');
    it(`${shown}: exit ${code}`, async () => {
      const there = readdirSync(folder);
      const output = at('out/deep');
      const all = ['--threads', '1', '--checkpoint', checkpoint, '--output', output, ...args];
      const result = await runVerb(sample, all);
      assert.match(result.message, message);
      assert.equal(result.code, code, result.message);
      assert.doesNotMatch(result.message, /\n|a defect in heartbeat/);
      assert.deepEqual(readdirSync(folder), there);
    });
  }

  it('about the place to write is said before the work', async () => {
    const given = ['--checkpoint', checkpoint, '--output'];
    const run = (output: string) => runVerb(sample, [...given, output]);
    const taken = await run(folder);
    assert.match(taken.message, /expected a new or empty folder, got .*, which holds files$/);
    const below = await run(join(files.frame, 'out'));
    assert.match(below.message, /expected a folder at .*ED\.nii\.gz, got a file/);
    assert.deepEqual([taken.code, below.code], [2, 2]);
  });
});

describe('a model folder', () => {
  const run = async (checkpoint: string) => {
    const output = at('none');
    const result = await runVerb(sample, ['--checkpoint', checkpoint, '--output', output]);
    assert.ok(!existsSync(output));
    return result;
  };

  it('that is absent is one sentence', async () => {
    const { code, message } = await run(at('nowhere'));
    assert.equal(code, 2);
    assert.match(message, /expected a model folder \(with model_index.json\), got no such folder$/);
    assert.throws(() => findCheckpoint(undefined, at('small')),
      /^UserError: expected the released model in .*small, got none: name another model folder/);
    const missing = await runVerb(demo, ['--checkpoint', at('nowhere'), '--output', at('none')]);
    assert.equal(missing.code, 2);
  });

  it('of a run or a stage is found', () => {
    writeTinyModel(at('run/video/model'));
    for (const place of ['run', 'run/video', 'run/video/model']) {
      assert.equal(findCheckpoint(at(place)), at('run/video/model'));
    }
  });

  it('with damaged weights, or those of another size, is one sentence', async () => {
    const weights = at('run/video/model/unet/diffusion_pytorch_model.safetensors');
    const whole = readFileSync(weights);
    writeFileSync(weights, whole.subarray(0, whole.length - 10));
    const cut = await run(at('run'));
    assert.equal(cut.code, 1);
    assert.match(cut.message, /diffusion_pytorch_model\.safetensors.*expected.*got/);
    writeTinyModel(at('wide'), ['model.unet.block_out_channels=[16,48]']);
    writeFileSync(weights, readFileSync(at('wide/unet/diffusion_pytorch_model.safetensors')));
    const wide = await run(at('run'));
    assert.equal(wide.code, 1);
    assert.match(wide.message, /safetensors: load: .* expected shape .*, got/);
  });

  it('that does not know a condition says so', async () => {
    writeTinyModel(at('plain'), ['model.conditions=[text, mask]']);
    const args = ['--flow', files.flow, '--checkpoint', at('plain'), '--output', at('none')];
    const { code, message } = await runVerb(sample, args);
    assert.equal(code, 2);
    assert.match(message, /expected a condition that the model .* knows \(text, mask\), got flow$/);
  });
});

describe('Ctrl+C', () => {
  it('stops after the step, leaves nothing, exit 130', async () => {
    const model = at('model');
    const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
    const there = readdirSync(folder);
    mkdirSync(at('quiet'));
    const child = spawn(process.execPath, [
      '--import', 'tsx', main, 'sample', '--text', '4CH', '--steps', '999', '--count', '9',
      '--threads', '1', '--checkpoint', model, '--output', at('quiet/out'),
    ], { env: { ...process.env, OMP_WAIT_POLICY: 'passive' } });
    let err = '';
    child.stderr.on('data', (text: Buffer) => {
      // The first line of progress says that sampling is under way.
      if (err === '') child.kill('SIGINT');
      err += text.toString();
    });
    const code = await new Promise((resolve) => child.on('exit', resolve));
    assert.equal(code, 130, err);
    assert.match(err, /^sample \d+\/8991 steps, .* left/);
    assert.match(err, /stopping at the end of this step .*\nheartbeat: stopped by Ctrl\+C\n$/s);
    assert.deepEqual(readdirSync(at('quiet')), []);
    assert.deepEqual(readdirSync(folder), [...there, 'quiet'].sort());
  });
});
