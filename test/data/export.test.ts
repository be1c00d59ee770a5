import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { exportVideo } from '../../src/data/export.ts';
import type { ExportedVideo } from '../../src/data/export.ts';
import { readNifti } from '../../src/data/nifti.ts';
import { floatFrames, labelFrames } from '../../src/frames/frames.ts';
import { readPngSequence } from '../../src/frames/png.ts';
import { readRecipe } from '../../src/frames/recipe.ts';

const folder = mkdtempSync(join(tmpdir(), 'heartbeat-export-'));
after(() => rmSync(folder, { recursive: true }));

const video = floatFrames(
  { channels: 1, frames: 4, height: 32, width: 32 },
  Float32Array.from({ length: 4096 }, (_, i) => (i % 256) / 255),
);
const masks = labelFrames(
  4,
  32,
  32,
  Uint8Array.from({ length: 4096 }, (_, i) => i % 4),
);
const flow = floatFrames(
  { channels: 2, frames: 4, height: 32, width: 32 },
  new Float32Array(8192).fill(1 / 64),
);
const recipe = { seed: 3, conditions: ['mask', 'text'] };
const result: ExportedVideo = {
  video,
  masks,
  flow,
  recipe,
  frameRate: 20,
  spacing: [1.5, 1.25],
  sheet: { rows: [{ label: 'generated', picture: video }] },
};

test('everything of a video is written, recipe inside each', async () => {
  const target = join(folder, 'sample');
  const paths = await exportVideo(target, result);
  assert.deepEqual(readdirSync(target).sort(), [
    'flow.nii.gz',
    'frames',
    'masks.nii.gz',
    'recipe.json',
    'sheet.png',
    'video.gif',
    'video.mp4',
    'video.nii.gz',
  ]);
  assert.equal(paths.length, 11);
  for (const path of paths) {
    assert.ok(existsSync(path), path);
    const found = path.endsWith('.json')
      ? JSON.parse(readFileSync(path, 'utf8'))
      : readRecipe(path);
    assert.deepEqual(found, recipe, path);
  }
  assert.deepEqual(readPngSequence(join(target, 'frames')).data, video.data);
  const volume = readNifti(join(target, 'video.nii.gz'));
  assert.deepEqual(volume.shape, [32, 32, 1, 4]);
  assert.deepEqual(
    [...volume.data],
    [...video.data].map((v) => Math.round(v * 255)),
  );
  assert.deepEqual([volume.spacing[0], volume.spacing[1]], [1.5, 1.25]);
  assert.ok(Math.abs((volume.frameTime ?? 0) - 0.05) < 1e-8);
  assert.deepEqual(readNifti(join(target, 'masks.nii.gz')).data, masks.data);
  assert.equal(readNifti(join(target, 'flow.nii.gz')).data[0], 0.5);
});

test('a second video does not go into a folder that holds one', async () => {
  await assert.rejects(
    exportVideo(join(folder, 'sample'), result),
    /expected a new or empty folder/,
  );
});

test('a failure anywhere leaves no folder', async () => {
  const bad: [Partial<ExportedVideo>, RegExp][] = [
    [
      { video: { ...video, data: video.data.with(5, NaN) } },
      /video to write: expected pixels in .*, got NaN at frame 0, x 5, y 0/,
    ],
    [
      { masks: { ...masks, data: masks.data.with(5, 9) } },
      /masks to write: expected labels 0, 1, 2, 3, got 9/,
    ],
    [{ frameRate: 0 }, /expected a frame rate above 0 per second, got 0/],
    // The sheet is drawn last, after the other files are on disk.
    [{ sheet: { rows: [] } }, /sheet: expected at least one row, got none/],
  ];
  for (const [change, said] of bad) {
    await assert.rejects(exportVideo(join(folder, 'bad'), { ...result, ...change }), said);
    assert.deepEqual(readdirSync(folder), ['sample']);
  }
});
