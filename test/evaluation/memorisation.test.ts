/** The gate on drawn clips: what is caught, what is refused, and the arithmetic of its thresholds. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { smoothPlane } from '../../src/conditions/smoothing.ts';
import { calibrate, rankThreshold, TooFewClips, type HeldOut } from '../../src/evaluation/memorisation/calibration.ts';
import { disturbances } from '../../src/evaluation/memorisation/disturbances.ts';
import { fingerprint, type GateExtractor } from '../../src/evaluation/memorisation/fingerprint.ts';
import { openGate, type MemorisationGate } from '../../src/evaluation/memorisation/gate.ts';
import { readIndex, staleness, writeIndex } from '../../src/evaluation/memorisation/index-file.ts';
import { NearestClips } from '../../src/evaluation/memorisation/nearest.ts';
import { drawPairs } from '../../src/evaluation/memorisation/pairs.ts';
import {
  finishMemorisation, keepVerdicts, keptVerdicts, memorisationSection, pairsPicture,
} from '../../src/evaluation/memorisation/section.ts';
import {
  calibrationText, memorisationMetrics, memorisationTables,
} from '../../src/evaluation/memorisation/tables.ts';
import { floatFrames, plane } from '../../src/frames/frames.ts';
import type { Frames } from '../../src/frames/frames.ts';
import { readPng } from '../../src/frames/png.ts';
import { randomStream } from '../../src/frames/random.ts';
import { expectNoLeaks } from '../support/leaks.ts';

const folder = mkdtempSync(join(tmpdir(), 'memorisation-'));
let gate: MemorisationGate;

// before the count of tensors, which would find the gate's
after(() => {
  gate.dispose();
  rmSync(folder, { recursive: true });
});

expectNoLeaks();

const FRAMES = 4;
const SIDE = 64;

/** A clip of smooth blobs that sway: every patient has his own. */
function drawn(patient: string): Frames {
  const stream = randomStream('drawn', patient);
  const noise = () => smoothPlane(
    Float32Array.from({ length: SIDE * SIDE }, () => stream.normal()), SIDE, SIDE, 4);
  const [still, sway] = [noise(), noise()];
  const video = floatFrames({ channels: 1, frames: FRAMES, height: SIDE, width: SIDE });
  for (let t = 0; t < FRAMES; t++) {
    const phase = Math.sin((2 * Math.PI * t) / FRAMES);
    plane(video, 0, t).forEach((_, i, out) => {
      out[i] = Math.min(1, Math.max(0, 0.4 + 2 * still[i] + phase * sway[i]));
    });
  }
  return video;
}

/** Means of the quarters of each frame: no network, and yet a vector that says whose clip it is. */
const extractor: GateExtractor = {
  about: { name: 'echo-frames', of: 'frames', sha256: 'a'.repeat(64), dimension: 16, input: 'means' },
  extract: ({ frames, data }) => {
    const rows = new Float64Array(frames * 16);
    data.forEach((value, i) => {
      const [t, y, x] = [Math.floor(i / SIDE ** 2), Math.floor(i / SIDE) % SIDE, i % SIDE];
      rows[t * 16 + Math.floor(y / 16) * 4 + Math.floor(x / 16)] += value / 256;
    });
    return { rows: frames, dimension: 16, data: rows };
  },
};

const patients = Array.from({ length: 12 }, (_, i) => `train${i}`);
const heldOut = Array.from({ length: 40 }, (_, i) => `held${i}`);
const clips = patients.map((patient) =>
  ({ id: `${patient}_4CH`, patient, view: '4CH', whole: true, files: { 'a.nii': patient } }));
const about = { resolution: SIDE, frames: FRAMES, clips, heldOut: [], falseAlarmRate: 0.05, reason: null, power: [] };

