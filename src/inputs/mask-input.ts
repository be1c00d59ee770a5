/** `--mask`: a sequence of label maps, or those of ED and ES joined over the cycle. */
import { planCycle } from '../conditions/cycle.ts';
import { interpolateCycle } from '../conditions/mask-cycle.ts';
import { labelAreas } from '../conditions/mask.ts';
import { selectFrames } from '../frames/frames.ts';
import type { Labels } from '../frames/frames.ts';
import { letterboxLabels, letterboxSpacing } from '../frames/resize.ts';
import { chooseFrames } from './beat.ts';
import type { InputContext, MaskInput } from './context.ts';
import { joinLabelFiles, readLabels } from './pictures.ts';
import type { FromFile } from './pictures.ts';
import { fileKind } from './user-files.ts';

/**
 * One path is a sequence (NIfTI, or a folder or pattern of PNG files). Two are the ED and the ES
 * mask, joined over a whole cycle. More are the PNG files of a sequence, as a shell spreads a
 * pattern.
 */
export function readMasks(
  context: InputContext,
  paths: readonly string[],
  flag = '--mask',
): MaskInput {
  const { model, files } = context;
  const read = (path: string) => readLabels(files, path, model.classes, `${flag} ${path}`);
  if (paths.length === 1) return sequence(context, read(paths[0]), `${flag} ${paths[0]}`);
  if (paths.length === 2) {
    const names = paths.map((path) => `${flag} ${path}`) as [string, string];
    return joined(context, [read(paths[0]), read(paths[1])], names);
  }
  for (const path of paths) fileKind(path, ['PNG'], `${flag} ${path}`);
  const where = `${flag} ${paths[0]} and ${paths.length - 1} more`;
  return sequence(context, joinLabelFiles(paths.map(read), where), where);
}

function sequence(context: InputContext, file: FromFile<Labels>, where: string): MaskInput {
  const { model, square } = context;
  const { picture, spacing, frameTime } = file;
  const beat = chooseFrames(picture, model.frames, where);
  const box = square.box(picture, spacing, where);
  const masks = letterboxLabels(selectFrames(picture, beat.picks), box);
  const pace =
    beat.kind === 'half_sequence'
      ? (model.frames - 1) / (picture.frames - 1)
      : model.frames / picture.frames;
  return {
    masks,
    beat,
    spacing: spacing && letterboxSpacing(spacing, box),
    frameRate: frameTime === null ? null : pace / frameTime,
  };
}

function joined(
  context: InputContext,
  [ed, es]: readonly [FromFile<Labels>, FromFile<Labels>],
  names: readonly [string, string],
): MaskInput {
  const { model, square } = context;
  [ed, es].forEach(({ picture }, i) => {
    if (picture.frames === 1) return;
    throw new Error(
      `${names[i]}: expected 1 frame, as two paths are the ED and the ES mask, ` +
        `got ${picture.frames}`,
    );
  });
  if (ed.picture.height !== es.picture.height || ed.picture.width !== es.picture.width) {
    throw new Error(
      `${names[1]}: expected the size of the ED mask, ${ed.picture.width} x ` +
        `${ed.picture.height}, got ${es.picture.width} x ${es.picture.height}`,
    );
  }
  const [areaEd, areaEs] = [ed, es].map(({ picture }) => labelAreas(picture, model.classes)[0][1]);
  if (areaEd === 0 || areaEs === 0) {
    throw new Error(`${names[areaEd === 0 ? 0 : 1]}: expected an LV cavity (label 1), got none`);
  }
  if (areaEd < areaEs) {
    throw new Error(
      `${names[0]}: expected the ED mask first, whose cavity is the larger one, ` +
        `got ${areaEd} pixels and then ${areaEs}`,
    );
  }
  const box = square.box(ed.picture, ed.spacing, names[0]);
  const [first, second] = [ed, es].map(({ picture }) => letterboxLabels(picture, box));
  const cycle = { frames: model.frames };
  return {
    masks: interpolateCycle(first, second, cycle),
    beat: { kind: 'sequence', es: planCycle(cycle).es, picks: [], stored: 2 },
    spacing: ed.spacing && letterboxSpacing(ed.spacing, box),
    frameRate: null,
  };
}
