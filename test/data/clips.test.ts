import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { listClips, readClip, sampleFrames } from '../../src/data/clips.ts';
import { composeFlow, confineFlow } from '../../src/data/displacement.ts';
import { VECTOR_INTENT } from '../../src/data/nifti.ts';
import { estimateSector } from '../../src/data/sector.ts';
import { floatFrames, labelFrames, plane } from '../../src/frames/frames.ts';
import { frameBytes, HEIGHT, WIDTH, writePart, writeSequence, writeStills } from './camus-files.ts';

const root = mkdtempSync(join(tmpdir(), 'heartbeat-clips-'));
after(() => rmSync(root, { recursive: true }));
const home = (patient: string) => join(root, patient);

writeStills(home('patient0001'), 'patient0001', '2CH');
writeSequence(home('patient0002'), 'patient0002', '4CH', 20, {
  info: 'ED: 20\nES: 1\nEF: 55\nFrameRate: 38\n',
});
writeSequence(home('patient0003'), 'patient0003', '4CH', 9, { info: 'ED: 1\nES: 9\n' });
writeSequence(home('patient0004'), 'patient0004', '4CH', 24, {
  kind: 'sequence',
  info: 'ED: 1\nES: 10\nFrameRate: 48\n',
});

/** The frames of a clip by grey level: file frame t is 10 t + 10. */
function fileFrames(video: {
  frames: number;
  height: number;
  width: number;
  data: Float32Array;
}): number[] {
  const middle = (video.height / 2) * video.width + video.width / 2;
  return Array.from({ length: video.frames }, (_, t) =>
    Math.round((video.data[t * video.height * video.width + middle] * 255 - 10) / 10),
  );
}

test('recordings are listed, short ones left out with a line', () => {
  const lines: string[] = [];
  const sources = listClips(root, { frames: 16, report: (line) => lines.push(line) });
  assert.deepEqual(
    sources.map(({ id, kind }) => `${id} ${kind}`),
    ['patient0001_2CH stills', 'patient0002_4CH half_sequence', 'patient0004_4CH sequence'],
  );
  assert.deepEqual(lines, [`${home('patient0003')}: 4CH has 9 frames, fewer than 16; left out`]);
  assert.deepEqual(
    listClips(root, { views: ['2CH'] }).map(({ id }) => id),
    ['patient0001_2CH'],
  );
  assert.deepEqual(
    listClips(root, { kinds: ['sequence'] }).map(({ id }) => id),
    ['patient0004_4CH'],
  );
});

test('stills are a clip of two frames', () => {
  const clip = readClip(home('patient0001'), '2CH', { size: 24, frames: 16 });
  assert.equal(clip.kind, 'stills');
  assert.deepEqual([clip.video.frames, clip.masks?.frames, clip.ed, clip.es], [2, 2, 0, 1]);
  assert.equal(clip.frameRate, null);
  assert.deepEqual(
    clip.spacing.map((v) => Math.round(v * 1e6) / 1e6),
    [0.15, 0.15],
  );
});

test('a half sequence is sampled from ED to ES, turned where it runs backwards', () => {
  const clip = readClip(home('patient0002'), '4CH', { size: 12, frames: 16 });
  assert.deepEqual([clip.reversed, clip.ed, clip.es, clip.ef], [true, 0, 15, 55]);
  const frames = fileFrames(clip.video);
  assert.equal(frames[0], 19);
  assert.equal(frames[15], 0);
  assert.deepEqual(
    frames,
    Array.from({ length: 16 }, (_, k) => 19 - Math.round((k * 19) / 15)),
  );
  assert.ok(Math.abs((clip.frameRate ?? 0) - 38 * (15 / 19)) < 1e-9);
  assert.throws(
    () => readClip(home('patient0003'), '4CH', { size: 12, frames: 16 }),
    /half_sequence\.nii\.gz: expected at least 16 frames from ED to ES, got 9/,
  );
});

test('a whole cycle is sampled evenly without its end, ES included', () => {
  const clip = readClip(home('patient0004'), '4CH', { size: 12, frames: 16 });
  const frames = fileFrames(clip.video);
  assert.equal(frames[0], 0);
  assert.equal(frames[clip.es], 9);
  assert.deepEqual(frames, [0, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18, 20, 21, 23]);
  assert.equal(clip.frameRate, 32);
  const turned = sampleFrames(
    {
      kind: 'sequence',
      ed: 20,
      es: 5,
      folder: '',
      view: '4CH',
      image: { path: '', frames: 24, height: 1, width: 1, data: new Uint8Array(24) },
    },
    8,
  );
  assert.deepEqual(turned, [20, 23, 2, 5, 8, 11, 14, 17]);
  const moved = sampleFrames(
    {
      kind: 'sequence',
      ed: 0,
      es: 8,
      folder: '',
      view: '4CH',
      image: { path: '', frames: 20, height: 1, width: 1, data: new Uint8Array(20) },
    },
    4,
  );
  assert.deepEqual(moved, [0, 5, 8, 15]);
});

