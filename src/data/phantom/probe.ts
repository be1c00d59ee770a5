/**
 * The scanner: complex echoes in beam coordinates (angle, range), a separable point-spread function
 * with a demodulated carrier, thermal noise and near-field clutter, log compression, and scan
 * conversion into the sector. Amplitudes are relative to 0 dB = white without gain.
 */
import { randomStream } from '../../frames/random.ts';
import type { Imaging, Placement } from './patient.ts';

export const rangeStep = 0.5;           // mm
const beamStep = 0.0117;                // radians
const axialReach = 3;
const lateralReach = 3;

export interface Probe {
  readonly beams: number;
  readonly ranges: number;
  readonly width: number;               // of the picture, pixels
  readonly height: number;
  readonly pixel: number;
  readonly firstAngle: number;
  readonly imaging: Imaging;
  readonly placement: Placement;
  readonly gain: Float32Array;          // [beam][range], amplitude factor on echoes
  readonly still: Float32Array;         // clutter that never moves, interleaved
  readonly noise: Float32Array;         // a pool of complex normal numbers
  readonly noiseLevel: Float32Array;    // [range]
  readonly axial: Float32Array;
  readonly lateral: Float32Array;       // [tap][range]
  readonly pixels: Int32Array;          // picture index of every pixel inside the sector
  readonly corner: Int32Array;          // its grid index
  readonly weightBeam: Float32Array;
  readonly weightRange: Float32Array;
  readonly map: Uint8Array;             // grey map, from quarter steps of compressed grey
  readonly arcs: Float32Array;          // angle of tangent -3..3, by table
}

export function createProbe(placement: Placement, imaging: Imaging,
  key: readonly (string | number)[]): Probe {
  const { depth, halfAngle, pixel } = placement;
  const beams = Math.ceil((2 * halfAngle) / beamStep) + 2 * lateralReach + 3;
  const ranges = Math.ceil(depth / rangeStep) + 2;
  const firstAngle = -((beams - 1) / 2) * beamStep;
  const height = Math.round(depth / pixel);
  const width = Math.round((2 * depth * Math.sin(halfAngle)) / pixel);
  const raster = sectorRaster(width, height, placement, firstAngle, ranges);
  const stream = randomStream(...key, 'probe');
  const noise = Float32Array.from({ length: 2 * (beams * ranges + 8192) }, () => stream.normal());
  const arcs = Float32Array.from({ length: 4097 }, (_, k) => Math.atan((k - 2048) / 680));
  return {
    beams, ranges, width, height, pixel, firstAngle, imaging, placement, ...raster, noise, arcs,
    map: Uint8Array.from({ length: 1021 }, (_, k) => Math.round(255 * (k / 1020) ** imaging.gamma)),
    gain: gainMap(beams, ranges, firstAngle, depth, imaging, key),
    still: clutter(beams, ranges, imaging, key), ...pointSpread(ranges, imaging),
    noiseLevel: Float32Array.from({ length: ranges }, (_, r) =>
      // Depth gain lifts the noise with depth, as on every machine.
      10 ** ((imaging.noise - 4 + 8 * ((r * rangeStep) / depth)) / 20)),
  };
}

function sectorRaster(width: number, height: number, placement: Placement, firstAngle: number,
  ranges: number): Pick<Probe, 'pixels' | 'corner' | 'weightBeam' | 'weightRange'> {
  const { depth, halfAngle, pixel } = placement;
  const room = width * height;
  const pixels = new Int32Array(room);
  const corner = new Int32Array(room);
  const weightBeam = new Float32Array(room);
  const weightRange = new Float32Array(room);
  let n = 0;
  for (let row = 0; row < height; row++) {
    const y = (row + 0.5) * pixel;
    for (let column = 0; column < width; column++) {
      const x = (column + 0.5 - width / 2) * pixel;
      const range = Math.hypot(x, y);
      const angle = Math.atan2(x, y);
      if (range > depth || Math.abs(angle) > halfAngle) continue;
      const b = (angle - firstAngle) / beamStep;
      const r = range / rangeStep;
      pixels[n] = row * width + column;
      corner[n] = Math.floor(b) * ranges + Math.floor(r);
      weightBeam[n] = b - Math.floor(b);
      weightRange[n] = r - Math.floor(r);
      n++;
    }
  }
  return { pixels: pixels.slice(0, n), corner: corner.slice(0, n),
    weightBeam: weightBeam.slice(0, n), weightRange: weightRange.slice(0, n) };
}

