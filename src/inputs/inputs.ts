/**
 * From what the user gives on the command line to what a model takes: every condition at the
 * model's side, frames and classes. Each flag of the table in src/conditions has a reader here.
 */
import { conditions } from '../conditions/condition.ts';
import type { ConditionInputs, ConditionName } from '../conditions/condition.ts';
import { loadFlowEstimator } from '../conditions/flow.ts';
import { oneHot } from '../conditions/mask.ts';
import { extractSketch } from '../conditions/sketch.ts';
import { parsePrompt } from '../conditions/text.ts';
import { validateConditions } from '../conditions/validation.ts';
import type { ModelSize } from '../conditions/validation.ts';
import type { Frames, Labels } from '../frames/frames.ts';
import type { BeatKind } from './beat.ts';
import { expectMasks, type InputContext, type InputExtractors, type SliceLayout } from './context.ts';
import { readFlow } from './flow-input.ts';
import { readImage, readSketch, readSketchFrom } from './frame-input.ts';
import { readMasks } from './mask-input.ts';
import { readSliceMasks } from './slice-input.ts';
import { Square } from './square.ts';
import { digestFiles, UserFiles } from './user-files.ts';
import type { FileDigest } from './user-files.ts';
import { readArrow, readSkeleton } from './valve-input.ts';

/** Values of the table's flags, by their names in camelCase. */
export interface ConditionFlags {
  readonly text?: string;
  readonly image?: string;
  readonly sketch?: string;
  readonly sketchFrom?: string;
  readonly mask?: readonly string[];
  readonly skeleton?: string;
  readonly arrow?: string;
  readonly flow?: string;
}
export type FlagName = keyof ConditionFlags;

/** Where a condition came from, for the recipe. */
export interface ConditionSource {
  readonly condition: ConditionName;
  /** As it was given: `--mask ED.nii.gz ES.nii.gz`. */
  readonly given: string;
  readonly files: readonly FileDigest[];
  /** The network that made it of a picture, with the sha256 of its weights. */
  readonly extractor?: string;
}

export interface UserInputs {
  readonly inputs: ConditionInputs;
  readonly sources: readonly ConditionSource[];
  /** The masks behind the mask condition, 1 f h w. */
  readonly masks: Labels | null;
  /** The part of a beat that the masks show, and its ES frame (0-based). */
  readonly kind: BeatKind | null;
  readonly es: number | null;
  /** mm per pixel (x, y) at the model's side; null where no file says it. */
  readonly spacing: readonly [number, number] | null;
  /** How the frames lie in a volume; null where they follow a beat, or no mask is given. */
  readonly slices: SliceLayout | null;
  /** Frames a second, where a file says it. */
  readonly frameRate: number | null;
  /** Sentences about what is allowed and may not be meant. */
  readonly notes: readonly string[];
}

type Read = (context: InputContext, value: never) => Frames | string | Promise<Frames>;

/** In the order of reading: what others are found in comes first. */
const readers: Readonly<Record<FlagName, Read>> = {
  mask: (context: InputContext, paths: readonly string[]) => {
    if (context.model.frameAxis === 'slice') {
      const { slices, ...masks } = readSliceMasks(context, paths, context.time);
      Object.assign(context, { masks, slices });
    } else context.masks = readMasks(context, paths);
    const { masks, spacing } = expectMasks(context, '--mask');
    context.spacing ??= spacing;
    return oneHot(masks, context.model.classes);
  },
  image: readImage,
  sketch: readSketch,
  sketchFrom: readSketchFrom,
  skeleton: readSkeleton,
  arrow: readArrow,
  flow: readFlow,
  text: (_: InputContext, text: string) => parsePrompt(text),
};

export const flagNames = Object.keys(readers) as FlagName[];

/** `--sketch-from <path>` -> `sketchFrom`: where commander puts its value. */
export function flagName(flag: string): FlagName {
  const word = flag.split(' ')[0].replace(/^--/, '');
  return word.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase()) as FlagName;
}

