import { existsSync, readFileSync } from 'node:fs';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { extractorsConfig } from '../extractors/extractors.ts';
import { heartbeatConfig } from '../heartbeat/heartbeat.ts';
import { hasBf16Instructions } from '../tensor/bf16.ts';
import { echoVideoStageConfig } from './stage-echo-video.ts';
import { fewShotStageConfig } from './stage-few-shot.ts';
import { imageEncoderStageConfig } from './stage-image-encoder.ts';
import { imageStageConfig } from './stage-image.ts';
import { segmenterStageConfig } from './stage-segmenter.ts';
import { vaeStageConfig } from './stage-vae.ts';
import { videoStageConfig } from './stage-video.ts';
import { pretrainedConfig } from './components.ts';
import { methodChanges, methodNames, type MethodName } from './methods.ts';
import { nearestName, unknownName } from './nearest-name.ts';
import { presets, type PresetName } from './presets.ts';

/** Everything a training depends on, apart from the data themselves. */
export const trainingConfig = z.strictObject({
  preset: z.string(),
  /** HeartBeat, or a method that it is compared with. */
  method: z.enum(methodNames).default('heartbeat'),
  seed: z.int().nonnegative().default(0),
  views: z.array(z.enum(['2CH', '4CH'])).nonempty().default(['2CH', '4CH']),
  /** What draws sketches, and follows tissue where its flow is not known. */
  extractors: extractorsConfig.prefault({}),
  model: heartbeatConfig,
  pretrained: pretrainedConfig.prefault({}),
  vae: vaeStageConfig,
  imageEncoder: imageEncoderStageConfig,
  image: imageStageConfig,
  video: videoStageConfig,
  segmenter: segmenterStageConfig,
  echoVideo: echoVideoStageConfig,
  fewShot: fewShotStageConfig,
});
export type TrainingConfig = z.output<typeof trainingConfig>;

type Tree = { [key: string]: unknown };

export interface ConfigSources {
  readonly preset: PresetName;
  /** Else what the overrides or the file say, else `heartbeat`. */
  readonly method?: MethodName;
  /** A YAML file of the same shape, of which any part may be left out. */
  readonly file?: string;
  /** Dotted overrides such as `image.learningRate=2e-4`, applied last. */
  readonly overrides?: readonly string[];
  readonly seed?: number;
  /** What `mixedPrecision: auto` at a dotted path becomes; the processor's choice when absent. */
  readonly precision?: (path: string) => 'no' | 'bf16';
}

/**
 * preset -> method -> YAML file -> seed -> dotted overrides -> checked whole; what comes later wins. Unknown
 * keys name the nearest known one. No `mixedPrecision` of the result is `auto`.
 */
export function resolveConfig(sources: ConfigSources): TrainingConfig {
  const { preset, file, seed, overrides = [] } = sources;
  if (!Object.hasOwn(presets, preset)) {
    throw new Error(`config: ${unknownName('preset', preset, Object.keys(presets))}`);
  }
  const parsedPreset = trainingConfig.parse({ preset, ...presets[preset]() });
  const whole = parsedPreset as unknown as Tree;
  const changes = file === undefined ? {} : readYaml(file);
  const method = expectMethod(sources.method ?? methodIn(overrides) ?? changes.method ?? 'heartbeat');
  merge(whole, methodChanges(method, parsedPreset), `method ${method}`, '');
  if (file !== undefined) merge(whole, changes, file, '');
  if (seed !== undefined) whole.seed = seed;
  for (const override of overrides) {
    const cut = override.indexOf('=');
    if (cut < 1) throw new Error(`config: expected key=value, got ${override}`);
    const value = parse(override.slice(cut + 1), override);
    const nested = override.slice(0, cut).split('.')
      .reduceRight((inner: unknown, key) => ({ [key]: inner }), value);
    merge(whole, nested as Tree, override, '');
  }
  if (whole.preset !== preset) {
    throw new Error(`config: expected a configuration of preset ${preset}, got ${whole.preset}`);
  }
  if (whole.method !== method) {
    throw new Error(`config: expected a configuration of method ${method}, got ${whole.method}`);
  }
  settlePrecision(whole, sources.precision ?? (() => (hasBf16Instructions() ? 'bf16' : 'no')));
  const parsed = trainingConfig.safeParse(whole);
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0];
    throw new Error(`config: ${path.join('.')}: ${message}`);
  }
  return parsed.data;
}

/** What `--set method=NAME` says; the last one wins, as with every override. */
function methodIn(overrides: readonly string[]): unknown {
  const given = overrides.filter((override) => override.startsWith('method=')).at(-1);
  return given === undefined ? undefined : parse(given.slice('method='.length), given);
}

function expectMethod(name: unknown): MethodName {
  const known = methodNames.find((method) => method === name);
  if (known !== undefined) return known;
  throw new Error(`config: ${unknownName('method', String(name), methodNames)}`);
}

/** YAML, or one sentence that says where it came from. */
function parse(text: string, source: string): unknown {
  try {
    return parseYaml(text);
  } catch (error) {
    const reason = (error as Error).message.split('\n')[0].replace(/[:.]$/, '');
    throw new Error(`config: expected YAML in ${source}, got an error: ${reason}`);
  }
}

function readYaml(file: string): Tree {
  if (!existsSync(file)) throw new Error(`config: expected a YAML file at ${file}, got none`);
  const value = parse(readFileSync(file, 'utf8'), file);
  if (!isTree(value)) {
    throw new Error(`config: expected a mapping in ${file}, got ${value === null ? 'nothing' : typeof value}`);
  }
  return value;
}

/** Writes `changes` into `whole` in place; every key must be there already, since defaults are filled in. */
function merge(whole: Tree, changes: Tree, source: string, path: string): void {
  for (const [given, value] of Object.entries(changes)) {
    const key = Object.hasOwn(whole, given) ? given : camelCase(given);
    if (!Object.hasOwn(whole, key)) {
      const near = nearestName(given, Object.keys(whole));
      const hint = near === null ? '' : `, did you mean ${path}${near}?`;
      throw new Error(`config: no key ${path}${given} (from ${source})${hint}`);
    }
    const inner = whole[key];
    if (isTree(inner) && isTree(value)) merge(inner, value, source, `${path}${key}.`);
    else whole[key] = value;
  }
}

/** Puts a choice in the place of every `mixedPrecision: auto`, in place. */
function settlePrecision(tree: Tree, choice: (path: string) => string, path = ''): void {
  for (const [key, value] of Object.entries(tree)) {
    if (isTree(value)) settlePrecision(value, choice, `${path}${key}.`);
    else if (key === 'mixedPrecision' && value === 'auto') tree[key] = choice(`${path}${key}`);
  }
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function camelCase(name: string): string {
  return name.replace(/[-_]([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
