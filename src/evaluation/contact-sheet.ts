/** The clip as it is and as it was generated, with the borders of the mask that was asked for. */
import { overlayLabels } from '../frames/paint.ts';
import type { Frames } from '../frames/frames.ts';
import { writePng } from '../frames/png.ts';
import { renderSheet } from '../frames/sheet.ts';
import type { Subject } from './subject.ts';

/** Writes the sheet of one clip as a PNG: the real clip first, then every run. */
export function drawContactSheet(
  path: string, subject: Subject, videos: ReadonlyMap<string, Frames>,
): void {
  const { real, masks, id, ed, es } = subject;
  const rows = [
    { label: 'real', picture: real },
    { label: 'real, asked mask', picture: overlayLabels(real, masks, 0) },
    ...[...videos].map(([run, video]) =>
      ({ label: run.replaceAll('+', ' + '), picture: overlayLabels(video, masks, 0) })),
  ];
  writePng(path, renderSheet({
    title: id, notes: ['Borders are those of the mask that was asked for.'], rows,
    frameNames: { [ed]: 'ED', [es]: 'ES' },
  }));
}
