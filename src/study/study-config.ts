/** A study's file: which data, methods, conditions, budget and sampling give its table. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import type { ConditionName } from '../conditions/condition.ts';
import { nearestName, unknownName } from '../training/nearest-name.ts';
import { presetNames, type PresetName } from '../training/presets.ts';
import { parseConditions } from './letters.ts';
import { methodNames, methodOf } from './methods.ts';

const conditionSet = z.string().transform((text, context): ConditionName[] => {
  try {
    return parseConditions(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message });
    return z.NEVER;
  }
});

const methodEntry = z.strictObject({
  method: z.enum(methodNames),
  /** Names its folders and its rows, where one method occurs twice; the method's name when absent. */
  name: z.string().regex(/^[a-z0-9][a-z0-9-]*$/, 'expected letters a-z, digits and -').optional(),
  /** Conditions it is trained with; the method's own when absent. */
  trainedWith: conditionSet.optional(),
  /** Dotted overrides such as `video.trainCrossAttention=true`. */
  set: z.array(z.string()).default([]),
  /** The sets that it generates with, a row of the table each. */
  subsets: z.array(conditionSet).nonempty(),
});

const phantomData = z.strictObject({
  phantom: z.strictObject({
    training: z.int().positive(),
    validation: z.int().nonnegative().default(0),
    testing: z.int().positive(),
    seed: z.int().nonnegative().default(1),
  }),
});

export const studySchema = z.strictObject({
  title: z.string().default('Study'),
  preset: z.enum(presetNames as [PresetName, ...PresetName[]]).default('small'),
  /** A folder in the layout of CAMUS, or a phantom that the study makes. */
  data: z.union([z.string().min(1), phantomData]),
  views: z.array(z.enum(['2CH', '4CH'])).nonempty().default(['2CH', '4CH']),
  /** Of weights, order, noise, and the choice of test clips. */
  seed: z.int().nonnegative().default(0),
  /**
   * Optimizer steps of a method of two stages; one with fewer stages gets as many frames in all.
   * The preset's when absent.
   */
  steps: z.strictObject({
    image: z.int().positive().optional(), video: z.int().positive().optional(),
  }).default({}),
  /** Dotted overrides of the preset for every training. */
  set: z.array(z.string()).default([]),
  /** A run or a model folder whose VAE and image encoder are taken; trained here when absent. */
  shared: z.string().min(1).optional(),
  /** Folder of `segmenter` and `echo-video`, which measure; trained here when absent. */
  echoFeatures: z.string().min(1).optional(),
  /** Weights of Inception v3 and of I3D, for columns of FID and FVD. */
  inception: z.string().min(1).optional(),
  i3d: z.string().min(1).optional(),
  test: z.strictObject({
    split: z.enum(['training', 'validation', 'testing']).default('testing'),
    clips: z.int().positive().default(40),
  }).prefault({}),
  sampling: z.strictObject({
    sampler: z.enum(['ddim', 'dpm-solver++']).default('ddim'),
    steps: z.int().positive().default(50),
    guidanceScale: z.number().nonnegative().default(2),
  }).prefault({}),
  /** The method whose generated frames the qualitative figure shows; none when null. */
  figure: z.string().nullable().default('heartbeat'),
  methods: z.array(methodEntry).nonempty(),
});
export type StudyFile = z.output<typeof studySchema>;

/** One method of a study, with the defaults filled in. */
export interface StudyMethod {
  readonly name: string;
  readonly method: (typeof methodNames)[number];
  readonly title: string;
  readonly trainedWith: readonly ConditionName[];
  readonly set: readonly string[];
  readonly subsets: readonly (readonly ConditionName[])[];
}

export interface StudyConfig extends Omit<StudyFile, 'methods'> {
  readonly methods: readonly StudyMethod[];
}

/**
 * Reads a study's file; paths in it are relative to it.
 *
 * @throws one sentence that names the key, what was expected and what stands there
 */
export function readStudy(file: string, changes: Readonly<Record<string, unknown>> = {}): StudyConfig {
  if (!existsSync(file)) throw new Error(`${file}: expected a study's YAML file, got no such file`);
  let content: unknown;
  try {
    content = parse(readFileSync(file, 'utf8'));
  } catch (error) {
    const reason = (error as Error).message.split('\n')[0].replace(/[:.]$/, '');
    throw new Error(`${file}: expected YAML, got an error: ${reason}`);
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    const got = content === null ? 'nothing' : Array.isArray(content) ? 'a list' : typeof content;
    throw new Error(`${file}: expected a mapping, got ${got}`);
  }
  const parsed = studySchema.safeParse(content);
  if (!parsed.success) throw new Error(`${file}: ${describeIssue(parsed.error.issues, content)}`);
  const place = (path: string | undefined) =>
    (path === undefined ? undefined : resolve(dirname(file), path));
  const { data, shared, echoFeatures, inception, i3d } = parsed.data;
  const placed = {
    ...parsed.data, data: typeof data === 'string' ? place(data)! : data,
    shared: place(shared), echoFeatures: place(echoFeatures), inception: place(inception), i3d: place(i3d),
    ...changes,
  };
  try {
    return resolveMethods(placed);
  } catch (error) {
    throw new Error(`${file}: ${(error as Error).message}`, { cause: error });
  }
}

