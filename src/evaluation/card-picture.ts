/** The card as one picture: the main metrics with their intervals, and a contact sheet below. */
import { byteFrames, plane } from '../frames/frames.ts';
import type { Frames } from '../frames/frames.ts';
import { toBytes } from '../frames/colour.ts';
import { readPng } from '../frames/png.ts';
import { drawText, LINE_HEIGHT, textWidth, wrapText, type Colour } from '../frames/text.ts';
import type { CardContent, Metric } from './card.ts';
import { heading } from './heading.ts';
import { memorisationMetrics } from './memorisation/tables.ts';
import { wantedRuns } from './runs.ts';

const PAPER: Colour = [250, 250, 248];
const INK: Colour = [28, 30, 34];
const FAINT: Colour = [110, 114, 122];
const BLUE: Colour = [31, 111, 180];
const MARGIN = 16;
const WIDTH = 1056;
const PLOT = { left: 700, right: WIDTH - MARGIN - 8 };

const shown = [
  /^frechet-/, /^kernel-/, /^dice-/, /^hausdorff95-/, /^stroke-offset-mm$/, /^flow-error-mm$/,
  /^edge-f1$/, /^prior-histogram$/, /^ef-.*-error$/, /^view-accuracy$/, /^ssim$/, /^psnr$/,
  /^lpips$/, /^roughness$/, /^memorised$/,
];

/**
 * Draws the card. Each metric has a row for the real clips, where it has one, and for every run that
 * the acceptance looks at; its dots share one scale.
 *
 * @param sheets PNG files of contact sheets, of which the first is shown
 * @param pairs PNG file of generated clips over their nearest training clips, shown below it
 */
export function drawCard(
  { card, summary }: CardContent, sheets: readonly string[], pairs: string | null = null,
): Frames<Uint8Array> {
  const { plan } = summary.settings;
  const runs = ['real', ...wantedRuns(plan, ['text', 'mask', 'all'])];
  const metrics = [...card.metrics, ...memorisationMetrics(card.memorisation)];
  const names = new Set(metrics.map(({ name }) => name));
  const groups = [...names]
    .filter((name) => shown.some((pattern) =>
      pattern.test(name) || (pattern.test(`${name}-mm`) && !names.has(`${name}-mm`))))
    .map((name) => metrics.filter((metric) =>
      metric.name === name && metric.value !== null && runs.includes(metric.run)))
    .filter((group) => group.length > 0);
  const notes = wrapText(heading(summary), WIDTH - 2 * MARGIN);
  const rows = groups.reduce((sum, group) => sum + group.length, 0);
  const pictures = [...sheets.slice(0, 1), ...(pairs === null ? [] : [pairs])]
    .map((file) => toBytes(readPng(file), file));
  const table = MARGIN + (notes.length + 2) * LINE_HEIGHT;
  const bottom = table + rows * LINE_HEIGHT + groups.length * 6 + MARGIN;
  const width = Math.max(WIDTH, ...pictures.map((picture) => picture.width));
  const height = bottom + pictures.reduce((sum, picture) => sum + picture.height, 0);
  const page = byteFrames({ channels: 3, frames: 1, height, width });
  PAPER.forEach((level, c) => plane(page, c, 0).fill(level));
  for (const x of [MARGIN, MARGIN + 1]) drawText(page, 'Evaluation card', x, MARGIN, INK);
  notes.forEach((note, i) => drawText(page, note, MARGIN, MARGIN + (i + 1) * LINE_HEIGHT, FAINT));
  let y = table;
  for (const group of groups) {
    drawGroup(page, group, y);
    y += group.length * LINE_HEIGHT + 6;
  }
  let top = bottom;
  for (const picture of pictures) {
    paste(page, picture, top);
    top += picture.height;
  }
  return page;
}

function drawGroup(page: Frames<Uint8Array>, group: readonly Metric[], top: number): void {
  const ends = group.flatMap(({ value, low, high }) => [value!, low ?? value!, high ?? value!]);
  const [least, most] = [Math.min(...ends), Math.max(...ends)];
  const at = (value: number) => (most === least ? (PLOT.left + PLOT.right) / 2
    : Math.round(PLOT.left + ((value - least) / (most - least)) * (PLOT.right - PLOT.left)));
  fillBox(page, MARGIN, top - 3, WIDTH - 2 * MARGIN, 1, [226, 226, 221]);
  group.forEach(({ title, unit, digits, run, n, value, low, high }, i) => {
    const y = top + i * LINE_HEIGHT;
    if (i === 0) drawText(page, unit === '' ? title : `${title}, ${unit}`, MARGIN, y, INK);
    drawText(page, `${run} (${n})`, 330, y, FAINT);
    const range = low === null || high === null ? ''
      : ` [${low.toFixed(digits)}, ${high.toFixed(digits)}]`;
    const words = `${value!.toFixed(digits)}${range}`;
    drawText(page, words, PLOT.left - 16 - textWidth(words), y, INK);
    const middle = y + Math.floor(LINE_HEIGHT / 2);
    if (low !== null && high !== null) {
      fillBox(page, at(low), middle, Math.max(1, at(high) - at(low)), 2, FAINT);
    }
    fillBox(page, at(value!) - 3, middle - 3, 7, 7, BLUE);
  });
}

function fillBox(
  page: Frames<Uint8Array>, left: number, top: number, width: number, height: number, colour: Colour,
): void {
  for (let y = top; y < top + height; y++) {
    colour.forEach((level, c) =>
      plane(page, c, 0).fill(level, y * page.width + left, y * page.width + left + width));
  }
}

function paste(page: Frames<Uint8Array>, picture: Frames<Uint8Array>, top: number): void {
  for (let c = 0; c < 3; c++) {
    const [from, to] = [plane(picture, Math.min(c, picture.channels - 1), 0), plane(page, c, 0)];
    for (let y = 0; y < picture.height; y++) {
      to.set(from.subarray(y * picture.width, (y + 1) * picture.width), (top + y) * page.width);
    }
  }
}
