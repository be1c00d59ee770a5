import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { defaultPrompt } from '../../src/conditions/text.ts';
import { readTable } from '../../src/data/csv.ts';
import { listMnmsPatients } from '../../src/data/mnms-folder.ts';
import {
  listMnmsVolumes, mnmsVideo, readMnmsClip, readMnmsVolume, selectVolumes, type MnmsSource,
} from '../../src/data/mnms.ts';
import { sampleSlices } from '../../src/data/slices.ts';
import { percentileWindow } from '../../src/data/window.ts';
import {
  FRAMES, HEIGHT, labels, SLICES, voxels, WIDTH, writePatient, writeTable,
} from './mnms-files.ts';

const made: string[] = [];
after(() => made.forEach((folder) => rmSync(folder, { recursive: true, force: true })));
function fresh(): string {
  made.push(mkdtempSync(join(tmpdir(), 'heartbeat-mnms-')));
  return made[made.length - 1];
}

/** A data set of one patient, changed, and its ED volume. */
function only(sample: Parameters<typeof writePatient>[2] = {}, row = '0,A0A0A0,Siemens,A,1,0,2,,,,,') {
  const root = fresh();
  writeTable(root, [row]);
  const folder = writePatient(root, 'A0A0A0', sample);
  return { root, folder, source: listMnmsVolumes(root)[0] };
}