/** Residual depth gain, slow changes from beam to beam, and shadows of ribs and lung. */
function gainMap(beams: number, ranges: number, firstAngle: number, depth: number,
  imaging: Imaging, key: readonly (string | number)[]): Float32Array {
  const stream = randomStream(...key, 'gain');
  const waves = [1, 2, 3, 5, 8].map((rate) => ({ rate, phase: 7 * stream.uniform(),
    size: (2.3 * stream.normal()) / Math.sqrt(rate) }));
  const gain = new Float32Array(beams * ranges);
  const { depthGain } = imaging;
  for (let b = 0; b < beams; b++) {
    const angle = firstAngle + b * beamStep;
    const slow = waves.reduce((sum, { rate, size, phase }) =>
      sum + size * Math.sin(rate * 2.4 * angle + phase), 0);
    for (let r = 0; r < ranges; r++) {
      const at = Math.min(0.999, (r * rangeStep) / depth) * (depthGain.length - 1);
      const k = Math.floor(at);
      let level = slow + depthGain[k] + (at - k) * (depthGain[k + 1] - depthGain[k]);
      const onset = Math.min(1, (r * rangeStep) / 30);
      for (const shadow of imaging.shadows) {
        level -= shadow.loss * onset * Math.exp(-(((angle - shadow.angle) / shadow.width) ** 2));
      }
      gain[b * ranges + r] = 10 ** (level / 20);
    }
  }
  return gain;
}

/** Reverberation under the probe: bands across all beams and a haze that fades with depth. */
function clutter(beams: number, ranges: number, imaging: Imaging,
  key: readonly (string | number)[]): Float32Array {
  const stream = randomStream(...key, 'clutter');
  const out = new Float32Array(2 * beams * ranges);
  const rings = Array.from({ length: 5 }, (_, k) => ({
    at: 1.5 + 4.2 * k * (0.9 + 0.2 * stream.uniform()),
    level: 6 - 4 * k + 2 * stream.normal() }));
  const fade = 16 + 8 * stream.uniform();
  for (let r = 0; r < ranges; r++) {
    const depth = r * rangeStep;
    const haze = 10 ** ((imaging.clutter - (8.7 * depth) / fade) / 20);
    let ring = 0;
    for (const { at, level } of rings) {
      ring += 10 ** ((imaging.clutter + level) / 20) * Math.exp(-(((depth - at) / 1) ** 2));
    }
    for (let b = 0; b < beams; b++) {
      const o = 2 * (b * ranges + r);
      out[o] = haze * stream.normal() + ring * (1 + 0.5 * stream.normal());
      out[o + 1] = haze * stream.normal() + ring * 0.5 * stream.normal();
    }
  }
  return out;
}

function pointSpread(ranges: number, imaging: Imaging): Pick<Probe, 'axial' | 'lateral'> {
  const sigma = imaging.pulse / 2.355 / rangeStep;
  const axial = gaussian(axialReach, sigma);
  const lateral = new Float32Array((2 * lateralReach + 1) * ranges);
  for (let r = 0; r < ranges; r++) {
    const depth = r * rangeStep;
    // In angle the beam is widest near the aperture.
    const widening = 1 + 0.9 * Math.exp(-depth / 14) - 0.22 * Math.max(0, depth / 100 - 0.8);
    const kernel = gaussian(lateralReach, (imaging.beam * widening) / 2.355 / beamStep);
    for (let k = 0; k < kernel.length; k++) lateral[k * ranges + r] = kernel[k];
  }
  return { axial, lateral };
}

/** Unit energy, so that noise keeps its level through the filter. */
function gaussian(reach: number, sigma: number): Float32Array {
  const taps = Float32Array.from({ length: 2 * reach + 1 }, (_, k) =>
    Math.exp(-0.5 * ((k - reach) / sigma) ** 2));
  const energy = Math.sqrt(taps.reduce((sum, tap) => sum + tap * tap, 0));
  return taps.map((tap) => tap / energy);
}

/** Scratch planes of one probe, [beam][range]. */
export interface BeamPlanes { readonly re: Float32Array; readonly im: Float32Array;
  readonly re2: Float32Array; readonly im2: Float32Array }

export function beamPlanes(probe: Probe): BeamPlanes {
  const make = (): Float32Array => new Float32Array(probe.beams * probe.ranges);
  return { re: make(), im: make(), re2: make(), im2: make() };
}

/** Adds one echo at picture position (x, y), mm; amplitude with its own fixed phase. */
export function splat(probe: Probe, planes: BeamPlanes, x: number, y: number,
  real: number, imaginary: number): void {
  if (y < 0.2) return;
  const range = Math.sqrt(x * x + y * y) / rangeStep;
  const r = range | 0;
  if (r >= probe.ranges - 1) return;
  const tangent = (x / y) * 680 + 2048.5;
  if (tangent < 0 || tangent > 4096) return;
  const beam = (probe.arcs[tangent | 0] - probe.firstAngle) / beamStep;
  const b = Math.floor(beam);
  if (b < 0 || b >= probe.beams - 1) return;
  const u = beam - b;
  const v = range - r;
  const o = b * probe.ranges + r;
  const o2 = o + probe.ranges;
  const w00 = (1 - u) * (1 - v);
  const w01 = (1 - u) * v;
  const w10 = u * (1 - v);
  const w11 = u * v;
  const { re, im } = planes;
  re[o] += w00 * real;
  im[o] += w00 * imaginary;
  re[o + 1] += w01 * real;
  im[o + 1] += w01 * imaginary;
  re[o2] += w10 * real;
  im[o2] += w10 * imaginary;
  re[o2 + 1] += w11 * real;
  im[o2 + 1] += w11 * imaginary;
}

