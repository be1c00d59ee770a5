import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A vocabulary of byte-level pair encoding: token -> number, and the merges in order of rank. */
export interface Vocabulary {
  readonly tokens: ReadonlyMap<string, number>;
  readonly merges: readonly (readonly [string, string])[];
}

export interface TokenizerOptions {
  /** Length of every encoded row, start and end token included. CLIP: 77. */
  readonly maxLength?: number;
  /** Stable Diffusion 1.x pads with the end token, 2.x with "!". */
  readonly padToken?: string;
}

export const START_TOKEN = '<|startoftext|>';
export const END_TOKEN = '<|endoftext|>';
export const WORD_END = '</w>';

// CLIP first cuts a text into words; transformers then cuts each word again by GPT-2's pattern,
// which changes nothing but a special token whose letters were not lower-case in the text.
const SYMBOLS = '[^\\p{White_Space}\\p{L}\\p{N}]+';
const ENDINGS = "'s|'t|'re|'ve|'m|'ll|'d";
const CLIP_WORDS = new RegExp(
  String.raw`<\|startoftext\|>|<\|endoftext\|>|${ENDINGS}|\p{L}+|\p{N}|${SYMBOLS}`, 'gu',
);
const GPT2_WORDS = new RegExp(String.raw`${ENDINGS}|\p{L}+|\p{N}+|${SYMBOLS}`, 'gu');

/** Number of byte -> printable character that stands for it (GPT-2's alphabet, 256 entries). */
export const BYTE_CHARACTERS: readonly string[] = byteCharacters();

function byteCharacters(): string[] {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte !== 173);
    return String.fromCodePoint(printable ? byte : next++);
  });
}

/** The 256 byte characters in the order of CLIP's numbers: the printable ones, then the rest. */
export function byteAlphabet(): string[] {
  const own = BYTE_CHARACTERS.filter((character) => character.codePointAt(0)! < 256);
  return [...own, ...BYTE_CHARACTERS.filter((character) => character.codePointAt(0)! >= 256)];
}

/**
 * Text as the words that pair encoding works on, lower-cased, each in byte characters.
 * Lower-casing goes letter by letter: a final sigma stays a plain one, as in transformers.
 */
export function splitWords(text: string): string[] {
  const clean = text.normalize('NFC').replace(/\p{White_Space}+/gu, ' ');
  const lower = Array.from(clean, (character) => character.toLowerCase()).join('');
  return (lower.match(CLIP_WORDS) ?? [])
    .flatMap((word) => word.match(GPT2_WORDS) ?? [])
    .map((word) => Array.from(Buffer.from(word), (byte) => BYTE_CHARACTERS[byte]).join(''));
}

/** CLIP's byte-level pair encoding, number by number transformers' `CLIPTokenizer`. */
export class ClipTokenizer {
  readonly vocabulary: Vocabulary;
  readonly maxLength: number;
  readonly start: number;
  readonly end: number;
  readonly pad: number;
  readonly #ranks = new Map<string, number>();
  readonly #encoded = new Map<string, readonly number[]>();

