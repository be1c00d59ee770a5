/** NumPy's numbers, as training loops leave them in checkpoints: `numpy.float64(0.93)`. */
import type { Caller } from './pickle-names.ts';
import { NumpyType, isTuple, kindOf } from './pickle-values.ts';
import type { Item } from './pickle-values.ts';

const widths: Readonly<Record<string, number>> = {
  b1: 1,
  i1: 1,
  u1: 1,
  i2: 2,
  u2: 2,
  i4: 4,
  u4: 4,
  i8: 8,
  u8: 8,
  f4: 4,
  f8: 8,
};
const widthOf = new Map(Object.entries(widths));

/** numpy.dtype('f8', False, True) */
export function numpyType([code]: readonly Item[], caller: Caller): NumpyType {
  if (typeof code !== 'string' || !widthOf.has(code)) {
    const expected = [...widthOf.keys()].join(', ');
    throw caller.refusal(`expected a NumPy type of ${expected}, got ${kindOf(code)}`);
  }
  caller.spend(20);
  return new NumpyType(code);
}

/** The state that follows a NumPy type: (3, '<', None, None, None, -1, -1, 0). */
export function setByteOrder(type: NumpyType, state: Item, caller: Caller): void {
  const order = isTuple(state) ? state[1] : undefined;
  if (order !== '<' && order !== '>' && order !== '|' && order !== '=') {
    throw caller.refusal('expected the byte order of a NumPy type');
  }
  type.littleEndian = order !== '>';
}

/** numpy.core.multiarray.scalar(type, bytes) */
export function numpyNumber([type, bytes]: readonly Item[], caller: Caller): Item {
  if (!(type instanceof NumpyType) || !(bytes instanceof Uint8Array)) {
    const got = `${kindOf(type)} and ${kindOf(bytes)}`;
    throw caller.refusal(`expected a NumPy number of a type and bytes, got ${got}`);
  }
  const { code, littleEndian } = type;
  const width = widthOf.get(code)!;
  if (bytes.length !== width) {
    throw caller.refusal(`expected ${width} bytes of a NumPy ${code}, got ${bytes.length}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  switch (code) {
    case 'b1':
      return view.getUint8(0) !== 0;
    case 'i1':
      return view.getInt8(0);
    case 'u1':
      return view.getUint8(0);
    case 'i2':
      return view.getInt16(0, littleEndian);
    case 'u2':
      return view.getUint16(0, littleEndian);
    case 'i4':
      return view.getInt32(0, littleEndian);
    case 'u4':
      return view.getUint32(0, littleEndian);
    case 'f4':
      return view.getFloat32(0, littleEndian);
    case 'f8':
      return view.getFloat64(0, littleEndian);
    case 'i8':
      return shortest(view.getBigInt64(0, littleEndian));
    default:
      return shortest(view.getBigUint64(0, littleEndian));
  }
}

/** A number where it is exact, else the bigint. */
export function shortest(value: bigint): number | bigint {
  const near = Number(value);
  return Number.isSafeInteger(near) ? near : value;
}
