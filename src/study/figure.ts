/** The qualitative figure: generated frames of one patient of each view over what was asked. */
import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { conditionOf, type ConditionInputs, type ConditionName } from '../conditions/condition.ts';
import { strokesFromArrow, type ValveArrow } from '../conditions/arrow.ts';
import { interfaceLine } from '../conditions/interface.ts';
import { drawSkeleton } from '../conditions/skeleton.ts';
import type { ClipSource } from '../data/clips.ts';
import { noiseSeed } from '../evaluation/evaluation.ts';
import { Results } from '../evaluation/results.ts';
import { readSubject, type Subject } from '../evaluation/subject.ts';
import { openExtractors } from '../extractors/extractors.ts';
import { byteFrames, frameAt, plane, type Frames, type Point, type Polyline } from '../frames/frames.ts';
import { paintPlane, strokePolylines } from '../frames/paint.ts';
import { writePng } from '../frames/png.ts';
import { resizeFrames } from '../frames/resize.ts';
import { renderSheet, type SheetRow } from '../frames/sheet.ts';
import { synthesize } from '../heartbeat/synthesis.ts';
import type { HeartBeat } from '../heartbeat/heartbeat.ts';
import { loadModelFolder, modelHash } from '../heartbeat/model-folder.ts';
import { sharedConfig } from './budget.ts';
import { cellsOf, finalModel, testClips, type CellOptions } from './cells.ts';
import { lettersOf, parseConditions } from './letters.ts';
import type { StudyConfig, StudyMethod } from './study-config.ts';
import { Stopped, watched } from './watch.ts';

export interface FigureRow {
  /** `a`..`i`. */
  readonly row: string;
  readonly conditions: readonly ConditionName[];
  /** The valve of every frame from one stroke and an arrow, in place of the clip's own. */
  readonly arrow: boolean;
}

/**
 * (a) to (e) and (g) add one condition after the other in the order of the paper's table; (f) has the
 * hand-crafted mitral valve moving direction of the paper's row (f) in place of (e)'s valve sequence.
 * (h) is what HeartBeat-Base and HeartBeat-3D are given, and (i) is motion without any shape, the one
 * condition that no other row shows apart from the mask.
 */
const rows: readonly FigureRow[] = [
  ['a', 'T'], ['b', 'T I'], ['c', 'T S I'], ['d', 'T S I M'], ['e', 'T S I M MV'],
  ['f', 'T S I M MV'], ['g', 'T S I M MV O'], ['h', 'T M'], ['i', 'T I O'],
].map(([row, letters]) => ({ row, conditions: parseConditions(letters), arrow: row === 'f' }));

function figureMethod({ methods, figure }: StudyConfig): StudyMethod {
  return methods.find(({ name }) => name === figure)!;
}

/** Rows of which the method knows every condition. */
function knownRows({ trainedWith }: StudyMethod): FigureRow[] {
  return rows.filter(({ conditions }) => conditions.every((name) => trainedWith.includes(name)));
}

/** Sheets that are there, and those that there will be: a row and view each. */
export function figureRows(study: StudyConfig, output: string): { done: number; total: number } {
  const own = knownRows(figureMethod(study));
  const folder = figureFolder(study, output);
  const wanted = study.views.flatMap((view) => own.map(({ row }) => sheetFile(folder, view, row)));
  return { done: wanted.filter((file) => existsSync(file)).length, total: wanted.length };
}

function figureFolder({ figure }: StudyConfig, output: string): string {
  return join(output, 'figure', figure!);
}

const sheetFile = (folder: string, view: string, row: string) => join(folder, `${view}-${row}.png`);

/**
 * Writes `figure.png` and a PNG of each row and view below `figure/<method>/`, once. A video that a cell of the table
 * has made is taken from there.
 *
 * @returns the file of the whole figure
 */
export async function drawFigure(options: CellOptions): Promise<string> {
  const { study, output, data, device, dtype } = options;
  const method = figureMethod(study);
  const own = knownRows(method);
  const [file, sheets] = [join(output, 'figure.png'), figureFolder(study, output)];
  const whole = join(sheets, 'all.png');
  if (existsSync(whole)) {
    copyFileSync(whole, file);
    return file;
  }
  const clips = testClips(study, data);
  const chosen = study.views.flatMap((view) => clips.find((clip) => clip.view === view) ?? []);
  mkdirSync(sheets, { recursive: true });
  const folder = finalModel(output, method);
  const model = loadModelFolder(folder, { device, dtype });
  const extractors = openExtractors(sharedConfig(study).extractors);
  try {
    const pictures = await watched(options, 'figure', chosen.length * own.length, 'clips', 0, async () => {
      const columns: Frames<Uint8Array>[] = [];
      for (const [place, source] of chosen.entries()) {
        const subject = await readSubject(source, model, extractors);
        const videos = await generateRows({ ...options, model, hash: modelHash(folder) }, source, subject, own,
          place * own.length);
        columns.push(drawView(sheets, subject, own, videos, method));
      }
      return columns;
    });
    writePng(whole, sideBySide(pictures));
    copyFileSync(whole, file);
    return file;
  } finally {
    model.dispose();
    extractors.dispose();
  }
}