  /** @throws when the vocabulary lacks the start, end or padding token, or maxLength is under 2. */
  constructor(vocabulary: Vocabulary, options: TokenizerOptions = {}) {
    const { maxLength = 77, padToken = END_TOKEN } = options;
    if (!Number.isInteger(maxLength) || maxLength < 2) {
      throw new Error(
        `clip tokenizer: expected maxLength to be an integer of 2 or more, got ${maxLength}`,
      );
    }
    this.vocabulary = vocabulary;
    this.maxLength = maxLength;
    this.start = this.#number(START_TOKEN);
    this.end = this.#number(END_TOKEN);
    this.pad = this.#number(padToken);
    vocabulary.merges.forEach(([left, right], rank) => this.#ranks.set(`${left} ${right}`, rank));
  }

  /** How many rows an embedding of these tokens needs: the highest token number plus one. */
  get size(): number {
    return Math.max(...this.vocabulary.tokens.values()) + 1;
  }

  /** Token numbers of a text: start, words, end, then padding; exactly `maxLength` of them. */
  encode(text: string): Int32Array {
    const words = this.tokenize(text).slice(0, this.maxLength - 2);
    return new Int32Array(this.maxLength).fill(this.pad).map((pad, position) => {
      if (position === 0) return this.start;
      if (position <= words.length) return words[position - 1];
      return position === words.length + 1 ? this.end : pad;
    });
  }

  /** Token numbers of a text alone: no start, no end, no padding, no truncation. */
  tokenize(text: string): number[] {
    // A special token written out in the text stands for itself, before any other rule.
    return text.split(/(<\|startoftext\|>|<\|endoftext\|>)/).flatMap((part) => {
      if (part === START_TOKEN) return [this.start];
      if (part === END_TOKEN) return [this.end];
      return splitWords(part).flatMap((word) => this.#word(word));
    });
  }

  #word(word: string): readonly number[] {
    let numbers = this.#encoded.get(word);
    if (numbers === undefined) {
      const { tokens } = this.vocabulary;
      numbers = mergePairs(word, this.#ranks).map((token) => tokens.get(token) ?? this.end);
      this.#encoded.set(word, numbers);
    }
    return numbers;
  }

  #number(token: string): number {
    const found = this.vocabulary.tokens.get(token);
    if (found === undefined) {
      throw new Error(`clip tokenizer: expected the token ${token} in the vocabulary, `
        + `got ${this.vocabulary.tokens.size} tokens without it`);
    }
    return found;
  }
}

/** Symbols of a word after the merges: always the pair of lowest rank, leftmost first. */
function mergePairs(word: string, ranks: ReadonlyMap<string, number>): string[] {
  const symbols = Array.from(word);
  symbols[symbols.length - 1] += WORD_END;
  for (;;) {
    let best = -1;
    let bestRank = Infinity;
    for (let i = 0; i + 1 < symbols.length; i++) {
      const rank = ranks.get(`${symbols[i]} ${symbols[i + 1]}`) ?? Infinity;
      if (rank < bestRank) [best, bestRank] = [i, rank];
    }
    if (best < 0) return symbols;
    symbols.splice(best, 2, symbols[best] + symbols[best + 1]);
  }
}

/**
 * Reads `vocab.json` and `merges.txt` of a tokenizer folder (transformers' layout).
 * @throws naming the file, when it is absent, not a table of numbers, or a merge is not a pair.
 */
export function readVocabulary(folder: string): Vocabulary {
  const [vocabPath, mergesPath] = [join(folder, 'vocab.json'), join(folder, 'merges.txt')];
  const table: unknown = JSON.parse(readFileSync(vocabPath, 'utf8'));
  if (table === null || typeof table !== 'object' || Array.isArray(table)
    || !Object.values(table).every((value) => Number.isInteger(value) && value >= 0)) {
    throw new Error(`clip tokenizer: expected an object of token numbers in ${vocabPath}`);
  }
  const lines = readFileSync(mergesPath, 'utf8').split('\n')
    .filter((line, index) => line !== '' && !(index === 0 && line.startsWith('#version')));
  const merges = lines.map((line) => {
    const pair = line.split(' ');
    if (pair.length !== 2) {
      throw new Error(
        `clip tokenizer: expected two symbols a line, got "${line}" in ${mergesPath}`,
      );
    }
    return [pair[0], pair[1]] as const;
  });
  return { tokens: new Map(Object.entries(table as Record<string, number>)), merges };
}

export interface VocabularyFiles {
  readonly 'vocab.json': string;
  readonly 'merges.txt': string;
}

/** The two files of a tokenizer folder as text, in transformers' layout. */
export function vocabularyFiles(vocabulary: Vocabulary): VocabularyFiles {
  const merges = vocabulary.merges.map(([left, right]) => `${left} ${right}\n`).join('');
  return {
    'vocab.json': `${JSON.stringify(Object.fromEntries(vocabulary.tokens))}\n`,
    'merges.txt': `#version: 0.2\n${merges}`,
  };
}

/** The small vocabulary of echocardiography that ships with the presets tiny and small. */
export function echoVocabulary(): Vocabulary {
  return readVocabulary(fileURLToPath(new URL('./echo-vocabulary', import.meta.url)));
}
