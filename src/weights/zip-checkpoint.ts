/** What torch.save writes since torch 1.6: a zip of a pickle and one entry for each storage. */
import { Part, Refusal, quoted } from './bytes.ts';
import type { Bytes } from './bytes.ts';
import { LARGEST_PICKLE, PickleInput } from './pickle-input.ts';
import type { Item } from './pickle-values.ts';
import { readPickle } from './pickle.ts';
import { Storages, storageBytes } from './storages.ts';
import { dtypeBytes } from '../tensor/dtype.ts';
import { Archive } from './zip.ts';
import type { Entry } from './zip-directory.ts';

/** A checkpoint taken apart, whichever its format. */
export interface Content {
  readonly format: 'zip' | 'legacy';
  /** The object that was saved. */
  readonly root: Item;
  /** The bytes of each storage that the object mentions, by key. */
  readonly storages: ReadonlyMap<string, Bytes>;
  readonly bigEndian: boolean;
}

/** caffe2::serialize::kMaxSupportedFileFormatVersion of libtorch. */
const newestVersion = 10;

export function readZipCheckpoint(file: Bytes): Content {
  const archive = new Archive(file);
  const folder = findFolder(archive);
  checkVersion(small(archive, `${folder}/version`));
  const order = small(archive, `${folder}/byteorder`) ?? 'little';
  if (order !== 'little' && order !== 'big') {
    throw new Refusal(`expected byteorder little or big, got ${quoted(order)}`);
  }
  const name = `${folder}/data.pkl`;
  const pickle = archive.open(archive.entries.get(name)!);
  if (pickle.size > LARGEST_PICKLE) {
    const limit = `at most ${LARGEST_PICKLE} bytes`;
    throw new Refusal(`entry ${quoted(name)}: expected ${limit}, got ${pickle.size}`);
  }
  const named = new Storages();
  const root = readPickle(new PickleInput(pickle, name), (id, caller) => named.load(id, caller));
  const storages = new Map<string, Bytes>();
  for (const [key, storage] of named.byKey) {
    const entry = archive.entries.get(`${folder}/data/${key}`);
    if (entry === undefined) {
      throw new Refusal(`${name} names storage ${quoted(key)}, which the file does not have`);
    }
    const bytes = storageBytes(storage);
    // A storage without a type may end in the middle of an element.
    if (entry.size < bytes || entry.size >= bytes + dtypeBytes(storage.dtype)) {
      throw new Refusal(`expected ${bytes} bytes of storage ${quoted(key)}, got ${entry.size}`);
    }
    storages.set(key, lazily(archive, entry));
  }
  return { format: 'zip', root, storages, bigEndian: order === 'big' };
}

/** The one folder of the archive, named after the file that torch.save wrote. */
function findFolder({ entries }: Archive): string {
  const pickles = [...entries.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (pickles.length !== 1) {
    throw new Refusal(`expected a zip of torch.save, with one data.pkl in a folder, got ${pickles.length}`);
  }
  const folder = pickles[0].slice(0, -'/data.pkl'.length);
  if (entries.has(`${folder}/constants.pkl`)) {
    throw new Refusal(
      'is a TorchScript program, whose code is never run here: save its state_dict by torch.save',
    );
  }
  return folder;
}

/** The text of a small entry, without white space around it; null where there is none. */
function small(archive: Archive, name: string): string | null {
  const entry = archive.entries.get(name);
  if (entry === undefined) return null;
  if (entry.size > 64) throw new Refusal(`entry ${quoted(name)}: expected a word`);
  const target = Buffer.alloc(entry.size);
  archive.open(entry).readInto(target, 0);
  return target.toString('latin1').trim();
}

function checkVersion(version: string | null): void {
  if (version === null) return;
  if (!/^[0-9]{1,4}$/.test(version) || Number(version) > newestVersion) {
    throw new Refusal(`expected a format version of at most ${newestVersion}, got ${quoted(version)}`);
  }
}

/** The entry is looked at when its first byte is asked for. */
function lazily(archive: Archive, entry: Entry): Bytes {
  return {
    size: entry.size,
    readInto: (target, at) => new Part(archive.open(entry), 0, entry.size).readInto(target, at),
  };
}
