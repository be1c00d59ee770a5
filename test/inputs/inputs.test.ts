/** The other flags: sketch, valve, flow, image and text, and all in one square. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { conditions } from '../../src/conditions/condition.ts';
import { flowFromMasks } from '../../src/conditions/mask-flow.ts';
import { drawSkeleton, skeletonsFromMasks } from '../../src/conditions/skeleton.ts';
import { writeNifti } from '../../src/data/nifti.ts';
import { byteFrames, plane } from '../../src/frames/frames.ts';
import type { Frames } from '../../src/frames/frames.ts';
import { writePng } from '../../src/frames/png.ts';
import { letterbox, letterboxScale, toLetterbox } from '../../src/frames/resize.ts';
import { conflictOf, flagName, flagNames, readInputs } from '../../src/inputs/inputs.ts';
import type { ConditionFlags } from '../../src/inputs/inputs.ts';
import {
  cycle, greyOf, HEIGHT, WIDTH, writeFlow, writeGrey, writeLabels, writePatient,
} from '../support/patient-files.ts';

const folder = mkdtempSync(join(tmpdir(), 'heartbeat-inputs-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const model = { stage: 'video', frames: 4, height: 48, width: 48, classes: 4 } as const;
const files = writePatient(folder, 4);
const box = letterbox(HEIGHT, WIDTH, 48);
const at = (name: string) => join(folder, name);

async function read<K extends keyof ConditionFlags>(given: ConditionFlags, name: K) {
  const condition = name === 'arrow' ? 'skeleton' : name === 'sketchFrom' ? 'sketch' : name;
  return (await readInputs(given, model)).inputs[condition as 'mask'] as Frames;
}

/** Mean position of what is bright, in pixels. */
function centre(picture: Frames, frame = 0): { x: number; y: number } {
  let [sum, x, y] = [0, 0, 0];
  plane(picture, 0, frame).forEach((value, i) => {
    sum += value;
    x += value * (i % picture.width);
    y += value * Math.floor(i / picture.width);
  });
  return { x: x / sum, y: y / sum };
}

function near(actual: { x: number; y: number }, expected: { x: number; y: number }, by: number) {
  const off = Math.hypot(actual.x - expected.x, actual.y - expected.y);
  assert.ok(off < by, `expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`);
}

describe('flags', () => {
  it('of the table each have a reader, and no reader is without a flag', () => {
    const table = conditions.flatMap(({ flags }) => flags.map(({ flag }) => flagName(flag)));
    assert.deepEqual([...table].sort(), [...flagNames].sort());
  });

  it('give a condition once', () => {
    assert.match(conflictOf({ sketch: 'a', sketchFrom: 'b' }) ?? '',
      /^expected one way to give the sketch, got --sketch and --sketch-from$/);
    assert.match(conflictOf({ skeleton: 'a', arrow: 'b' }) ?? '', /got --skeleton and --arrow$/);
    assert.match(conflictOf({ flow: 'mask' }) ?? '', /^--flow mask: expected masks .* got none$/);
    assert.equal(conflictOf({ flow: 'mask', mask: ['a'] }), null);
  });
});

describe('text', () => {
  it('is the sentence, or a view\'s prompt', async () => {
    const text = async (given: string) => (await readInputs({ text: given }, model)).inputs.text;
    assert.equal(await text('2ch'), 'An ECHO with 2-chamber view.');
    assert.equal(await text('a  dim\nheart'), 'a dim heart');
  });
});

describe('image', () => {
  it('is the first frame in the square, from black to white', async () => {
    for (const image of [files.frame, files.video, files.png]) {
      const prior = await read({ image }, 'image');
      assert.deepEqual([prior.channels, prior.frames, prior.height], [1, 1, 48]);
      assert.deepEqual([Math.min(...prior.data), Math.max(...prior.data)], [0, 1]);
      assert.ok(plane(prior, 0, 0).slice(0, 5 * 48).every((value) => value === 0), 'letterboxed');
    }
  });

  it('of the same picture is the same from NIfTI and PNG', async () => {
    const [a, b] = [await read({ image: files.frame }, 'image'),
      await read({ image: files.png }, 'image')];
    a.data.forEach((value, i) => assert.ok(Math.abs(value - b.data[i]) < 1e-5));
  });
});