before(() => {
  const prints = patients.map((patient) => fingerprint(drawn(patient), [extractor]));
  const search = new NearestClips(clips, prints);
  const found = heldOut.map((patient) =>
    ({ patient, neighbours: search.find(fingerprint(drawn(patient), [extractor]), patient)! }));
  search.dispose();
  writeIndex(join(folder, 'index'), { ...about, calibration: calibrate(found, 0.05) }, prints, [extractor]);
  gate = openGate(readIndex(join(folder, 'index')), [extractor], { resolution: SIDE, frames: FRAMES }, 'x');
});

describe('memorisation gate', () => {
  for (const { name, what, meant, of } of disturbances) {
    it(`${meant ? 'catches' : 'does not catch'} a training clip ${what}`, () => {
      const [id, other] = [`${patients[3]}_4CH`, drawn(patients[7])];
      const video = of({ id, whole: true, video: drawn(patients[3]), other })!;
      const verdict = gate.check(video)!;
      assert.equal(verdict.marked!.length > 0, meant, JSON.stringify(verdict));
      if (meant && name !== 'blend') assert.equal(verdict.pixel.nearest, id);
      if (name === 'copy') {
        assert.deepEqual([verdict.pixel, verdict.feature, verdict.marked],
          [{ nearest: id, distance: 0 }, { nearest: id, distance: 0 }, ['pixel', 'feature']]);
      }
    });
  }

  it('lets a fresh patient pass, and does not count the clips of a patient himself', () => {
    for (const patient of ['fresh0', 'fresh1', 'fresh2']) {
      assert.deepEqual(gate.check(drawn(patient))!.marked, [], patient);
    }
    const own = gate.check(drawn(patients[3]), patients[3])!;
    assert.notEqual(own.pixel.nearest, `${patients[3]}_4CH`);
    assert.ok(own.pixel.distance > 0.2);
    assert.deepEqual(gate.check(drawn(patients[3])), gate.check(drawn(patients[3])));
  });

  it('compares another shift in time with whole cycles only', () => {
    const prints = patients.slice(0, 3).map((patient) => fingerprint(drawn(patient), [extractor]));
    const late = disturbances.find(({ name }) => name === 'time')!
      .of({ id: '', whole: true, video: drawn(patients[0]), other: drawn(patients[1]) })!;
    const distances = [true, false].map((whole) => {
      const search = new NearestClips(clips.slice(0, 3).map((clip) => ({ ...clip, whole })), prints);
      const { distance } = search.find(fingerprint(late, [extractor]))!.pixel;
      search.dispose();
      return distance;
    });
    assert.ok(distances[0] < 1e-5 && distances[1] > 0.01, distances.join());
  });

  it('finds a copy of the only training clip, and nothing where none is left', () => {
    const search = new NearestClips(clips.slice(0, 1), [fingerprint(drawn(patients[0]), [extractor])]);
    const print = fingerprint(drawn(patients[0]), [extractor]);
    assert.equal(search.find(print)!.pixel.distance, 0);
    assert.equal(search.find(print, patients[0]), null);
    search.dispose();
  });

  it('refuses clips of other frames, and numbers that are none', () => {
    const short = floatFrames({ channels: 1, frames: 2, height: SIDE, width: SIDE });
    assert.throws(() => gate.check(short), /expected a clip of 4 frames, got 2/);
    const broken = drawn('fresh0');
    broken.data[5] = NaN;
    assert.throws(() => gate.check(broken), /expected finite pixels, got NaN/);
  });

  it('draws each clip over its nearest', () => {
    const pairs = [patients[3], 'fresh0'].map((patient) =>
      ({ name: patient, verdict: gate.check(drawn(patient))!, video: () => drawn(patient) }));
    const hashes = ['a.png', 'b.png'].map((name) => {
      drawPairs(join(folder, name), pairs, gate.index);
      return createHash('sha256').update(readFileSync(join(folder, name))).digest('hex');
    });
    assert.equal(hashes[0], hashes[1]);
    assert.ok(readPng(join(folder, 'a.png')).height > 4 * 112);
  });
});

