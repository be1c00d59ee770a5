/**
 * The scanner: signals averaged over voxels as thick as the slice, the point spread of a finite
 * k-space, coil sensitivities, complex Gaussian noise, and the magnitude, whose noise is Rician.
 */
import { randomStream } from '../../frames/random.ts';
import { SmoothNoise } from '../phantom/texture.ts';
import type { MriPatient } from './parameters.ts';
import { Section } from './section.ts';
import { Surroundings } from './surroundings.ts';

/** Points of a voxel, -0.5..0.5 along x, y and z: a lattice whose projections are all even. */
function lattice(count: number, stepY: number, stepZ: number): readonly (readonly number[])[] {
  return Array.from({ length: count }, (_, k) =>
    [k, (k * stepY) % count, (k * stepZ) % count].map((at) => (at + 0.5) / count - 0.5));
}

const heartPoints = lattice(8, 5, 3);
const bodyPoints = lattice(4, 3, 2);

/** One plane of the stack, as it is imaged at every phase. */
interface Plane {
  readonly z: number;
  /** mm of the heart's axis at mid-height from the picture's centre, breath-hold included. */
  readonly x: number;
  readonly y: number;
  /** Where the axis is in this plane, from there. */
  readonly axisX: number;
  readonly axisY: number;
  readonly still: Float32Array;                     // [point][height][width], signed
  readonly coil: Float32Array;                      // [height][width]
}

export interface ScannedVolume {
  /** [slices][height][width], apex first. */
  readonly image: Int16Array;
  readonly labels: Uint8Array;
}

/** A patient on the table: what does not change from phase to phase is made once. */
export class Scanner {
  private readonly patient: MriPatient;
  private readonly texture: SmoothNoise;
  private readonly planes: readonly Plane[];

  constructor(patient: MriPatient) {
    this.patient = patient;
    this.texture = new SmoothNoise(this.stream('texture'));
    const { slices, sliceSpacing, lastSlice } = patient.scan;
    this.planes = Array.from({ length: slices }, (_, k) =>
      this.makePlane(k, k * sliceSpacing - lastSlice));
  }

  private stream(...part: (string | number)[]): ReturnType<typeof randomStream> {
    return randomStream('mri phantom', this.patient.seed, this.patient.index, ...part);
  }

  private makePlane(index: number, z: number): Plane {
    const { placement, scan, anatomy } = this.patient;
    const { width, height, pixel } = scan;
    const size = width * height;
    const [shiftX, shiftY] = scan.shifts[index];
    const x = placement.x + shiftX;
    const y = placement.y + shiftY;
    const off = z - anatomy.length / 2;
    const still = new Float32Array(bodyPoints.length * size);
    const coil = new Float32Array(size);
    bodyPoints.forEach(([dx, dy, dz], k) => {
      const body = new Surroundings(this.patient, z + dz * scan.thickness, this.texture);
      for (let row = 0; row < height; row++) {
        const py = (row + 0.5 - height / 2 + dy) * pixel - y;
        for (let column = 0; column < width; column++) {
          const px = (column + 0.5 - width / 2 + dx) * pixel - x;
          still[k * size + row * width + column] = body.at(px, py);
        }
      }
    });
    const middle = new Surroundings(this.patient, z, this.texture);
    const reference = this.sensitivity(placement.chest);
    for (let row = 0; row < height; row++) {
      const py = (row + 0.5 - height / 2) * pixel - y;
      for (let column = 0; column < width; column++) {
        const px = (column + 0.5 - width / 2) * pixel - x;
        const slow = this.texture.at(px * 0.012 + 2, py * 0.012 + z * 0.006 + 48);
        coil[row * width + column] = (this.sensitivity(middle.depth(px, py)) / reference)
          * Math.max(0.3, 1 + scan.shading * slow);
      }
    }
    return { z, x, y, axisX: placement.drift[0] * off, axisY: placement.drift[1] * off, still, coil };
  }

  /** Of the coils on the chest, by depth under the skin, mm. */
  private sensitivity(depth: number): number {
    const { coil, coilDepth } = this.patient.scan;
    return 1 + coil * Math.exp(-Math.max(-6, depth) / coilDepth) ;
  }

  /** The stack at contraction `a` (0..1); `phase` is the number of its noise. */
  scan(a: number, phase: number): ScannedVolume {
    const { width, height, slices } = this.patient.scan;
    const size = width * height;
    const image = new Int16Array(slices * size);
    const labels = new Uint8Array(slices * size);
    this.planes.forEach((plane, k) => {
      const signal = this.signals(plane, a);
      const noise = this.stream('noise', phase, k);
      const magnitude = this.receive(signal, plane, noise);
      image.set(magnitude, k * size);
      this.draw(plane, a, labels.subarray(k * size, (k + 1) * size));
    });
    return { image, labels };
  }

