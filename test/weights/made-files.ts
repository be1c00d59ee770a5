/** Pickles, zips and checkpoints put together byte by byte, right or wrong as a test wants them. */
import { deflateRawSync } from 'node:zlib';
import { crc32ByTable } from '../../src/weights/crc32.ts';

/** Latin1 text, one byte, or bytes. */
export type Piece = string | number | Uint8Array;

/** Bytes of latin1 text, single bytes and buffers after each other. */
export function bytes(...pieces: readonly Piece[]): Buffer {
  return Buffer.concat(
    pieces.map((piece) =>
      typeof piece === 'string'
        ? Buffer.from(piece, 'latin1')
        : typeof piece === 'number'
          ? Buffer.from([piece])
          : piece,
    ),
  );
}

export function little(value: number | bigint, width: 1 | 2 | 4 | 8): Buffer {
  const out = Buffer.alloc(8);
  out.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)));
  return out.subarray(0, width);
}

/** Opcodes of a pickle. */
export const text = (value: string): Buffer => {
  const utf8 = Buffer.from(value);
  return bytes('X', little(utf8.length, 4), utf8);
};
export const int = (value: number): Buffer => bytes('J', little(value, 4));
export const long = (value: bigint): Buffer => bytes(0x8a, 8, little(value, 8));
export const name = (module: string, attribute: string): Buffer => bytes(`c${module}\n${attribute}\n`);
export const tuple = (...items: readonly Piece[]): Buffer => bytes('(', ...items, 't');
export const call = (callee: Buffer, ...args: readonly Piece[]): Buffer => bytes(callee, tuple(...args), 'R');
export const dictionary = (...entries: readonly Piece[]): Buffer => bytes('}(', ...entries, 'u');
export const pickle = (...pieces: readonly Piece[]): Buffer => bytes(0x80, 2, ...pieces, '.');

export interface StorageId {
  readonly type?: string;
  readonly key?: Piece;
  readonly elements?: Piece;
  /** None, or the tuple of a view, in legacy files. */
  readonly view?: Piece;
}
export function storage({ type = 'FloatStorage', key = text('0'), elements = int(4), view }: StorageId = {}) {
  const id = [text('storage'), name('torch', type), key, text('cpu'), elements];
  return bytes(tuple(...id, ...(view === undefined ? [] : [view])), 'Q');
}
export interface TensorFields extends StorageId {
  readonly of?: Buffer;
  readonly offset?: Piece;
  readonly shape?: readonly Piece[];
  readonly strides?: readonly Piece[];
}
/** A tensor of the 4 floats of storage 0, unless said otherwise. */
export function tensor(fields: TensorFields = {}): Buffer {
  const { of = storage(fields), offset = int(0), shape = [int(4)], strides = [int(1)] } = fields;
  const hooks = call(name('collections', 'OrderedDict'));
  const rebuild = name('torch._utils', '_rebuild_tensor_v2');
  return call(rebuild, of, offset, tuple(...shape), tuple(...strides), 0x89, hooks);
}

export interface ZipEntry {
  readonly name: string;
  readonly content: Uint8Array;
  readonly deflate?: boolean;
  /** Instead of what is true: */
  readonly method?: number;
  readonly crc?: number;
  readonly size?: number;
  readonly flags?: number;
  readonly localName?: string;
  readonly headerAt?: number;
}

/** A zip archive; with `zip64` every size and place is written in the fields of zip64 alone. */
export function zip(entries: readonly ZipEntry[], { zip64 = false, comment = '' } = {}): Buffer {
  const parts: Buffer[] = [];
  const records: Buffer[] = [];
  let at = 0;
  const add = (part: Buffer) => {
    parts.push(part);
    at += part.length;
  };
  for (const entry of entries) {
    const stored = entry.deflate ? deflateRawSync(entry.content) : Buffer.from(entry.content);
    const headerAt = entry.headerAt ?? at;
    const method = entry.method ?? (entry.deflate ? 8 : 0);
    const crc = entry.crc ?? crc32ByTable(entry.content);
    const size = entry.size ?? entry.content.length;
    const sizes = zip64 ? [0xffffffff, 0xffffffff] : [stored.length, size];
    const extra = zip64
      ? bytes(little(1, 2), little(24, 2), little(size, 8), little(stored.length, 8), little(headerAt, 8))
      : Buffer.alloc(0);
    const common = (called: string) => [
      little(entry.flags ?? 0x800, 2),
      little(method, 2),
      little(0, 4),
      little(crc, 4),
      little(sizes[0], 4),
      little(sizes[1], 4),
      little(Buffer.byteLength(called), 2),
    ];
    const local = entry.localName ?? entry.name;
    add(bytes('PK\x03\x04', little(20, 2), ...common(local), little(0, 2), Buffer.from(local), stored));
    records.push(
      bytes(
        'PK\x01\x02',
        little(20, 2),
        little(20, 2),
        ...common(entry.name),
        little(extra.length, 2),
        little(0, 2),
        little(0, 2),
        little(0, 2),
        little(0, 4),
        little(zip64 ? 0xffffffff : headerAt, 4),
        Buffer.from(entry.name),
        extra,
      ),
    );
  }
  const directory = Buffer.concat(records);
  return Buffer.concat([...parts, directory, end(at, directory.length, entries.length, zip64, comment)]);
}

function end(at: number, size: number, entries: number, zip64: boolean, comment: string): Buffer {
  const record = bytes(
    'PK\x06\x06',
    little(44, 8),
    little(45, 2),
    little(45, 2),
    little(0, 8),
    little(entries, 8),
    little(entries, 8),
    little(size, 8),
    little(at, 8),
  );
  const locator = bytes('PK\x06\x07', little(0, 4), little(at + size, 8), little(1, 4));
  const count = little(zip64 ? 0xffff : entries, 2);
  return bytes(
    ...(zip64 ? [record, locator] : []),
    'PK\x05\x06',
    little(0, 4),
    count,
    count,
    little(zip64 ? 0xffffffff : size, 4),
    little(zip64 ? 0xffffffff : at, 4),
    little(comment.length, 2),
    comment,
  );
}

export const floats = (...values: readonly number[]): Buffer => Buffer.from(Float32Array.from(values).buffer);

/** A checkpoint of the zip format, with storage 0 = 1, 2, 3, 4 unless others are given. */
export function zipCheckpoint(
  pickled: Uint8Array,
  storages: Readonly<Record<string, Uint8Array>> = { 0: floats(1, 2, 3, 4) },
): Buffer {
  const data = Object.entries(storages).map(([key, content]) => ({ name: `archive/data/${key}`, content }));
  return zip([{ name: 'archive/data.pkl', content: pickled }, ...data]);
}

/** A checkpoint of the legacy format. */
export function legacyCheckpoint(
  pickled: Uint8Array,
  storages: Readonly<Record<string, Uint8Array>> = { 0: floats(1, 2, 3, 4) },
  width = 4,
): Buffer {
  const keys = Object.keys(storages);
  return bytes(
    pickle(0x8a, 10, little(0xa86a20f9469cfc6cn, 8), little(0x1950, 2)),
    pickle('M', little(1001, 2)),
    pickle(dictionary(text('little_endian'), 0x88)),
    pickled,
    pickle('](', ...keys.map(text), 'e'),
    ...keys.flatMap((key) => [little(storages[key].length / width, 8), storages[key]]),
  );
}
