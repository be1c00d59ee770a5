/**
 * PyTorch checkpoints (.pt, .pth, .ckpt, .bin) as data. Nothing of a file is run, and nothing of it
 * reaches libtorch but the elements of tensors; a file that holds more than data is refused. The
 * parser makes no tensors: tensors.ts does.
 */
import { OpenFile, Refusal, quoted, refusing } from './bytes.ts';
import { readLegacyCheckpoint } from './legacy-checkpoint.ts';
import type { StoredTensor, Value } from './pickle-values.ts';
import { allocate, readElements, tensorBytes } from './strided.ts';
import type { Write } from './strided.ts';
import { readTree } from './tree.ts';
import { readZipCheckpoint } from './zip-checkpoint.ts';
import type { Content } from './zip-checkpoint.ts';

export { PythonName, StoredTensor } from './pickle-values.ts';
export type { Value } from './pickle-values.ts';

/** An open checkpoint: its structure is in memory, its tensors are read when they are asked for. */
export class Checkpoint {
  readonly path: string;
  readonly format: 'zip' | 'legacy';
  /**
   * Every tensor by its path in the object: `state_dict.conv.weight`, `optimizer.state.0.exp_avg`;
   * an object that is a tensor itself has the empty path.
   */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** The object that was saved, tensors in their places. */
  readonly value: Value;
  /** Bytes of all storages. */
  readonly storageBytes: number;
  private readonly file: OpenFile;
  private readonly content: Content;

  /** Use `openCheckpoint`. */
  constructor(file: OpenFile) {
    this.path = file.path;
    this.file = file;
    this.content = readContent(file);
    this.format = this.content.format;
    const { value, tensors } = readTree(this.content.root);
    this.value = value;
    this.tensors = tensors;
    const sizes = [...this.content.storages.values()].map(({ size }) => size);
    this.storageBytes = sizes.reduce((sum, size) => sum + size, 0);
  }

  /** Type, shape and place of one tensor. Throws when there is none of this name. */
  stored(name: string): StoredTensor {
    const tensor = this.tensors.get(name);
    if (tensor !== undefined) return tensor;
    const some = [...this.tensors.keys()].slice(0, 3).map(quoted).join(', ');
    throw new Error(`${this.path}: expected a tensor of the checkpoint (${some}...), got ${quoted(name)}`);
  }

  /**
   * The elements of one tensor, row by row and little-endian, whatever its strides. Throws when
   * there is no such tensor, the file is damaged there (zip: its checksum), or it was closed.
   */
  read(name: string): Uint8Array {
    const bytes = tensorBytes(this.stored(name));
    const out = refusing(this.path, () => allocate(bytes));
    this.readBlocks(name, (at, bytes) => out.set(bytes, at));
    return out;
  }

  /** As `read`, in blocks from first to last; a block is good until `write` returns. */
  readBlocks(name: string, write: Write): void {
    const tensor = this.stored(name);
    refusing(`${this.path}: ${quoted(name)}`, () => {
      const source = this.content.storages.get(tensor.storage.key);
      if (source === undefined) throw new Refusal('its storage is not in the file');
      readElements(tensor, source, this.content.bigEndian, write);
    });
  }

  /** Closes the file; what was read stays. Twice is once. */
  close(): void {
    this.file.close();
  }
}

/**
 * Opens a checkpoint of torch.save, of the zip format or the one before torch 1.6, and reads its
 * structure: names, shapes, numbers and text, not the tensors. `close` it in the end. Throws one
 * sentence that names the file, and the place in it, when it is not whole, or holds anything but
 * tensors, dictionaries, lists, tuples, sets, numbers, text, bytes and None.
 */
export function openCheckpoint(path: string): Checkpoint {
  return refusing(path, () => {
    const file = new OpenFile(path);
    try {
      return new Checkpoint(file);
    } catch (error) {
      file.close();
      throw error;
    }
  });
}

function readContent(file: OpenFile): Content {
  const start = Buffer.alloc(Math.min(262, file.size));
  file.readInto(start, 0);
  if (start.length >= 4 && start.readUInt32LE(0) === 0x04034b50) return readZipCheckpoint(file);
  if (start[0] === 0x80) return readLegacyCheckpoint(file);
  const tar = start.toString('latin1', 257, 262) === 'ustar';
  const got = tar
    ? 'a tar file, as PyTorch wrote before 2017'
    : `a file that begins with ${quoted(start.toString('latin1', 0, 16))}`;
  throw new Refusal(`expected a checkpoint of torch.save, got ${got}`);
}