test('masks and leaflets lie where the picture shows them', () => {
  const folder = home('patient0005');
  writeSequence(folder, 'patient0005', '2CH', 4, { kind: 'sequence', info: 'ED: 1\nES: 3\n' });
  const line = [
    [0, 0],
    [WIDTH - 1, HEIGHT - 1],
  ];
  writeFileSync(
    join(folder, 'patient0005_2CH_sequence_leaflets.json'),
    JSON.stringify({ frames: Array.from({ length: 4 }, () => [line]) }),
  );
  const clip = readClip(folder, '2CH', { size: 24, frames: 4 });
  // 12 x 10 in a square of 12: one row above, then twice as large.
  assert.deepEqual(clip.leaflets?.[0], [
    [
      { x: 0.5, y: 2.5 },
      { x: 22.5, y: 20.5 },
    ],
  ]);
  assert.equal(plane(clip.masks ?? labelFrames(1, 1, 1), 0, 1)[12 * 24 + 12], 1);
  assert.equal(clip.masks?.data[0], 0);
  writeFileSync(join(folder, 'patient0005_2CH_sequence_leaflets.json'), '{"frames": [[]]}');
  assert.throws(
    () => readClip(folder, '2CH', { size: 24, frames: 4 }),
    /leaflets\.json: expected 4 frames as in .*, got 1/,
  );
  writeFileSync(join(folder, 'patient0005_2CH_sequence_leaflets.json'), '{"frames": [[[[1]]]]}');
  assert.throws(
    () => readClip(folder, '2CH', { size: 24, frames: 4 }),
    /leaflets\.json: expected \{"frames".*got .* at frames\.0\.0/,
  );
});

test('flow is carried over the frames left out, in image sides, zero outside the sector', () => {
  const folder = home('patient0006');
  const count = 8;
  writeSequence(folder, 'patient0006', '2CH', count, { kind: 'sequence', info: 'ED: 1\nES: 5\n' });
  const size = WIDTH * HEIGHT;
  const data = new Float32Array(2 * count * size);
  // Frame t moves everything 0.1 (t + 1) right and 0.05 down.
  for (let i = 0; i < count * size; i++) data[i] = 0.1 * (Math.floor(i / size) + 1);
  data.fill(0.05, count * size);
  const flow = { shape: [WIDTH, HEIGHT, 1, count, 2], data, intent: VECTOR_INTENT };
  writePart(folder, 'patient0006_2CH_sequence_flow', flow);
  const inside = 12 * 24 + 12;
  const at = (clip: ReturnType<typeof readClip>, c: number) =>
    Array.from(
      { length: 4 },
      (_, t) => plane(clip.flow as NonNullable<typeof clip.flow>, c, t)[inside] * WIDTH,
    );
  const near = (actual: number[], expected: number[]) =>
    actual.forEach((value, i) => assert.ok(Math.abs(value - expected[i]) < 1e-5, `${actual}`));
  const clip = readClip(folder, '2CH', { size: 24, frames: 4 });
  near(at(clip, 0), [0.3, 0.7, 1.1, 1.5]);
  near(at(clip, 1), [0.1, 0.1, 0.1, 0.1]);
  assert.equal(clip.flow?.data[0], 0);
  assert.equal(clip.sector.data[0], 0);
  assert.equal(clip.sector.data[inside], 1);
  writePart(folder, 'patient0006_2CH_sequence_flow', { ...flow, description: 'flow in mm' });
  near(at(readClip(folder, '2CH', { size: 24, frames: 4 }), 1), Array(4).fill(0.1 / 0.3));
  // Pixels twice as wide as high: what moves down by one pixel moves down by half a square one.
  for (const name of ['sequence', 'sequence_gt']) {
    const shape = [WIDTH, HEIGHT, count];
    const grey = frameBytes(Array.from({ length: count }, (_, t) => t));
    const voxels = name === 'sequence' ? grey : new Uint8Array(grey.length);
    writePart(folder, `patient0006_2CH_${name}`, { shape, data: voxels, spacing: [0.2, 0.1] });
  }
  writePart(folder, 'patient0006_2CH_sequence_flow', flow);
  const wide = readClip(folder, '2CH', { size: 24, frames: 4 });
  near(at(wide, 0), [0.3, 0.7, 1.1, 1.5]);
  near(at(wide, 1), Array(4).fill(0.05));
  near([...wide.spacing], [0.1, 0.1]);
  writePart(folder, 'patient0006_2CH_sequence_flow', { ...flow, intent: 0 });
  assert.throws(
    () => readClip(folder, '2CH', { size: 24, frames: 4 }),
    /flow\.nii\.gz: expected vectors \(intent 1007\) of 12 x 10 x 1 x 8 x 2, got intent 0/,
  );
});

test('displacements are followed one after another', () => {
  const golden = JSON.parse(
    readFileSync(new URL('../golden/displacement.json', import.meta.url), 'utf8'),
  ) as {
    fields: number[];
    total: number[];
  };
  const flow = floatFrames(
    { channels: 2, frames: 3, height: 8, width: 9 },
    Float32Array.from(golden.fields),
  );
  composeFlow(flow).data.forEach((value, i) => assert.ok(Math.abs(value - golden.total[i]) < 2e-5));
  const confined = confineFlow(flow, labelFrames(1, 8, 9), 3);
  assert.ok(confined.data.every((value) => value === 0));
});

test('the sector is the hull of what is lit, without letters beside it', () => {
  const video = floatFrames({ channels: 1, frames: 2, height: 64, width: 64 });
  const truth = labelFrames(1, 64, 64);
  for (let y = 4; y < 60; y++) {
    for (let x = 0; x < 64; x++) {
      const inside = Math.abs(x - 32) <= 0.5 * (y - 4) && Math.hypot(x - 32, y - 4) < 54;
      truth.data[y * 64 + x] = inside ? 1 : 0;
      // A dark chamber, and one frame that is black on the left.
      const dark = Math.hypot(x - 30, y - 30) < 8;
      if (inside && !dark) video.data[4096 + y * 64 + x] = 0.2;
      if (inside && !dark && x > 32) video.data[y * 64 + x] = 0.2;
    }
  }
  for (let x = 2; x < 8; x++) video.data[2 * 64 + x] = 1;
  const found = estimateSector(video);
  const wrong = found.data.reduce((sum, value, i) => sum + (value === truth.data[i] ? 0 : 1), 0);
  assert.ok(wrong < 40, `${wrong} of 4096 pixels`);
  assert.equal(found.data[2 * 64 + 4], 0);
  assert.ok(
    estimateSector(floatFrames({ channels: 1, frames: 1, height: 4, width: 4 })).data.every(
      (v) => v === 0,
    ),
  );
});

const real = fileURLToPath(new URL('../../../shared/data/', import.meta.url));
const absent = existsSync(real) ? false : 'the real recordings (../shared/data) are not here';

test('real CAMUS is upright, complete and inside its sector', { skip: absent }, () => {
  const lines: string[] = [];
  const sources = listClips(join(real, 'camus-4ch'), {
    split: 'training',
    report: (line) => lines.push(line),
  });
  assert.equal(sources.length, 79);
  assert.match(lines.join('\n'), /^[^\n]*patient0039[^\n]*left out$/);
  for (const { folder, view } of sources.slice(0, 6)) {
    const clip = readClip(folder, view, { size: 128, frames: 16 });
    const count = (test: (i: number) => boolean) =>
      Array.from({ length: 16384 }, (_, i) => i).filter(test);
    const labels = plane(clip.masks ?? labelFrames(1, 1, 1), 0, clip.ed);
    const height = (label: number) => {
      const rows = count((i) => labels[i] === label).map((i) => Math.floor(i / 128));
      return rows.reduce((a, b) => a + b, 0) / rows.length;
    };
    assert.ok(height(1) < height(3), 'the ventricle lies above the atrium');
    const volume = (t: number) =>
      plane(clip.masks ?? labelFrames(1, 1, 1), 0, t).filter((v) => v === 1).length;
    assert.ok(volume(clip.ed) > volume(clip.es), 'the ventricle is smaller at ES');
    const outside = count((i) => labels[i] === 1 && clip.sector.data[i] === 0).length;
    assert.ok(
      outside <= 0.02 * volume(clip.ed),
      `${outside} pixels of the ventricle outside the sector`,
    );
    const share = clip.sector.data.reduce((a, b) => a + b, 0) / 16384;
    assert.ok(share > 0.25 && share < 0.7, `sector covers ${share}`);
  }
});

test('both views of the 224 copy are read, borders cleaned', { skip: absent }, () => {
  const sources = listClips(join(real, 'camus-224'), { split: 'validation' });
  assert.equal(sources.length, 50);
  const { folder } = sources[0];
  for (const view of ['2CH', '4CH'] as const) {
    const plain = readClip(folder, view, { size: 224, frames: 16 });
    const clean = readClip(folder, view, { size: 224, frames: 16, cleanBorders: true });
    const size = plain.masks?.data.length ?? 0;
    const changed = plain.masks?.data.filter((v, i) => v !== clean.masks?.data[i]).length ?? 0;
    assert.ok(changed > 0 && changed < 0.02 * size, `${changed} of ${size} pixels`);
  }
});