  /** Signed signal of every voxel. */
  private signals(plane: Plane, a: number): Float32Array {
    const { scan } = this.patient;
    const size = scan.width * scan.height;
    const sum = new Float32Array(size);
    for (let k = 0; k < bodyPoints.length; k++) {
      for (let i = 0; i < size; i++) sum[i] += plane.still[k * size + i] / bodyPoints.length;
    }
    const sections = heartPoints.map(([, , dz]) =>
      new Section(this.patient, a, plane.z + dz * scan.thickness, this.texture));
    const reach = Math.max(...sections.map((section) => section.reach)) + 2 * scan.pixel;
    const { cos, sin } = this.turn();
    this.around(plane, reach, (i, px, py) => {
      let heart = 0;
      for (let k = 0; k < heartPoints.length; k++) {
        const qx = px + heartPoints[k][0] * scan.pixel;
        const qy = py + heartPoints[k][1] * scan.pixel;
        const value = sections[k].at(qx * cos + qy * sin, qx * sin - qy * cos);
        heart += Number.isNaN(value) ? plane.still[(k & 3) * size + i] : value;
      }
      sum[i] = heart / heartPoints.length;
    });
    return sum;
  }

  /** Labels by most of four points of the slice's middle; equal votes go to the larger label. */
  private draw(plane: Plane, a: number, labels: Uint8Array): void {
    const { pixel } = this.patient.scan;
    const section = new Section(this.patient, a, plane.z, this.texture);
    const { cos, sin } = this.turn();
    const votes = [0, 0, 0, 0];
    this.around(plane, section.reach, (i, px, py) => {
      votes.fill(0);
      for (let k = 0; k < 4; k++) {
        const qx = px + ((k & 1) - 0.5) * 0.5 * pixel;
        const qy = py + ((k >> 1) - 0.5) * 0.5 * pixel;
        section.at(qx * cos + qy * sin, qx * sin - qy * cos);
        votes[section.label] += 1;
      }
      labels[i] = votes.lastIndexOf(Math.max(...votes));
    });
  }

  /** +x of a section points to the RV, and +y to the front. */
  private turn(): { cos: number; sin: number } {
    const { septum } = this.patient.placement;
    return { cos: Math.cos(septum), sin: Math.sin(septum) };
  }

  /** Visits the pixels within `reach` mm of the axis, with their centres in mm from it. */
  private around(plane: Plane, reach: number,
    visit: (index: number, x: number, y: number) => void): void {
    const { width, height, pixel } = this.patient.scan;
    for (let row = 0; row < height; row++) {
      const py = (row + 0.5 - height / 2) * pixel - plane.y - plane.axisY;
      for (let column = 0; column < width; column++) {
        const px = (column + 0.5 - width / 2) * pixel - plane.x - plane.axisX;
        if (px * px + py * py < reach * reach) visit(row * width + column, px, py);
      }
    }
  }

  private receive(signal: Float32Array, plane: Plane,
    stream: ReturnType<typeof randomStream>): Int16Array {
    const { width, height, blur, noise, gain } = this.patient.scan;
    const size = width * height;
    // Noise goes through the same filter as the signal, which takes this part of its variance.
    const level = noise * (1 + 1.1 * blur);
    const imaginary = new Float32Array(size);
    // A corrected image has even brightness, and its noise grows away from the coils instead.
    const corrected = this.patient.vendor === 'B';
    for (let i = 0; i < size; i++) {
      const here = corrected ? level * (1.15 - 0.15 * Math.min(2, plane.coil[i])) : level;
      signal[i] = signal[i] * plane.coil[i] + here * stream.normal();
      imaginary[i] = here * stream.normal();
    }
    const taps = pointSpread(blur);
    filter(signal, width, height, taps);
    filter(imaginary, width, height, taps);
    return Int16Array.from(signal, (value, i) =>
      Math.min(32767, Math.round(gain * Math.sqrt(value * value + imaginary[i] * imaginary[i]))));
  }
}

/** A Gaussian with the first negative lobe of a cut-off k-space; sums to 1. */
function pointSpread(sigma: number): Float64Array {
  const taps = Float64Array.from({ length: 7 }, (_, k) => {
    const x = Math.abs(k - 3);
    return Math.exp(-0.5 * (x / sigma) ** 2) - (x === 2 ? 0.025 : 0);
  });
  const total = taps.reduce((sum, tap) => sum + tap, 0);
  return taps.map((tap) => tap / total);
}

/** Separable, in place; the border repeats. */
function filter(values: Float32Array, width: number, height: number, taps: Float64Array): void {
  const line = new Float64Array(Math.max(width, height) + 6);
  const along = (start: number, step: number, count: number): void => {
    for (let k = -3; k < count + 3; k++) {
      line[k + 3] = values[start + Math.min(count - 1, Math.max(0, k)) * step];
    }
    for (let k = 0; k < count; k++) {
      values[start + k * step] = taps[3] * line[k + 3] + taps[2] * (line[k + 2] + line[k + 4])
        + taps[1] * (line[k + 1] + line[k + 5]) + taps[0] * (line[k] + line[k + 6]);
    }
  };
  for (let row = 0; row < height; row++) along(row * width, 1, width);
  for (let column = 0; column < width; column++) along(column, width, height);
}
