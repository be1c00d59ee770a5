/**
 * What scatters: the mean echo level (dB) of every reference point, by tissue, with the texture of
 * muscle, the brightness of interfaces that face the beam and the loss of walls that run along it.
 */
import { randomStream, type RandomStream } from '../../frames/random.ts';
import { place, type Heart, type Pose } from './motion.ts';
import type { Imaging } from './parameters.ts';
import { heights, lowest, rightHeartWidth, step, tricuspidHeight, valveBorder } from './sections.ts';

export const blood = 1;
export const solid = 0;

export interface Echo { level: number; kind: 0 | 1 }

/** Smooth noise of unit variance on a lattice; `x` and `y` in lattice steps. */
function smoothNoise(stream: RandomStream): (x: number, y: number) => number {
  const side = 64;
  const lattice = Float64Array.from({ length: side * side }, () => stream.normal());
  return (x, y) => {
    const i = Math.floor(x);
    const j = Math.floor(y);
    let u = x - i;
    let v = y - j;
    u = u * u * (3 - 2 * u);
    v = v * v * (3 - 2 * v);
    const i0 = i & 63;
    const i1 = (i + 1) & 63;
    const j0 = (j & 63) * side;
    const j1 = ((j + 1) & 63) * side;
    const top = lattice[j0 + i0]! * (1 - u) + lattice[j0 + i1]! * u;
    const bottom = lattice[j1 + i0]! * (1 - u) + lattice[j1 + i1]! * u;
    // Interpolation lowers the variance to 0.55 of the lattice's on average.
    return (top * (1 - v) + bottom * v) * 1.35;
  };
}

