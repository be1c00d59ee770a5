import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { after, describe, it } from 'node:test';
import { listMnmsPatients } from '../../src/data/mnms-folder.ts';
import { listMnmsVolumes, readMnmsClip, readMnmsVolume } from '../../src/data/mnms.ts';
import { mriCine, mriPatient, writeMriPhantom } from '../../src/data/mri-phantom/mri-phantom.ts';
import { profile, Section } from '../../src/data/mri-phantom/section.ts';
import { SmoothNoise } from '../../src/data/phantom/texture.ts';
import { randomStream } from '../../src/frames/random.ts';

const seed = 5;
const made: string[] = [];
after(() => made.forEach((folder) => rmSync(folder, { recursive: true, force: true })));
function fresh(): string {
  made.push(mkdtempSync(join(tmpdir(), 'heartbeat-mri-')));
  return made[made.length - 1];
}

function digests(root: string): Record<string, string> {
  return Object.fromEntries(readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name)).sort()
    .map((path) => [relative(root, path),
      createHash('sha256').update(readFileSync(path)).digest('hex')]));
}

describe('patients', () => {
  it('are a function of seed and number, within the ranges that are promised', () => {
    assert.deepEqual(mriPatient(seed, 3), mriPatient(seed, 3));
    assert.notDeepEqual(mriPatient(seed, 3).anatomy, mriPatient(seed + 1, 3).anatomy);
    const fractions: number[] = [];
    const pathologies = new Set<string>();
    const vendors = { A: 0, B: 0 };
    for (let index = 1; index <= 200; index++) {
      const patient = mriPatient(seed, index);
      const { scan, anatomy, motion } = patient;
      fractions.push(patient.ejectionFraction);
      pathologies.add(patient.pathology);
      vendors[patient.vendor] += 1;
      assert.ok(scan.pixel >= 1.2 && scan.pixel <= 1.6 && scan.slices >= 8 && scan.slices <= 16);
      assert.ok(scan.sliceSpacing === 8 || scan.sliceSpacing === 10);
      assert.ok(scan.thickness <= scan.sliceSpacing && scan.thickness >= 6);
      const left = (1 - motion.descent / anatomy.length) * (1 - motion.radial) ** 2;
      assert.ok(Math.abs(100 * (1 - left) - patient.ejectionFraction) < 0.051, patient.id);
      assert.ok(motion.radial > 0 && motion.radial < 0.7, `${patient.id} ${motion.radial}`);
    }
    assert.deepEqual(vendors, { A: 100, B: 100 });
    assert.equal(pathologies.size, 3);
    assert.ok(Math.min(...fractions) < 25 && Math.max(...fractions) > 70);
    assert.notEqual(mriPatient(seed, 9).vendor, mriPatient(seed, 19).vendor);
    assert.throws(() => mriPatient(seed, 0), /1\.\.9999, got 0/);
    assert.throws(() => mriPatient(0.5, 1), /whole number, got 0\.5/);
  });
});

describe('a section', () => {
  const patient = mriPatient(seed, 2);
  const noise = new SmoothNoise(randomStream('test'));

  /** Samples of a label, one every 2 mm of x, y and z. */
  function volume(a: number, label: number): number {
    let count = 0;
    for (let z = -12; z < 120; z += 2) {
      const section = new Section(patient, a, z + 0.5, noise);
      for (let x = -60; x < 90; x += 2) {
        for (let y = -60; y < 60; y += 2) {
          section.at(x + 0.5, y + 0.5);
          if (section.label === label) count++;
        }
      }
    }
    return count;
  }

  it('ejects the fraction that is stated, and keeps the muscle', () => {
    const [ed, es] = [volume(0, 1), volume(1, 1)];
    const fraction = 100 * (1 - es / ed);
    assert.ok(Math.abs(fraction - patient.ejectionFraction) < 2,
      `stated ${patient.ejectionFraction}, sections ${fraction}`);
    const kept = volume(1, 2) / volume(0, 2);
    assert.ok(kept > 0.93 && kept < 1.07, `myocardium at ES / ED ${kept}`);
    const right = volume(1, 3) / volume(0, 3);
    assert.ok(right > 0.3 && right < 0.8, `RV at ES / ED ${right}`);
  });

  it('has no label outside the heart, and none above the annulus or below the apex', () => {
    for (const z of [-20, patient.anatomy.length + 1]) {
      const section = new Section(patient, 0, z, noise);
      for (let x = -80; x <= 80; x += 2) {
        section.at(x, 0.3 * x);
        assert.equal(section.label, 0);
      }
    }
    const middle = new Section(patient, 0, 0.6 * patient.anatomy.length, noise);
    for (let k = 0; k < 64; k++) {
      const far = [Math.cos(k / 10.2), Math.sin(k / 10.2)].map((v) => v * (middle.reach + 0.1));
      assert.ok(Number.isNaN(middle.at(far[0], far[1])) && middle.label === 0, `direction ${k}`);
    }
    const { inner, outer } = profile(patient.anatomy, 0.6 * patient.anatomy.length);
    assert.ok(outer > inner && inner > 10);
  });
});

