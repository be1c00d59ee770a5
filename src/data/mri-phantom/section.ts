/**
 * A plane across the heart: what is at a point, and which of M&Ms' labels it has.
 *
 * Signals are signed, blood = 1, fat negative: balanced SSFP sees fat and water in opposite
 * phase, so that a voxel that holds both is dark (the black outline between them), which comes of
 * itself when signed signals are averaged and the magnitude is taken last.
 */
import { SmoothNoise } from '../phantom/texture.ts';
import type { Anatomy, MriPatient } from './parameters.ts';

/** LV at a height of the reference, mm: cavity and epicardial radius; 0 where there is none. */
export function profile(anatomy: Anatomy, z: number): { inner: number; outer: number } {
  const { length, radius, equator, bluntness, wall, apexWall } = anatomy;
  const middle = equator * length;
  const bullet = (size: number, apex: number): number => {
    if (z <= -apex) return 0;
    if (z >= middle) return size * (1 - 0.07 * ((z - middle) / (length - middle)) ** 2);
    return size * (1 - ((middle - z) / (middle + apex)) ** bluntness) ** (1 / bluntness);
  };
  return { inner: bullet(radius, 0), outer: bullet(radius + wall, apexWall) };
}

interface Chamber { readonly x: number; readonly y: number; readonly a: number; readonly b: number }

const outside = Number.NaN;
const vesselWall = 2;
const rightWall = 2.8;

/**
 * The section at picture height `z` (mm from the endocardial apex at end diastole, towards the
 * base) when the heart is contracted by `a` (0 end diastole, 1 end systole). The cavity narrows,
 * the annulus descends, the wall keeps its volume.
 */
export class Section {
  /** Of the last point asked for: 0, 1 LV, 2 myocardium, 3 RV. */
  label = 0;
  /** No point farther from the axis than this is of the heart, mm. */
  readonly reach: number;
  private readonly anatomy: Anatomy;
  private readonly patient: MriPatient;
  private readonly noise: SmoothNoise;
  private readonly z: number;
  private readonly ventricle: boolean;
  private readonly inner: number;
  private readonly outer: number;
  private readonly oval: readonly [number, number];
  private readonly muscles: readonly { x: number; y: number; r2: number }[];
  private readonly border: number;
  private readonly right: Chamber | null;
  private readonly rightLabel: number;
  private readonly tilt: readonly [number, number];
  private readonly chambers: readonly Chamber[];
  private readonly fat: number;
  private readonly bulge: number;

  constructor(patient: MriPatient, a: number, z: number, noise: SmoothNoise) {
    const { anatomy, motion } = patient;
    const { length } = anatomy;
    this.anatomy = anatomy;
    this.patient = patient;
    this.noise = noise;
    const stretch = 1 - (motion.descent * a) / length;
    const annulus = length * stretch;
    this.ventricle = z < annulus;
    const rest = this.ventricle ? (z < 0 ? z : z / stretch) : z + length - annulus;
    this.z = rest;
    const { inner, outer } = profile(anatomy, Math.min(rest, length));
    this.inner = inner * (1 - motion.radial * a);
    // What the wall loses in length it gains in area.
    const area = (outer * outer - inner * inner) / (z < 0 ? 1 : stretch);
    this.outer = Math.sqrt(this.inner * this.inner + area);
    this.oval = [anatomy.ovality * Math.cos(2 * anatomy.ovalAngle),
      anatomy.ovality * Math.sin(2 * anatomy.ovalAngle)];
    const u = rest / length;
    this.bulge = anatomy.septalBulge * Math.exp(-(((u - 0.68) / 0.3) ** 2)) * (1 + 0.3 * a);
    this.muscles = anatomy.papillary.map(({ angle, size, from, to }) => {
      const along = (u - from) / (to - from);
      const thick = along <= 0 || along >= 1 ? 0 : size * Math.sin(Math.PI * along) ** 0.5;
      const distance = this.inner * (0.86 - 0.3 * along);
      return { x: distance * Math.cos(angle), y: distance * Math.sin(angle),
        r2: thick * thick * (1 + 0.15 * a) };
    }).filter(({ r2 }) => r2 > 0);
    this.border = anatomy.trabeculae * (0.55 + 1.2 * Math.exp(-u / 0.35)) * (1 - 0.4 * a);
    this.tilt = [Math.cos(anatomy.rightTilt), Math.sin(anatomy.rightTilt)];
    this.right = this.ventricle ? this.rightAt(u, a) : null;
    const tricuspid = annulus + anatomy.rightBase - 4 * a;
    this.rightLabel = z < tricuspid ? 3 : 0;
    this.chambers = this.ventricle ? [] : this.aboveAnnulus(rest - length, a);
    const groove = Math.exp(-(((length - rest) / 13) ** 2));
    this.fat = (z < -anatomy.apexWall ? 0.5 : 1) * anatomy.fat * (0.75 + 0.9 * groove);
    const far = this.chambers.map((one) => Math.hypot(one.x, one.y) + Math.max(one.a, one.b));
    const beyond = this.right ? Math.hypot(this.right.x + this.right.a, this.right.b) : 0;
    this.reach = Math.max(1.1 * this.outer + this.bulge, beyond, ...far) + 2.2 * this.fat + 4;
  }

  /** The RV as an ellipse that the LV lies upon; null below its apex. */
  private rightAt(u: number, a: number): Chamber | null {
    const { rightReach, rightHeight, rightStart } = this.anatomy;
    const { right } = this.patient.motion;
    const along = (u - rightStart) / (1 - rightStart);
    if (along <= 0) return null;
    const grown = Math.sqrt(1 - (1 - Math.min(1, along)) ** 2.4);
    const width = rightReach * grown * (1 - right * a);
    if (width < 2) return null;
    const near = 0.05 * this.outer;
    const far = this.outer + width;
    return { x: (far + near) / 2, y: -0.06 * this.outer, a: (far - near) / 2,
      b: this.outer * rightHeight * (0.5 + 0.5 * grown) * (1 - 0.12 * a) };
  }

