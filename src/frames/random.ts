/**
 * Seeded streams of random numbers for typed-array work. A stream is a function of its key alone:
 * the same key gives the same numbers on every machine, whatever was drawn elsewhere.
 *
 * The generator is xoshiro128** (Blackman and Vigna, "Scrambled linear pseudorandom number
 * generators", 2021); its 128-bit state is the key hashed by four lanes of 32-bit FNV-1a and
 * finished with the murmur3 mixer. Normal numbers come from the polar method, so that only
 * `Math.sqrt` and `Math.log` are asked of the platform.
 */
export interface RandomStream {
  /** A number in [0, 1) with 32 random bits. */
  uniform(): number;
  /** A number of the standard normal distribution. */
  normal(): number;
  /** A whole number in 0..n-1; throws unless n is a whole number in 1..2^32. */
  integer(n: number): number;
}

const lanes = [0x811c9dc5, 0x9e3779b9, 0x85ebca6b, 0xc2b2ae35] as const;

/**
 * A stream for a key such as ('phantom', seed, patient, 'noise'). Numbers and strings differ:
 * the key [1] is not the key ['1'], and ['ab', 'c'] is not ['a', 'bc'].
 */
export function randomStream(...key: (string | number)[]): RandomStream {
  const text = JSON.stringify(key.map((part) => {
    if (typeof part === 'number' && !Number.isFinite(part)) {
      throw new Error(`randomStream: expected finite numbers in the key, got ${part}`);
    }
    return part;
  }));
  const bytes = new TextEncoder().encode(text);
  let [a, b, c, d] = lanes.map((start) => hash(bytes, start)) as [number, number, number, number];
  if ((a | b | c | d) === 0) d = 1;
  let spare = Number.NaN;

  function next(): number {
    const product = Math.imul(b, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = (d << 11) | (d >>> 21);
    return result;
  }
  function uniform(): number {
    return next() / 4294967296;
  }
  function normal(): number {
    if (!Number.isNaN(spare)) {
      const kept = spare;
      spare = Number.NaN;
      return kept;
    }
    for (;;) {
      const x = 2 * uniform() - 1;
      const y = 2 * uniform() - 1;
      const square = x * x + y * y;
      if (square > 0 && square < 1) {
        const scale = Math.sqrt((-2 * Math.log(square)) / square);
        spare = y * scale;
        return x * scale;
      }
    }
  }
  function integer(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > 4294967296) {
      throw new Error(`random integer: expected a whole number in 1..2^32, got ${n}`);
    }
    // Values above the last whole multiple of n are thrown away: a remainder would favour low ones.
    const limit = 4294967296 - (4294967296 % n);
    for (;;) {
      const value = next();
      if (value < limit) return value % n;
    }
  }
  return { uniform, normal, integer };
}

function hash(bytes: Uint8Array, start: number): number {
  let h = start | 0;
  for (const byte of bytes) h = Math.imul(h ^ byte, 0x01000193);
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}