describe('sketch', () => {
  it('that was drawn dark on light comes out bright on black, in its place', async () => {
    const sketch = await read({ sketch: files.sketch }, 'sketch');
    near(centre(sketch), toLetterbox({ x: 48, y: 40 }, box), 0.7);
    assert.equal(sketch.data[0], 0, 'the square is filled up with black');
  });

  it('of a frame lies where its walls are', async () => {
    const sketch = await read({ sketchFrom: files.frame }, 'sketchFrom');
    assert.ok(Math.max(...sketch.data) > 0.5);
    assert.deepEqual(sketch, await read({ sketchFrom: files.video }, 'sketchFrom'));
  });
});

describe('valve', () => {
  it('strokes lie where they were drawn', async () => {
    const skeleton = await read({ skeleton: files.skeleton }, 'skeleton');
    assert.equal(skeleton.frames, 4);
    for (const t of [0, 3]) near(centre(skeleton, t), toLetterbox({ x: 48, y: 45 }, box), 0.5);
  });

  it('strokes without a size are of the model\'s square', async () => {
    writeFileSync(at('own.json'), JSON.stringify({ frames: [{ x: 10, y: 20 }, { x: 20, y: 20 }] }));
    near(centre(await read({ skeleton: at('own.json') }, 'skeleton')), { x: 15, y: 20 }, 0.3);
  });

  it('is found in masks, those of --mask or others', async () => {
    const given = { mask: [files.masks], skeleton: 'mask' };
    const { inputs, masks } = await readInputs(given, model);
    const expected = drawSkeleton(skeletonsFromMasks(masks!), 48, 48);
    assert.deepEqual(inputs.skeleton, expected);
    assert.deepEqual(await read({ skeleton: files.masks }, 'skeleton'), expected);
  });

  it('moves along the arrow, in the beat of the masks', async () => {
    const skeleton = await read({ arrow: files.arrow }, 'arrow');
    assert.ok(centre(skeleton, 2).y < centre(skeleton, 0).y - 0.5, 'up in systole');
    const half = writeLabels(at('half.nii.gz'), cycle(10));
    const later = await read({ arrow: files.arrow, mask: [half] }, 'arrow');
    assert.equal(later.frames, 4);
  });
});

