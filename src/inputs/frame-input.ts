/** `--image`, `--sketch` and `--sketch-from`: conditions of a single frame. */
import { imagePrior } from '../conditions/image-prior.ts';
import { normaliseSketch } from '../conditions/sketch.ts';
import { estimateSector } from '../data/sector.ts';
import { frameAt } from '../frames/frames.ts';
import type { Frames, Labels } from '../frames/frames.ts';
import { readPng } from '../frames/png.ts';
import { letterboxFrames, letterboxSpacing } from '../frames/resize.ts';
import type { InputContext } from './context.ts';
import { readGrey } from './pictures.ts';
import { fileKind } from './user-files.ts';

/** The first frame (ED) of a picture or sequence in the model's square, and its sector. */
function readFrame(
  context: InputContext,
  path: string,
  where: string,
): { frame: Frames; sector: Labels } {
  const { picture, spacing } = readGrey(context.files, path, where);
  const box = context.square.box(picture, spacing, where);
  const frame = letterboxFrames(frameAt(picture, 0), box);
  const sector = estimateSector(frame);
  context.sector ??= sector;
  context.spacing ??= spacing && letterboxSpacing(spacing, box);
  return { frame, sector };
}

export function readImage(context: InputContext, path: string): Frames {
  const where = `--image ${path}`;
  return imagePrior(readFrame(context, path, where).frame, where);
}

/** A frame's sketch, drawn at the model's resolution as in training. */
export function readSketchFrom(context: InputContext, path: string): Frames {
  const where = `--sketch-from ${path}`;
  const { frame, sector } = readFrame(context, path, where);
  if (!sector.data.includes(1)) {
    throw new Error(`${where}: expected a picture with echo to draw, got a black one`);
  }
  context.extracted.add('sketch');
  return context.extractors.extractSketch(frame, sector);
}

/** A drawing: lines are made bright on black before the square is filled up with black. */
export function readSketch(context: InputContext, path: string): Frames {
  const where = `--sketch ${path}`;
  if (fileKind(path, ['PNG', 'NIfTI'], where) === 'NIfTI') {
    throw new Error(
      `${where}: expected a drawing in PNG, got NIfTI (--sketch-from draws one from a frame)`,
    );
  }
  const drawing = normaliseSketch(readPng(path), where);
  if (!drawing.data.some((value) => value > 0)) {
    throw new Error(`${where}: expected lines on paper, got one grey everywhere`);
  }
  return letterboxFrames(drawing, context.square.box(drawing, null, where));
}