  /** Atria, aortic root and pulmonary trunk, `h` mm above the annulus. */
  private aboveAnnulus(h: number, a: number): Chamber[] {
    const { atrium, vessel } = this.anatomy;
    const e = this.outer;
    const left = Math.min(1, 0.88 + h / 60) * atrium * (1 + 0.12 * a);
    const trunk = vessel * (1 + 0.05 * a);
    return [
      { x: -0.3 * e, y: -0.34 * e - 0.1 * h, a: 1.1 * left, b: left },
      { x: 0.5 * e, y: 0.12 * e, a: trunk, b: trunk * 0.96 },
      { x: 0.28 * e + 0.1 * h, y: 0.98 * e, a: 1.15 * trunk, b: trunk },
      { x: 1.3 * e, y: -0.3 * e, a: 0.95 * left, b: 1.15 * left },
    ];
  }

  /**
   * Signed signal at (x, y), mm from the LV's axis, +x to the RV, +y to the front; sets `label`.
   * NaN where the heart with its fat ends.
   */
  at(x: number, y: number): number {
    this.label = 0;
    return this.ventricle ? this.ventricles(x, y) : this.atria(x, y);
  }

  private ventricles(x: number, y: number): number {
    const { anatomy, outer, noise } = this;
    const { scan } = this.patient;
    const rho = Math.sqrt(x * x + y * y) + 1e-6;
    const c = x / rho;
    const s = y / rho;
    const shape = 1 + this.oval[0] * (c * c - s * s) + this.oval[1] * 2 * c * s;
    const inner = this.inner * shape;
    const wall = outer * shape + (c > 0 ? this.bulge * c * c : 0);
    if (rho < inner) {
      this.label = 1;
      return this.cavity(x, y, inner - rho);
    }
    if (rho < wall) {
      this.label = 2;
      return scan.myocardium * (1 + 0.05 * noise.at(x * 0.2 + 40, y * 0.2 + this.z));
    }
    let beyond = rho - wall;
    if (this.right) {
      const { x: rx, y: ry, a, b } = this.right;
      const dx = x - rx;
      const dy = y - ry;
      const u = (dx * this.tilt[0] + dy * this.tilt[1]) / a;
      const v = ((dy * this.tilt[0] - dx * this.tilt[1]) / b) * (1 + 0.32 * u);
      const q = Math.sqrt(u * u + v * v) * (1 + 0.03 * noise.at(c * 2 + 3, s * 2 + this.z * 0.04));
      if (q < 1) {
        this.label = this.rightLabel;
        const edge = (1 - q) * b;
        const rough = noise.at(x * 0.22 + 9, y * 0.22 + this.z * 0.3);
        if (edge < 1.6 * anatomy.trabeculae && rough > 0.1 + 0.2 * edge) {
          return scan.myocardium * 1.15;
        }
        return this.blood(x, y, 1.2);
      }
      const off = (q - 1) * Math.min(a, b);
      if (off < rightWall) return scan.myocardium;
      beyond = Math.min(beyond, off - rightWall);
    }
    return this.surround(beyond, c, s);
  }

  private cavity(x: number, y: number, depth: number): number {
    const { scan } = this.patient;
    for (const muscle of this.muscles) {
      const dx = x - muscle.x;
      const dy = y - muscle.y;
      if (dx * dx + dy * dy < muscle.r2) return scan.myocardium;
    }
    if (depth < this.border) {
      const rough = this.noise.at(x * 0.26 + 5, y * 0.26 + this.z * 0.35);
      if (rough > 0.8 * (depth / this.border) - 0.25) return scan.myocardium * 1.1;
    }
    return this.blood(x, y, 1);
  }

  private blood(x: number, y: number, unevenness: number): number {
    const { flow } = this.patient.scan;
    const swirl = this.noise.at(x * 0.09 + 20, y * 0.09 + this.z * 0.1);
    return 1 + flow * unevenness * swirl;
  }

  private atria(x: number, y: number): number {
    const { scan } = this.patient;
    let deepest = -Infinity;
    let second = -Infinity;
    for (const { x: cx, y: cy, a, b } of this.chambers) {
      const u = (x - cx) / a;
      const v = (y - cy) / b;
      const depth = (1 - Math.sqrt(u * u + v * v)) * Math.min(a, b);
      second = Math.max(second, Math.min(depth, deepest));
      deepest = Math.max(deepest, depth);
    }
    // Chambers that touch have one wall between them.
    if (second > -vesselWall && deepest - second < vesselWall) return scan.muscle;
    if (deepest > 0) return this.blood(x, y, 1.8);
    const beyond = -deepest;
    if (beyond < vesselWall) return scan.muscle;
    const rho = Math.sqrt(x * x + y * y) + 1e-6;
    return this.surround(beyond - vesselWall, x / rho, y / rho);
  }

  /** Fat of uneven thickness, then the pericardium. */
  private surround(beyond: number, c: number, s: number): number {
    const thickness = this.fat * Math.max(0,
      0.8 + 0.75 * this.noise.at(c * 1.6 + 11, s * 1.6 + this.z * 0.045));
    if (beyond < thickness) return -this.patient.scan.fat;
    return beyond < thickness + 1.3 ? this.patient.scan.muscle * 0.6 : outside;
  }
}
