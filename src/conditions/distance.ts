/**
 * Exact Euclidean distance fields on the pixel grid (Felzenszwalb and Huttenlocher, "Distance
 * transforms of sampled functions", 2012): one lower envelope of parabolas a row and a column.
 */

/**
 * Signed distance in pixels to the border of `inside` (non-zero = inside), [height][width]:
 * positive inside, negative outside, zero on the edge between two pixels. Where nothing is inside
 * (or outside), the field is the constant -(height + width) (or +), farther than any border.
 */
export function signedDistance(inside: Uint8Array, height: number, width: number): Float32Array {
  const toOutside = squaredDistance(inside, height, width, 0);
  const toInside = squaredDistance(inside, height, width, 1);
  const far = height + width;
  const result = new Float32Array(inside.length);
  for (let i = 0; i < inside.length; i++) {
    const distance = inside[i] ? Math.sqrt(toOutside[i]) - 0.5 : 0.5 - Math.sqrt(toInside[i]);
    result[i] = Math.min(Math.max(distance, -far), far);
  }
  return result;
}

/**
 * Squared distance in pixels from each pixel centre to the nearest one whose state is `state` (1
 * inside); Infinity where there is none.
 */
export function squaredDistance(
  inside: Uint8Array,
  height: number,
  width: number,
  state: 0 | 1,
): Float64Array {
  const field = new Float64Array(inside.length);
  for (let i = 0; i < inside.length; i++) field[i] = (inside[i] ? 1 : 0) === state ? 0 : Infinity;
  const line = new Float64Array(Math.max(height, width));
  const envelope = makeEnvelope(line.length);
  for (let x = 0; x < width; x++) {
    for (let y = 0; y < height; y++) line[y] = field[y * width + x];
    transformLine(line, height, envelope);
    for (let y = 0; y < height; y++) field[y * width + x] = envelope.result[y];
  }
  for (let y = 0; y < height; y++) {
    line.set(field.subarray(y * width, (y + 1) * width));
    transformLine(line, width, envelope);
    field.set(envelope.result.subarray(0, width), y * width);
  }
  return field;
}

interface Envelope {
  readonly vertex: Int32Array;
  readonly start: Float64Array;
  readonly result: Float64Array;
}

function makeEnvelope(length: number): Envelope {
  return {
    vertex: new Int32Array(length),
    start: new Float64Array(length + 1),
    result: new Float64Array(length),
  };
}

/** min over q of (p - q)^2 + line[q], for every p. */
function transformLine(line: Float64Array, length: number, envelope: Envelope): void {
  const { vertex, start, result } = envelope;
  let last = -1;
  for (let q = 0; q < length; q++) {
    if (line[q] === Infinity) continue;
    let from = -Infinity;
    while (last >= 0) {
      const v = vertex[last];
      from = (line[q] + q * q - (line[v] + v * v)) / (2 * (q - v));
      if (from > start[last]) break;
      last--;
    }
    if (last < 0) from = -Infinity;
    last++;
    vertex[last] = q;
    start[last] = from;
  }
  if (last < 0) {
    result.fill(Infinity, 0, length);
    return;
  }
  start[last + 1] = Infinity;
  for (let p = 0, k = 0; p < length; p++) {
    while (start[k + 1] < p) k++;
    const distance = p - vertex[k];
    result[p] = distance * distance + line[vertex[k]];
  }
}