describe('calibration', () => {
  it('takes the k-th smallest distance, k = floor(rate (n + 1))', () => {
    const values = [0.9, 0.3, 0.7, 0.5];
    assert.equal(rankThreshold(values, 0.2), 0.3); // 0.2 * 5 = 1
    assert.equal(rankThreshold(values, 0.39), 0.3);
    assert.equal(rankThreshold(values, 0.4), 0.5); // 2
    const nineteen = Array.from({ length: 19 }, (_, i) => i + 1);
    assert.equal(rankThreshold(nineteen, 0.05), 1); // 0.05 * 20 = 1, whatever the rounding
    assert.equal(rankThreshold([...nineteen, ...nineteen.map((x) => x + 19), 39], 0.05), 2);
  });

  const at = (distance: number, i: number): HeldOut => ({
    patient: `p${i}`,
    neighbours: { pixel: { nearest: 'a', distance }, feature: { nearest: 'a', distance: 2 - distance } },
  });

  it('counts false alarms on the other half of the patients', () => {
    const { thresholds, realised, joint, patients: half, clips: n } =
      calibrate(Array.from({ length: 40 }, (_, i) => at(0.01 * (i + 1), i)), 0.1);
    assert.deepEqual([half, n, realised.pixel.n, realised.pixel.patients], [20, 20, 20, 20]);
    const { count, value, low, high } = realised.pixel;
    assert.equal(value, count / 20);
    assert.ok(low <= value && value <= high && high > 0.16);
    assert.ok(joint.count >= Math.max(count, realised.feature.count) &&
      joint.count <= count + realised.feature.count);
    assert.ok(thresholds.pixel > 0 && thresholds.feature >= 1.6);
  });

  it('marks nothing where held-out clips are too few, and says so', () => {
    const few = Array.from({ length: 8 }, (_, i) => at(0.1 * i, i));
    assert.throws(() => calibrate(few, 0.05), TooFewClips);
    assert.throws(() => calibrate(few, 0.05), /at least 19 clips, .* got 8 clips of 8 patients/);
    assert.throws(() => calibrate([at(1, 0)], 0.5), TooFewClips);
    assert.throws(() => calibrate([], 0.05), /got 0 clips of 0 patients/);
    assert.ok(calibrate(few, 0.25).thresholds.pixel >= 0);
    assert.throws(() => calibrate(few, 0), /false-alarm rate above 0 and up to 0.5, got 0/);
    assert.match(calibrationText({ calibration: null, reason: 'too few' }), /nothing is marked \(too few\)/);
  });
});

describe('index', () => {
  it('is refused where it does not fit', () => {
    const { index } = gate;
    const other = { ...extractor, about: { ...extractor.about, sha256: 'b'.repeat(64) } };
    assert.throws(() => openGate(index, [other], {}, 'idx'),
      /^Error: idx: this memorisation index does not fit \(network echo-frames: expected bbbbbbbbbbbb, got aaaaaaaaaaaa\): build it again$/);
    assert.throws(() => openGate(index, [extractor], { resolution: 128 }, 'idx'), /resolution: expected 128, got 64/);
    assert.throws(() => openGate(index, [extractor], { frames: 16 }, 'idx'), /frames: expected 16, got 4/);
    const changed = clips.map((clip, i) => (i === 5 ? { ...clip, files: { 'a.nii': 'other' } } : clip));
    assert.match(staleness(index, [extractor], { clips: changed })!, /the files of train5_4CH have changed/);
    assert.match(staleness(index, [extractor], { clips: clips.slice(1) })!, /training clips: expected 11, got 12/);
    assert.equal(staleness(index, [extractor], { ...about }), null);
  });

  it('is refused where it is damaged, or not there', () => {
    assert.throws(() => readIndex(join(folder, 'nothing')), /expected a memorisation index .* got none/);
    const copy = join(folder, 'index', 'index.safetensors');
    const bytes = readFileSync(copy);
    bytes[bytes.length - 1] ^= 1;
    writeFileSync(copy, bytes);
    assert.throws(() => readIndex(join(folder, 'index')), /expected the sha256 that index.json names, got another/);
    bytes[bytes.length - 1] ^= 1;
    writeFileSync(copy, bytes);
    const json = join(folder, 'index', 'index.json');
    const text = readFileSync(json, 'utf8');
    assert.equal(readIndex(json).hash, gate.index.hash);
    writeFileSync(json, text.replace('"version": 1', '"version": 2'));
    assert.throws(() => readIndex(json), /version 1; version: /);
    writeFileSync(json, '{');
    assert.throws(() => readIndex(json), /got no JSON/);
    writeFileSync(json, text);
    assert.ok(existsSync(json));
  });
});

