/**
 * An index of training clips on disk: `index.json` (what was indexed, by which networks, calibration)
 * and `index.safetensors` (small pictures and features), in one folder. It holds pictures of patients:
 * treat it as the training data themselves.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { writeAtomic } from '../../frames/atomic.ts';
import { scope } from '../../tensor/memory.ts';
import { readSafetensors, writeSafetensors } from '../../tensor/safetensors.ts';
import { tensor } from '../../tensor/tensor.ts';
import { sha256 } from '../../frames/file-hash.ts';
import { calibrationSchema, shareSchema } from './calibration.ts';
import { PICTURE_SIDE, type Fingerprint, type GateExtractor } from './fingerprint.ts';
import { picturesAt } from './nearest.ts';

const jsonFile = 'index.json';
const tensorFile = 'index.safetensors';
const kind = 'heartbeat memorisation index';
/** Bumped when distances are computed in another way. */
const version = 1;

const text = z.string();
const files = z.record(text, text);

const indexSchema = z.strictObject({
  kind: z.literal(kind),
  version: z.literal(version),
  /** Side and number of frames of the clips that were indexed: the model's. */
  resolution: z.int(),
  frames: z.int(),
  networks: z.array(z.strictObject({
    name: text, of: text, sha256: text, dimension: z.int(), input: text,
  })),
  /** Training clips in the order of the tensors, with the sha256 of the files they were read from. */
  clips: z.array(z.strictObject({
    id: text, patient: text, view: text, whole: z.boolean(), files,
  })).min(1),
  /** The clips that it was calibrated on. */
  heldOut: z.array(z.strictObject({ id: text, patient: text, files })),
  /** sha256 of index.safetensors. */
  tensors: text,
  falseAlarmRate: z.number(),
  /** Null where held-out clips are too few, which `reason` then says. */
  calibration: calibrationSchema.nullable(),
  reason: text.nullable(),
  /** Disturbed copies of training clips, and which share of them is marked. */
  power: z.array(z.strictObject({
    name: text, what: text, meant: z.boolean(),
    pixel: shareSchema, feature: shareSchema, joint: shareSchema,
    /** Marked, and the nearest clip is of the patient that was copied. */
    source: shareSchema,
  })),
});
export type IndexAbout = z.infer<typeof indexSchema>;

export interface MemorisationIndex {
  readonly about: IndexAbout;
  readonly prints: readonly Fingerprint[];
  /** sha256 of index.json, and so of everything. */
  readonly hash: string;
}

/** What of an index is decided before its clips are read. */
export type IndexSources = Pick<IndexAbout, 'resolution' | 'frames' | 'clips' | 'heldOut' | 'falseAlarmRate'>;

/** Writes the two files, making the folder. */
export function writeIndex(
  folder: string, about: Omit<IndexAbout, 'kind' | 'version' | 'tensors' | 'networks'>,
  prints: readonly Fingerprint[], extractors: readonly GateExtractor[],
): MemorisationIndex {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, tensorFile);
  const { frames } = prints[0].pictures;
  const pictures = joined(prints.map((print) => print.pictures.data), Uint8Array);
  const features = joined(prints.map((print) => print.features), Float32Array);
  scope(() => writeSafetensors(file, new Map([
    ['pictures', tensor(pictures, [prints.length, frames, PICTURE_SIDE, PICTURE_SIDE], { dtype: 'uint8' })],
    ['features', tensor(features, [prints.length, features.length / prints.length])],
  ]), {}));
  const whole: IndexAbout = {
    kind, version, ...about, networks: networksOf(extractors), tensors: sha256(file),
  };
  const json = `${JSON.stringify(whole, null, 1)}\n`;
  writeAtomic(join(folder, jsonFile), new TextEncoder().encode(json));
  return { about: whole, prints, hash: hashOf(json) };
}

/**
 * Reads an index.
 *
 * @param path its folder, or index.json in it
 * @throws when there is none, or its files do not belong together
 */