function resolveMethods(file: StudyFile): StudyConfig {
  const methods = file.methods.map((entry, place): StudyMethod => {
    const method = methodOf(entry.method);
    const trainedWith = entry.trainedWith ?? method.conditions;
    for (const subset of entry.subsets) {
      const stranger = subset.find((name) => !trainedWith.includes(name));
      if (stranger === undefined) continue;
      throw new Error(`methods.${place}.subsets: expected conditions that ${entry.method} is trained ` +
        `with (${trainedWith.join(', ')}), got ${stranger}`);
    }
    const { name = entry.method, set, subsets } = entry;
    const unique = subsets.filter((subset, i) =>
      subsets.findIndex((other) => other.join() === subset.join()) === i);
    const title = name === entry.method ? method.title : `${method.title} (${name})`;
    return { name, method: entry.method, title, trainedWith, set, subsets: unique };
  });
  const twice = methods.find(({ name }, i) => methods.findIndex((other) => other.name === name) < i);
  if (twice !== undefined) {
    throw new Error(`methods: expected each name once, got ${twice.name} twice (give one a name)`);
  }
  const { figure } = file;
  if (figure !== null && !methods.some(({ name }) => name === figure)) {
    const names = methods.map(({ name }) => name);
    throw new Error(`figure: expected one of this study's methods (${names.join(', ')}) or null, ` +
      `got ${figure}`);
  }
  return { ...file, methods };
}

type Issue = z.core.$ZodIssue;

/** `sampling.stesp: unknown key, did you mean sampling.steps?`; `seed: expected ..., got ...` */
function describeIssue(issues: readonly Issue[], content: unknown): string {
  const all = issues.map(deepest);
  // a misspelt key is also a missing one
  const inner = all.find(({ code }) => code === 'unrecognized_keys') ?? all[0];
  const where = inner.path.map(String);
  if (inner.code === 'unrecognized_keys') {
    const prefix = where.length === 0 ? '' : `${where.join('.')}.`;
    const near = nearestName(inner.keys[0], keysAt(where));
    const hint = near === null ? `expected one of ${keysAt(where).join(', ')}`
      : `did you mean ${prefix}${near}?`;
    return `${prefix}${inner.keys[0]}: unknown key, ${hint}`;
  }
  const got = where.reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], content);
  const message = inner.message.replace(/^Invalid (input|option): /, '').replace(/, received .*$/, '')
    .replace(/^Too small: /, '').replace(/^Too big: /, '');
  const key = where.join('.') || 'the file';
  if (inner.code === 'invalid_value' && typeof got === 'string') {
    return `${key}: ${unknownName('name', got, inner.values.map(String))}`;
  }
  return /, got |^unknown /.test(message) ? `${key}: ${message}` : `${key}: ${message}, got ${shown(got)}`;
}

/** Of a choice (`data`: a folder or a phantom) the complaint about the form that was meant. */
function deepest(issue: Issue): Issue {
  if (issue.code !== 'invalid_union') return issue;
  const best = issue.errors.flat().sort((a, b) =>
    Number(b.code === 'unrecognized_keys') - Number(a.code === 'unrecognized_keys')
    || b.path.length - a.path.length)[0];
  if (best === undefined || (best.path.length === 0 && best.code === 'invalid_type')) {
    return { ...issue, message: 'expected a folder, or phantom: {training, validation, testing, seed}' };
  }
  return { ...best, path: [...issue.path, ...best.path] };
}

function shown(value: unknown): string {
  return value === undefined ? 'nothing' : (JSON.stringify(value) ?? String(value)).slice(0, 60);
}

/** Names that the schema knows at a place. */
function keysAt(path: readonly string[]): string[] {
  let at: z.core.$ZodType = studySchema;
  for (const key of path) {
    at = plainType(at);
    if (at instanceof z.ZodArray) at = at.element as z.core.$ZodType;
    else if (at instanceof z.ZodUnion) at = phantomData.shape[key as 'phantom'];
    else if (at instanceof z.ZodObject) at = at.shape[key] as z.core.$ZodType;
  }
  at = plainType(at);
  if (at instanceof z.ZodUnion) at = phantomData;
  return at instanceof z.ZodObject ? Object.keys(at.shape) : [];
}

/** Without its default and its being optional. */
function plainType(type: z.core.$ZodType): z.core.$ZodType {
  let at = type;
  while (at instanceof z.ZodDefault || at instanceof z.ZodOptional || at instanceof z.ZodPrefault
    || at instanceof z.ZodNullable) {
    at = at.def.innerType as z.core.$ZodType;
  }
  return at;
}
