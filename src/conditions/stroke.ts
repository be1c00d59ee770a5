/** Valve strokes: lines in pixel coordinates drawn as soft curves, and the file users write. */
import { z } from 'zod';
import type { Frames, Point, Polyline } from '../frames/frames.ts';
import { strokePolylines } from '../frames/paint.ts';

/** One list of lines a frame: two leaflets, one interface, or nothing. */
export type StrokeSequence = readonly (readonly Polyline[])[];

/** Thickness of a drawn stroke as a share of the longer side. */
export const STROKE_THICKNESS = 0.02;

export interface StrokeSize {
  readonly height: number;
  readonly width: number;
  /** Width of the curve in pixels, at half its brightness; by default 2 % of the longer side. */
  readonly thickness?: number;
}

/** Strokes as soft curves: 1 plane a frame in [0,1], 1 f h w. */
export function drawStrokes(strokes: StrokeSequence, size: StrokeSize): Frames {
  const { height, width } = size;
  const thickness = size.thickness ?? STROKE_THICKNESS * Math.max(height, width);
  if (!(thickness > 0)) {
    throw new Error(`drawStrokes: expected a thickness above 0 pixels, got ${thickness}`);
  }
  strokes.forEach((lines, t) => {
    if (lines.flat().some(({ x, y }) => !Number.isFinite(x) || !Number.isFinite(y))) {
      throw new Error(`drawStrokes: expected finite points, got NaN or infinity in frame ${t}`);
    }
  });
  return strokePolylines(strokes, height, width, thickness);
}

const pointSchema = z.strictObject({ x: z.number(), y: z.number() });
const lineSchema = z.array(pointSchema).min(2);
const sideSchema = z.int().positive();

/**
 * `--skeleton FILE.json`. `frames` is one stroke a frame; or, a frame, a list of strokes (two
 * leaflets; [] = none); or a single stroke for the whole clip. Points are pixels of a drawing of
 * `width` x `height`; without these, of the clip itself.
 */
export const strokeSchema = z.strictObject({
  width: sideSchema.optional(),
  height: sideSchema.optional(),
  frames: z.union([
    lineSchema,
    z.array(lineSchema).min(1),
    z.array(z.array(lineSchema)).min(1),
  ]),
});

/** `--arrow FILE.json`: one stroke and an arrow, in pixels of a drawing of `width` x `height`. */
export const arrowSchema = z.strictObject({
  width: sideSchema.optional(),
  height: sideSchema.optional(),
  stroke: lineSchema,
  from: pointSchema,
  to: pointSchema,
});

export type StrokeFile = z.infer<typeof strokeSchema>;
export type ArrowFile = z.infer<typeof arrowSchema>;

export interface ClipSize {
  readonly frames: number;
  readonly height: number;
  readonly width: number;
}

/**
 * Strokes of a parsed JSON file for a clip: scaled to its size, a single stroke held over all
 * frames. Throws one sentence naming `where` when the file or its frame count does not fit.
 */
export function parseStrokes(json: unknown, clip: ClipSize, where = 'skeleton'): Polyline[][] {
  const file = parseBy(strokeSchema, json, where, STROKE_FORM);
  const perFrame = strokesPerFrame(file.frames);
  if (perFrame.length !== 1 && perFrame.length !== clip.frames) {
    throw new Error(
      `${where}: expected 1 stroke or one for each of ${clip.frames} frames, ` +
        `got ${perFrame.length}`,
    );
  }
  const place = drawingScale(file, clip);
  return Array.from({ length: clip.frames }, (_, t) => {
    const lines = perFrame[perFrame.length === 1 ? 0 : t];
    return lines.map((line) => line.map(place));
  });
}

const STROKE_FORM =
  '{"width": 128, "height": 128, "frames": [[{"x": 50, "y": 80}, {"x": 75, "y": 82}], ...]}';

function strokesPerFrame(frames: StrokeFile['frames']): Point[][][] {
  if (frames.length > 0 && !Array.isArray(frames[0])) return [[frames as Point[]]];
  // A frame is a stroke (a list of points) or a list of strokes (empty where there is none).
  return (frames as (Point[] | Point[][])[]).map((frame) => {
    return frame.length > 0 && !Array.isArray(frame[0]) ? [frame as Point[]] : (frame as Point[][]);
  });
}

/** Parses an arrow file and scales it to the clip. */
export function parseArrow(
  json: unknown,
  clip: ClipSize,
  where = 'arrow',
): { stroke: Point[]; from: Point; to: Point } {
  const file = parseBy(arrowSchema, json, where, ARROW_FORM);
  const place = drawingScale(file, clip);
  return { stroke: file.stroke.map(place), from: place(file.from), to: place(file.to) };
}

const ARROW_FORM =
  '{"width": 128, "height": 128, "stroke": [{"x": 50, "y": 80}, {"x": 75, "y": 82}], ' +
  '"from": {"x": 62, "y": 81}, "to": {"x": 62, "y": 70}}';

function parseBy<T>(schema: z.ZodType<T>, json: unknown, where: string, form: string): T {
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const path = issue.path.length > 0 ? ` at ${issue.path.join('.')}` : '';
  throw new Error(`${where}: expected ${form}, got ${issue.message.toLowerCase()}${path}`);
}

/** Pixel centres at integers: a drawing's left edge is at -0.5, and stays there. */
function drawingScale(
  file: { width?: number; height?: number },
  clip: ClipSize,
): (point: Point) => Point {
  const scaleX = clip.width / (file.width ?? clip.width);
  const scaleY = clip.height / (file.height ?? clip.height);
  return ({ x, y }) => ({ x: (x + 0.5) * scaleX - 0.5, y: (y + 0.5) * scaleY - 0.5 });
}