interface Generating extends CellOptions {
  readonly model: HeartBeat;
  readonly hash: string;
}

async function generateRows(
  options: Generating, source: ClipSource, subject: Subject, own: readonly FigureRow[], before: number,
): Promise<Map<string, Frames>> {
  const { study, output, model, hash } = options;
  const { seed, sampling: { sampler, steps, guidanceScale }, test: { split } } = study;
  const { frames, resolution } = model.config;
  const results = new Results(join(figureFolder(study, output), 'videos'));
  results.open({
    model: hash, seed, numInferenceSteps: steps, guidanceScale, sampler, split, resolution, frames, base: [],
    precision: model.components.unet.dtype,
    plan: {
      runs: rows.map(({ row, conditions }) => ({ name: row, given: conditions })),
      contrasts: [], mask: null, text: null, all: null,
    },
  });
  results.claim(source.id, subject.hash, subject.masks);
  const cells = cellsOf(study, output).filter(({ method }) => method.name === study.figure);
  const videos = new Map<string, Frames>();
  for (const [k, { row, conditions, arrow }] of own.entries()) {
    if (options.stopRequested?.()) throw new Stopped();
    const inputs = inputsOf(subject, conditions, arrow);
    const cell = arrow ? undefined : cells.find(({ letters }) => letters === lettersOf(conditions));
    const kept = results.video(source.id, row, frames) ?? (cell === undefined ? null
      : ((of: Results) => of.video(source.id, of.settings().plan.runs[0].name, frames))(new Results(cell.folder)));
    const video = kept ?? results.keepVideo(source.id, row, await generate(inputs));
    videos.set(row, video);
    options.update?.(before + k + 1, `${source.id} (${row})`);
  }
  return videos;

  async function generate(inputs: ConditionInputs): Promise<Frames> {
    try {
      return await synthesize(model, inputs, {
        seed: noiseSeed(seed, source.id), numInferenceSteps: steps, guidanceScale, sampler,
        onStep: () => !(options.stopRequested?.() ?? false),
      });
    } catch (error) {
      if ((error as Error).name === 'AbortError') throw new Stopped();
      throw error;
    }
  }
}

function inputsOf(subject: Subject, conditions: readonly ConditionName[], arrow: boolean): ConditionInputs {
  const given = Object.fromEntries(conditions.flatMap((name) =>
    (name in subject.inputs ? [[name, subject.inputs[name]]] : [])));
  return arrow ? { ...given, skeleton: arrowSkeleton(subject) } : given;
}

/**
 * One stroke and an arrow, drawn as a reader of the ED frame would: the stroke over the LV/LA border
 * from hinge to hinge, the arrow from its middle towards the middle of the cavity, a third of the
 * stroke's width long, which is what leaflets of half that width open to.
 */
export function valveArrow({ masks, id }: Pick<Subject, 'masks' | 'id'>): ValveArrow {
  const { height, width } = masks;
  const labels = plane(masks, 0, 0);
  const stroke = interfaceLine(labels, height, width, 1, 3);
  if (stroke === null) {
    throw new Error(`${id}: expected an LV that touches the left atrium in its ED mask, got the two apart`);
  }
  const from = stroke[Math.floor(stroke.length / 2)];
  const cavity = { x: 0, y: 0, n: 0 };
  labels.forEach((label, at) => {
    if (label !== 1) return;
    cavity.x += at % width;
    cavity.y += Math.floor(at / width);
    cavity.n++;
  });
  const [dx, dy] = [cavity.x / cavity.n - from.x, cavity.y / cavity.n - from.y];
  const ends = [stroke[0], stroke.at(-1)!];
  const reach = Math.hypot(ends[1].x - ends[0].x, ends[1].y - ends[0].y) / 3;
  const scale = reach / Math.max(Math.hypot(dx, dy), 1e-9);
  return { stroke, from, to: { x: from.x + dx * scale, y: from.y + dy * scale } };
}