const octave = 10 * Math.log10(2);       // dB of a factor of two in power
const floats = new Float32Array(1);
const bits = new Int32Array(floats.buffer);
const mantissas = Float32Array.from({ length: 4096 }, (_, k) => Math.log2(1 + (k + 0.5) / 4096));

/** log2 of a positive normal number from its exponent and a table; wrong by at most 0.0002. */
function binaryLogarithm(power: number): number {
  floats[0] = power;
  const word = bits[0];
  return (word >> 23) - 127 + mantissas[(word >> 11) & 4095];
}

/** From splatted echoes to compressed grey (0..255) in beam coordinates; clears the echoes. */
export function formImage(probe: Probe, planes: BeamPlanes, noiseStart: number,
  out: Float32Array): void {
  const { beams, ranges, gain, noise, noiseLevel, still, imaging } = probe;
  const { re, im, re2, im2 } = planes;
  let n = 2 * noiseStart;
  for (let b = 0, o = 0; b < beams; b++) {
    for (let r = 0; r < ranges; r++, o++, n += 2) {
      const level = noiseLevel[r];
      re[o] = re[o] * gain[o] + still[2 * o] + level * noise[n];
      im[o] = im[o] * gain[o] + still[2 * o + 1] + level * noise[n + 1];
    }
  }
  filterRange(probe, re, re2);
  filterRange(probe, im, im2);
  filterBeams(probe, re2, re);
  filterBeams(probe, im2, im);
  const scale = 255 / imaging.dynamicRange;
  const start = imaging.dynamicRange + imaging.gain;
  const haze = hazePlane(probe, re, im, re2);
  for (let o = 0; o < out.length; o++) {
    const power = re[o] * re[o] + im[o] * im[o] + haze[o] + 1e-9;
    const grey = (octave * binaryLogarithm(power) + start) * scale;
    out[o] = grey <= 0 ? 0 : grey >= 255 ? 255 : grey;
  }
  re.fill(0);
  im.fill(0);
}

/** Side lobes: a wide lateral average of the echo power, far below it. */
function hazePlane(probe: Probe, re: Float32Array, im: Float32Array,
  out: Float32Array): Float32Array {
  const { beams, ranges, imaging } = probe;
  const level = 10 ** (imaging.haze / 10);
  // A recursive average along the beams, forward and back: an exponential of about 14 beams.
  const keep = 0.93;
  const state = new Float32Array(ranges);
  for (let b = 0; b < beams; b++) {
    for (let r = 0, o = b * ranges; r < ranges; r++, o++) {
      state[r] = keep * state[r] + (1 - keep) * (re[o] * re[o] + im[o] * im[o]);
      out[o] = level * state[r];
    }
  }
  state.fill(0);
  for (let b = beams - 1; b >= 0; b--) {
    for (let r = 0, o = b * ranges; r < ranges; r++, o++) {
      state[r] = keep * state[r] + (1 - keep) * (re[o] * re[o] + im[o] * im[o]);
      out[o] += level * state[r];
    }
  }
  return out;
}

function filterRange(probe: Probe, from: Float32Array, to: Float32Array): void {
  const { beams, ranges, axial } = probe;
  const [a0, a1, a2, a3] = axial as unknown as [number, number, number, number];
  for (let b = 0; b < beams; b++) {
    const start = b * ranges;
    to.fill(0, start, start + ranges);
    for (let o = start + 3; o < start + ranges - 3; o++) {
      to[o] = a3 * from[o] + a2 * (from[o - 1] + from[o + 1])
        + a1 * (from[o - 2] + from[o + 2]) + a0 * (from[o - 3] + from[o + 3]);
    }
  }
}

/** The lateral response is symmetric; the outer beams are margin and stay empty. */
function filterBeams(probe: Probe, from: Float32Array, to: Float32Array): void {
  const { beams, ranges: n, lateral } = probe;
  to.fill(0);
  for (let b = lateralReach; b < beams - lateralReach; b++) {
    const start = b * n;
    for (let r = 0, o = start; r < n; r++, o++) {
      to[o] = lateral[3 * n + r] * from[o] + lateral[2 * n + r] * (from[o - n] + from[o + n])
        + lateral[n + r] * (from[o - 2 * n] + from[o + 2 * n])
        + lateral[r] * (from[o - 3 * n] + from[o + 3 * n]);
    }
  }
}

/** Beam coordinates -> picture, black outside of the sector. */
export function scanConvert(probe: Probe, grey: Float32Array, picture: Uint8Array): void {
  const { pixels, corner, weightBeam, weightRange, ranges, map } = probe;
  for (let n = 0; n < pixels.length; n++) {
    const o = corner[n];
    const u = weightBeam[n];
    const v = weightRange[n];
    const near = grey[o] + v * (grey[o + 1] - grey[o]);
    const far = grey[o + ranges] + v * (grey[o + ranges + 1] - grey[o + ranges]);
    picture[pixels[n]] = map[((near + u * (far - near)) * 4 + 0.5) | 0];
  }
}
