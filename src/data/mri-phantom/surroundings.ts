/**
 * The body around the heart in a short-axis plane, which does not move: air, skin, fat, ribs and
 * muscle, lung with vessels, diaphragm, liver, stomach and spleen, aorta and spine. Signals are
 * signed as in `section.ts`.
 */
import { SmoothNoise } from '../phantom/texture.ts';
import type { MriPatient } from './parameters.ts';
import { profile } from './section.ts';

const skin = 1.8;
const ribPitch = 27;

export class Surroundings {
  private readonly patient: MriPatient;
  private readonly noise: SmoothNoise;
  private readonly z: number;
  private readonly bodyX: number;
  private readonly bodyY: number;
  private readonly front: readonly [number, number];
  private readonly below: readonly [number, number];
  private readonly floor: number;
  private readonly heart: number;

  /** The plane at height `z`, mm from the endocardial apex towards the base. */
  constructor(patient: MriPatient, z: number, noise: SmoothNoise) {
    const { placement, anatomy } = patient;
    this.patient = patient;
    this.noise = noise;
    this.z = z;
    this.front = [Math.cos(placement.front), Math.sin(placement.front)];
    this.below = [Math.cos(placement.below), Math.sin(placement.below)];
    const rise = placement.chestRise * (z - anatomy.length / 2);
    const back = placement.chest + rise - placement.chestRadius;
    this.bodyX = this.front[0] * back;
    this.bodyY = this.front[1] * back;
    const { outer } = profile(anatomy, Math.min(z, anatomy.length));
    this.heart = Math.max(outer, 0.5 * anatomy.radius);
    this.floor = outer + placement.gap + Math.min(0, 0.5 * z);
  }

  /** Depth under the skin, mm; negative in the air. Smooth: the coils see it too. */
  depth(x: number, y: number): number {
    const dx = x - this.bodyX;
    const dy = y - this.bodyY;
    return this.patient.placement.chestRadius - Math.sqrt(dx * dx + dy * dy);
  }

  /** Signed signal at (x, y), mm from the heart's axis at mid-height, y down. */
  at(x: number, y: number): number {
    const { placement, scan } = this.patient;
    const { noise, z } = this;
    const s = this.depth(x, y) + 2.5 * noise.at(x * 0.025 + 31, y * 0.025 + 7);
    if (s < 0) return 0;
    if (s < skin) return 0.5;
    if (s < placement.fatLayer) {
      const septa = noise.at(x * 0.12 + 3, y * 0.12 + z * 0.05);
      return septa > 2.1 ? scan.muscle : -scan.fat * (1 + 0.04 * septa);
    }
    const wall = placement.fatLayer + placement.wallLayer;
    if (s < wall) return this.chestWall(x, y, s - placement.fatLayer);
    const behind = -(x * this.front[0] + y * this.front[1]);
    const across = y * this.front[0] - x * this.front[1];
    const spine = this.backOf(behind - this.heart, across);
    if (!Number.isNaN(spine)) return spine;
    const down = x * this.below[0] + y * this.below[1];
    const side = x * this.below[1] - y * this.below[0];
    const ripple = 2.5 * noise.at(side * 0.03 + 50, z * 0.02);
    const floor = this.floor + placement.dome * side * side + ripple;
    if (down > floor) return this.abdomen(side, down - floor, x, y);
    if (s < wall + 3 + 7 * noise.at(x * 0.03 + 13, y * 0.03 + z * 0.02)) return -scan.fat;
    return this.lung(x, y);
  }

  private chestWall(x: number, y: number, s: number): number {
    const { placement, scan } = this.patient;
    const angle = Math.atan2(y - this.bodyY, x - this.bodyX);
    const along = angle * placement.chestRadius + 0.35 * this.z;
    const place = Math.abs(along / ribPitch - Math.round(along / ribPitch)) * ribPitch;
    const off = Math.hypot(place / 1.25, s - 0.55 * placement.wallLayer);
    if (off < 3.6) return -0.45 * scan.fat;
    if (off < 5) return 0.05;
    if (s < 1.5 || this.noise.at(x * 0.07 + 60, y * 0.07) > 1.3) return -0.8 * scan.fat;
    return scan.muscle * (1 + 0.12 * this.noise.at(x * 0.15, y * 0.15 + 70));
  }

  /** Descending aorta, vertebra and the muscles of the back; NaN elsewhere. */
  private backOf(behind: number, across: number): number {
    const { scan, anatomy } = this.patient;
    const aorta = Math.hypot(behind - 26, across - 6);
    if (aorta < 0.72 * anatomy.vessel) return 1;
    if (aorta < 0.72 * anatomy.vessel + 1.6) return scan.muscle;
    const bone = Math.hypot(behind - 58, (across + 18) * 0.85);
    if (bone < 17) return 0.3 + 0.06 * this.noise.at(behind * 0.2 + 4, across * 0.2);
    if (bone < 18.5) return 0.1;
    if (Math.hypot(behind - 84, across + 18) < 7) return 0.95;
    const ribs = 72 + 0.0012 * across * across + 5 * this.noise.at(across * 0.04 + 66, this.z * 0.03);
    if (behind < ribs) return Number.NaN;
    const strands = this.noise.at(behind * 0.06 + 80, across * 0.03 + this.z * 0.03);
    return strands > 0.9 || behind < ribs + 2 ? -0.85 * scan.fat : scan.muscle;
  }

  private abdomen(side: number, under: number, x: number, y: number): number {
    const { scan } = this.patient;
    const { noise, z } = this;
    if (under < 2) return scan.muscle;
    const grain = noise.at(x * 0.3 + 33, y * 0.3 + z);
    // The liver lies on the left of the picture.
    if (side < 10 + 16 * noise.at(under * 0.03 + 90, z * 0.02)) {
      const vessel = noise.at(x * 0.085 + z * 0.04, y * 0.085 + 17);
      return vessel > 1.55 ? 0.75 : scan.organ * (1 + 0.05 * grain);
    }
    // Spleen and stomach with fat between them.
    const organ = noise.at(x * 0.016 + 25, y * 0.016 + z * 0.012);
    if (Math.abs(organ + 0.35) < 0.16) return -scan.fat * 0.95;
    if (organ > -0.35) return scan.organ * 1.3 * (1 + 0.06 * grain);
    const content = noise.at(x * 0.05 + 45, y * 0.05 + z * 0.03);
    return organ > -0.65 ? scan.muscle : content > 1 ? 0.06 : 0.4 + 0.15 * content;
  }

  private lung(x: number, y: number): number {
    const { noise, z } = this;
    const vessel = noise.at(x * 0.19 + 0.06 * z, y * 0.19 + 27);
    return vessel > 1.6 ? 0.14 + 0.6 * Math.min(1, vessel - 1.6) : 0.045;
  }
}
