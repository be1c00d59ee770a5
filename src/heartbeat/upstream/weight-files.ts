/** The weights of a folder of diffusers or transformers: one file or shards, safetensors or PyTorch's. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { readSafetensors, readSafetensorsHeader } from '../../tensor/safetensors.ts';
import { dispose, scope } from '../../tensor/memory.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { openCheckpoint } from '../../weights/checkpoint.ts';
import { readCheckpoint } from '../../weights/tensors.ts';
import { listed, readJsonFile } from './config-files.ts';

/** Tensors in files, before they are read. */
export interface StoredWeights {
  /** What errors name: the file, or the index of the shards. */
  readonly path: string;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** The tensors whose names begin with `prefix`, by their whole names, in the dtype of the file. */
  read(prefix: string): Map<string, Tensor>;
}

const stems = ['diffusion_pytorch_model', 'model', 'pytorch_model'];
const endings = ['.safetensors', '.bin'];
/** Where a state stands in a PyTorch file that holds more than one. */
const inside = ['state_dict', 'model'];

/**
 * The weights of `path`, a file (.safetensors, .bin, .pth, .pt, .ckpt) or a folder. In a folder
 * safetensors come before PyTorch's files, and the full precision before `fp16`.
 *
 * @throws one sentence that names the file, or what was looked for
 */
export function openWeights(path: string): StoredWeights {
  const status = statSync(path, { throwIfNoEntry: false });
  if (status === undefined) throw new Error(`${path}: expected weights, got no such file or folder`);
  if (!status.isDirectory()) return path.endsWith('.index.json') ? openShards(path) : openFile(path);
  for (const variant of ['', '.fp16']) {
    for (const ending of endings) {
      for (const stem of stems) {
        const file = join(path, `${stem}${variant}${ending}`);
        if (existsSync(file)) return openFile(file);
        const index = join(path, `${stem}${ending}.index${variant}.json`);
        if (existsSync(index)) return openShards(index);
      }
    }
  }
  throw new Error(`${path}: expected weights (${stems.join(', ')} with ${endings.join(' or ')}), ` +
    `got ${listed(readdirSync(path).sort(), 6) || 'an empty folder'}`);
}

function openFile(path: string): StoredWeights {
  return path.endsWith('.safetensors') ? openSafetensors(path) : openPickle(path);
}

function openSafetensors(path: string): StoredWeights {
  const { tensors } = readSafetensorsHeader(path);
  return {
    path, shapes: new Map([...tensors].map(([name, { shape }]) => [name, shape])),
    read: (prefix) => readSafetensors(path, (name) => name.startsWith(prefix)).tensors,
  };
}

function openPickle(path: string): StoredWeights {
  const checkpoint = openCheckpoint(path);
  checkpoint.close();
  const names = [...checkpoint.tensors.keys()];
  const under = checkpoint.value instanceof Map
    ? inside.find((key) => (checkpoint.value as Map<unknown, unknown>).get(key) instanceof Map) : undefined;
  const start = under === undefined ? '' : `${under}.`;
  const state = names.filter((name) => name.startsWith(start));
  return {
    path,
    shapes: new Map(state.map((name) => [name.slice(start.length), checkpoint.stored(name).shape])),
    read: (prefix) => {
      if (!state.some((name) => name.startsWith(start + prefix))) return new Map();
      // `under` ends before a dot: a prefix is whole parts of a name.
      const place = (start + prefix).replace(/\.$/, '');
      const { tensors } = readCheckpoint(path, place === '' ? {} : { under: place });
      return new Map([...tensors].map(([name, value]) => [prefix + name, value]));
    },
  };
}

/** `{"weight_map": {name: file}}`; every name must be in its file, and no file outside the folder. */
function openShards(index: string): StoredWeights {
  const map = readJsonFile(index).weight_map;
  if (typeof map !== 'object' || map === null || Array.isArray(map)) {
    throw new Error(`${index}: expected an object weight_map, got ${JSON.stringify(map) ?? 'nothing'}`);
  }
  const files = new Map<string, StoredWeights>();
  const shapes = new Map<string, readonly number[]>();
  for (const [name, file] of Object.entries(map)) {
    if (typeof file !== 'string' || file !== basename(file) || file === '' || file.startsWith('.')) {
      throw new Error(`${index}: expected a file beside it for ${name}, got ${JSON.stringify(file)}`);
    }
    if (!files.has(file)) files.set(file, openFile(join(dirname(index), file)));
    const shape = files.get(file)!.shapes.get(name);
    if (shape === undefined) throw new Error(`${index}: expected ${name} in ${file}, got a file without it`);
    shapes.set(name, shape);
  }
  for (const { path, shapes: held } of files.values()) {
    const extra = [...held.keys()].filter((name) => !shapes.has(name));
    if (extra.length > 0) throw new Error(`${index}: expected every tensor of ${basename(path)}, lacks ${listed(extra)}`);
  }
  return {
    path: index, shapes,
    read: (prefix) => scope(() => {
      const all = new Map<string, Tensor>();
      for (const file of files.values()) for (const [name, value] of file.read(prefix)) all.set(name, value);
      return all;
    }),
  };
}

/** Reads, uses and releases. */
export function withWeights<T>(tensors: Map<string, Tensor>, use: (tensors: ReadonlyMap<string, Tensor>) => T): T {
  try {
    return use(tensors);
  } finally {
    dispose(tensors);
  }
}
