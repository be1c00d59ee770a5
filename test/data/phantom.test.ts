import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { readNifti, VECTOR_INTENT } from '../../src/data/nifti.ts';
import {
  phantomPatient, phantomSequence, writePhantom, type PhantomSequence, type View,
} from '../../src/data/phantom/phantom.ts';
import {
  correlation, dice, discs, labelArea, muscleBlocks, warpLabels,
} from '../support/phantom-measures.ts';

const seed = 5;
const cache = new Map<string, PhantomSequence>();

function sequenceOf(index: number, view: View = '4CH'): PhantomSequence {
  const key = `${index} ${view}`;
  const known = cache.get(key) ?? phantomSequence(phantomPatient(seed, index), view);
  cache.set(key, known);
  return known;
}

test('a patient is a function of seed and number, within the ranges that are promised', () => {
  assert.deepEqual(phantomPatient(seed, 3), phantomPatient(seed, 3));
  assert.notDeepEqual(phantomPatient(seed, 3).views, phantomPatient(seed + 1, 3).views);
  const fractions: number[] = [];
  const kinds = new Set<string>();
  const qualities = new Set<string>();
  for (let index = 1; index <= 200; index++) {
    const patient = phantomPatient(seed, index);
    fractions.push(patient.ejectionFraction);
    kinds.add(patient.phenotype);
    qualities.add(patient.imageQuality);
    assert.ok(patient.ejectionFraction > 19 && patient.ejectionFraction < 76,
      `${patient.id}: EF ${patient.ejectionFraction}`);
    assert.ok(patient.frames >= 24 && patient.frames <= 40);
    assert.ok(patient.endSystole > 5 && patient.endSystole < patient.frames - 8);
    assert.ok(Math.abs(patient.frameRate - (patient.frames * patient.heartRate) / 60) < 0.051);
  }
  assert.ok(Math.min(...fractions) < 30 && Math.max(...fractions) > 68);
  assert.equal(kinds.size, 3);
  assert.equal(qualities.size, 3);
  assert.throws(() => phantomPatient(seed, 0), /1\.\.9999, got 0/);
  assert.throws(() => phantomPatient(0.5, 1), /whole number, got 0\.5/);
});

