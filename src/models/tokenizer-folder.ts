import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  END_TOKEN, readVocabulary, START_TOKEN, vocabularyFiles, type Vocabulary,
} from './clip-tokenizer.ts';

/** What makes a tokenizer: its vocabulary, and which token fills a row up. */
export interface TokenizerSource {
  readonly vocabulary: Vocabulary;
  /** Stable Diffusion 1.x pads with the end token, 2.x with "!". */
  readonly padToken: string;
}

/**
 * A tokenizer folder in transformers' layout: `vocab.json` and `merges.txt`, or the `tokenizer.json`
 * that transformers 5 writes in their place, and the options beside them.
 *
 * @throws one sentence that names the file when one is absent or is not that of a CLIP tokenizer
 */
export function readTokenizerFolder(folder: string): TokenizerSource {
  const vocabulary = existsSync(join(folder, 'vocab.json')) ? readVocabulary(folder) : readTokenizerJson(folder);
  const file = join(folder, 'tokenizer_config.json');
  const options = existsSync(file) ? readObject(file) : {};
  if (options.do_lower_case === false) {
    throw new Error(`${file}: expected do_lower_case true, which is CLIP's, got false`);
  }
  for (const [key, wanted] of [['bos_token', START_TOKEN], ['eos_token', END_TOKEN]] as const) {
    const got = tokenText(options[key], wanted);
    if (got !== wanted) throw new Error(`${file}: expected ${key} ${wanted}, got ${got}`);
  }
  return { vocabulary, padToken: tokenText(options.pad_token, END_TOKEN) };
}

/** Writes what `readTokenizerFolder` and transformers read; the folder is made. */
export function writeTokenizerFolder(folder: string, source: TokenizerSource, maxLength: number): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(vocabularyFiles(source.vocabulary))) writeFileSync(join(folder, name), text);
  const special = {
    bos_token: START_TOKEN, eos_token: END_TOKEN, unk_token: END_TOKEN, pad_token: source.padToken,
  };
  const options = {
    ...special, do_lower_case: true, errors: 'replace', model_max_length: maxLength, tokenizer_class: 'CLIPTokenizer',
  };
  writeFileSync(join(folder, 'tokenizer_config.json'), `${JSON.stringify(options, null, 2)}\n`);
  writeFileSync(join(folder, 'special_tokens_map.json'), `${JSON.stringify(special, null, 2)}\n`);
}

/** A token is written as its text, or as an object with it. */
function tokenText(value: unknown, absent: string): string {
  const text = typeof value === 'object' && value !== null ? (value as { content?: unknown }).content : value;
  return typeof text === 'string' ? text : absent;
}

function readTokenizerJson(folder: string): Vocabulary {
  const file = join(folder, 'tokenizer.json');
  if (!existsSync(file)) {
    throw new Error(`${folder}: expected vocab.json and merges.txt, or tokenizer.json, got none of them`);
  }
  const { type, vocab, merges } = (readObject(file).model ?? {}) as Record<string, unknown>;
  const tokens = typeof vocab === 'object' && vocab !== null ? Object.entries(vocab) : [];
  const numbered = tokens.length > 0 && tokens.every(([, number]) => Number.isInteger(number) && number >= 0);
  const pairs = Array.isArray(merges) ? merges.map((pair) => (typeof pair === 'string' ? pair.split(' ') : pair)) : null;
  const paired = pairs?.every((pair) => Array.isArray(pair) && pair.length === 2
    && pair.every((symbol) => typeof symbol === 'string'));
  if (type !== 'BPE' || !numbered || paired !== true) {
    throw new Error(`${file}: expected a model of type BPE with vocab and merges, got ${JSON.stringify(type) ?? 'none'}`);
  }
  return { tokens: new Map(tokens as [string, number][]), merges: pairs as [string, string][] };
}

function readObject(file: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    throw new Error(`${file}: expected JSON, got something else`);
  }
  if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  throw new Error(`${file}: expected a JSON object, got ${JSON.stringify(value)}`);
}
