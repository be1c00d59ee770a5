/** Contact sheets as in a paper's figure: rows of frames, conditions under the generated video. */
import { byteFrames, floatFrames, plane } from './frames.ts';
import type { Frames } from './frames.ts';
import { toRgb } from './paint.ts';
import type { Picture } from './colour.ts';
import { resizeFrames } from './resize.ts';
import { drawText, fitText, LINE_HEIGHT, textWidth, wrapText } from './text.ts';
import type { Colour } from './text.ts';

export interface SheetRow {
  /** Stands left of the row; long ones wrap. */
  readonly label: string;
  /** Grey or RGB. One frame alone (a sketch, an image prior) stands once, in the first column. */
  readonly picture?: Picture;
  /** Further single frames, each in the next column right of a picture of one frame. */
  readonly beside?: readonly Picture[];
  /** A row of words in place of pictures (the text condition). */
  readonly text?: string;
}

export interface Sheet {
  readonly title?: string;
  /** Small lines under the title: seed, steps, what was asked for. */
  readonly notes?: readonly string[];
  readonly rows: readonly SheetRow[];
  /** How many frames of a row are shown, evenly spread from first to last; 8 by default. */
  readonly columns?: number;
  /** Side of a cell in pixels; 112 by default. */
  readonly cell?: number;
  /** Frame names above the columns by frame number, such as {0: 'ED', 7: 'ES'}; else numbers. */
  readonly frameNames?: Readonly<Record<number, string>>;
}

const PAPER: Colour = [250, 250, 248];
const INK: Colour = [28, 30, 34];
const FAINT: Colour = [110, 114, 122];
const MARGIN = 14;
const GAP = 4;
const LABEL_WIDTH = 112;

/** Draws the sheet as one RGB frame. Throws when there is no row. */
export function renderSheet(sheet: Sheet): Frames<Uint8Array> {
  if (sheet.rows.length === 0) throw new Error('sheet: expected at least one row, got none');
  const cell = sheet.cell ?? 112;
  const longest = Math.max(1, ...sheet.rows.map((row) => row.picture?.frames ?? 1));
  const chosen = spread(longest, Math.min(sheet.columns ?? 8, longest));
  const left = MARGIN + LABEL_WIDTH;
  const width = Math.max(left + chosen.length * (cell + GAP) - GAP + MARGIN, 480);
  const inner = width - 2 * MARGIN;
  const notes = (sheet.notes ?? []).flatMap((note) => wrapText(note, inner));
  const heads = (sheet.title ? 1 : 0) + notes.length;
  const top = MARGIN + heads * LINE_HEIGHT + (heads > 0 ? 8 : 0);
  const numbered = longest > 1 ? LINE_HEIGHT : 0;
  const heights = sheet.rows.map((row) => (row.picture ? cell : 2 * LINE_HEIGHT));
  const height = top + numbered + heights.reduce((sum, size) => sum + size + GAP, 0) - GAP + MARGIN;
  const page = byteFrames({ channels: 3, frames: 1, height, width });
  for (let c = 0; c < 3; c++) plane(page, c, 0).fill(PAPER[c]);
  let y = MARGIN;
  if (sheet.title) {
    drawBold(page, fitText(sheet.title, inner), MARGIN, y);
    y += LINE_HEIGHT;
  }
  for (const note of notes) {
    drawText(page, note, MARGIN, y, FAINT);
    y += LINE_HEIGHT;
  }
  y = top;
  if (numbered) {
    chosen.forEach((frame, column) => {
      const name = sheet.frameNames?.[frame] ?? String(frame + 1);
      const x = left + column * (cell + GAP) + (cell - textWidth(name)) / 2;
      drawText(page, name, x, y - 2, sheet.frameNames?.[frame] ? INK : FAINT);
    });
    y += numbered;
  }
  sheet.rows.forEach((row, index) => {
    drawRow(page, row, chosen, y, heights[index], cell, left, width);
    y += heights[index] + GAP;
  });
  return page;
}

function drawRow(
  page: Frames<Uint8Array>,
  row: SheetRow,
  chosen: readonly number[],
  y: number,
  height: number,
  cell: number,
  left: number,
  width: number,
): void {
  drawLines(page, wrapText(row.label, LABEL_WIDTH - 12), MARGIN, y, height, INK);
  if (row.text !== undefined) {
    const lines = wrapText(row.text, width - left - MARGIN).slice(0, 2);
    drawLines(page, lines, left, y, height, FAINT);
  }
  if (!row.picture) return;
  const { frames } = row.picture;
  const columns = frames === 1 ? [0] : chosen;
  const cells = fitCell(toRgb(row.picture, row.label), columns, cell);
  columns.forEach((_, column) => paste(page, cells, column, left + column * (cell + GAP), y));
  (row.beside ?? []).forEach((picture, i) => {
    const column = columns.length + i;
    if (left + (column + 1) * (cell + GAP) - GAP > width) return;
    paste(page, fitCell(toRgb(picture, row.label), [0], cell), 0, left + column * (cell + GAP), y);
  });
}

/** Number `count` of `total` frames evenly from the first to the last. */
function spread(total: number, count: number): number[] {
  if (count <= 1) return [0];
  return Array.from({ length: count }, (_, k) => Math.round((k * (total - 1)) / (count - 1)));
}

/** The chosen frames (the last again where a row is shorter), fitted into squares. */
function fitCell(
  picture: Frames<Uint8Array>,
  columns: readonly number[],
  cell: number,
): Frames<Uint8Array> {
  const side = Math.max(picture.height, picture.width);
  const height = Math.max(1, Math.round((picture.height * cell) / side));
  const width = Math.max(1, Math.round((picture.width * cell) / side));
  const result = byteFrames({ channels: 3, frames: columns.length, height: cell, width: cell });
  const one = floatFrames({ ...picture, frames: 1 });
  columns.forEach((frame, t) => {
    for (let c = 0; c < 3; c++) {
      plane(one, c, 0).set(plane(picture, c, Math.min(frame, picture.frames - 1)));
    }
    const small = resizeFrames(one, height, width);
    for (let c = 0; c < 3; c++) {
      const from = plane(small, c, 0);
      const to = plane(result, c, t);
      const start = ((cell - height) >> 1) * cell + ((cell - width) >> 1);
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) to[start + y * cell + x] = Math.round(from[y * width + x]);
      }
    }
  });
  return result;
}

function paste(
  page: Frames<Uint8Array>,
  cells: Frames<Uint8Array>,
  column: number,
  x: number,
  y: number,
): void {
  for (let c = 0; c < 3; c++) {
    const from = plane(cells, c, column);
    const to = plane(page, c, 0);
    for (let row = 0; row < cells.height; row++) {
      const line = from.subarray(row * cells.width, (row + 1) * cells.width);
      to.set(line, (y + row) * page.width + x);
    }
  }
}

function drawLines(
  page: Frames<Uint8Array>,
  lines: readonly string[],
  x: number,
  y: number,
  height: number,
  colour: Colour,
): void {
  const top = y + Math.max(0, (height - lines.length * LINE_HEIGHT) / 2);
  lines.forEach((line, index) => drawText(page, line, x, top + index * LINE_HEIGHT, colour));
}

// Twice, half a stroke apart: the font has one weight.
function drawBold(page: Frames<Uint8Array>, text: string, x: number, y: number): void {
  drawText(page, text, x, y, INK);
  drawText(page, text, x + 1, y, INK);
}