test('files: CAMUS names and keys, same bytes for the same seed, other bytes for another', () => {
  const folder = mkdtempSync(join(tmpdir(), 'phantom-'));
  try {
    const digest = (name: string, wanted: number): Map<string, string> => {
      const root = join(folder, name);
      writePhantom(root, { patients: 1, seed: wanted, views: ['4CH'] });
      return new Map(readdirSync(root, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile()).map((entry) => {
          const bytes = readFileSync(join(entry.parentPath, entry.name));
          return [entry.name, createHash('sha256').update(bytes).digest('hex')];
        }));
    };
    const first = digest('a', seed);
    assert.deepEqual(first, digest('b', seed));
    const other = digest('c', seed + 1);
    for (const [name, hash] of first) {
      if (!name.startsWith('subgroup')) assert.notEqual(hash, other.get(name), name);
    }
    const stem = 'patient0001_4CH';
    const endings = ['ED', 'ES', 'half_sequence', 'sequence'].flatMap((kind) =>
      [`${stem}_${kind}.nii.gz`, `${stem}_${kind}_gt.nii.gz`]);
    assert.deepEqual([...first.keys()].sort(), [
      'Info_4CH.cfg', 'patient0001_phantom.json', `${stem}_sequence_flow.nii.gz`,
      `${stem}_sequence_leaflets.json`, 'subgroup_testing.txt', 'subgroup_training.txt',
      'subgroup_validation.txt', ...endings].sort());

    const home = join(folder, 'a', 'database_nifti', 'patient0001');
    const patient = phantomPatient(seed, 1);
    const whole = readNifti(join(home, `${stem}_sequence.nii.gz`));
    const half = readNifti(join(home, `${stem}_half_sequence.nii.gz`));
    assert.equal(whole.shape[2], patient.frames);
    assert.equal(half.shape[2], patient.endSystole + 1);
    assert.deepEqual(half.data, whole.data.slice(0, half.data.length));
    const systole = readNifti(join(home, `${stem}_ES.nii.gz`));
    assert.deepEqual(systole.data, half.data.slice(-systole.data.length));
    const flow = readNifti(join(home, `${stem}_sequence_flow.nii.gz`));
    assert.equal(flow.intent, VECTOR_INTENT);
    assert.deepEqual(flow.shape, [whole.shape[0], whole.shape[1], 1, patient.frames, 2]);
    assert.ok(Math.abs((flow.frameTime ?? 0) - 1 / patient.frameRate) < 1e-6);
    const text = readFileSync(join(home, 'Info_4CH.cfg'), 'utf8');
    assert.match(text, new RegExp(`^ED: 1\nES: ${patient.endSystole + 1}\nNbFrame: `));
    assert.match(text, new RegExp(`EF: ${Math.round(patient.ejectionFraction)}\n`));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('bad requests are one sentence and write nothing', () => {
  assert.throws(() => writePhantom('/nowhere', { patients: 0, seed }), /1 or more .* got 0/);
  assert.throws(() => writePhantom('/nowhere', { patients: 1, seed, views: ['3CH' as View] }),
    /expected the views 2CH, 4CH, got 3CH/);
});

test('EF of the cfg is the EF of the masks, biplane, within 3 points', () => {
  for (const index of [1, 2, 3, 4]) {
    const patient = phantomPatient(seed, index);
    const volume = (frame: number): number => {
      const two = discs(sequenceOf(index, '2CH'), frame);
      const four = discs(sequenceOf(index, '4CH'), frame);
      return two.diameters.reduce((sum, d, k) => sum + d * four.diameters[k], 0)
        * Math.max(two.length, four.length);
    };
    const measured = 100 * (1 - volume(patient.endSystole) / volume(0));
    const stated = Math.round(patient.ejectionFraction);
    assert.ok(Math.abs(measured - stated) <= 3, `${patient.id}: ${stated}, masks ${measured}`);
  }
});

test('ED has the largest LV, ES the smallest; the atrium does the opposite', () => {
  for (const [index, view] of [[1, '4CH'], [2, '2CH'], [5, '4CH']] as const) {
    const sequence = sequenceOf(index, view);
    const areas = labelArea(sequence, 1);
    assert.equal(areas.indexOf(Math.min(...areas)), sequence.endSystole);
    assert.ok(areas[0] > 0.995 * Math.max(...areas));
    const atrium = labelArea(sequence, 3);
    assert.ok(atrium[sequence.endSystole] > atrium[0]);
    const muscle = labelArea(sequence, 2);
    const kept = muscle[sequence.endSystole] / muscle[0];
    assert.ok(kept > 0.85 && kept < 1.15, `myocardial area at ES / ED ${kept}`);
  }
});

test('labels are 0..3, all of them occur, and outside of the sector nothing is', () => {
  for (const view of ['2CH', '4CH'] as const) {
    const { video, masks, flow, pixel } = sequenceOf(2, view);
    const { depth, halfAngle } = phantomPatient(seed, 2).views[view].placement;
    assert.deepEqual([...new Set(masks.data)].sort(), [0, 1, 2, 3]);
    const size = video.width * video.height;
    let outside = 0;
    let lit = 0;
    for (let i = 0; i < size; i++) {
      const x = ((i % video.width) + 0.5 - video.width / 2) * pixel;
      const y = (Math.floor(i / video.width) + 0.5) * pixel;
      const out = Math.hypot(x, y) > depth || Math.abs(Math.atan2(x, y)) > halfAngle;
      for (let t = 0; t < video.frames; t++) {
        const o = t * size + i;
        if (out) {
          outside += video.data[o] + masks.data[o] + Math.abs(flow[o])
            + Math.abs(flow[video.frames * size + o]);
        } else if (video.data[o] > 0) lit++;
      }
    }
    assert.equal(outside, 0);
    assert.ok(lit > 0.5 * 0.5 * size * video.frames);
  }
});

test('masks move as the flow says: warped back they fit, better than unwarped', () => {
  for (const [index, view] of [[1, '4CH'], [3, '2CH']] as const) {
    const sequence = sequenceOf(index, view);
    const { frames } = sequence.masks;
    for (let t = 0; t < frames; t++) {
      const warped = warpLabels(sequence, t);
      for (const label of [1, 2, 3]) {
        const score = dice(sequence, t, warped, label);
        assert.ok(score > 0.95, `patient ${index} ${view} frame ${t} label ${label}: ${score}`);
      }
    }
    const middle = Math.round(sequence.endSystole / 2);
    const size = sequence.masks.width * sequence.masks.height;
    const still = sequence.masks.data.subarray((middle + 1) * size, (middle + 2) * size);
    assert.ok(dice(sequence, middle, warpLabels(sequence, middle), 2)
      > dice(sequence, middle, still, 2) + 0.01);
  }
});

test('speckle travels with the muscle', () => {
  const followed: number[] = [];
  const stayed: number[] = [];
  for (const index of [1, 2, 4, 6]) {
    const sequence = sequenceOf(index);
    // Mid systole, three frames: the wall has moved by about one speckle.
    const from = Math.round(sequence.endSystole * 0.3);
    for (const block of muscleBlocks(sequence, from)) {
      const pair = correlation(sequence, from, 3, block);
      if (pair.moved < 2) continue;
      followed.push(pair.followed);
      stayed.push(pair.stayed);
    }
  }
  const mean = (list: number[]): number => list.reduce((a, b) => a + b, 0) / list.length;
  assert.ok(followed.length > 10, `${followed.length} blocks moved`);
  assert.ok(mean(followed) > 0.6, `correlation along the flow ${mean(followed)}`);
  assert.ok(mean(followed) > mean(stayed) + 0.3, `${mean(followed)}, in place ${mean(stayed)}`);
});

test('leaflets hang on the hinges of the LV, meet when shut and part when open', () => {
  const sequence = sequenceOf(1);
  const gaps = sequence.leaflets.map(([left, right]) => {
    const a = left!.at(-1)!;
    const b = right!.at(-1)!;
    return Math.hypot(a.x - b.x, a.y - b.y) * sequence.pixel;
  });
  assert.ok(gaps[sequence.endSystole] < 0.5, `gap at ES ${gaps[sequence.endSystole]} mm`);
  assert.ok(Math.max(...gaps) > 12, `largest gap ${Math.max(...gaps)} mm`);
  const { width, height } = sequence.masks;
  sequence.leaflets.forEach((pair, t) => pair.forEach((line) => {
    // A hinge lies where LV, LA and wall meet: all within 3 mm.
    const found = new Set<number>();
    const reach = Math.ceil(3 / sequence.pixel);
    const hinge = line[0];
    for (let dy = -reach; dy <= reach; dy++) {
      for (let dx = -reach; dx <= reach; dx++) {
        const x = Math.round(hinge.x) + dx;
        const y = Math.round(hinge.y) + dy;
        if (x < 0 || y < 0 || x >= width || y >= height) continue;
        found.add(sequence.masks.data[(t * height + y) * width + x]);
      }
    }
    assert.ok(found.has(1) && found.has(2) && found.has(3), `frame ${t}: ${[...found]}`);
  }));
});

test('speed of one patient, both views, rendered (printed, with a wide bound)', (context) => {
  const start = process.cpuUsage();
  const patient = phantomPatient(seed, 77);
  phantomSequence(patient, '2CH');
  phantomSequence(patient, '4CH');
  const seconds = process.cpuUsage(start).user / 1e6;
  context.diagnostic(`${seconds.toFixed(2)} s of processor time for ${2 * patient.frames} frames`);
  assert.ok(seconds < 8);
});