export function readIndex(path: string): MemorisationIndex {
  const folder = statSync(path, { throwIfNoEntry: false })?.isDirectory() ? path : dirname(path);
  const [json, tensors] = [join(folder, jsonFile), join(folder, tensorFile)];
  if (!existsSync(json) || !existsSync(tensors)) {
    throw new Error(`${path}: expected a memorisation index (${jsonFile} and ${tensorFile}), got none ` +
      '(`memorisation build` writes it)');
  }
  const content = readFileSync(json, 'utf8');
  const about = parse(content, json);
  if (sha256(tensors) !== about.tensors) {
    throw new Error(`${tensors}: expected the sha256 that ${jsonFile} names, got another: build the index again`);
  }
  const { clips, frames } = about;
  return scope(() => {
    const { tensors: stored } = readSafetensors(tensors);
    const pictures = stored.get('pictures')!.to('uint8');
    const features = stored.get('features')!;
    const bytes = Uint8Array.from(pictures.to('float32').toFloat32());
    const [values, dimension] = [features.toFloat32(), features.shape[1]];
    const prints = clips.map((_, i) => ({
      pictures: picturesAt(bytes, frames, i),
      features: values.slice(i * dimension, (i + 1) * dimension),
    }));
    return { about, prints, hash: hashOf(content) };
  });
}

function parse(content: string, file: string): IndexAbout {
  let plain: unknown;
  try {
    plain = JSON.parse(content);
  } catch {
    throw new Error(`${file}: expected a memorisation index, got no JSON`);
  }
  const parsed = indexSchema.safeParse(plain);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0];
  throw new Error(`${file}: expected ${kind}, version ${version}; ${path.join('.') || 'at its root'}: ${message}`);
}

/**
 * Why an index cannot be used with these networks and, where they are given, for these sizes and
 * sources, as `what: expected ..., got ...`; null where it can.
 */
export function staleness(
  { about }: Pick<MemorisationIndex, 'about'>, extractors: readonly GateExtractor[],
  wanted: Partial<IndexSources> = {},
): string | null {
  const networks = networksOf(extractors);
  for (const { name, sha256: hash } of networks) {
    const got = about.networks.find((network) => network.name === name)?.sha256;
    if (got !== hash) return `network ${name}: expected ${short(hash)}, got ${short(got)}`;
  }
  if (about.networks.length !== networks.length) {
    return `networks: expected ${networks.length}, got ${about.networks.length}`;
  }
  for (const name of ['resolution', 'frames', 'falseAlarmRate'] as const) {
    if (wanted[name] === undefined || wanted[name] === about[name]) continue;
    return `${name}: expected ${wanted[name]}, got ${about[name]}`;
  }
  for (const name of ['clips', 'heldOut'] as const) {
    const difference = wanted[name] === undefined ? null : clipDifference(name, wanted[name], about[name]);
    if (difference !== null) return difference;
  }
  return null;
}

type Sources = readonly { readonly id: string; readonly files: Readonly<Record<string, string>> }[];

function clipDifference(name: 'clips' | 'heldOut', wanted: Sources, got: Sources): string | null {
  const what = name === 'clips' ? 'training clips' : 'held-out clips';
  if (wanted.length !== got.length) return `${what}: expected ${wanted.length}, got ${got.length}`;
  const strange = wanted.find(({ id, files: own }, i) =>
    got[i].id !== id || JSON.stringify(own) !== JSON.stringify(got[i].files));
  return strange === undefined ? null : `${what}: the files of ${strange.id} have changed since`;
}

function networksOf(extractors: readonly GateExtractor[]): IndexAbout['networks'] {
  return extractors.map(({ about: { name, of, sha256: hash, dimension, input } }) =>
    ({ name, of, sha256: hash, dimension, input }));
}

/** One array after the other. */
function joined<T extends Uint8Array | Float32Array>(
  parts: readonly T[], Kind: new (length: number) => T,
): T {
  const whole = new Kind(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function hashOf(json: string): string {
  return createHash('sha256').update(json).digest('hex');
}

function short(hash: string | undefined): string {
  return hash?.slice(0, 12) ?? 'none';
}

