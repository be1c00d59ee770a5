/** What is real and what was generated, with the borders of the mask that was asked for. */
import { overlayLabels } from '../frames/paint.ts';
import { joinFrames, type Frames } from '../frames/frames.ts';
import { writePng } from '../frames/png.ts';
import { renderSheet } from '../frames/sheet.ts';
import type { Subject } from './subject.ts';

const notes = ['Borders are those of the mask that was asked for.'];

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
  writePng(path, renderSheet({ title: id, notes, rows, frameNames: { [ed]: 'ED', [es]: 'ES' } }));
}

/**
 * Writes the sheet of the single frames of one clip as a PNG: two rows a frame, as it is and with the
 * borders; in columns the real frame and every run.
 */
export function drawFrameSheet(
  path: string,
  frames: readonly { readonly subject: Subject; readonly videos: ReadonlyMap<string, Frames> }[],
): void {
  const [{ subject: { patient, view }, videos: first }] = frames;
  const names = ['real', ...first.keys()];
  const rows = frames.flatMap(({ subject: { phase, real, masks }, videos }) => {
    const pictures = [real, ...videos.values()];
    return [
      { label: `${phase}`, picture: joinFrames(pictures) },
      { label: `${phase}, asked mask`, picture: joinFrames(pictures.map((x) => overlayLabels(x, masks, 0))) },
    ];
  });
  const frameNames = Object.fromEntries(names.entries());
  writePng(path, renderSheet({
    title: `${patient}_${view}`, notes, rows, frameNames, columns: names.length, cell: 144,
  }));
}
