/** NIfTI header extensions: size, code and content, after the header and before the voxels. */

export interface NiftiExtension {
  /** 6 is plain text (NIFTI_ECODE_COMMENT), the code under which our recipe travels. */
  readonly code: number;
  readonly content: Uint8Array;
}

/** NIFTI_ECODE_COMMENT: plain text. */
export const COMMENT_CODE = 6;

/**
 * The extensions in `bytes` (uncompressed), which start after the 4-byte flag at `headerSize` and
 * end at `voxelOffset`. Sizes that do not fit end the list: they cannot be trusted.
 */
export function parseExtensions(
  bytes: Uint8Array,
  headerSize: number,
  voxelOffset: number,
  littleEndian: boolean,
): NiftiExtension[] {
  const found: NiftiExtension[] = [];
  const end = Math.min(voxelOffset, bytes.length);
  if (end < headerSize + 4 || bytes[headerSize] === 0) return found;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = headerSize + 4;
  while (at + 8 <= end) {
    const size = view.getInt32(at, littleEndian);
    if (size < 16 || size % 16 !== 0 || at + size > end) break;
    found.push({
      code: view.getInt32(at + 4, littleEndian),
      content: new Uint8Array(bytes.subarray(at + 8, at + size)),
    });
    at += size;
  }
  return found;
}

/** Flag and extensions as they stand after the header; every size a multiple of 16. */
export function packExtensions(
  extensions: readonly NiftiExtension[],
  littleEndian = true,
): Uint8Array {
  const sizes = extensions.map(({ content }) => Math.ceil((content.length + 8) / 16) * 16);
  const bytes = new Uint8Array(4 + sizes.reduce((a, b) => a + b, 0));
  if (extensions.length > 0) bytes[0] = 1;
  const view = new DataView(bytes.buffer);
  let at = 4;
  extensions.forEach(({ code, content }, index) => {
    view.setInt32(at, sizes[index], littleEndian);
    view.setInt32(at + 4, code, littleEndian);
    bytes.set(content, at + 8);
    at += sizes[index];
  });
  return bytes;
}