describe('files', () => {
  const root = fresh();
  writeMriPhantom(root, { patients: 1, seed, firstPatient: 9 });

  it('are those of M&Ms, the same bytes for the same seed, other bytes for another', () => {
    const first = digests(root);
    const again = fresh();
    writeMriPhantom(again, { patients: 1, seed, firstPatient: 9 });
    assert.deepEqual(digests(again), first);
    const folder = 'OpenDataset/Validation/MRI0009';
    const table = 'OpenDataset/211230_M&Ms_Dataset_information_diagnosis_opendataset.csv';
    assert.deepEqual(Object.keys(first).sort(), [table, `${folder}/MRI0009_phantom.json`,
      `${folder}/MRI0009_sa.nii.gz`, `${folder}/MRI0009_sa_gt.nii.gz`]);
    const other = fresh();
    writeMriPhantom(other, { patients: 1, seed: seed + 1, firstPatient: 9 });
    for (const [name, hash] of Object.entries(digests(other))) assert.notEqual(hash, first[name], name);
  });

  it('are read by the reader of M&Ms', () => {
    const patient = mriPatient(seed, 9);
    const [{ info }] = listMnmsPatients(root);
    assert.deepEqual(info, {
      vendor: patient.vendor, vendorName: patient.vendor === 'A' ? 'Siemens' : 'Philips',
      centre: String(patient.centre), ed: 0, es: 1, age: patient.age, pathology: patient.pathology,
      sex: patient.sex, height: patient.height, weight: patient.weight,
    });
    const [ed, es] = listMnmsVolumes(root).map(readMnmsVolume);
    assert.ok(ed.reversed, 'slices run from apex to base, as in most of M&Ms');
    assert.deepEqual(ed.spacing.map((v) => Math.round(100 * v) / 100),
      [patient.scan.pixel, patient.scan.pixel]);
    assert.equal(ed.sliceSpacing, patient.scan.sliceSpacing);
    const count = ({ mask }: typeof ed, label: number) =>
      (mask!.data as Uint8Array).reduce((sum, v) => sum + Number(v === label), 0);
    for (const label of [1, 2, 3]) assert.ok(count(ed, label) > 1000, `label ${label}`);
    const fraction = 100 * (1 - count(es, 1) / count(ed, 1));
    // Slices 8 or 10 mm apart: an annulus that leaves or enters one is a tenth of the volume.
    assert.ok(Math.abs(fraction - patient.ejectionFraction) < 12,
      `stated ${patient.ejectionFraction}, slices ${fraction}`);
    // Base slices above the annulus and slices under the apex carry no label.
    const size = ed.image.width * ed.image.height;
    const labelled = Array.from({ length: ed.image.frames }, (_, z) =>
      ed.mask!.data.subarray(z * size, (z + 1) * size).some((v) => v > 0));
    assert.ok(labelled.includes(false));
  });

  it('look like cardiac MRI: blood bright, muscle dark, noise Rician', () => {
    for (const source of listMnmsVolumes(root)) {
      const { image, mask } = readMnmsVolume(source);
      const values: number[][] = [[], [], [], []];
      mask!.data.forEach((label, i) => values[label].push(image.data[i]));
      const mean = (list: number[]) => list.reduce((a, b) => a + b, 0) / list.length;
      const [, lv, muscle, rv] = values.map(mean);
      assert.ok(muscle < 0.6 * lv && muscle > 0.1 * lv, `${muscle} in muscle, ${lv} in the LV`);
      assert.ok(rv > 0.6 * lv && rv < 1.9 * lv, `${rv} in the RV`);
      // Air, in the corner in front of the chest: the mean of a Rayleigh law is 1.91 of its spread.
      const corner: number[] = [];
      const size = image.width * image.height;
      for (let z = 0; z < image.frames; z++) {
        for (let y = 0; y < 6; y++) {
          for (let x = 0; x < 6; x++) corner.push(image.data[z * size + y * image.width + x]);
        }
      }
      const level = mean(corner);
      const spread = Math.sqrt(mean(corner.map((v) => (v - level) ** 2)));
      assert.ok(level / spread > 1.6 && level / spread < 2.25, `${level} / ${spread}`);
    }
  });

  it('become clips', () => {
    const clip = readMnmsClip(listMnmsVolumes(root)[1], { size: 64, frames: 16 });
    assert.deepEqual([clip.video.frames, clip.video.width], [16, 64]);
    const seen = new Set(clip.masks!.data);
    assert.deepEqual([...seen].sort(), [0, 1, 2, 3]);
    const perFrame = Array.from({ length: 16 }, (_, t) =>
      clip.masks!.data.subarray(t * 4096, (t + 1) * 4096).some((v) => v > 0));
    assert.ok(perFrame.every((some) => some), 'every frame carries a label');
  });
});

describe('a beat', () => {
  it('has ED first, ES smallest, and masks in every frame', () => {
    const patient = mriPatient(seed, 4);
    const { labels, image, es, frames } = mriCine(patient, 5);
    const size = labels.length / frames;
    const areas = Array.from({ length: frames }, (_, t) =>
      labels.subarray(t * size, (t + 1) * size).reduce((sum, v) => sum + Number(v === 1), 0));
    assert.equal(areas.indexOf(Math.min(...areas)), es);
    assert.ok(areas[0] >= 0.98 * Math.max(...areas), areas.join(' '));
    assert.equal(image.length, labels.length);
    const [first, last] = [mriCine(patient, 2), es];
    assert.deepEqual(first.labels.subarray(size), labels.subarray(last * size, (last + 1) * size));
    assert.ok(first.image.every((value) => value >= 0));
  });

  it('is refused with too few or too many frames', () => {
    const patient = mriPatient(seed, 1);
    for (const frames of [0, 1, 101, 2.5]) {
      assert.throws(() => mriCine(patient, frames), /expected 2\.\.100 frames a beat, got /);
    }
    assert.throws(() => writeMriPhantom('/nowhere', { patients: 0, seed }), /1 or more .* got 0/);
  });
});
