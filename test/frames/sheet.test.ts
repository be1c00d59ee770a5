import assert from 'node:assert/strict';
import { test } from 'node:test';
import { byteFrames, floatFrames, labelFrames, plane } from '../../src/frames/frames.ts';
import {
  LABEL_COLOURS,
  overlayLabels,
  paintPlane,
  strokePolylines,
} from '../../src/frames/paint.ts';
import { renderSheet } from '../../src/frames/sheet.ts';
import { drawText, fitText, textWidth, wrapText } from '../../src/frames/text.ts';

const grey = floatFrames(
  { channels: 1, frames: 3, height: 20, width: 20 },
  new Float32Array(1200).fill(0.5),
);

/** RGB of one pixel. */
function pixel(picture: ReturnType<typeof overlayLabels>, t: number, x: number, y: number): number[] {
  return [0, 1, 2].map((c) => plane(picture, c, t)[y * picture.width + x]);
}

test('labels have their colours, over a picture as tint with a full border', () => {
  const labels = labelFrames(1, 20, 20);
  for (let y = 5; y < 15; y++) labels.data.fill(2, y * 20 + 5, y * 20 + 15);
  const over = overlayLabels(grey, labels, 0.25);
  assert.equal(over.frames, 3);
  assert.deepEqual(
    pixel(over, 2, 10, 10),
    LABEL_COLOURS[2].map((v) => Math.round(128 * 0.75 + v * 0.25)),
  );
  assert.deepEqual(
    pixel(over, 2, 5, 10),
    LABEL_COLOURS[2].map((v) => Math.round(128 * 0.1 + v * 0.9)),
  );
  assert.deepEqual(pixel(over, 2, 1, 1), [128, 128, 128]);
});

test('strokes are as thick as asked for, and smooth', () => {
  const stroke = strokePolylines(
    [
      [
        [
          { x: 2, y: 10 },
          { x: 17, y: 10 },
        ],
      ],
      [],
    ],
    20,
    20,
    3,
  );
  const column = Array.from({ length: 20 }, (_, y) => plane(stroke, 0, 0)[y * 20 + 9]);
  assert.ok(Math.abs(column.reduce((a, b) => a + b, 0) - 3) < 1e-6, `${column}`);
  assert.equal(column[10], 1);
  assert.ok(plane(stroke, 0, 1).every((v) => v === 0));
  assert.deepEqual(pixel(paintPlane(stroke, [10, 20, 30]), 0, 9, 10), [10, 20, 30]);
  assert.deepEqual(pixel(paintPlane(stroke, [10, 20, 30], grey), 0, 9, 0), [128, 128, 128]);
});

test('a sheet has a row each, frames evenly from first to last, and the pixels given', () => {
  const level = floatFrames({ channels: 1, frames: 5, height: 10, width: 10 });
  for (let t = 0; t < 5; t++) plane(level, 0, t).fill(t / 5);
  const sheet = renderSheet({
    title: 'A title',
    cell: 40,
    columns: 3,
    rows: [
      { label: 'video', picture: level },
      { label: 'text', text: 'An ECHO.' },
      { label: 'sketch', picture: grey },
    ],
  });
  assert.deepEqual([sheet.channels, sheet.frames], [3, 1]);
  const found = new Set<number>();
  const middle = sheet.data.subarray(0, sheet.height * sheet.width);
  const row = middle.indexOf(204);
  assert.ok(row > 0, 'the last frame is shown');
  for (let x = 0; x < sheet.width; x++)
    found.add(middle[Math.floor(row / sheet.width) * sheet.width + x]);
  for (const shown of [0, 102, 204]) assert.ok(found.has(shown), `level ${shown}`);
  for (const absent of [51, 153]) assert.ok(!found.has(absent), `level ${absent}`);
  assert.throws(() => renderSheet({ rows: [] }), /sheet: expected at least one row, got none/);
  const flow = floatFrames({ channels: 2, frames: 1, height: 4, width: 4 });
  assert.throws(
    () => renderSheet({ rows: [{ label: 'flow', picture: flow }] }),
    /flow: expected 1 \(grey\) or 3 \(RGB\) channels, got 2/,
  );
});

test('words are drawn within their width, shortened and wrapped to fit', () => {
  const page = byteFrames({ channels: 3, frames: 1, height: 24, width: 200 });
  drawText(page, 'Wave', 10, 2, [255, 255, 255]);
  const inked = Array.from({ length: 200 }, (_, x) => x).filter((x) =>
    Array.from({ length: 24 }, (_, y) => page.data[y * 200 + x]).some((v) => v > 0),
  );
  assert.ok(inked.length > 10);
  assert.ok(
    inked[0] >= 9 && inked[inked.length - 1] <= 11 + textWidth('Wave'),
    `${inked[0]} ${inked.at(-1)}`,
  );
  assert.ok(textWidth(fitText('a long sentence that does not fit', 80)) <= 80);
  assert.equal(fitText('fits', 80), 'fits');
  const lines = wrapText('optical flow of the whole cycle', 90);
  assert.ok(lines.length > 1 && lines.every((line) => textWidth(line) <= 90));
  assert.equal(lines.join(' '), 'optical flow of the whole cycle');
  assert.equal(textWidth('\u5fc3'), textWidth('?'));
});
