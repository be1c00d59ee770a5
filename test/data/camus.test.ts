import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { listPatients, readInfo, readSplit, recordingKind } from '../../src/data/camus-folder.ts';
import { readRecording, recordingMasks, recordingVideo } from '../../src/data/camus.ts';
import { cleanLabelBorders } from '../../src/data/label-borders.ts';
import { labelFrames } from '../../src/frames/frames.ts';
import { frameBytes, HEIGHT, WIDTH, writePart, writeSequence, writeStills } from './camus-files.ts';

const root = mkdtempSync(join(tmpdir(), 'heartbeat-camus-'));
after(() => rmSync(root, { recursive: true }));
const database = join(root, 'database_nifti');
const home = (patient: string) => join(database, patient);

writeStills(home('patient0002'), 'patient0002', '2CH');
writeStills(home('patient0002'), 'patient0002', '4CH');
writeStills(home('patient0010'), 'patient0010', '4CH');
writeSequence(home('patient0010'), 'patient0010', '4CH', 20, {
  info: 'ED: 18\nES: 2\nNbFrame: 20\nSex: F\nAge: 56\nEF: 64\nFrameRate: 45.8\n',
});
mkdirSync(join(root, 'database_split'));
writeFileSync(
  join(root, 'database_split', 'subgroup_training.txt'),
  'patient0010\r\npatient0039\npatient0002\n',
);

const middle = Math.floor(HEIGHT / 2) * WIDTH + WIDTH / 2;
const levels = (data: ArrayLike<number>, frames: number) =>
  Array.from({ length: frames }, (_, t) => data[t * WIDTH * HEIGHT + middle]);

test('the root, database_nifti and one patient are all accepted', () => {
  for (const path of [root, database]) {
    assert.deepEqual(
      listPatients(path).map(({ id, views }) => [id, views]),
      [
        ['patient0002', ['2CH', '4CH']],
        ['patient0010', ['4CH']],
      ],
    );
  }
  assert.deepEqual(
    listPatients(home('patient0002')).map(({ id }) => id),
    ['patient0002'],
  );
});

test('a patient of the split that is not on disk is said once, or is an error', () => {
  const lines: string[] = [];
  const there = listPatients(root, { split: 'training', report: (line) => lines.push(line) });
  assert.deepEqual(
    there.map(({ id }) => id),
    ['patient0010', 'patient0002'],
  );
  assert.equal(lines.length, 1);
  assert.match(
    lines[0],
    /expected the files of patient0039, .*subgroup_training\.txt, got none; left out$/,
  );
  assert.throws(
    () => listPatients(root, { split: 'training', missing: 'error' }),
    /patient0039: expected the files of patient0039/,
  );
  assert.deepEqual(readSplit(database, 'training'), ['patient0010', 'patient0039', 'patient0002']);
  assert.throws(
    () => listPatients(root, { split: 'testing' }),
    /subgroup_testing\.txt: expected the split, got no such file/,
  );
});

test('Info files of both releases are read', () => {
  const folder = join(root, 'infos');
  mkdirSync(folder);
  writeFileSync(
    join(folder, 'Info_2CH.cfg'),
    'ED : 1\nES: 12\nNbFrame:12\nLVedv: 94.5\nLVesv: 40\nLVef: 57.7\nAge: N/A\n',
  );
  assert.deepEqual(readInfo(folder, '2CH'), {
    ed: 1,
    es: 12,
    frames: 12,
    sex: null,
    age: null,
    imageQuality: null,
    ef: 57.7,
    edVolume: 94.5,
    esVolume: 40,
    frameRate: null,
  });
  assert.equal(readInfo(home('patient0010'), '4CH')?.ef, 64);
  assert.equal(readInfo(folder, '4CH'), null);
  writeFileSync(join(folder, 'Info_4CH.cfg'), 'ED: first\n');
  assert.throws(
    () => readInfo(folder, '4CH'),
    /Info_4CH\.cfg: expected a number after "ed:", got "first"/,
  );
});

test('stills give ED then ES', () => {
  const recording = readRecording(home('patient0002'), '4CH');
  assert.equal(recording.kind, 'stills');
  assert.deepEqual([recording.ed, recording.es, recording.reversed], [0, 1, false]);
  const video = recordingVideo(recording, [0, 1]);
  assert.deepEqual(
    levels(video.data, 2),
    [10, 60].map((v) => Math.fround(v / 255)),
  );
  assert.deepEqual(levels(recordingMasks(recording, [0, 1])?.data ?? [], 2), [0, 1]);
});

