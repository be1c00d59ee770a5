/** Element types: eight for networks, the others from files and Fourier transforms. */
export type DType =
  | 'float32' | 'float64' | 'bfloat16' | 'float16' | 'int64' | 'int32' | 'uint8' | 'bool'
  | 'int8' | 'int16' | 'complex64' | 'complex128';

interface Row {
  readonly dtype: DType;
  /** c10::ScalarType, as it travels in a boxed call. */
  readonly code: number;
  readonly bytes: number;
  /** Its name in a safetensors header, where the format has one. */
  readonly stored: string | null;
}

const rows: readonly Row[] = [
  { dtype: 'uint8', code: 0, bytes: 1, stored: 'U8' },
  { dtype: 'int8', code: 1, bytes: 1, stored: 'I8' },
  { dtype: 'int16', code: 2, bytes: 2, stored: 'I16' },
  { dtype: 'int32', code: 3, bytes: 4, stored: 'I32' },
  { dtype: 'int64', code: 4, bytes: 8, stored: 'I64' },
  { dtype: 'float16', code: 5, bytes: 2, stored: 'F16' },
  { dtype: 'float32', code: 6, bytes: 4, stored: 'F32' },
  { dtype: 'float64', code: 7, bytes: 8, stored: 'F64' },
  { dtype: 'complex64', code: 9, bytes: 8, stored: null },
  { dtype: 'complex128', code: 10, bytes: 16, stored: null },
  { dtype: 'bool', code: 11, bytes: 1, stored: 'BOOL' },
  { dtype: 'bfloat16', code: 15, bytes: 2, stored: 'BF16' },
];

const byName = new Map<string, Row>(rows.map((row) => [row.dtype, row]));
const byCode = new Map(rows.map((row) => [row.code, row]));
const byStored = new Map(rows.flatMap((row) => (row.stored ? [[row.stored, row] as const] : [])));

export const dtypes: readonly DType[] = rows.map((row) => row.dtype);

function row(dtype: DType): Row {
  const found = byName.get(dtype);
  if (!found) throw new Error(`dtype: expected one of ${dtypes.join(', ')}, got ${String(dtype)}`);
  return found;
}

export function isDType(name: string): name is DType {
  return byName.has(name);
}

/** libtorch's number for a dtype. */
export function dtypeCode(dtype: DType): number {
  return row(dtype).code;
}

/** Bytes of one element. */
export function dtypeBytes(dtype: DType): number {
  return row(dtype).bytes;
}

export function dtypeOfCode(code: number): DType {
  const found = byCode.get(code);
  if (!found) throw new Error(`dtype: libtorch's scalar type ${code} has no name here`);
  return found.dtype;
}

export function isFloating(dtype: DType): boolean {
  return dtype === 'float32' || dtype === 'bfloat16' || dtype === 'float64' || dtype === 'float16';
}

/** The dtype that a safetensors header calls `stored`, or null. */
export function dtypeOfStored(stored: string): DType | null {
  return byStored.get(stored)?.dtype ?? null;
}

/** Name of a dtype in a safetensors header, or null. */
export function storedName(dtype: DType): string | null {
  return row(dtype).stored;
}
