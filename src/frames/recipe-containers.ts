/**
 * Where four kinds of files keep a line of text of ours: `embed...` puts it in place of an older
 * one, `find...` gets it back or null. Everything else in the file stays as it is.
 */
import { COMMENT_CODE, packExtensions, parseExtensions } from './nifti-extension.ts';
import type { NiftiExtension } from './nifti-extension.ts';

/** Begins the text wherever its place does not name it. */
export const KEYWORD = 'heartbeat-recipe';

const MP4_UUID = Buffer.from('6862726563697065' + '8e4f11a25c317709', 'hex');

export function bytesOf(text: string): Uint8Array {
  return Buffer.from(text, 'latin1');
}

export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function damaged(what: string, kind: string): Error {
  return new Error(`${what}: expected a whole ${kind} file, got a truncated or damaged one`);
}

// PNG chunk: length, type, data, CRC of type and data.
// iTXt data: keyword 0 flag method language 0 name 0 text.

const PNG_PREFIX = `${KEYWORD}\0\0\0\0\0`;

function* pngChunks(file: Uint8Array, what: string) {
  const view = viewOf(file);
  let at = 8;
  while (at < file.length) {
    if (at + 12 > file.length) throw damaged(what, 'PNG');
    const size = view.getUint32(at) + 12;
    if (at + size > file.length) throw damaged(what, 'PNG');
    const type = textOf(file.subarray(at + 4, at + 8));
    yield { start: at, end: at + size, type, data: file.subarray(at + 8, at + size - 4) };
    if (type === 'IEND') return;
    at += size;
  }
  throw damaged(what, 'PNG');
}

function isRecipeChunk(chunk: { type: string; data: Uint8Array }): boolean {
  return chunk.type === 'iTXt' && textOf(chunk.data).startsWith(PNG_PREFIX);
}

export function embedPng(file: Uint8Array, text: string, what: string): Uint8Array {
  const content = bytesOf(`iTXt${PNG_PREFIX}${text}`);
  const chunk = Buffer.alloc(content.length + 8);
  chunk.writeUInt32BE(content.length - 4, 0);
  chunk.set(content, 4);
  chunk.writeUInt32BE(crc32(content), content.length + 4);
  const parts = [file.subarray(0, 8)];
  for (const old of pngChunks(file, what)) {
    if (isRecipeChunk(old)) continue;
    parts.push(file.subarray(old.start, old.end));
    if (old.type === 'IHDR') parts.push(chunk);
  }
  return Buffer.concat(parts);
}

export function findPng(file: Uint8Array, what: string): string | null {
  for (const chunk of pngChunks(file, what)) {
    if (isRecipeChunk(chunk)) return textOf(chunk.data.subarray(PNG_PREFIX.length));
  }
  return null;
}

