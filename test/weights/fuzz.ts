/** Checkpoints with bytes changed by chance, each read as far as it goes. */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { openCheckpoint } from '../../src/weights/checkpoint.ts';
import { MemoryBytes } from '../../src/weights/bytes.ts';
import { Archive } from '../../src/weights/zip.ts';
import { bytes, little, zip } from './made-files.ts';

const golden = new URL('../golden/pytorch-checkpoint/', import.meta.url);

export interface FuzzSummary {
  readonly files: number;
  readonly refused: number;
  readonly read: number;
  /** CPU time of the slowest file. */
  readonly slowestMs: number;
  /** Most resident bytes after a file, less those after the first hundred. */
  readonly memoryGrowth: number;
  /** How often each refusal came, its place, digits and quoted text taken out. */
  readonly reasons: ReadonlyMap<string, number>;
}

/** A whole number from 0 to limit - 1. */
type Next = (limit: number) => number;

function stream(seed: number): Next {
  let state = seed % 2147483647 || 1;
  return (limit) => {
    state = (state * 48271) % 2147483647;
    return Math.floor((state / 2147483647) * limit);
  };
}

const values = [0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];
const opcodes = Buffer.from(
  '.()0N12JKMGXUTCB]lae)t}dsucRbqrhjQ\x80\x81\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x90\x91\x93\x94\x95\x96',
  'latin1',
);

/** One way to change bytes; `from` is another file to take a piece of. */
type Mutation = (content: Buffer, next: Next, from: Buffer) => Buffer;

const mutations: readonly Mutation[] = [
  (content, next) => {
    for (let i = next(8); i >= 0; i--) content[next(content.length)] = next(256);
    return content;
  },
  (content, next) => {
    for (let i = next(3); i >= 0; i--) content[next(content.length)] = opcodes[next(opcodes.length)];
    return content;
  },
  (content, next) => {
    const width = ([1, 2, 4, 8] as const)[next(4)];
    const at = next(Math.max(1, content.length - width));
    little(values[next(values.length)], width).copy(content, at);
    return content;
  },
  (content, next) => content.subarray(0, next(content.length)),
  (content, next, from) => {
    const at = next(content.length);
    const start = next(from.length);
    const piece = from.subarray(start, start + next(64));
    return bytes(content.subarray(0, at), piece, content.subarray(at + (next(2) ? piece.length : 0)));
  },
  (content, next) => {
    const at = next(content.length);
    return bytes(content.subarray(0, at), content.subarray(at + 1 + next(4)));
  },
  (content, next) => {
    const at = next(content.length);
    const piece = content.subarray(at, at + 1 + next(40));
    return bytes(content.subarray(0, at), ...Array<Buffer>(1 + next(50)).fill(piece), content.subarray(at));
  },
  (content, next) => {
    const last = Math.min(content.length, 400);
    for (let i = next(3); i >= 0; i--) content[content.length - 1 - next(last)] = next(256);
    return content;
  },
];

/** The same zip with its pickle changed and all checksums right, so that the change is read. */
function insidePickle(whole: Buffer, change: (content: Buffer) => Buffer): Buffer {
  const archive = new Archive(new MemoryBytes(whole));
  return zip(
    [...archive.entries.values()].map((entry) => {
      const content = Buffer.alloc(entry.size);
      archive.open(entry).readInto(content, 0);
      return { name: entry.name, content: entry.name.endsWith('.pkl') ? change(content) : content };
    }),
  );
}

function mutant(sources: readonly Buffer[], next: Next): Buffer {
  const whole = sources[next(sources.length)];
  const from = sources[next(sources.length)];
  const change = (content: Buffer) => mutations[next(mutations.length)](Buffer.from(content), next, from);
  const isZip = whole[0] === 0x50;
  return isZip && next(3) > 0 ? insidePickle(whole, change) : change(whole);
}

/** Opens a file and reads every tensor; the message when it is refused, which must be a sentence. */
function readAll(path: string): string | null {
  try {
    const checkpoint = openCheckpoint(path);
    try {
      for (const name of checkpoint.tensors.keys()) checkpoint.read(name);
    } finally {
      checkpoint.close();
    }
    return null;
  } catch (error) {
    const { message, stack } = error as Error;
    const sentence = message.startsWith(`${path}: `) && !message.includes('\n') && message.length < 600;
    if ((error as Error).constructor !== Error || !sentence) throw new Error(`no sentence: ${stack}`);
    return message.slice(path.length + 2);
  }
}

/**
 * Reads `files` mutated copies of the files that PyTorch wrote, the same ones for the same seed.
 * Throws, leaving the file at `path`, when a failure is no sentence.
 */
export function fuzzCheckpoints(path: string, files: number, seed: number): FuzzSummary {
  const sources = readdirSync(golden)
    .sort()
    .map((name) => readFileSync(new URL(name, golden)));
  const next = stream(seed);
  const reasons = new Map<string, number>();
  const resident = () => process.memoryUsage.rss();
  let refused = 0;
  let slowestMs = 0;
  let first = resident();
  let most = first;
  for (let file = 0; file < files; file++) {
    writeFileSync(path, mutant(sources, next));
    const before = process.cpuUsage();
    const reason = readAll(path);
    const { user, system } = process.cpuUsage(before);
    slowestMs = Math.max(slowestMs, (user + system) / 1000);
    if (reason !== null) {
      refused++;
      const kind = reason
        .replace(/"(\\.|[^"\\])*"/g, '"..."')
        .replace(/ \([^()]*\)$/, '')
        .replace(/\d+/g, 'N');
      reasons.set(kind, (reasons.get(kind) ?? 0) + 1);
    }
    if (file === 100) first = most = resident();
    most = Math.max(most, resident());
  }
  return { files, refused, read: files - refused, slowestMs, memoryGrowth: most - first, reasons };
}