describe('flow', () => {
  const scale = letterboxScale(box).x / 48;

  it('in pixels or mm is that of the square over its side', async () => {
    const flow = await read({ flow: files.flow }, 'flow');
    const middle = 24 * 48 + 24;
    for (let t = 0; t < 4; t++) {
      assert.ok(Math.abs(plane(flow, 0, t)[middle] - scale) < 1e-6);
      assert.ok(Math.abs(plane(flow, 1, t)[middle] - (t - 1) * scale) < 1e-6);
    }
    const mm = writeFlow(at('mm.nii.gz'), 4, (t) => [0.5, (t - 1) / 2], 'displacement in mm');
    assert.deepEqual(await read({ flow: mm }, 'flow'), flow);
  });

  it('of one frame less holds the last motion', async () => {
    const flow = await read({ flow: writeFlow(at('3.nii.gz'), 3, (t) => [t, 0]) }, 'flow');
    assert.deepEqual(plane(flow, 0, 3), plane(flow, 0, 2));
    assert.ok(Math.abs(plane(flow, 0, 3)[24 * 48 + 24] - 2 * scale) < 1e-6);
  });

  it('of more frames is composed over the steps between, round the cycle', async () => {
    const path = writeFlow(at('10.nii.gz'), 10, (t) => [0.1 * (t + 1), 0]);
    const flow = await read({ flow: path, mask: [writeLabels(at('m.nii.gz'), cycle(10))] }, 'flow');
    // The masks take frames 0, 4, 5, 8: see mask.test.ts.
    const sums = [0.1 + 0.2 + 0.3 + 0.4, 0.5, 0.6 + 0.7 + 0.8, 0.9 + 1];
    sums.forEach((sum, t) => {
      assert.ok(Math.abs(plane(flow, 0, t)[24 * 48 + 24] - sum * scale) < 1e-6, `frame ${t}`);
    });
  });

  it('of masks carries them', async () => {
    const { inputs, masks } = await readInputs({ mask: [files.masks], flow: 'mask' }, model);
    assert.deepEqual(inputs.flow, flowFromMasks(masks!, { last: 'loop' }));
    assert.deepEqual(await read({ flow: files.masks }, 'flow'), inputs.flow);
  });

  it('of a video follows it', async () => {
    const masks = cycle(4);
    // A picture that moves 2 pixels to the right a frame.
    const video = greyOf(masks);
    const still = plane(video, 0, 0).slice();
    for (let t = 1; t < 4; t++) {
      for (let y = 0; y < HEIGHT; y++) {
        for (let x = 0; x < WIDTH; x++) {
          video.data[(t * HEIGHT + y) * WIDTH + x] = still[y * WIDTH + Math.max(0, x - 2 * t)];
        }
      }
    }
    const flow = await read({ flow: writeGrey(at('moving.nii.gz'), video) }, 'flow');
    const [dx, dy] = [plane(flow, 0, 0)[26 * 48 + 24], plane(flow, 1, 0)[26 * 48 + 24]];
    assert.ok(Math.abs(dx - 2 * scale) < 0.6 * scale, `${dx / scale} pixels`);
    assert.ok(Math.abs(dy) < 0.5 * scale, `${dy / scale} pixels`);
  });
});

describe('one patient', () => {
  it('has one square: PNG and JSON take the spacing of the NIfTI of their size', async () => {
    const uneven = at('uneven.nii.gz');
    const data = Uint8Array.from(greyOf(cycle(1)).data, (v) => 255 * v);
    writeNifti(uneven, { shape: [WIDTH, HEIGHT], data, spacing: [0.5, 1] });
    const { inputs } = await readInputs({ image: uneven, skeleton: files.skeleton }, model);
    const square = letterbox(HEIGHT, WIDTH, 48, [0.5, 1]);
    near(centre(inputs.skeleton as Frames), toLetterbox({ x: 48, y: 45 }, square), 0.5);
  });

  it('of two shapes is told so', async () => {
    const page = byteFrames({ channels: 1, frames: 1, height: 64, width: 64 });
    page.data.fill(255, 0, 3000);
    page.data.fill(0, 100, 160);
    writePng(at('square.png'), page);
    const { notes } = await readInputs({ image: files.frame, sketch: at('square.png') }, model);
    assert.equal(notes.length, 1);
    assert.match(notes[0], /square\.png is 64 x 64 and --image .*ED\.nii\.gz 96 x 72/);
    const alike = await readInputs({ image: files.frame, mask: [files.masks] }, model);
    assert.deepEqual(alike.notes, []);
  });

  it('has the digest of every file in its sources', async () => {
    const given = { mask: [files.edMask, files.esMask], skeleton: 'mask', text: '4CH' };
    const { sources } = await readInputs(given, model);
    const mask = sources.find(({ condition }) => condition === 'mask');
    assert.deepEqual(mask?.files, [files.edMask, files.esMask].map((file) => ({
      file, sha256: createHash('sha256').update(readFileSync(file)).digest('hex'),
    })));
    assert.deepEqual(sources.map(({ given: text }) => text).slice(1), [
      '--skeleton mask', '--text 4CH',
    ]);
    assert.deepEqual(sources[1].files, []);
  });
});
