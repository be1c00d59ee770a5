/**
 * Draws the pictures of docs/phantom.md: one beat with its truth, and a page of patients.
 *
 *   node --import tsx bench/phantom-pictures.ts docs/images
 */
import { join } from 'node:path';
import { floatFrames, selectFrames, type Frames } from '../src/frames/frames.ts';
import { letterbox, letterboxFrames, letterboxLabels, toLetterbox } from '../src/frames/resize.ts';
import { paintFlow } from '../src/conditions/painting.ts';
import { overlayLabels, paintPlane, strokePolylines } from '../src/frames/paint.ts';
import { writePng } from '../src/frames/png.ts';
import { renderSheet } from '../src/frames/sheet.ts';
import { flowScale, phantomPatient, phantomSequence } from '../src/data/phantom/phantom.ts';
import type { View } from '../src/data/phantom/phantom.ts';

const folder = process.argv[2];
if (folder === undefined) {
  console.error('usage: phantom-pictures.ts <folder for the pictures>');
  process.exit(2);
}
const side = 160;

function squared(index: number, view: View) {
  const patient = phantomPatient(1, index);
  const sequence = phantomSequence(patient, view);
  const { video, masks } = sequence;
  const box = letterbox(video.height, video.width, side);
  const grey = floatFrames(video, Float32Array.from(video.data, (v) => v / 255));
  const flow = floatFrames({ ...video, channels: 2 },
    Float32Array.from(sequence.flow, (value) => value / flowScale));
  return {
    patient, sequence, video: letterboxFrames(grey, box), masks: letterboxLabels(masks, box),
    flow: letterboxFrames(flow, box),
    leaflets: strokePolylines(sequence.leaflets.map((pair) => pair.map((line) =>
      line.map((point) => toLetterbox(point, box)))), side, side, 2),
  };
}

function drawBeat(): void {
  const { patient, video, masks, flow, leaflets } = squared(5, '4CH');
  const order = Array.from({ length: 8 }, (_, k) => Math.round((k * patient.frames) / 8));
  const pick = (picture: Frames): Frames => selectFrames(picture, order);
  writePng(join(folder!, 'phantom-beat.png'), renderSheet({
    title: `${patient.id}, 4CH, ${patient.phenotype}, EF ${Math.round(patient.ejectionFraction)} %`,
    notes: [`eight of ${patient.frames} frames of one beat, ED first, seed ${patient.seed}`],
    columns: 8, cell: side,
    rows: [
      { label: 'video', picture: pick(video) },
      { label: 'masks', picture: overlayLabels(pick(video), selectFrames(masks, order)) },
      { label: 'leaflets', picture: paintPlane(pick(leaflets), [255, 220, 60], pick(video)) },
      { label: 'flow', picture: paintFlow(pick(flow)) },
    ],
  }));
}

function drawPatients(): void {
  const rows = (['4CH', '2CH'] as const).flatMap((view) => [1, 9].map((first) => {
    const stills = Array.from({ length: 8 }, (_, k) =>
      selectFrames(squared(first + k, view).video, [0]));
    const data = new Float32Array(8 * side * side);
    stills.forEach((still, k) => data.set(still.data, k * side * side));
    return { label: `${view}, patients ${first}..${first + 7}`,
      picture: floatFrames({ channels: 1, frames: 8, height: side, width: side }, data) };
  }));
  writePng(join(folder!, 'phantom-patients.png'), renderSheet({
    title: 'Phantom patients at end diastole, seed 1', columns: 8, cell: side, rows,
  }));
}

drawBeat();
drawPatients();
