"""Prints clip-tokenizer.json: token numbers by transformers' CLIPTokenizer.

Two vocabularies: the echo one of this repository, and CLIP's own, whose merges (gzipped text,
"bpe_simple_vocab_16e6.txt.gz" of the open_clip package) are named on the command line.
Of CLIP's own only the entries that the texts below can reach are printed, under their own numbers.

    python clip-tokenizer.py bpe_simple_vocab_16e6.txt.gz > clip-tokenizer.json
"""
import gzip
import json
import pathlib
import sys

from transformers import CLIPTokenizer

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEXTS = [
    "An ECHO with 2-chamber view.",
    "An ECHO with 4-chamber view.",
    "",
    " ",
    "  a\t b\n\nc \u00a0 d\u2003e\u3000f  ",
    "EF 35 %, heart rate 1234567 bpm!!! (poor/bad) #1 @home $5.00",
    "it's they're I've don't we'll I'm he'd rock'n'roll 's 't ''s",
    "IT'S THEY'RE",
    "caf\u00e9 cafe\u0301 na\u00efve \u00c5ngstr\u00f6m \u0130stanbul stra\u00dfe STRASSE",
    "\u039f\u0394\u039f\u03a3 \u03a3\u03a3",
    "\u5fc3\u81d3\u8d85\u58f0\u6ce2 \u5fc3\u30a8\u30b3\u30fc\u56f3 "
    "\u0441\u0435\u0440\u0434\u0446\u0435 \u0642\u0644\u0628",
    "\U0001fac0\u2764\ufe0f\U0001f468\u200d\u2695\ufe0f \U0001d54f\U0001d7d8 \u00bd \u0663 \u2167",
    "\u0939\u0943\u0926\u092f e\u0327\u0301 \ufb01ne \u01c5",
    "zero\u200bwidth soft\u00adhyphen bom\ufeffbom nel\u0085nel ctrl\u0001\u0000ctrl",
    "a <|endoftext|> b <|startoftext|>c<|EndOfText|> <|x|> </w> d</w>",
    "line\r\nbreak\u2028para\u2029end\x0b\x0c\x1c.",
    "supercalifragilisticexpialidocious myocardium hypertrophied ventricle xqzjk",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa hahahahahahaha",
    "'" * 9 + "..." * 5 + "-_-;; \\ \" ` ~ ^",
    "the left ventricle is dilated and " * 20,
    "word " * 74, "word " * 75, "word " * 76,
]


def own_vocabulary(path):
    lines = gzip.open(path).read().decode("utf-8").split("\n")
    merges = [tuple(line.split()) for line in lines[1:49152 - 256 - 2 + 1]]
    printable = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    rest = [b for b in range(256) if b not in printable]
    letters = [chr(b) for b in printable] + [chr(256 + n) for n in range(len(rest))]
    names = letters + [c + "</w>" for c in letters] + ["".join(pair) for pair in merges]
    names += ["<|startoftext|>", "<|endoftext|>"]
    return {name: number for number, name in enumerate(names)}, merges


def reachable(vocab, merges, tokenizer):
    words = set()
    backend = tokenizer.backend_tokenizer
    for text in TEXTS:
        clean = backend.normalizer.normalize_str(text)
        words |= {word + "</w>" for word, _ in backend.pre_tokenizer.pre_tokenize_str(clean)}
    text = " ".join(sorted(words))
    kept = [pair for pair in merges if "".join(pair) in text]
    names = {c for c in text} | {c + "</w>" for c in text} | {"".join(pair) for pair in kept}
    names |= {"<|startoftext|>", "<|endoftext|>", "!"}
    names = sorted(names & vocab.keys(), key=vocab.get)
    return {name: vocab[name] for name in names}, kept


def cases(tokenizer):
    length = dict(padding="max_length", max_length=77, truncation=True)
    bare = lambda text: tokenizer(text, add_special_tokens=False)["input_ids"]
    full = lambda text: tokenizer(text, **length)["input_ids"]
    # A row of 77 is printed up to its first padding; the padding is known.
    rows = []
    for text in TEXTS:
        row, pad = full(text), tokenizer.pad_token_id  # the end token as well
        while row[-1] == pad and row[-2] == pad:
            row = row[:-1]
        rows.append({"text": text, "bare": bare(text) if len(text) < 300 else None, "row": row})
    return rows


vocab, merges = own_vocabulary(sys.argv[1])
own = CLIPTokenizer(vocab=vocab, merges=merges)
folder = ROOT / "src/models/echo-vocabulary"
echo_vocab = json.loads((folder / "vocab.json").read_text())
echo_lines = (folder / "merges.txt").read_text().split("\n")[1:]
echo_merges = [tuple(line.split(" ")) for line in echo_lines if line]
echo = CLIPTokenizer(vocab=echo_vocab, merges=echo_merges)
tokens, kept = reachable(vocab, merges, own)
print(json.dumps({
    "clip": {"tokens": tokens, "merges": [" ".join(p) for p in kept], "cases": cases(own)},
    "echo": {"cases": cases(echo)},
}, ensure_ascii=True))