/** A function from reference points (axis coordinates, mm) to echo levels, for one view. */
export function tissueMap(heart: Heart, rest: Pose, imaging: Imaging,
  key: readonly (string | number)[]): (y: number, z: number, out: Echo) => void {
  const { anatomy, reference } = heart;
  const fine = smoothNoise(randomStream(...key, 'fine texture'));
  const coarse = smoothNoise(randomStream(...key, 'coarse texture'));
  const bands = smoothNoise(randomStream(...key, 'bands'));
  const spot = { x: 0, y: 0 };
  const near = { x: 0, y: 0 };
  const valve = tricuspidHeight(anatomy);
  const roof = anatomy.length + anatomy.atriumLength;

  return (y, z, out) => {
    const g = Math.min(heights - 2, Math.max(1, (z - lowest) / step));
    const i = Math.floor(g);
    const f = g - i;
    const side = y < 0 ? 0 : 1;
    const table = reference[side]!;
    const at = (k: number): number => table[k]![i]! + f * (table[k]![i + 1]! - table[k]![i]!);
    const distance = Math.abs(y);
    const inner = at(1);
    const outer = at(2);
    const edge = at(3);
    place(heart, rest, y, z, spot);
    const range = Math.hypot(spot.x, spot.y) + 1e-6;
    const slopeOf = (k: number): number => (table[k]![i + 1]! - table[k]![i]!) / step;
    /** |cosine| between the normal of knot k's contour and the beam. */
    const facing = (k: number): number => {
      const slope = Math.max(-6, Math.min(6, slopeOf(k)));
      const length = Math.hypot(1, slope);
      place(heart, rest, y + (side === 0 ? -slope : slope) / length * 0.5, z + 0.5 / length, near);
      const tx = near.x - spot.x;
      const ty = near.y - spot.y;
      return Math.abs(tx * spot.y - ty * spot.x) / (range * (Math.hypot(tx, ty) + 1e-9));
    };
    const angle = Math.atan2(spot.x, spot.y);
    const band = bands(angle * 9, range / 6) ;
    const texture = imaging.lumpiness
      * (0.75 * fine(y / 3.2 + 31, z / 4.5) + 0.55 * coarse(y / 9, z / 13 + 7));
    out.kind = solid;

    if (distance < inner) {
      const eta = distance / inner;
      const ventricle = z < valveBorder(anatomy, eta);
      out.kind = blood;
      out.level = imaging.blood + (ventricle ? 0 : 1.5) + 0.25 * texture;
      // Trabeculae: muscle texture that reaches some millimetres into the cavity.
      const depth = inner - distance;
      const strand = fine(y / 2.2 + 11, z / 5 + 3) - 0.5 + 0.5 * coarse(y / 8, z / 8);
      if (ventricle && z < 0.85 * anatomy.length && depth < 3.5 * Math.max(0, strand)) {
        out.kind = solid;
        out.level = imaging.myocardium - 3 + texture;
      }
      for (const muscle of anatomy.papillary) {
        if (muscle.side !== side) continue;
        const py = distance - (inner - 1.2 * muscle.size);
        const pz = (z - muscle.z * anatomy.length) / 2.2;
        const inside = 1 - (py * py + pz * pz) / (muscle.size * muscle.size);
        if (inside > 0) {
          out.kind = solid;
          out.level = imaging.myocardium - 3 + 2 * inside + texture;
        }
      }
      return;
    }
    if (distance < outer) {
      const across = (distance - inner) / (outer - inner + 1e-6);
      if (z < anatomy.length + 3) {
        const fibre = facing(1);
        out.level = imaging.myocardium + texture - imaging.anisotropy * (1 - fibre);
        if (side === 0 && anatomy.rightWidth > 0) out.level += 3.5 * Math.exp(-(((across - 0.5) / 0.3) ** 2));
        const skin = Math.exp(-(((distance - inner) / 1.5) ** 2));
        out.level += imaging.specular * (0.35 + 0.65 * fibre * fibre) * skin * 0.7;
        const base = Math.exp(-(((z - anatomy.length) / 5) ** 2));
        out.level += 7 * base;
        // Echoes of the pericardium behind the lateral wall.
        const shell = Math.exp(-(((outer - distance) / 1.6) ** 2));
        if (side === 1 || anatomy.rightWidth === 0 || z < 10) {
          out.level += imaging.specular * (0.4 + 0.6 * facing(2) ** 2) * shell;
        }
      } else {
        const face = facing(1);
        out.level = imaging.myocardium - 4 + imaging.specular * face * face + 0.5 * texture;
        if (side === 0 && anatomy.rightWidth > 0) out.level += 2;
      }
      return;
    }
    const surroundings = imaging.surroundings + 0.5 * texture + imaging.lumpiness * 0.9 * band;
    if (side === 0 && anatomy.rightWidth > 0 && rightHeartWidth(anatomy, z) > 0.5) {
      if (distance < edge) {
        const into = edge - distance;
        out.kind = blood;
        out.level = imaging.blood + 2 + 0.3 * texture;
        const strand = fine(y / 3 + 50, z / 6) + 0.4;
        if (z < valve && into < 3 * Math.max(0, strand)) {
          out.kind = solid;
          out.level = imaging.myocardium - 3 + texture;
        }
        return;
      }
      const wall = distance - edge;
      const face = facing(3);
      if (wall < (z < valve ? 4 : 2.2)) {
        const groove = 6 * Math.exp(-(((z - valve) / 5) ** 2));
        out.level = imaging.myocardium - 2 + texture + groove + 0.5 * imaging.specular * face * face;
        return;
      }
      if (wall < 7) {
        out.level = imaging.myocardium - 2 + imaging.specular * face * face * 0.8 + 0.6 * texture;
        return;
      }
      out.level = surroundings;
      return;
    }
    const gap = distance - outer;
    const below = z - roof;
    const face = facing(2);
    out.level = surroundings;
    // Fat and pericardium around the LV; the bright layer behind the atria.
    if (z < anatomy.length + 10 && gap < 5) {
      out.level += (imaging.specular * (0.5 + 0.5 * face * face) + 2) * Math.exp(-((gap / 2.5) ** 2));
    }
    if (z > anatomy.length - 6 && side === 1) {
      out.level += 7 * Math.exp(-(((gap - 6) / 9) ** 2));
    }
    if (below > -6) out.level += 10 * Math.exp(-(((below - 7) / 9) ** 2));
    if (range < 24) out.level += 5 * (1 - range / 24);
  };
}