/** The condition that a flag gives. */
export function conditionOfFlag(name: FlagName): ConditionName {
  const found = conditions.find(({ flags }) => flags.some(({ flag }) => flagName(flag) === name));
  if (!found) throw new Error(`inputs: expected a flag of the table of conditions, got '${name}'`);
  return found.name;
}

function spelling(name: FlagName): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** What is wrong with the choice of flags itself, before any file is opened; null if nothing is. */
export function conflictOf(given: ConditionFlags): string | null {
  const names = flagNames.filter((name) => given[name] !== undefined);
  for (const [i, name] of names.entries()) {
    const condition = conditionOfFlag(name);
    const other = names.slice(i + 1).find((next) => conditionOfFlag(next) === condition);
    if (other !== undefined) {
      return (
        `expected one way to give the ${condition}, ` +
        `got ${spelling(name)} and ${spelling(other)}`
      );
    }
  }
  for (const name of ['skeleton', 'flow'] as const) {
    if (given[name] === 'mask' && given.mask === undefined) {
      return `${spelling(name)} mask: expected masks to find it in (--mask), got none`;
    }
  }
  return null;
}

/** How the conditions are read. */
export interface ReadOptions {
  /** what finds flow and sketches in a video; the built-in extractors by default */
  readonly extractors?: InputExtractors;
  /** which frame of a cine the mask of a model of slices is; the first with labels when null */
  readonly time?: number | null;
}

const builtIn: InputExtractors = { flowEstimator: loadFlowEstimator, extractSketch, identity: {} };

/**
 * Reads every condition given. Throws one sentence (flag and file, expected, got) when a file is
 * not there, damaged, or does not fit the model; nothing is written.
 */
export async function readInputs(
  given: ConditionFlags, model: ModelSize, { extractors = builtIn, time = null }: ReadOptions = {},
): Promise<UserInputs> {
  const conflict = conflictOf(given);
  if (conflict !== null) throw new Error(conflict);
  if (time !== null && (model.frameAxis !== 'slice' || given.mask === undefined)) {
    throw new Error(`--time: expected with a model of slices and a --mask, got ${time} without`);
  }
  const files = new UserFiles();
  const names = flagNames.filter((name) => given[name] !== undefined);
  // A PNG takes its spacing from the NIfTI file of its size, so these are opened first.
  for (const path of names.filter((name) => name !== 'text').flatMap((name) => given[name] ?? [])) {
    if (/\.nii(\.gz)?$/i.test(path)) files.nifti(path);
  }
  const square = new Square(model.height, files);
  const context: InputContext = {
    model, extractors, extracted: new Set(), files, square, time,
    masks: null, slices: null, sector: null, spacing: null,
  };
  const inputs: ConditionInputs = {};
  const sources: ConditionSource[] = [];
  for (const name of names) {
    const value = given[name];
    const condition = conditionOfFlag(name);
    inputs[condition] = await readers[name](context, value as never);
    const values = typeof value === 'string' ? [value] : [...(value ?? [])];
    const paths = name === 'text' ? [] : values.filter((path) => path !== 'mask');
    const shown = `${spelling(name)} ${values.join(' ')}`;
    const source = { condition, given: shown, files: paths.flatMap(digestFiles) };
    const made = (['flow', 'sketch'] as const).find((name) =>
      name === condition && context.extracted.has(name));
    const extractor = made && extractors.identity[made];
    sources.push(extractor === undefined ? source : { ...source, extractor });
  }
  validateConditions(inputs, model);
  const { masks, slices } = context;
  return {
    inputs,
    sources,
    masks: masks?.masks ?? null,
    kind: masks?.beat.kind ?? null,
    es: masks?.beat.es ?? null,
    spacing: context.spacing,
    slices,
    frameRate: masks?.frameRate ?? null,
    notes: [...square.differences(), ...(slices?.note ? [slices.note] : [])],
  };
}
