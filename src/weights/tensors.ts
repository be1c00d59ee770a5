import { noGrad, scope } from '../tensor/memory.ts';
import { native } from '../tensor/native.ts';
import { empty } from '../tensor/tensor.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { quoted } from './bytes.ts';
import { openCheckpoint } from './checkpoint.ts';
import type { Checkpoint, Value } from './checkpoint.ts';
import { tensorBytes } from './strided.ts';

/** Views may repeat what they share, up to this many times the bytes of the storages. */
const mostRepeats = 4;
const alwaysAllowed = 64 * 1024 * 1024;

export interface CheckpointOptions {
  /** Only the tensors below this path, `state_dict`; their names then begin behind it. */
  readonly under?: string;
}

/** One tensor of an open checkpoint, contiguous, on the CPU. */
export function readTensor(checkpoint: Checkpoint, name: string): Tensor {
  const { shape, dtype } = checkpoint.stored(name);
  return scope(() =>
    noGrad(() => {
      const made = empty(shape, { dtype });
      checkpoint.readBlocks(name, (at, bytes) => native().writeBytes(made.external, at, bytes));
      return made;
    }),
  );
}

/**
 * Reads a checkpoint of torch.save to CPU tensors, as `readSafetensors` reads its files: keys are
 * the paths of the tensors in the object, in the file's order. `value` is the object itself, for
 * what else stands in it (`epoch`). Throws what `openCheckpoint` and `read` throw, or when there is
 * no tensor under `under`.
 */
export function readCheckpoint(
  path: string,
  { under }: CheckpointOptions = {},
): { tensors: Map<string, Tensor>; value: Value } {
  const checkpoint = openCheckpoint(path);
  try {
    const names = namesUnder(checkpoint, under);
    refuseRepeats(checkpoint, [...names.values()]);
    return scope(() => {
      const read = new Map<string, Tensor>();
      for (const name of inStorageOrder(checkpoint, [...names.values()])) {
        read.set(name, readTensor(checkpoint, name));
      }
      const tensors = new Map([...names].map(([short, name]) => [short, read.get(name)!]));
      return { tensors, value: checkpoint.value };
    });
  } finally {
    checkpoint.close();
  }
}

/** Names without their beginning, and whole. */
function namesUnder({ path, tensors }: Checkpoint, under?: string): Map<string, string> {
  if (under === undefined) return new Map([...tensors.keys()].map((name) => [name, name]));
  const start = `${under}.`;
  const names = [...tensors.keys()].filter((name) => name.startsWith(start));
  if (names.length === 0) {
    const tops = new Set([...tensors.keys()].map((name) => name.split('.')[0]));
    const got = [...tops].slice(0, 8).map(quoted).join(', ') || 'no tensor at all';
    throw new Error(`${path}: expected tensors under ${quoted(under)}, got ${got}`);
  }
  return new Map(names.map((name) => [name.slice(start.length), name]));
}

function refuseRepeats(checkpoint: Checkpoint, names: readonly string[]): void {
  const wanted = names.reduce((sum, name) => sum + tensorBytes(checkpoint.tensors.get(name)!), 0);
  const most = mostRepeats * checkpoint.storageBytes + alwaysAllowed;
  if (wanted <= most) return;
  const held = `its storages hold ${checkpoint.storageBytes}`;
  throw new Error(`${checkpoint.path}: expected at most ${most} bytes of tensors, got ${wanted}: ${held}`);
}

/** Tensors of one storage after each other, so that it is inflated once where it is deflated. */
function inStorageOrder({ tensors }: Checkpoint, names: readonly string[]): string[] {
  const groups = new Map<string, string[]>();
  for (const name of names) {
    const { key } = tensors.get(name)!.storage;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [name]);
    else group.push(name);
  }
  return [...groups.values()].flat();
}
