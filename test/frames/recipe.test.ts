import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { readNifti, writeNifti } from '../../src/data/nifti.ts';
import { floatFrames } from '../../src/frames/frames.ts';
import { encodeGif } from '../../src/frames/gif.ts';
import { encodeMp4 } from '../../src/frames/mp4.ts';
import { encodePng, readPng } from '../../src/frames/png.ts';
import { embedRecipe, extractRecipe, readRecipe, writeRecipe } from '../../src/frames/recipe.ts';

const folder = mkdtempSync(join(tmpdir(), 'heartbeat-recipe-'));
after(() => rmSync(folder, { recursive: true }));

const video = floatFrames(
  { channels: 1, frames: 3, height: 16, width: 16 },
  new Float32Array(768).fill(0.5),
);
const recipe = {
  seed: 7,
  text: 'An ECHO with “4-chamber” view, 2 µm \u007f 心 \u2028',
  conditions: { mask: 'masks.nii.gz', long: 'x'.repeat(1000) },
};

const makers: Record<string, () => Uint8Array | Promise<Uint8Array>> = {
  'a.png': () => encodePng(video),
  'a.gif': () => encodeGif(video, 10),
  'a.mp4': () => encodeMp4(video, 10),
  'a.nii': () => niftiBytes('b.nii'),
  'a.nii.gz': () => niftiBytes('b.nii.gz'),
};

function niftiBytes(name: string): Uint8Array {
  const path = join(folder, name);
  const extensions = [{ code: 6, content: Buffer.from('a comment of another program') }];
  writeNifti(path, {
    shape: [2, 3],
    data: Int16Array.of(1, 2, 3, 4, 5, 6),
    spacing: [0.3, 0.4],
    extensions,
  });
  return readFileSync(path);
}

for (const [name, make] of Object.entries(makers)) {
  test(`${name}: a recipe goes in, comes out, and is replaced`, async () => {
    const path = join(folder, name);
    writeFileSync(path, await make());
    assert.equal(readRecipe(path), null);
    writeRecipe(path, recipe);
    assert.deepEqual(readRecipe(path), recipe);
    const long = readFileSync(path).length;
    writeRecipe(path, { seed: 8 });
    assert.deepEqual(readRecipe(path), { seed: 8 });
    assert.ok(readFileSync(path).length < long);
    assert.deepEqual(
      readdirSync(folder).filter((file) => file.endsWith('.part')),
      [],
    );
  });
}

test('pixels and voxels stay as they were', () => {
  assert.ok(readPng(join(folder, 'a.png')).data.every((value) => Math.abs(value - 0.5) < 0.003));
  for (const name of ['a.nii', 'a.nii.gz']) {
    const read = readNifti(join(folder, name));
    assert.deepEqual([...read.data], [1, 2, 3, 4, 5, 6]);
    const comments = read.extensions.map(({ content }) =>
      Buffer.from(content).toString().replace(/\0+$/, ''),
    );
    assert.deepEqual(comments, ['a comment of another program', 'heartbeat-recipe {"seed":8}']);
  }
  assert.equal(gunzipSync(readFileSync(join(folder, 'a.nii.gz'))).length % 16, 12);
});

test('damaged and foreign files are one sentence', async () => {
  const path = join(folder, 'strange.txt');
  writeFileSync(path, 'nothing of the kind');
  assert.throws(() => readRecipe(path), /strange\.txt: expected a PNG, GIF, MP4 or NIfTI file/);
  for (const [name, make] of Object.entries(makers)) {
    const whole = embedRecipe(await make(), recipe);
    for (let end = 20; end < whole.length; end += Math.ceil(whole.length / 40)) {
      try {
        extractRecipe(whole.subarray(0, end), name);
      } catch (error) {
        assert.match((error as Error).message, /expected .*, got /, `${name} cut at ${end}`);
      }
    }
  }
});

test('a recipe that is no JSON any more says so', () => {
  const file = Buffer.from(embedRecipe(encodeGif(video, 10), { seed: 7 }));
  file.write('{"seed"!', file.indexOf('{"seed"'));
  assert.throws(
    () => extractRecipe(file, 'a.gif'),
    /a\.gif: expected a recipe in JSON, got damaged text/,
  );
});
