/**
 * What scatters: the mean echo level (dB) of every reference point, by tissue, with the texture of
 * muscle, the brightness of interfaces that face the beam and the loss of walls that run along it.
 */
import { randomStream } from '../../frames/random.ts';
import { place, type Heart, type Pose } from './motion.ts';
import type { Imaging } from './patient.ts';
import { heights, lowest, step } from './sections.ts';
import { rightHeartWidth, tricuspidHeight, valveBorder } from './sections.ts';
import { SmoothNoise } from './texture.ts';

export const blood = 1;
export const solid = 0;

/** Level in dB and what it belongs to. */
export interface Echo { level: number; kind: number }

/** One query: where it is, what surrounds it. */
interface Spot {
  y: number; z: number; side: 0 | 1; distance: number;
  inner: number; outer: number; edge: number;    // knots at this height, mm
  index: number;                                 // height index in the tables
  x: number; depth: number; range: number;       // picture mm, end diastole
}

export class TissueMap {
  private readonly heart: Heart;
  private readonly rest: Pose;
  private readonly imaging: Imaging;
  private readonly fine: SmoothNoise;
  private readonly coarse: SmoothNoise;
  private readonly bands: SmoothNoise;
  private readonly valve: number;
  private readonly hasRight: boolean;
  private readonly place = { x: 0, y: 0 };
  private readonly spot: Spot = { y: 0, z: 0, side: 0, distance: 0, inner: 0, outer: 0, edge: 0,
    index: 0, x: 0, depth: 0, range: 1 };

  constructor(heart: Heart, rest: Pose, imaging: Imaging, key: readonly (string | number)[]) {
    this.heart = heart;
    this.rest = rest;
    this.imaging = imaging;
    this.fine = new SmoothNoise(randomStream(...key, 'fine texture'));
    this.coarse = new SmoothNoise(randomStream(...key, 'coarse texture'));
    this.bands = new SmoothNoise(randomStream(...key, 'bands'));
    this.valve = tricuspidHeight(heart.anatomy);
    this.hasRight = heart.anatomy.rightWidth > 0;
  }

  /** Echo of the reference point (y, z), mm from the axis and along it. */
  at(y: number, z: number, out: Echo): void {
    const spot = this.locate(y, z);
    out.kind = solid;
    if (spot.distance < spot.inner) this.cavity(spot, out);
    else if (spot.distance < spot.outer) this.wall(spot, out);
    else if (spot.side === 0 && this.hasRight && rightHeartWidth(this.heart.anatomy, z) > 0.5) {
      this.rightHeart(spot, out);
    } else this.outside(spot, out);
    const { range } = spot;
    if (range < 24 && out.kind === solid) out.level += 5 * (1 - range / 24);
  }

  private locate(y: number, z: number): Spot {
    const { spot } = this;
    const g = Math.min(heights - 2, Math.max(1, (z - lowest) / step));
    const i = Math.floor(g);
    const f = g - i;
    spot.y = y;
    spot.z = z;
    spot.index = i;
    spot.side = y < 0 ? 0 : 1;
    spot.distance = Math.abs(y);
    const table = this.heart.reference[spot.side];
    spot.inner = table[1][i] + f * (table[1][i + 1] - table[1][i]);
    spot.outer = table[2][i] + f * (table[2][i + 1] - table[2][i]);
    spot.edge = table[3][i] + f * (table[3][i + 1] - table[3][i]);
    place(this.heart, this.rest, y, z, this.place);
    spot.x = this.place.x;
    spot.depth = this.place.y;
    spot.range = Math.hypot(spot.x, spot.depth) + 1e-6;
    return spot;
  }

  /** |cosine| between the beam and the normal of a knot's contour at this height. */
  private facing(spot: Spot, knot: number): number {
    const table = this.heart.reference[spot.side][knot];
    const slope = Math.max(-6, Math.min(6, (table[spot.index + 1] - table[spot.index]) / step));
    const along = (spot.side === 0 ? -slope : slope) * 0.5;
    place(this.heart, this.rest, spot.y + along, spot.z + 0.5, this.place);
    const tx = this.place.x - spot.x;
    const ty = this.place.y - spot.depth;
    return Math.abs(tx * spot.depth - ty * spot.x) / (spot.range * (Math.hypot(tx, ty) + 1e-9));
  }

  private muscle(spot: Spot): number {
    const { y, z } = spot;
    return this.imaging.lumpiness
      * (0.8 * this.fine.at(y / 3.2 + 31, z / 4.5) + 1.05 * this.coarse.at(y / 10, z / 16 + 7));
  }

