/**
 * How true the phantom is to itself, and how fast: speckle along the flow and in place, masks warped
 * by the flow, EF of the masks against the stated one, processor time to write a patient.
 *
 *   node --import tsx bench/phantom-truth.ts
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { phantomPatient, phantomSequence, writePhantom } from '../src/data/phantom/phantom.ts';
import type { PhantomSequence } from '../src/data/phantom/phantom.ts';
import {
  correlation, dice, discs, muscleBlocks, warpLabels,
} from '../test/support/phantom-measures.ts';

const seed = 5;
const mean = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0) / list.length;

let worst = 1;
for (let index = 1; index <= 6; index++) {
  const patient = phantomPatient(seed, index);
  const sequence = phantomSequence(patient, '4CH');
  for (let t = 0; t < patient.frames; t++) {
    const warped = warpLabels(sequence, t);
    for (const label of [1, 2, 3]) worst = Math.min(worst, dice(sequence, t, warped, label));
  }
  const from = Math.round(patient.endSystole * 0.3);
  const blocks = muscleBlocks(sequence, from).map((block) => correlation(sequence, from, 3, block))
    .filter((pair) => pair.moved > 1.5);
  console.log(`${patient.id}: myocardium over 3 frames, ${blocks.length} blocks: correlation `
    + `${mean(blocks.map((pair) => pair.followed)).toFixed(2)} along the flow, `
    + `${mean(blocks.map((pair) => pair.stayed)).toFixed(2)} in place`);
}
console.log(`masks warped by the flow, lowest Dice of any label and frame: ${worst.toFixed(3)}`);

const errors = Array.from({ length: 16 }, (_, k) => {
  const patient = phantomPatient(seed, k + 1);
  const two = phantomSequence(patient, '2CH');
  const four = phantomSequence(patient, '4CH');
  const volume = (frame: number): number => biplane(two, four, frame);
  return 100 * (1 - volume(patient.endSystole) / volume(0)) - patient.ejectionFraction;
});
console.log(`EF of the masks minus stated, 16 patients: ${errors.map((e) => e.toFixed(1)).join(' ')}`);

const folder = mkdtempSync(join(tmpdir(), 'phantom-'));
try {
  const start = process.cpuUsage();
  writePhantom(join(folder, 'set'), { patients: 8, seed });
  const seconds = process.cpuUsage(start).user / 1e6 / 8;
  console.log(`writing a patient, both views, all files: ${seconds.toFixed(2)} s of user time`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function biplane(two: PhantomSequence, four: PhantomSequence, frame: number): number {
  const a = discs(two, frame);
  const b = discs(four, frame);
  return a.diameters.reduce((sum, d, k) => sum + d * b.diameters[k], 0)
    * Math.max(a.length, b.length);
}