test('a sequence that runs from ES to ED is turned, picture and mask, and says so', () => {
  const recording = readRecording(home('patient0010'), '4CH');
  assert.equal(recording.kind, 'half_sequence');
  assert.equal(recording.reversed, true);
  assert.deepEqual([recording.ed, recording.es], [2, 18]);
  const video = recordingVideo(recording, [recording.ed, recording.es]);
  // File frames 17 and 1 (ED 18 and ES 2, counted from 1).
  assert.deepEqual(
    levels(video.data, 2),
    [180, 20].map((v) => Math.fround(v / 255)),
  );
  assert.deepEqual(levels(recordingMasks(recording, [2, 18])?.data ?? [], 2), [1, 1]);
});

test('files of other kinds, sizes and labels are one sentence', () => {
  const folder = home('patient0100');
  const part = (name: string, change: object) =>
    writePart(folder, `patient0100_4CH_${name}`, change);
  const refused = (said: RegExp) =>
    assert.throws(() => {
      const recording = readRecording(folder, '4CH');
      recordingVideo(recording, [0, 1]);
    }, said);
  part('ED', {});
  assert.equal(recordingKind(folder, '4CH'), null);
  refused(
    /patient0100: expected a 4CH recording \(half_.* ED and ES\), got one of the two stills/,
  );
  assert.throws(() => readRecording(join(root, 'infos'), '4CH'), /got no CAMUS files/);
  part('ES', { shape: [WIDTH, HEIGHT - 1], data: new Uint8Array(WIDTH * (HEIGHT - 1)) });
  refused(/4CH_ES\.nii\.gz: expected 12 x 10 x 1 voxels as in .*4CH_ED\.nii\.gz, got 12 x 9 x 1/);
  part('ES', {});
  for (const name of ['ED_gt', 'ES_gt']) part(name, { data: frameBytes([0]) });
  refused(/4CH_ED_gt\.nii\.gz: expected labels 0, 1, 2, 3, got 10 at x 1, y 1, frame 0/);
  part('ED_gt', { data: Float32Array.from(frameBytes([0]), (v) => v / 20) });
  refused(/expected labels 0, 1, 2, 3, got 0\.5 at/);
  part('ED_gt', { data: new Uint8Array(WIDTH * HEIGHT) });
  part('ES_gt', { data: new Uint8Array(WIDTH * HEIGHT) });
  part('ES', { data: Int16Array.from(frameBytes([0]), (v) => v * 40) });
  refused(/4CH_ED\.nii\.gz: expected grey levels 0\.\.255, got 0\.\.400/);
  rmSync(folder, { recursive: true });
});

test('Info that points outside the sequence, and files of two patients, are one sentence', () => {
  const folder = home('patient0101');
  writeSequence(folder, 'patient0101', '2CH', 4, { info: 'ED: 1\nES: 9\n' });
  assert.throws(
    () => readRecording(folder, '2CH'),
    /Info_2CH\.cfg: expected ED and ES within 1\.\.4 \(the frames of .*\), got ED 1, ES 9/,
  );
  writePart(folder, 'patient0102_4CH_ED', {});
  assert.throws(
    () => readRecording(folder, '2CH'),
    /expected the files of one patient, got those of patient0101, patient0102/,
  );
  rmSync(folder, { recursive: true });
});

test('folders without anything of CAMUS say what was expected', () => {
  const empty = join(root, 'empty');
  mkdirSync(join(empty, 'patient0001'), { recursive: true });
  assert.throws(
    () => listPatients(empty),
    /empty: expected patient folders as CAMUS has them .*, got none$/,
  );
  writeFileSync(join(empty, 'patient0001', 'patient0001_4CH_ED.mhd'), '');
  assert.throws(
    () => listPatients(empty),
    /got none \(only \.mhd files of the older release; take the NIfTI release\)/,
  );
  assert.throws(
    () => listPatients(join(root, 'nowhere')),
    /nowhere: expected a folder of CAMUS's layout, got no such folder/,
  );
});

test('thin false layers between labels are taken away and regions stay', () => {
  const rows = [
    '000000000000',
    '022222222220',
    '022222222220',
    '022222222220',
    '011111111110', // thick enough
    '011111111110',
    '011111111110',
    '333333333333',
    '333333333333',
    '222222222222', // a layer between 3 and 0
    '111111111111',
    '000000000000',
    '000000000000',
  ];
  const map = (lines: string[]) =>
    labelFrames(1, lines.length, 12, Uint8Array.from(lines.join(''), Number));
  const expected = [...rows];
  expected[9] = '333333333333';
  expected[10] = '000000000000';
  assert.deepEqual(cleanLabelBorders(map(rows)).data, map(expected).data);
});