describe('section of a card', () => {
  // one run copies patient 3 for both clips, the other makes strangers
  const tested = ['fresh0', 'fresh1'].map((patient) => ({ id: `${patient}_4CH`, patient }));
  const videos = new Map(tested.map(({ id, patient }) => [id, new Map([
    ['real', drawn(patient)], ['text', drawn(patients[3])], ['text+mask', drawn(patient === 'fresh0' ? 'fresh2' : 'fresh1')]])]));

  function judged(output: string): string {
    for (const clip of tested) {
      mkdirSync(join(output, 'clips', clip.id), { recursive: true });
      keepVerdicts(output, clip, videos.get(clip.id)!, gate);
    }
    finishMemorisation(output, gate, tested.map(({ id }) => id), (id, run) => videos.get(id)!.get(run)!, null);
    const section = memorisationSection(output, tested, ['text', 'text+mask'])!;
    return JSON.stringify(section) +
      createHash('sha256').update(readFileSync(pairsPicture(output)!)).digest('hex');
  }

  it('says by run what is marked, real clips first, with intervals', () => {
    judged(join(folder, 'card'));
    const section = memorisationSection(join(folder, 'card'), tested, ['text', 'text+mask'])!;
    assert.deepEqual(section.runs.map(({ run, marked }) => [run, marked!.count, marked!.n, marked!.patients]),
      [['real', 0, 2, 2], ['text', 2, 2, 2], ['text+mask', 0, 2, 2]]);
    assert.ok(section.runs[0].marked!.high > 0.8 && section.runs[1].marked!.low < 0.2, 'two patients say little');
    assert.equal(section.runs[1].medians.pixel, 0);
    assert.equal(section.clips.length, 6);
    const tables = memorisationTables(section);
    assert.deepEqual(tables.map(({ title }) => title), ['Memorisation', 'Nearest to a training clip']);
    assert.deepEqual(tables[1].rows[0].slice(0, 4), ['fresh0_4CH', 'text', '0.000', 'train3_4CH']);
    assert.match(tables[0].note, /12 training clips of 12 patients.*false-alarm rate of 5.0 % each/);
    assert.deepEqual(memorisationMetrics(section).map(({ run, value }) => [run, value]),
      [['real', 0], ['text', 100], ['text+mask', 0]]);
    assert.deepEqual(memorisationTables(undefined), []);
  });

  it('is the same again, and absent where a clip was judged by another index or not at all', () => {
    assert.equal(judged(join(folder, 'card')), judged(join(folder, 'again')));
    assert.equal(keptVerdicts(join(folder, 'card'), 'fresh0_4CH', 'another index'), null);
    assert.equal(memorisationSection(join(folder, 'card'), [...tested, { id: 'x', patient: 'x' }], ['text']), null);
    assert.equal(memorisationSection(join(folder, 'card'), tested, ['all']), null);
    assert.equal(memorisationSection(join(folder, 'nowhere'), tested, ['text']), null);
  });
});
