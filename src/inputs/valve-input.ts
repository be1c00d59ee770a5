/** `--skeleton` and `--arrow`: the mitral valve in every frame. */
import { strokesFromArrow } from '../conditions/arrow.ts';
import { drawSkeleton, skeletonsFromMasks } from '../conditions/skeleton.ts';
import { parseArrow, parseStrokes } from '../conditions/stroke.ts';
import type { Frames, Point } from '../frames/frames.ts';
import { toLetterbox } from '../frames/resize.ts';
import { expectMasks } from './context.ts';
import type { InputContext } from './context.ts';
import { readMasks } from './mask-input.ts';
import { fileKind } from './user-files.ts';

/** Strokes in JSON, masks to find the valve in, or the word `mask`: those of `--mask`. */
export function readSkeleton(context: InputContext, value: string): Frames {
  const { frames, height, width } = context.model;
  const where = `--skeleton ${value}`;
  if (value === 'mask') {
    const { masks } = expectMasks(context, '--skeleton');
    return drawSkeleton(skeletonsFromMasks(masks, where), height, width);
  }
  if (fileKind(value, ['JSON', 'NIfTI', 'PNG'], where) !== 'JSON') {
    const { masks } = readMasks(context, [value], '--skeleton');
    return drawSkeleton(skeletonsFromMasks(masks, where), height, width);
  }
  const json = context.files.json(value, where);
  const { drawing, place } = drawingOf(context, json, where);
  const strokes = parseStrokes(json, { frames, ...drawing }, where);
  const placed = strokes.map((lines) => lines.map((line) => line.map(place)));
  return drawSkeleton(placed, height, width);
}

/** One stroke and its moving direction, over the beat that the masks show where there are any. */
export function readArrow(context: InputContext, value: string): Frames {
  const { frames, height, width } = context.model;
  const where = `--arrow ${value}`;
  fileKind(value, ['JSON'], where);
  const json = context.files.json(value, where);
  const { drawing, place } = drawingOf(context, json, where);
  const { stroke, from, to } = parseArrow(json, { frames, ...drawing }, where);
  const half = context.masks?.beat.kind === 'half_sequence';
  const es = half ? null : (context.masks?.beat.es ?? null);
  const strokes = strokesFromArrow(
    { stroke: stroke.map(place), from: place(from), to: place(to) },
    { frames, span: half ? 'half' : 'whole', ...(es !== null && es > 0 ? { es } : {}) },
  );
  return drawSkeleton(strokes, height, width);
}

/**
 * The size a drawing says it has, and where its points come to lie in the model's square; without
 * a size they are the square's own. A size that is none is left to the file's schema.
 */
function drawingOf(context: InputContext, json: unknown, where: string) {
  const { width, height } = (json ?? {}) as { width?: unknown; height?: unknown };
  const whole = (side: unknown) => typeof side === 'number' && Number.isInteger(side) && side > 0;
  if (!whole(width) || !whole(height)) {
    const { height: h, width: w } = context.model;
    return { drawing: { height: h, width: w }, place: (point: Point) => point };
  }
  const drawing = { width: width as number, height: height as number };
  const box = context.square.box(drawing, null, where);
  return { drawing, place: (point: Point) => toLetterbox(point, box) };
}
