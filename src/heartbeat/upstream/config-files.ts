/**
 * The config.json files of diffusers and transformers, read by their own field names. A field is
 * read, or has values under which the network is the one implemented here, or changes nothing in
 * its pass; any other field or value is refused by name.
 */
import { existsSync, readFileSync } from 'node:fs';
import type { z } from 'zod';

/** What a field of a file means here. `absent`: what the library that wrote it takes where it is not written. */
export type Field =
  | { readonly kind: 'read'; readonly as: string; readonly absent: unknown }
  | { readonly kind: 'only'; readonly values: readonly unknown[]; readonly absent: unknown }
  | { readonly kind: 'neutral' };
export type Fields = Readonly<Record<string, Field>>;

/** A field that is ours under the same name. */
export function read(absent: unknown, as = ''): Field {
  return { kind: 'read', as, absent };
}

/** A field that must have one of these values, or be a list of them; the first is its value where it is absent. */
export function only(...values: readonly unknown[]): Field {
  return { kind: 'only', values, absent: values[0] };
}

/** Fields that change nothing in the pass of a network at work. */
export function neutral(...names: readonly string[]): Fields {
  return Object.fromEntries(names.map((name) => [name, { kind: 'neutral' }]));
}

/** A JSON file that is an object. Throws one sentence that names the file. */
export function readJsonFile(file: string): Record<string, unknown> {
  if (!existsSync(file)) throw new Error(`${file}: expected a JSON file, got no such file`);
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    throw new Error(`${file}: expected JSON, got something else`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Error(`${file}: expected a JSON object, got ${Array.isArray(value) ? 'a list' : JSON.stringify(value)}`);
  }
  return value as Record<string, unknown>;
}

/**
 * Our configuration, in `schema`, of what a file says. Keys that begin with `_` are the libraries' notes.
 *
 * @param network its name in the error
 * @throws one sentence that names every field and value that is not implemented
 */
export function translate<S extends z.ZodType>(
  file: string, network: string, given: Readonly<Record<string, unknown>>, fields: Fields, schema: S,
): z.output<S> {
  const refused: string[] = [];
  for (const key of Object.keys(given)) {
    if (!key.startsWith('_') && !Object.hasOwn(fields, key)) refused.push(`${key}, which is not known`);
  }
  const ours: Record<string, unknown> = {};
  for (const [key, field] of Object.entries(fields)) {
    if (field.kind === 'neutral') continue;
    const value = Object.hasOwn(given, key) ? given[key] : field.absent;
    if (field.kind === 'read') {
      if (value !== undefined) ours[field.as || key] = value;
    } else if (![value].flat().every((each) => field.values.includes(each))) {
      const allowed = field.values.map((each) => JSON.stringify(each)).join(' or ');
      refused.push(`${key} ${shortJson(value)} where only ${allowed} is implemented`);
    }
  }
  if (refused.length > 0) throw new Error(`${file}: expected a ${network} as implemented here, got ${listed(refused)}`);
  const parsed = schema.safeParse(ours);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0];
  throw new Error(`${file}: ${path.join('.')}: ${message}, got ${shortJson(ours[String(path[0])])}`);
}

/** Refuses a file of another class, where it names one. */
export function expectClass(file: string, given: Readonly<Record<string, unknown>>, key: string, names: readonly string[]) {
  const found = given[key];
  if (found === undefined || names.includes(String(found))) return;
  throw new Error(`${file}: expected ${key} ${names.join(' or ')}, got ${shortJson(found)}`);
}

/**
 * Refuses a file whose options differ from the model's, which shapes do not show: heads, eps,
 * activations. The size that a network was trained for may differ.
 */
export function expectSameOptions(file: string, network: string, ours: object, upstream: object): void {
  const wrong = Object.entries(upstream).flatMap(([key, value]) => {
    const own = (ours as Record<string, unknown>)[key];
    if (key === 'sample_size' || JSON.stringify(own) === JSON.stringify(value)) return [];
    return [`${key} ${JSON.stringify(value)} (the model has ${JSON.stringify(own)})`];
  });
  if (wrong.length === 0) return;
  throw new Error(`${file}: expected the configuration of the model's ${network}, got ${listed(wrong)}`);
}

/** The first few of many, and how many more. */
export function listed(all: readonly string[], most = 4): string {
  const more = all.length - most;
  return `${all.slice(0, most).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

function shortJson(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
