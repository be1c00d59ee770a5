/**
 * The picture of docs/mri-phantom.md: patients of the MRI phantom at ED from base to apex, and one
 * of them with its masks at ED and ES.
 *
 *   node --import tsx bench/mri-phantom-picture.ts <MRI phantom folder> <output.png>
 */
import { listMnmsVolumes, mnmsVideo, readMnmsVolume } from '../src/data/mnms.ts';
import { sampleSlices } from '../src/data/slices.ts';
import { labelFrames, selectFrames } from '../src/frames/frames.ts';
import { overlayLabels } from '../src/frames/paint.ts';
import { writePng } from '../src/frames/png.ts';
import { letterbox, letterboxFrames, letterboxLabels } from '../src/frames/resize.ts';
import { renderSheet } from '../src/frames/sheet.ts';

const [folder, output] = process.argv.slice(2);
if (output === undefined) {
  console.error('usage: mri-phantom-picture.ts <MRI phantom folder> <output.png>');
  process.exit(2);
}
const cell = 80;
const volumes = listMnmsVolumes(folder, { split: 'training' });
const wanted = ['MRI0001_ED', 'MRI0002_ED', 'MRI0004_ED', 'MRI0004_ES'];
const rows = wanted.map((id, k) => {
  const source = volumes.find((one) => one.id === id);
  if (!source) throw new Error(`${folder}: expected ${id}, got none: write at least 4 patients`);
  const volume = readMnmsVolume(source);
  const { image, mask } = volume;
  const slices = sampleSlices(0, image.frames - 1, 8);
  const box = letterbox(image.height, image.width, cell, volume.spacing);
  const video = letterboxFrames(mnmsVideo(volume, slices), box);
  const label = `${source.patient} ${source.phase}, vendor ${source.vendor}`;
  if (k < 2) return { label, picture: video };
  const labels = labelFrames(image.frames, image.height, image.width, mask!.data as Uint8Array);
  const chosen = letterboxLabels(selectFrames(labels, slices), box);
  return { label, picture: overlayLabels(video, chosen) };
});
writePng(output, renderSheet({ rows, columns: 8, cell }));
