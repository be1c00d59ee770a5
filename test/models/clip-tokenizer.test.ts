import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readPhrases, trainedVocabularyFiles } from '../../scripts/echo-vocabulary.ts';
import {
  ClipTokenizer, echoVocabulary, readVocabulary, splitWords, vocabularyFiles,
} from '../../src/models/clip-tokenizer.ts';
import type { Vocabulary } from '../../src/models/clip-tokenizer.ts';

interface Case { text: string; bare: number[] | null; row: number[] }
const golden = JSON.parse(
  readFileSync(new URL('../golden/clip-tokenizer.json', import.meta.url), 'utf8'),
) as {
  clip: { tokens: Record<string, number>; merges: string[]; cases: Case[] };
  echo: { cases: Case[] };
};

const clipVocabulary: Vocabulary = {
  tokens: new Map(Object.entries(golden.clip.tokens)),
  merges: golden.clip.merges.map((line) => line.split(' ') as [string, string]),
};

function compare(tokenizer: ClipTokenizer, cases: readonly Case[]): void {
  for (const { text, bare, row } of cases) {
    if (bare !== null) assert.deepEqual(tokenizer.tokenize(text), bare, JSON.stringify(text));
    const padded = [...row, ...Array<number>(77 - row.length).fill(tokenizer.pad)];
    assert.deepEqual(Array.from(tokenizer.encode(text)), padded, JSON.stringify(text));
  }
}

test('tokens are those of transformers with the vocabulary of CLIP', () => {
  compare(new ClipTokenizer(clipVocabulary), golden.clip.cases);
});

test('tokens are those of transformers with the echo vocabulary', () => {
  compare(new ClipTokenizer(echoVocabulary()), golden.echo.cases);
});

test('some hundred made-up texts with the published vocabulary', () => {
  const file = new URL('../golden/clip-vocabulary.json', import.meta.url);
  const { tokens, merges, cases } = JSON.parse(readFileSync(file, 'utf8')) as {
    tokens: Record<string, number>; merges: string[]; cases: [string, number[]][];
  };
  const tokenizer = new ClipTokenizer({
    tokens: new Map(Object.entries(tokens)), merges: merges.map((line) => line.split(' ') as [string, string]),
  });
  assert.equal(cases.length, 301);
  compare(tokenizer, cases.map(([text, row]) => ({ text, row, bare: null })));
});

test('the prompt of the paper has the token numbers that Stable Diffusion sees', () => {
  const numbers = new ClipTokenizer(clipVocabulary).encode('An ECHO with 2-chamber view.');
  assert.deepEqual(Array.from(numbers.slice(0, 2)), [49406, 550]);
  assert.equal(numbers[76], 49407);
});

test('every word of the phrases is one token of the echo vocabulary', () => {
  const tokenizer = new ClipTokenizer(echoVocabulary());
  for (const phrase of readPhrases()) {
    assert.equal(tokenizer.tokenize(phrase).length, splitWords(phrase).length, phrase);
  }
});

test('the committed echo vocabulary is what its script makes of the phrases', () => {
  for (const [name, text] of Object.entries(trainedVocabularyFiles(readPhrases()))) {
    const path = new URL(`../../src/models/echo-vocabulary/${name}`, import.meta.url);
    assert.equal(readFileSync(path, 'utf8'), text, name);
  }
});

test('padding token and length are options', () => {
  const tokenizer = new ClipTokenizer(clipVocabulary, { maxLength: 6, padToken: '!' });
  assert.deepEqual(Array.from(tokenizer.encode('')), [49406, 49407, 0, 0, 0, 0]);
  assert.equal(tokenizer.encode('an an an an an an an').at(-1), 49407);
  assert.throws(() => new ClipTokenizer(clipVocabulary, { maxLength: 1 }), /2 or more, got 1/);
  assert.throws(() => new ClipTokenizer(clipVocabulary, { padToken: '<pad>' }), /the token <pad>/);
});

test('a vocabulary survives its folder, and a broken folder names its file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vocabulary-'));
  try {
    for (const [name, text] of Object.entries(vocabularyFiles(clipVocabulary))) {
      writeFileSync(join(folder, name), text);
    }
    const read = readVocabulary(folder);
    assert.deepEqual(read.merges, clipVocabulary.merges);
    assert.deepEqual(new Map(read.tokens), new Map(clipVocabulary.tokens));
    writeFileSync(join(folder, 'merges.txt'), '#version: 0.2\na b c\n');
    assert.throws(() => readVocabulary(folder), /two symbols a line, got "a b c" in .*merges\.txt/);
    writeFileSync(join(folder, 'vocab.json'), '{"a": "b"}');
    assert.throws(() => readVocabulary(folder), /token numbers in .*vocab\.json/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
