"""Prints clip-vocabulary.json: token numbers of some hundred texts by transformers' CLIPTokenizer with
the published vocab.json and merges.txt (git ids 469be27c and 76e821f1, as src/hub/catalogue.ts pins
them), read from a tokenizer folder.

The golden holds the merges and the tokens that those texts can reach, under their own numbers: a
subset that gives the same tokens. Run: python clip-vocabulary.py FOLDER > clip-vocabulary.json
"""
import json
import pathlib
import random
import sys

from transformers import CLIPTokenizer

FOLDER = pathlib.Path(sys.argv[1])
vocab = json.loads((FOLDER / 'vocab.json').read_text(encoding='utf-8'))
lines = (FOLDER / 'merges.txt').read_text(encoding='utf-8').split('\n')[1:]
merges = [tuple(line.split(' ')) for line in lines if line]
tokenizer = CLIPTokenizer(vocab=vocab, merges=merges)

# Sentences put together of parts that break a tokenizer, and random strings of letters that do.
WORDS = """An ECHO with 2-chamber view. apical Parasternal LVEF=35% mitral regurgitation it's don't I'VE they'll
E/A 0.8 12.5mm (moderate) [severe] hypertrophic pseudo-normal 1,234,567 ...!! -- ?! #tag @user https://a.b/c?d=e&f
caf\u00e9 cafe\u0301 stra\u00dfe \u0130stanbul \ufb01brous \u03a3\u03c4\u03bf \u5fc3\u81d3 \u0441\u0435\u0440\u0434\u0446\u0435 \u0642\u0644\u0628
\u2764\ufe0f \U0001fac0 \u00bd\u00b2 \u00b5m \u201cquoted\u201d it\u2019s na\u00efve <|endoftext|> <b>bold</b> C:\\dir snake_case camelCase""".split()
SPACES = [' ', '  ', '\t', '\n', '\u00a0', '\u3000', '', '\u200b']
LETTERS = "abcdeABCDE0123 .,'-\u00e9\u0301\u4e2d\u0416\U0001f600\u00a0\n\u0130\u212a\u01c4\u1e9e\u0345\u200d\u00ad\u0660"


def texts():
    draw = random.Random(7)
    for _ in range(160):
        count = draw.randint(1, 9)
        yield ''.join(draw.choice(WORDS) + draw.choice(SPACES) for _ in range(count))
    for _ in range(140):
        yield ''.join(draw.choice(LETTERS) for _ in range(draw.randint(1, 24)))
    yield 'ventricle ' * 90


def row(text):
    ids = tokenizer(text, padding='max_length', max_length=77, truncation=True)['input_ids']
    assert len(ids) == 77
    while len(ids) > 1 and ids[-1] == ids[-2] == tokenizer.pad_token_id:
        ids.pop()
    return ids


cases = [[text, row(text)] for text in texts()]
words = set()
for text, _ in cases:
    clean = tokenizer.backend_tokenizer.normalizer.normalize_str(text)
    words |= {word + '</w>' for word, _ in tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str(clean)}
reach = ' '.join(sorted(words))
kept = [pair for pair in merges if ''.join(pair) in reach]
names = {c for c in reach} | {c + '</w>' for c in reach} | {''.join(pair) for pair in kept}
names |= {'<|startoftext|>', '<|endoftext|>'}
print(json.dumps({
    'tokens': {name: vocab[name] for name in sorted(names & vocab.keys(), key=vocab.get)},
    'merges': [' '.join(pair) for pair in kept], 'cases': cases,
}, ensure_ascii=True, separators=(',', ':')))