/** CRC-32 of PNG and gzip. */
function crc32(bytes: Uint8Array): number {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

// GIF comment: 21 FE, sub-blocks of at most 255 bytes, 00; ours stands before the trailer.

function* gifBlocks(file: Uint8Array, what: string) {
  const tableSize = (flags: number) => (flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0);
  let at = 13 + tableSize(file[10]);
  while (at < file.length) {
    const start = at;
    const kind = file[at];
    if (kind === 0x3b) {
      yield { start, end: at + 1, kind, label: 0, data: '' };
      return;
    }
    const label = file[at + 1];
    at += kind === 0x2c ? 11 + tableSize(file[at + 9]) : 2;
    const pieces: string[] = [];
    while (at < file.length && file[at] !== 0) {
      if (kind === 0x21 && label === 0xfe) {
        pieces.push(textOf(file.subarray(at + 1, at + 1 + file[at])));
      }
      at += file[at] + 1;
    }
    at += 1;
    yield { start, end: at, kind, label, data: pieces.join('') };
  }
  throw damaged(what, 'GIF');
}

export function embedGif(file: Uint8Array, text: string, what: string): Uint8Array {
  const content = bytesOf(`${KEYWORD} ${text}`);
  const comment: Uint8Array[] = [Uint8Array.of(0x21, 0xfe)];
  for (let at = 0; at < content.length; at += 255) {
    const piece = content.subarray(at, at + 255);
    comment.push(Uint8Array.of(piece.length), piece);
  }
  comment.push(Uint8Array.of(0));
  const parts: Uint8Array[] = [];
  let from = 0;
  for (const block of gifBlocks(file, what)) {
    const old = block.data.startsWith(`${KEYWORD} `);
    if (!old && block.kind !== 0x3b) continue;
    parts.push(file.subarray(from, block.start));
    from = old ? block.end : block.start;
  }
  return Buffer.concat([...parts, ...comment, file.subarray(from)]);
}

export function findGif(file: Uint8Array, what: string): string | null {
  for (const block of gifBlocks(file, what)) {
    if (block.data.startsWith(`${KEYWORD} `)) return block.data.slice(KEYWORD.length + 1);
  }
  return null;
}

// MP4: top-level boxes; ours comes last, so that no offset into the media data moves.

function* mp4Boxes(file: Uint8Array, what: string) {
  const view = viewOf(file);
  let at = 0;
  while (at < file.length) {
    if (at + 8 > file.length) throw damaged(what, 'MP4');
    const short = view.getUint32(at);
    const wide = short === 1 && at + 16 <= file.length;
    const size = wide ? Number(view.getBigUint64(at + 8)) : short || file.length - at;
    if (size < 8 || at + size > file.length) throw damaged(what, 'MP4');
    const ours =
      textOf(file.subarray(at + 4, at + 8)) === 'uuid' &&
      MP4_UUID.every((byte, index) => file[at + 8 + index] === byte);
    yield { start: at, end: at + size, ours };
    at += size;
  }
}

export function embedMp4(file: Uint8Array, text: string, what: string): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const box of mp4Boxes(file, what)) {
    if (!box.ours) parts.push(file.subarray(box.start, box.end));
  }
  const head = Buffer.alloc(8);
  head.writeUInt32BE(8 + MP4_UUID.length + text.length, 0);
  head.write('uuid', 4, 'latin1');
  return Buffer.concat([...parts, head, MP4_UUID, bytesOf(text)]);
}

export function findMp4(file: Uint8Array, what: string): string | null {
  for (const box of mp4Boxes(file, what)) {
    if (box.ours) return textOf(file.subarray(box.start + 8 + MP4_UUID.length, box.end));
  }
  return null;
}

// NIfTI: extension before the voxels; vox_offset moves with it.

export function niftiHeaderSize(file: Uint8Array): 348 | 540 | null {
  if (file.length < 352) return null;
  const sizes = [viewOf(file).getInt32(0, true), viewOf(file).getInt32(0, false)];
  return sizes.includes(348) ? 348 : sizes.includes(540) ? 540 : null;
}

function openNifti(bytes: Uint8Array, what: string) {
  const headerSize = niftiHeaderSize(bytes);
  if (headerSize === null) throw damaged(what, 'NIfTI');
  const view = viewOf(bytes);
  const littleEndian = view.getInt32(0, true) === headerSize;
  const offset =
    headerSize === 348
      ? view.getFloat32(108, littleEndian)
      : Number(view.getBigInt64(168, littleEndian));
  if (!(offset >= headerSize && offset <= bytes.length)) throw damaged(what, 'NIfTI');
  const extensions = parseExtensions(bytes, headerSize, offset, littleEndian);
  return { headerSize, littleEndian, offset, extensions };
}

function isRecipeExtension({ code, content }: NiftiExtension): boolean {
  return code === COMMENT_CODE && textOf(content).startsWith(`${KEYWORD} `);
}

export function embedNifti(bytes: Uint8Array, text: string, what: string): Uint8Array {
  const { headerSize, littleEndian, offset, extensions } = openNifti(bytes, what);
  const kept = extensions.filter((extension) => !isRecipeExtension(extension));
  const ours = { code: COMMENT_CODE, content: bytesOf(`${KEYWORD} ${text}`) };
  const packed = packExtensions([...kept, ours], littleEndian);
  const header = new Uint8Array(bytes.subarray(0, headerSize));
  const voxelOffset = headerSize + packed.length;
  if (headerSize === 348) viewOf(header).setFloat32(108, voxelOffset, littleEndian);
  else viewOf(header).setBigInt64(168, BigInt(voxelOffset), littleEndian);
  return Buffer.concat([header, packed, bytes.subarray(offset)]);
}

export function findNifti(bytes: Uint8Array, what: string): string | null {
  const ours = openNifti(bytes, what).extensions.find(isRecipeExtension);
  return ours
    ? textOf(ours.content)
        .slice(KEYWORD.length + 1)
        .replace(/\0+$/, '')
    : null;
}
