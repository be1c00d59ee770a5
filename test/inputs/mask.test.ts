/** `--mask`: what becomes of sequences, of ED and ES alone, and of what is no mask. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { interpolateCycle } from '../../src/conditions/mask-cycle.ts';
import { writeNifti } from '../../src/data/nifti.ts';
import { frameAt, plane, reverseFrames, selectFrames } from '../../src/frames/frames.ts';
import type { Labels } from '../../src/frames/frames.ts';
import { encodePng } from '../../src/frames/png.ts';
import { letterbox, letterboxLabels } from '../../src/frames/resize.ts';
import { findBeat } from '../../src/inputs/beat.ts';
import { readInputs } from '../../src/inputs/inputs.ts';
import {
  cycle, ed, es, HEIGHT, SPACING, WIDTH, writeLabels,
} from '../support/patient-files.ts';

const folder = mkdtempSync(join(tmpdir(), 'heartbeat-mask-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const model = { stage: 'video', frames: 4, height: 48, width: 48, classes: 4 } as const;
const box = letterbox(HEIGHT, WIDTH, 48);
const ten = cycle(10);
let names = 0;
const write = (masks: Labels) => writeLabels(join(folder, `m${names++}.nii.gz`), masks);
const read = (...mask: string[]) => readInputs({ mask }, model);

async function expectMasks(paths: string[], expected: Labels): Promise<void> {
  const { inputs, masks } = await read(...paths);
  assert.deepEqual(masks, letterboxLabels(expected, box));
  const planes = inputs.mask;
  assert.ok(typeof planes === 'object' && planes.channels === 4 && planes.frames === 4);
  masks.data.forEach((label, i) => {
    assert.equal(planes.data[label * masks.data.length + i], 1);
  });
}

describe('a sequence of masks', () => {
  it('of the model\'s frames is taken as it is, in the model\'s square', async () => {
    const four = selectFrames(ten, [0, 2, 4, 7]);
    await expectMasks([write(four)], four);
  });

  it('of a whole longer cycle is spread over it, ES among the frames', async () => {
    const { kind, es: frame } = await read(write(ten));
    assert.deepEqual([kind, frame], ['sequence', 1]);
    // Steps of 2.5 frames: 0, 3 (rounded up), 5, 8; ES is frame 4 and takes the nearest place.
    await expectMasks([write(ten)], selectFrames(ten, [0, 4, 5, 8]));
  });

  it('that ends with the ED it began with does not show it twice', async () => {
    const closed = selectFrames(ten, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0]);
    assert.equal(findBeat(closed)?.length, 10);
    await expectMasks([write(closed)], selectFrames(ten, [0, 4, 5, 8]));
  });

  it('from ED to ES is spread over that half', async () => {
    const half = interpolateCycle(ed, es, { frames: 7, span: 'half' });
    const found = await read(write(half));
    assert.deepEqual([found.kind, found.es], ['half_sequence', 3]);
    await expectMasks([write(half)], selectFrames(half, [0, 2, 4, 6]));
  });

  it('may be a folder, a pattern or a list of PNG files', async () => {
    const frames = join(folder, 'png');
    mkdirSync(frames);
    const four = selectFrames(ten, [0, 2, 4, 7]);
    const paths = [0, 1, 2, 3].map((t) => {
      const path = join(frames, `mask-${t + 8}.png`);
      writeFileSync(path, encodePng(frameAt(four, t)));
      return path;
    });
    await expectMasks([frames], four);
    await expectMasks([join(frames, 'mask-*.png')], four);
    await expectMasks(paths, four);
  });
});

describe('ED and ES alone', () => {
  it('are joined over a whole cycle', async () => {
    const { masks, kind, es: frame } = await read(write(ed), write(es));
    assert.deepEqual([kind, frame, masks?.frames], ['sequence', 2, 4]);
    const at = (t: number) => plane(masks as Labels, 0, t);
    assert.deepEqual(at(0), plane(letterboxLabels(ed, box), 0, 0));
    assert.deepEqual(at(2), plane(letterboxLabels(es, box), 0, 0));
  });

  it('carry the spacing of their files to the square', async () => {
    const { spacing } = await read(write(ed), write(es));
    assert.deepEqual(spacing, [1, 1].map((_, k) => (SPACING[k] * WIDTH) / 48));
  });
});

describe('the beat', () => {
  it('is told from the cavity alone', () => {
    assert.deepEqual(findBeat(ten), { kind: 'sequence', length: 10, es: 4 });
    assert.equal(findBeat(reverseFrames(selectFrames(ten, [0, 1, 2, 3, 4]))), null);
    assert.equal(findBeat(selectFrames(ten, [0, 0, 0])), null);
    assert.equal(findBeat(selectFrames(ten, [0, 2, 4, 5, 6])), null, 'stops in early diastole');
  });
});

describe('what is no mask', () => {
  const rows: [string, () => string[], RegExp][] = [
    ['too few frames', () => [write(selectFrames(ten, [0, 2, 4]))],
      /^--mask .*m\d+\.nii\.gz: expected 4 frames as the model has \(or .*\), got 3$/],
    ['neither a cycle nor half of one', () => [write(selectFrames(ten, [4, 5, 6, 7, 8]))],
      /expected 4 frames as the model has, or more of a cycle .*, got 5 frames that are neither$/],
    ['a label the model does not know', () => {
      const wrong = frameAt(ed, 0);
      wrong.data[3 * WIDTH + 5] = 7;
      return [write(wrong), write(es)];
    }, /expected labels 0, 1, 2, 3, got 7 at frame 0, x 5, y 3$/],
    ['a label between two', () => {
      const path = join(folder, 'half.nii.gz');
      const data = Float32Array.from(ed.data);
      data[1] = 1.5;
      writeNifti(path, { shape: [WIDTH, HEIGHT], data, spacing: SPACING });
      return [path, write(es)];
    }, /half\.nii\.gz: expected labels 0, 1, 2, 3, got 1\.5 at frame 0, x 1, y 0$/],
    ['background only', () => {
      const empty = frameAt(ed, 0);
      empty.data.fill(0);
      return [write(empty), write(es)];
    }, /expected a structure \(a label above 0\), got none$/],
    ['ES before ED', () => [write(es), write(ed)],
      /expected the ED mask first, whose cavity is the larger one, got \d+ pixels and then \d+$/],
    ['two sequences', () => [write(ten), write(es)],
      /expected 1 frame, as two paths are the ED and the ES mask, got 10$/],
    ['ED and ES of two sizes', () => {
      const path = join(folder, 'small.nii.gz');
      const data = es.data.slice(0, WIDTH * (HEIGHT - 2));
      writeNifti(path, { shape: [WIDTH, HEIGHT - 2], data, spacing: SPACING });
      return [write(ed), path];
    }, /small\.nii\.gz: expected the size of the ED mask, 96 x 72, got 96 x 70$/],
    ['three NIfTI files', () => [write(ed), write(es), write(ed)],
      /expected PNG \(a file, a folder or a pattern\), got NIfTI$/],
    ['a truncated file', () => {
      const path = join(folder, 'cut.nii.gz');
      writeFileSync(path, readFileSync(write(ed)).subarray(0, 200));
      return [path, write(es)];
    }, /cut\.nii\.gz: expected \d+ bytes after unzipping, got fewer: the file is truncated$/],
    ['no file', () => [join(folder, 'none.nii.gz')],
      /none\.nii\.gz: expected a NIfTI file, got no such file$/],
    ['another kind of file', () => [join(folder, 'mask.dcm')],
      /mask\.dcm: expected NIfTI \(.*\) or PNG \(.*\), got \.dcm$/],
    ['a stack in space and time', () => {
      const path = join(folder, 'deep.nii.gz');
      writeNifti(path, { shape: [2, 2, 2, 2], data: new Uint8Array(16), spacing: [1, 1, 1] });
      return [path];
    }, /deep\.nii\.gz: expected a picture \(x, y\) or a sequence \(x, y, t\), got 2 x 2 x 2 x 2$/],
  ];
  for (const [what, make, message] of rows) {
    it(`${what}: one sentence`, async () => {
      await assert.rejects(read(...make()), (error: Error) => {
        assert.match(error.message, message);
        assert.ok(!error.message.includes('\n'));
        return true;
      });
    });
  }
});
