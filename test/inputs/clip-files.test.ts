import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { writeNifti } from '../../src/data/nifti.ts';
import { floatFrames } from '../../src/frames/frames.ts';
import { writePngSequence } from '../../src/frames/png.ts';
import { findClips, readUserClip } from '../../src/inputs/clip-files.ts';

const root = mkdtempSync(join(tmpdir(), 'clip-files-'));
after(() => rmSync(root, { recursive: true }));

describe('clips among files', () => {
  const video = floatFrames({ channels: 1, frames: 3, height: 8, width: 6 });
  video.data.forEach((_, i, data) => { data[i] = (i % 50) / 255; });
  const bytes = Uint8Array.from(video.data, (value) => Math.round(255 * value));
  const nifti = (path: string) => {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeNifti(join(root, path), { shape: [6, 8, 1, 3], data: bytes, spacing: [1, 1] });
  };

  it('finds videos, and not what stands beside them', () => {
    for (const name of ['a/seed-0/video.nii.gz', 'a/seed-0/masks.nii.gz', 'b/p_4CH_sequence.nii.gz',
      'b/p_4CH_sequence_gt.nii.gz', 'b/p_4CH_sequence_flow.nii.gz']) nifti(name);
    mkdirSync(join(root, 'a/seed-0/frames'));
    mkdirSync(join(root, 'c'));
    writePngSequence(join(root, 'c'), video);
    writeFileSync(join(root, 'b/notes.txt'), 'x');
    const found = findClips([root]).map((path) => path.slice(root.length + 1));
    assert.deepEqual(found, ['a/seed-0/video.nii.gz', 'b/p_4CH_sequence.nii.gz', join('c', 'frame-*.png')]);
    const [first, , frames] = findClips([root]).map((path) => readUserClip(path, { resolution: 8, frames: 3 }));
    assert.deepEqual([first.height, first.width, first.frames], [8, 8, 3]);
    assert.deepEqual(first.data, frames.data, 'the same clip as NIfTI and as PNG');
  });

  it('refuses what is no clip', () => {
    mkdirSync(join(root, 'empty'));
    assert.throws(() => findClips([join(root, 'empty')]), /expected clips \(NIfTI, or folders of PNG frames\), got none/);
    assert.throws(() => findClips([join(root, 'none')]), /got no such file or folder/);
    const file = join(root, 'a/seed-0/video.nii.gz');
    assert.throws(() => readUserClip(file, { resolution: 8, frames: 16 }), /expected a clip of 16 frames, got 3/);
    assert.throws(() => readUserClip(join(root, 'b/notes.txt'), { resolution: 8, frames: 3 }), /expected NIfTI/);
  });
});