function arrowSkeleton(subject: Subject): Frames {
  const { masks: { height, width, frames }, es } = subject;
  const half = es === frames - 1; // a recording from ED to ES
  const strokes = strokesFromArrow(valveArrow(subject),
    { frames, span: half ? 'half' : 'whole', ...(!half && es > 0 ? { es } : {}) });
  return drawSkeleton(strokes, height, width);
}

/** Side of the picture that stroke and arrow are drawn in: as many pixels as a sheet's cell shows, twice. */
const DRAWING = 224;

/** The stroke and the arrow over the ED frame. */
function drawArrow(subject: Subject): Frames<Uint8Array> {
  const { real } = subject;
  const { stroke, from, to } = valveArrow(subject);
  const scale = DRAWING / Math.max(real.height, real.width);
  const [height, width] = [real.height, real.width].map((side) => Math.round(side * scale));
  // pixel centres
  const place = ({ x, y }: Point): Point => ({ x: (x + 0.5) * scale - 0.5, y: (y + 0.5) * scale - 0.5 });
  const [start, tip] = [place(from), place(to)];
  const angle = Math.atan2(tip.y - start.y, tip.x - start.x);
  const barb = (turn: number): Point => ({
    x: tip.x - 0.04 * DRAWING * Math.cos(angle + turn), y: tip.y - 0.04 * DRAWING * Math.sin(angle + turn),
  });
  const draw = (lines: readonly Polyline[]) => strokePolylines([lines], height, width, 0.016 * DRAWING);
  const under = resizeFrames(frameAt(real, 0), height, width);
  const stroked = paintPlane(draw([stroke.map(place)]), [255, 210, 60], under);
  return paintPlane(draw([[start, tip], [barb(0.5), tip, barb(-0.5)]]), [90, 200, 255], stroked);
}

/** Every row of one view under each other; each is also written by itself. */
function drawView(
  folder: string, subject: Subject, own: readonly FigureRow[], videos: ReadonlyMap<string, Frames>,
  method: StudyMethod,
): Frames<Uint8Array> {
  const frameNames = { [subject.ed]: 'ED', [subject.es]: 'ES' };
  const blocks = own.map((row) => ({ row, sheet: sheetRows(row, subject, videos.get(row.row)!) }));
  for (const { row, sheet } of blocks) {
    writePng(sheetFile(folder, subject.view, row.row), renderSheet({
      title: `(${row.row}) ${method.title} ${lettersOf(row.conditions)}, ${subject.id}`, rows: sheet, frameNames,
    }));
  }
  return renderSheet({
    title: `${method.title}, ${subject.id}`, frameNames,
    notes: ['Generated frames, and beneath them what was asked; the first row is the real clip.'],
    rows: [{ label: 'real', picture: subject.real }, ...blocks.flatMap(({ sheet }) => sheet)],
  });
}

function sheetRows(
  { row, conditions, arrow }: FigureRow, subject: Subject, video: Frames,
): SheetRow[] {
  const inputs = inputsOf(subject, conditions, arrow);
  const painted = (name: ConditionName) => conditionOf(name).paint!(inputs[name] as Frames);
  const given = conditions.filter((name) => inputs[name] !== undefined && name !== 'text');
  const single = given.filter((name) => conditionOf(name).single);
  const sequences = given.filter((name) => !conditionOf(name).single);
  const stills = single.map((name) => ({ label: conditionOf(name).label, picture: painted(name) }));
  if (arrow) stills.push({ label: 'stroke and arrow', picture: drawArrow(subject) });
  return [
    { label: `(${row}) generated: ${lettersOf(conditions)}${arrow ? ' (arrow)' : ''}`, picture: video },
    ...(typeof inputs.text === 'string' ? [{ label: 'text', text: inputs.text }] : []),
    ...(stills.length === 0 ? [] : [{
      label: stills.map(({ label }) => label).join(', '), picture: stills[0].picture,
      beside: stills.slice(1).map(({ picture }) => picture),
    }]),
    ...sequences.map((name) => ({ label: conditionOf(name).label, picture: painted(name) })),
  ];
}

function sideBySide(pictures: readonly Frames<Uint8Array>[]): Frames<Uint8Array> {
  const height = Math.max(...pictures.map((picture) => picture.height));
  const width = pictures.reduce((sum, picture) => sum + picture.width, 0);
  const page = byteFrames({ channels: 3, frames: 1, height, width });
  page.data.fill(250);
  let left = 0;
  for (const picture of pictures) {
    for (let c = 0; c < 3; c++) {
      const [from, to] = [plane(picture, c, 0), plane(page, c, 0)];
      for (let y = 0; y < picture.height; y++) {
        to.set(from.subarray(y * picture.width, (y + 1) * picture.width), y * width + left);
      }
    }
    left += picture.width;
  }
  return page;
}
