/**
 * The protocol buffers wire format, writing only: each function gives one field, tag included.
 * https://protobuf.dev/programming-guides/encoding/
 */

const wireVarint = 0;
const wireFixed64 = 1;
const wireBytes = 2;
const wireFixed32 = 5;

/** Seven bits a byte, least significant first; `value` is a whole number from 0 to 2^53. */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}

function tag(field: number, wire: number): Buffer {
  return varint(field * 8 + wire);
}

/** A uint, enum or non-negative int field; left out when 0, which is what an absent field means. */
export function varintField(field: number, value: number): Buffer {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new Error(`protobuf field ${field}: expected a whole number of at least 0, got ${value}`);
  }
  return value === 0 ? Buffer.alloc(0) : Buffer.concat([tag(field, wireVarint), varint(value)]);
}

export function doubleField(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return Buffer.concat([tag(field, wireFixed64), bytes]);
}

/** Written even when 0: in `Summary.Value` the field is a choice of a oneof. */
export function floatField(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return Buffer.concat([tag(field, wireFixed32), bytes]);
}

export function bytesField(field: number, value: Uint8Array): Buffer {
  return Buffer.concat([tag(field, wireBytes), varint(value.length), value]);
}

export function stringField(field: number, value: string): Buffer {
  return bytesField(field, Buffer.from(value, 'utf8'));
}

/** A nested message made of its fields; present even when it has none. */
export function messageField(field: number, ...fields: Uint8Array[]): Buffer {
  return bytesField(field, Buffer.concat(fields));
}