describe('the layout', () => {
  const root = fresh();
  const table = writeTable(root, [
    '0,A1,Siemens,A,1,0,2,57.0,"HCM, apical",F,1.63,n/a',
    '1,B1,Philips,B,2,1,3,,,,,',
    '2,C1,GE,C,,0,0,,,,,',
    '3,C2,GE,C,,,,,,,,',
    '4,D1,Canon,D,,0,1,,,,,',
  ]);
  writePatient(root, 'A1');
  writePatient(root, 'B1', { split: 'testing' });
  writePatient(root, 'C1', { split: 'unlabeled', mask: null });
  writePatient(root, 'C2', { split: 'validation' });
  writePatient(root, 'D1', { split: 'validation', mask: null });
  writePatient(root, 'X1');

  it('lists patients by split, with what the table says', () => {
    const lines: string[] = [];
    const patients = listMnmsPatients(root, { report: (line) => lines.push(line) });
    assert.deepEqual(patients.map(({ id, split }) => `${id} ${split}`),
      ['A1 training', 'C2 validation', 'D1 validation', 'B1 testing']);
    assert.deepEqual(patients[0].info, {
      vendor: 'A', vendorName: 'Siemens', centre: '1', ed: 0, es: 2, age: 57,
      pathology: 'HCM, apical', sex: 'F', height: 1.63, weight: null,
    });
    assert.deepEqual(lines,
      [`${table}: expected a row for X1, which has a folder, got none; left out`]);
    assert.throws(() => listMnmsPatients(root, { missing: 'error' }), /a row for X1/);
    assert.deepEqual(listMnmsPatients(join(root, 'OpenDataset'), { split: 'unlabeled' })
      .map(({ id }) => id), ['C1']);
  });

  it('lists volumes, and says who is left out', () => {
    const lines: string[] = [];
    const volumes = listMnmsVolumes(root, { report: (line) => lines.push(line) });
    assert.deepEqual(volumes.map(({ id, time, vendor }) => `${id} ${time} ${vendor}`),
      ['A1_ED 0 A', 'A1_ES 2 A', 'B1_ED 1 B', 'B1_ES 3 B']);
    assert.match(lines[1], /ED and ES for C2, got ED empty, ES empty; left out$/);
    assert.match(lines[2], /expected the masks D1_sa_gt\.nii\.gz, got no such file; left out$/);
    const unlabeled: string[] = [];
    assert.deepEqual(listMnmsVolumes(root,
      { split: 'unlabeled', report: (line) => unlabeled.push(line) }), []);
    assert.match(unlabeled[0], /different frames for ED and ES of C1, got 0 for both; left out$/);
    assert.throws(() => listMnmsVolumes(root, { split: 'validation', missing: 'error' }),
      /ED and ES for C2/);
    assert.deepEqual(listMnmsVolumes(root, { split: 'testing', phases: ['ES'] })
      .map(({ id }) => id), ['B1_ES']);
  });

  it('refuses what is no such layout, and a broken table, in one sentence', () => {
    const nowhere = join(root, 'nowhere');
    assert.throws(() => listMnmsPatients(nowhere), /nowhere: expected a folder of M&Ms' layout.*no such folder$/);
    assert.throws(() => listMnmsPatients(fresh()), /got a folder without these$/);
    assert.throws(() => listMnmsPatients(table), /opendataset\.csv: .* got a file$/);
    const broken = (columns: string | undefined, rows: string[], pattern: RegExp) => {
      const place = fresh();
      writePatient(place, 'A1');
      if (columns !== undefined || rows.length > 0) writeTable(place, rows, columns);
      assert.throws(() => listMnmsPatients(place), pattern);
    };
    broken(undefined, [], /opendataset\.csv: expected the table of patients, got no \.csv file$/);
    broken(',External code,Vendor,ED', [],
      /expected the columns External code, Vendor, ED, ES, got External code, Vendor, ED \(ES missing\)$/);
    broken('External code,Vendor,ED,ES', ['A1,A,-1,3'],
      /expected a frame number from 0 on as ED, got "-1" in line 2$/);
    broken('External code,Vendor,ED,ES', ['A1,A,0,late'], /as ES, got "late" in line 2$/);
    broken('External code,Vendor,ED,ES', ['A1,A,0,1', 'A1,B,0,1'],
      /expected one row for A1, got another in line 3$/);
    broken('External code,Vendor,ED,ES', ['A1,A,0'], /expected 4 fields as in the header, got 3 in line 2$/);
    const folderOnly = fresh();
    writePatient(folderOnly, 'A1');
    mkdirSync(join(folderOnly, 'OpenDataset', 'a.csv'));
    assert.throws(() => listMnmsPatients(folderOnly), /got no \.csv file$/);
    const empty = fresh();
    writeTable(empty, []);
    assert.throws(() => listMnmsPatients(empty), /expected patients as M&Ms has them .* got none$/);
  });

  it('reads tables with quotes, a byte-order mark and empty lines', () => {
    const path = join(fresh(), 'a.csv');
    writeFileSync(path, '\uFEFFa, b\n\n"one, ""two""\nthree",4\r\n,\n');
    const { columns, rows } = readTable(path, ['a']);
    assert.deepEqual(columns, ['a', 'b']);
    assert.deepEqual(rows.map(({ line, fields }) => [line, [...fields.values()]]),
      [[3, ['one, "two"\nthree', '4']]]);
    writeFileSync(path, 'a\n"open');
    assert.throws(() => readTable(path, ['a']), /a closing quote, got none for the one in line 2$/);
  });
});

describe('a volume', () => {
  it('runs from base to apex, whichever way the file does, at its own frame', () => {
    for (const base of [false, true]) {
      const { source } = only({ mask: { data: labels(base) } }, '0,A0A0A0,,A,,2,1,,,,,');
      const volume = readMnmsVolume(source);
      assert.equal(volume.reversed, !base);
      const order = Array.from({ length: SLICES }, (_, z) => (base ? z : SLICES - 1 - z));
      assert.deepEqual(order.map((_, z) => volume.image.data[z * WIDTH * HEIGHT + 1]),
        order.map((z) => 200 + 10 * z + 10));
      const areas = order.map((_, z) => volume.mask!.data
        .slice(z * WIDTH * HEIGHT, (z + 1) * WIDTH * HEIGHT).filter((v) => v > 0).length);
      assert.deepEqual(areas, [0, 8, 6, 4, 2, 0]);
      assert.deepEqual(volume.spacing, [1.5, 1.5]);
      assert.equal(volume.sliceSpacing, 9);
    }
  });

  it('becomes a clip of real slices with their own masks, empty ends left out', () => {
    const { source } = only();
    const clip = readMnmsClip(source, { size: 12, frames: 8 });
    assert.deepEqual(clip.slices, [1, 1, 2, 2, 3, 3, 4, 4]);
    assert.equal(clip.id, 'A0A0A0_ED');
    assert.deepEqual([clip.view, clip.kind, clip.phase, clip.vendor], ['SAX', 'slices', 'ED', 'A']);
    assert.deepEqual([clip.video.frames, clip.video.height, clip.video.width], [8, 12, 12]);
    // Letterboxed: two black rows above and below, the picture unchanged between.
    const at = (t: number, y: number, x: number) => clip.video.data[(t * 12 + y) * 12 + x];
    assert.equal(at(0, 1, 5), 0);
    // Window: 1 % is the black column (0), 99 % the brightest slice (60).
    assert.ok(Math.abs(at(0, 2, 5) - 50 / 60) < 1e-6, String(at(0, 2, 5)));
    assert.ok(Math.abs(at(7, 2, 5) - 20 / 60) < 1e-6);
    const row = (t: number, y: number) => [...clip.masks!.data.subarray((t * 12 + y) * 12, (t * 12 + y + 1) * 12)];
    assert.deepEqual(row(0, 6), [0, 2, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0]);
    assert.deepEqual(row(7, 3), [0, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert.ok(clip.sector.data.every((v) => v === 1));
    assert.deepEqual(clip.spacing, [1.5, 1.5]);
    assert.equal(defaultPrompt(clip.view), 'A cardiac MRI short axis view.');
    const whole = readMnmsClip(source, { size: 12, frames: 6, emptySlices: 'keep' });
    assert.deepEqual(whole.slices, [0, 1, 2, 3, 4, 5]);
  });

  it('resizes as readClip does: area average, labels by area', () => {
    const clip = readMnmsClip(only().source, { size: 6, frames: 4 });
    assert.deepEqual(clip.spacing, [3, 3]);
    assert.ok([...clip.masks!.data].every((label) => [0, 1, 2, 3].includes(label)));
    assert.ok(Math.abs(clip.video.data[6 + 0] - 25 / 60) < 1e-6, 'half of a black column');
  });

  it('without masks gives all its slices', () => {
    const root = fresh();
    writeTable(root, ['0,U1,GE,C,,0,3,,,,,']);
    writePatient(root, 'U1', { split: 'unlabeled', mask: null });
    const clip = readMnmsClip(listMnmsVolumes(root, { split: 'unlabeled' })[0], { size: 12, frames: 6 });
    assert.equal(clip.masks, null);
    assert.deepEqual(clip.slices, [0, 1, 2, 3, 4, 5]);
  });

  it('that is wrong is one sentence with file, expected and got', () => {
    const fails = (sample: Parameters<typeof writePatient>[2], pattern: RegExp, row?: string) =>
      assert.throws(() => readMnmsClip(only(sample, row).source, { size: 12, frames: 4 }), pattern);
    const size = WIDTH * HEIGHT;
    const small = [WIDTH, HEIGHT, SLICES - 1, FRAMES];
    fails({ mask: { shape: small, data: new Uint8Array(size * (SLICES - 1) * FRAMES) } },
      /_sa_gt\.nii\.gz: expected 12 x 8 x 6 voxels as in .*_sa\.nii\.gz, got 12 x 8 x 5$/);
    fails({ mask: { shape: [WIDTH, HEIGHT, SLICES, 2], data: new Uint8Array(size * SLICES * 2) } },
      /_sa_gt\.nii\.gz: expected 4 frames as in .*_sa\.nii\.gz, got 2$/);
    fails({ mask: { data: labels().map((v, i) => (i === size + 3 ? 4 : v)) } },
      /expected labels 0, 1, 2, 3, got 4 at x 3, y 0, slice 1$/);
    fails({ mask: { data: Float32Array.from(labels(), (v) => v / 2) } }, /expected labels .* got 1\.5 at /);
    fails({ mask: { data: labels().fill(0) } },
      /_sa_gt\.nii\.gz: expected labels in at least one slice at ED, got 6 empty ones$/);
    fails({}, /_sa\.nii\.gz: expected a frame 4 \(ED in the table\), got 4 frames \(0\.\.3\)$/,
      '0,A0A0A0,Siemens,A,1,4,2,,,,,');
    fails({ image: { data: voxels().fill(7) } },
      /_sa\.nii\.gz: expected different grey levels at percentiles 1 and 99, got 7 at both$/);
    fails({ image: { shape: [WIDTH, HEIGHT * SLICES * FRAMES] } },
      /expected a short-axis cine \(x, y, z, t\), got 12 x 192$/);
    const { source } = only();
    assert.throws(() => readMnmsClip(source, { size: 12, frames: 0 }), /at least 1 frame, got 0$/);
    assert.throws(() => readMnmsClip(source, { size: 0, frames: 4 }), /positive whole sizes/);
    rmSync(join(source.folder, 'A0A0A0_sa.nii.gz'));
    assert.throws(() => readMnmsVolume(source), /expected A0A0A0_sa\.nii\.gz, got no such file$/);
  });

  it('with NaN is refused by voxel', () => {
    const { source } = only();
    const bad = Float32Array.from(voxels());
    const path = join(source.folder, 'A0A0A0_sa.nii');
    rmSync(`${path}.gz`);
    // The writer refuses NaN, so it is put into the bytes: 352 of header, then x 5 of slice 0.
    writePatient(join(source.folder, 'other'), 'N', { image: { data: bad } });
    const bytes = Buffer.alloc(352 + 4 * bad.length);
    bytes.writeInt32LE(348, 0);
    [4, WIDTH, HEIGHT, SLICES, FRAMES, 1, 1, 1].forEach((n, k) => bytes.writeInt16LE(n, 40 + 2 * k));
    bytes.writeInt16LE(16, 70);
    bytes.writeInt16LE(32, 72);
    bytes.writeFloatLE(352, 108);
    bytes.write('n+1\0', 344, 'latin1');
    bad[5] = Number.NaN;
    bad.forEach((value, i) => bytes.writeFloatLE(value, 352 + 4 * i));
    writeFileSync(path, bytes);
    assert.throws(() => readMnmsVolume(source), /expected finite voxels, got NaN at voxel \(5, 0, 0, 0\)$/);
  });
});

describe('selection', () => {
  const volume = (patient: string, vendor: string, phase: 'ED' | 'ES'): MnmsSource => ({
    id: `${patient}_${phase}`, patient, vendor, phase, view: 'SAX', kind: 'slices', folder: '', time: 0,
  });
  const pool = ['A', 'A', 'A', 'A', 'A', 'A', 'B', 'B', 'B', 'C'].flatMap((vendor, k) =>
    (['ED', 'ES'] as const).map((phase) => volume(`p${k}`, vendor, phase)));

  it('is even over vendors, keeps patients whole, and is nested', () => {
    for (let seed = 0; seed < 20; seed++) {
      const six = selectVolumes(pool, { count: 6, seed });
      assert.deepEqual([...new Set(six.map(({ vendor }) => vendor))].sort(), ['A', 'B', 'C']);
      assert.equal(new Set(six.map(({ patient }) => patient)).size, 3);
      const ten = selectVolumes(pool, { count: 10, seed });
      assert.ok(six.every((one) => ten.includes(one)));
      assert.equal(ten.length, 10);
      assert.deepEqual(ten, pool.filter((one) => ten.includes(one)), 'the order of the list');
    }
    const picks = new Set(Array.from({ length: 20 }, (_, seed) =>
      selectVolumes(pool, { count: 2, seed })[0].patient));
    assert.ok(picks.size > 2, 'seeds differ');
    assert.deepEqual(selectVolumes(pool, { count: 3, seed: 1 }), selectVolumes(pool, { count: 3, seed: 1 }));
  });

  it('takes what there is, and does not depend on who else is there', () => {
    assert.deepEqual(selectVolumes(pool, { count: 500, seed: 1 }), pool);
    assert.deepEqual(selectVolumes([], { count: 5, seed: 1 }), []);
    const first = selectVolumes(pool, { count: 2, seed: 4 })[0].patient;
    const fewer = pool.filter(({ patient, vendor }) => patient === first || vendor !== 'A' || patient > 'p3');
    assert.equal(selectVolumes(fewer, { count: 2, seed: 4 })[0].patient, first);
    for (const count of [0, -1, 1.5, Number.NaN]) {
      assert.throws(() => selectVolumes(pool, { count, seed: 1 }), /whole number of volumes from 1 on/);
    }
  });
});

it('slices are spread evenly and rounded', () => {
  assert.deepEqual(sampleSlices(2, 12, 16), [2, 3, 3, 4, 5, 5, 6, 7, 7, 8, 9, 9, 10, 11, 11, 12]);
  assert.deepEqual(sampleSlices(0, 30, 4), [0, 10, 20, 30]);
  assert.deepEqual(sampleSlices(3, 3, 3), [3, 3, 3]);
  assert.deepEqual(sampleSlices(2, 6, 1), [4]);
});

it('the window is that of NumPy', () => {
  // numpy.percentile([5, 1, 9, 3, 7, 2, 8], [1, 99]) -> 1.06, 8.94
  const data = Int16Array.from([5, 1, 9, 3, 7, 2, 8]);
  const { low, high } = percentileWindow({ path: 'x', frames: 1, height: 1, width: 7, data }, [1, 99]);
  assert.ok(Math.abs(low - 1.06) < 1e-9 && Math.abs(high - 8.94) < 1e-9, `${low} ${high}`);
  assert.deepEqual([...data], [5, 1, 9, 3, 7, 2, 8]);
});

const real = fileURLToPath(new URL('../../../shared/data/mnms/', import.meta.url));
const absent = existsSync(real) ? false : 'shared/data/mnms is not here';

it('all real patients are read: labels, direction, no NaN', { skip: absent }, () => {
  const lines: string[] = [];
  const volumes = listMnmsVolumes(real, { report: (line) => lines.push(line) });
  assert.deepEqual(lines, []);
  assert.equal(volumes.length, 64);
  assert.equal(listMnmsVolumes(real, { split: 'training' }).length, 48);
  assert.equal(listMnmsVolumes(real, { split: 'testing' }).length, 16);
  const cavity = new Map<string, number>();
  for (const source of volumes) {
    const { image, mask } = readMnmsVolume(source);
    const counts = [0, 0, 0, 0];
    const areas = new Array<number>(image.frames).fill(0);
    const size = image.width * image.height;
    for (let i = 0; i < mask!.data.length; i++) {
      counts[mask!.data[i]] += 1;
      if (mask!.data[i] === 1 || mask!.data[i] === 2) areas[Math.floor(i / size)] += 1;
    }
    assert.ok(counts.every((n) => n > 500), `${source.id}: ${counts}`);
    const seen = areas.filter((n) => n > 0);
    const third = Math.floor(seen.length / 3);
    const sum = (list: number[]) => list.reduce((a, b) => a + b, 0);
    // The left ventricle tapers to the apex (at ES the base has left some slices).
    const tapers = sum(seen.slice(0, third)) > 1.05 * sum(seen.slice(-third));
    assert.ok(tapers || source.phase === 'ES', `${source.id}: ${seen}`);
    assert.ok(image.data.every((value) => Number.isFinite(value)), source.id);
    cavity.set(source.id, counts[1]);
  }
  for (const { patient } of volumes) {
    const [ed, es] = [cavity.get(`${patient}_ED`)!, cavity.get(`${patient}_ES`)!];
    assert.ok(es < 1.05 * ed, `${patient}: LV ${ed} at ED, ${es} at ES`);
  }
  const fifty = selectVolumes(volumes, { count: 50, seed: 1 });
  assert.equal(fifty.filter(({ vendor }) => vendor === 'A').length, 26);
  const clip = readMnmsClip(volumes[0], { size: 256, frames: 16 });
  assert.deepEqual([clip.video.frames, clip.video.height], [16, 256]);
  assert.ok(clip.video.data.every((value) => value >= 0 && value <= 1));
  assert.equal(mnmsVideo(readMnmsVolume(volumes[1]), [0]).frames, 1);
});
