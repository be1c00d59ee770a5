/**
 * Phantom frames against real CAMUS frames, at the resolution the small model sees (letterboxed to
 * a square, 128x128 by area): grey levels by tissue, size of speckle, radial power spectrum.
 *
 *   node --import tsx bench/phantom-realism.ts <CAMUS folder> \
 *     [--patients 40] [--seed 1] [--plot FILE]
 *
 * <CAMUS folder> holds database_nifti/ with 4CH ED and ES stills. Only figures leave this program:
 * a table on the terminal and, with --plot, histograms and spectra as an SVG drawing.
 */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { floatFrames, labelFrames, type Frames, type Labels } from '../src/frames/frames.ts';
import { letterbox, letterboxFrames, letterboxLabels } from '../src/frames/resize.ts';
import { readNifti } from '../src/data/nifti.ts';
import { phantomPatient } from '../src/data/phantom/parameters.ts';
import { phantomSequence } from '../src/data/phantom/sequence.ts';
import { drawComparison } from './phantom-plot.ts';
import { measure, summarize, type Still } from './phantom-statistics.ts';

const side = 128;
const [folder, ...rest] = process.argv.slice(2);
const option = (name: string, fallback: number): number => {
  const at = rest.indexOf(`--${name}`);
  return at < 0 ? fallback : Number(rest[at + 1]);
};
if (folder === undefined) {
  console.error('usage: phantom-realism.ts <CAMUS folder> [--patients N] [--seed N] [--plot FILE]');
  process.exit(2);
}
const patients = option('patients', 40);
const seed = option('seed', 1);

function still(grey: Float32Array, labels: Uint8Array, height: number, width: number,
  pixel: number): Still {
  const box = letterbox(height, width, side);
  const image: Frames = floatFrames({ channels: 1, frames: 1, height, width }, grey);
  const mask: Labels = labelFrames(1, height, width, labels);
  const inside = labelFrames(1, height, width, Uint8Array.from(sectorOf(grey, height, width)));
  return {
    image: letterboxFrames(image, box).data, labels: letterboxLabels(mask, box).data,
    sector: letterboxLabels(inside, box).data, side, native: grey, nativeLabels: labels,
    width, height, pixel,
  };
}

/** Between the first and the last lit pixel of each row: holes of black blood stay inside. */
function sectorOf(grey: Float32Array, height: number, width: number): Uint8Array {
  const inside = new Uint8Array(height * width);
  for (let y = 0; y < height; y++) {
    const row = grey.subarray(y * width, (y + 1) * width);
    const first = row.findIndex((value) => value > 0);
    const last = row.findLastIndex((value) => value > 0);
    if (first >= 0) inside.fill(1, y * width + first, y * width + last + 1);
  }
  return inside;
}

function realStills(): Still[] {
  const root = join(folder!, 'database_nifti');
  return readdirSync(root).sort().slice(0, patients).flatMap((id) => ['ED', 'ES'].map((time) => {
    const image = readNifti(join(root, id, `${id}_4CH_${time}.nii.gz`));
    const labels = readNifti(join(root, id, `${id}_4CH_${time}_gt.nii.gz`));
    const [width, height] = image.shape as [number, number];
    return still(Float32Array.from(image.data, (v) => v / 255), Uint8Array.from(labels.data),
      height, width, image.spacing[0]);
  }));
}

function phantomStills(): Still[] {
  const people = Array.from({ length: patients }, (_, k) => phantomPatient(seed, k + 1));
  return people.flatMap((patient) => {
    const { video, masks, endSystole, pixel } = phantomSequence(patient, '4CH');
    const size = video.width * video.height;
    return [0, endSystole].map((t) => still(
      Float32Array.from(video.data.subarray(t * size, (t + 1) * size), (v) => v / 255),
      masks.data.slice(t * size, (t + 1) * size), video.height, video.width, pixel));
  });
}

const real = summarize(realStills().map(measure));
const phantom = summarize(phantomStills().map(measure));
console.log(`up to ${2 * patients} stills each, median [10 %, 90 %] over stills`);
console.log(`${'figure'.padEnd(34)}${'real'.padEnd(26)}phantom`);
for (const name of Object.keys(real.figures)) {
  const text = (row: readonly number[]): string =>
    `${row[1].toFixed(2)} [${row[0].toFixed(2)}, ${row[2].toFixed(2)}]`;
  const left = `${name.padEnd(34)}${text(real.figures[name]).padEnd(26)}`;
  console.log(left + text(phantom.figures[name]));
}
console.log('\nradial power spectrum, dB (mean over stills), by fraction of Nyquist');
real.spectrum.forEach((level, k) => {
  if (k % 4 === 3) {
    const other = phantom.spectrum[k];
    console.log(`${((k + 1) / real.spectrum.length).toFixed(2)}   real ${level.toFixed(1)}   `
      + `phantom ${other.toFixed(1)}   difference ${(other - level).toFixed(1)}`);
  }
});
const plot = rest.indexOf('--plot');
if (plot >= 0) writeFileSync(rest[plot + 1], drawComparison(real, phantom));
