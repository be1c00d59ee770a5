/**
 * Makes `src/models/echo-vocabulary/{vocab.json,merges.txt}` from `phrases.txt` beside them:
 * CLIP's byte alphabet, then pair merges until every word of the phrases is one token.
 * Deterministic: the most frequent pair first, ties in code-point order.
 * `node --import tsx scripts/echo-vocabulary.ts` rewrites the files; a test compares them.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import {
  byteAlphabet, END_TOKEN, splitWords, START_TOKEN, vocabularyFiles, WORD_END,
} from '../src/models/clip-tokenizer.ts';
import type { VocabularyFiles } from '../src/models/clip-tokenizer.ts';

const FOLDER = fileURLToPath(new URL('../src/models/echo-vocabulary', import.meta.url));

interface Word { symbols: string[]; readonly count: number }

/** The two files that the phrases give, as text. */
export function trainedVocabularyFiles(phrases: readonly string[]): VocabularyFiles {
  const counts = new Map<string, number>();
  for (const word of phrases.flatMap(splitWords)) counts.set(word, (counts.get(word) ?? 0) + 1);
  let words: Word[] = [...counts].map(([word, count]) => {
    const symbols = Array.from(word);
    symbols[symbols.length - 1] += WORD_END;
    return { symbols, count };
  });
  const merges: [string, string][] = [];
  for (let pair = mostFrequentPair(words); pair !== null; pair = mostFrequentPair(words)) {
    const [left, right] = pair;
    merges.push(pair);
    words = words.map(({ symbols, count }) => ({ symbols: joined(symbols, left, right), count }));
  }
  const alphabet = byteAlphabet();
  const names = new Set([
    ...alphabet, ...alphabet.map((character) => character + WORD_END),
    ...merges.map((pair) => pair.join('')), START_TOKEN, END_TOKEN,
  ]);
  const tokens = new Map([...names].map((name, number) => [name, number]));
  return vocabularyFiles({ tokens, merges });
}

function mostFrequentPair(words: readonly Word[]): [string, string] | null {
  const counts = new Map<string, number>();
  for (const { symbols, count } of words) {
    for (let i = 0; i + 1 < symbols.length; i++) {
      const pair = `${symbols[i]} ${symbols[i + 1]}`;
      counts.set(pair, (counts.get(pair) ?? 0) + count);
    }
  }
  const [best] = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  return best === undefined ? null : best[0].split(' ') as [string, string];
}

function joined(symbols: readonly string[], left: string, right: string): string[] {
  const result: string[] = [];
  for (let i = 0; i < symbols.length; i++) {
    const match = symbols[i] === left && symbols[i + 1] === right;
    result.push(match ? left + right : symbols[i]);
    if (match) i++;
  }
  return result;
}

/** The phrases that the committed vocabulary is made from, one a line. */
export function readPhrases(): string[] {
  const text = readFileSync(join(FOLDER, 'phrases.txt'), 'utf8');
  return text.split('\n').filter((line) => line !== '');
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, text] of Object.entries(trainedVocabularyFiles(readPhrases()))) {
    writeFileSync(join(FOLDER, name), text);
  }
}