  private cavity(spot: Spot, out: Echo): void {
    const { imaging } = this;
    const { anatomy } = this.heart;
    const { y, z, distance, inner } = spot;
    const ventricle = z < valveBorder(anatomy, distance / inner);
    const texture = this.muscle(spot);
    out.kind = blood;
    out.level = imaging.blood + (ventricle ? 0 : 2) + 0.25 * texture;
    if (!ventricle) return;
    // Trabeculae: muscle texture that reaches some millimetres into the cavity.
    const strand = this.fine.at(y / 2.2 + 11, z / 5 + 3) - 0.5 + 0.5 * this.coarse.at(y / 8, z / 8);
    if (z < 0.85 * anatomy.length && inner - distance < 3.5 * Math.max(0, strand)) {
      out.kind = solid;
      out.level = imaging.myocardium - 4 + texture;
    }
    for (const muscle of anatomy.papillary) {
      if (muscle.side !== spot.side) continue;
      const py = distance - (inner - 1.2 * muscle.size);
      const pz = (z - muscle.z * anatomy.length) / 3;
      const inside = 1 - (py * py + pz * pz) / (muscle.size * muscle.size);
      if (inside > 0 && this.fine.at(y / 2.5, z / 4 + 40) > -0.5 - inside) {
        out.kind = solid;
        out.level = imaging.myocardium - 9 + 5 * inside + texture;
      }
    }
  }

  private wall(spot: Spot, out: Echo): void {
    const { imaging } = this;
    const { anatomy } = this.heart;
    const { z, distance, inner, outer, side } = spot;
    const texture = this.muscle(spot);
    const face = this.facing(spot, 1);
    if (z >= anatomy.length + 3) {
      out.level = imaging.myocardium - 7 + imaging.specular * face * face + texture;
      if (side === 0 && this.hasRight) out.level += 4;
      return;
    }
    const across = (distance - inner) / (outer - inner + 1e-6);
    out.level = imaging.myocardium + texture - imaging.anisotropy * (1 - face);
    const septum = side === 0 && this.hasRight;
    if (septum) out.level += 6 * Math.exp(-(((across - 0.5) / 0.35) ** 2));
    const skin = Math.exp(-(((distance - inner) / 1.5) ** 2));
    out.level += imaging.specular * (0.2 + 0.6 * face * face) * skin;
    out.level += 7 * Math.exp(-(((z - anatomy.length) / 5) ** 2));
    if (!septum || z < 10) {
      const shell = Math.exp(-(((outer - distance) / 1.8) ** 2));
      out.level += imaging.specular * (0.4 + 0.6 * this.facing(spot, 2) ** 2) * shell;
    }
  }

  private rightHeart(spot: Spot, out: Echo): void {
    const { imaging, valve } = this;
    const { y, z, distance, edge } = spot;
    const texture = this.muscle(spot);
    if (distance < edge) {
      out.kind = blood;
      out.level = imaging.blood + 3 + 0.4 * texture;
      const strand = this.fine.at(y / 3 + 50, z / 6) + 0.4;
      if (z < valve && edge - distance < 3.5 * Math.max(0, strand)) {
        out.kind = solid;
        out.level = imaging.myocardium - 5 + texture;
      }
      return;
    }
    const wall = distance - edge;
    const face = this.facing(spot, 3);
    if (wall < (z < valve ? 4 : 2.2)) {
      const groove = 8 * Math.exp(-(((z - valve) / 6) ** 2));
      out.level = imaging.myocardium - 3 + texture + groove + 0.5 * imaging.specular * face * face;
    } else if (wall < 7) {
      out.level = imaging.myocardium - 3 + imaging.specular * face * face * 0.8 + texture;
    } else out.level = this.surroundings(spot);
  }

  /** Lung, liver, pericardium and what lies behind the heart: bands across the beam. */
  private surroundings(spot: Spot): number {
    const { imaging } = this;
    const angle = Math.atan2(spot.x, spot.depth);
    const streak = 0.8 * this.bands.at(angle * 7 + 20, spot.range / 4.5)
      + 0.7 * this.coarse.at(angle * 5 + 9, spot.range / 17 + 30);
    const deep = Math.min(1, Math.max(0, (spot.range - 55) / 65));
    return imaging.surroundings + 9 * deep + 1.2 * imaging.lumpiness * streak;
  }

  private outside(spot: Spot, out: Echo): void {
    const { imaging } = this;
    const { anatomy } = this.heart;
    const { z, distance, outer, side } = spot;
    const gap = distance - outer;
    out.level = this.surroundings(spot);
    if (z < anatomy.length + 10 && gap < 6) {
      const face = this.facing(spot, 2);
      const bright = imaging.specular * (0.5 + 0.5 * face * face) + 3;
      out.level += bright * Math.exp(-((gap / 2.5) ** 2));
    }
    if (z > anatomy.length - 8 && side === 1) {
      out.level += 0.7 * imaging.posterior * Math.exp(-(((gap - 5) / 8) ** 2));
    }
    const below = z - anatomy.length - anatomy.atriumLength;
    if (below > -6) out.level += imaging.posterior * Math.exp(-(((below - 6) / 7) ** 2));
  }
}
