/**
 * Valve leaflets: curves from a hinge on the annulus to a free tip. Closed, the two tips meet a
 * little above the annulus (a slight tent); open, they hang into the ventricle along its walls.
 */
import { opening } from './cycle.ts';
import { forward, place, type Heart, type Pose } from './motion.ts';
import { cavityHalfWidth, rightHeartWidth, tricuspidHeight, valveBorder } from './sections.ts';

/** Points from the hinge (first) to the tip (last), (x, y) pairs in picture mm. */
export type LeafletCurve = Float64Array;
export const leafletPoints = 13;

/** A leaflet by its ends, in reference coordinates (y, z), mm and radians. */
interface Ends {
  readonly hinge: readonly number[];
  readonly tip: readonly number[];       // where it meets the other one
  readonly length: number;               // open
  readonly openAngle: number;            // from the annulus toward the apex
  readonly sign: 1 | -1;                 // 1 when it reaches to the right
}

/** The two mitral leaflets at a pose: the one on the left of the picture first. */
export function mitralLeaflets(heart: Heart, at: Pose): LeafletCurve[] {
  const { anatomy } = heart;
  const left = -cavityHalfWidth(anatomy, 0, anatomy.length);
  const right = cavityHalfWidth(anatomy, 1, anatomy.length);
  const width = right - left;
  const meeting = left + anatomy.coaptation * width;
  const eta = meeting > 0 ? meeting / right : -meeting / left;
  const tip = [meeting, valveBorder(anatomy, eta)];
  const first: Ends = { hinge: [left, anatomy.length], tip, openAngle: 1.3, sign: 1,
    length: (anatomy.coaptation + 0.07) * width };
  const second: Ends = { hinge: [right, anatomy.length], tip, openAngle: 1.2, sign: -1,
    length: (1.07 - anatomy.coaptation) * width };
  return [leaflet(heart, at, first), leaflet(heart, at, second)];
}

/** The two tricuspid leaflets; none where the view has no right heart. */
export function tricuspidLeaflets(heart: Heart, at: Pose): LeafletCurve[] {
  const { anatomy } = heart;
  if (anatomy.rightWidth === 0) return [];
  const z = tricuspidHeight(anatomy);
  const septal = -(cavityHalfWidth(anatomy, 0, z) + anatomy.wall[0] * 0.9);
  const free = septal - rightHeartWidth(anatomy, z);
  const width = septal - free;
  const tip = [free + 0.55 * width, z - 2.5];
  const first: Ends = { hinge: [free, z], tip, length: 0.6 * width, openAngle: 1.25, sign: 1 };
  const second: Ends = { hinge: [septal, z], tip, length: 0.52 * width, openAngle: 1.2, sign: -1 };
  return [leaflet(heart, at, first), leaflet(heart, at, second)];
}

function leaflet(heart: Heart, at: Pose, ends: Ends): LeafletCurve {
  const open = opening(at.phase, heart.timing);
  const hinge = axisPoint(heart, at, ends.hinge[0], ends.hinge[1]);
  const closed = axisPoint(heart, at, ends.tip[0], ends.tip[1]);
  const chordY = closed.x - hinge.x;
  const chordZ = closed.y - hinge.y;
  // Swing and reach go from closed to open together, so the tip travels on an arc.
  const shutAngle = Math.atan2(-chordZ, chordY * ends.sign);
  const angle = shutAngle + (ends.openAngle - shutAngle) * open;
  const shut = Math.hypot(chordY, chordZ);
  const reach = shut + (ends.length - shut) * open;
  const alongY = Math.cos(angle) * ends.sign;
  const alongZ = -Math.sin(angle);
  const belly = reach * (0.06 + 0.1 * open);
  const curve = new Float64Array(2 * leafletPoints);
  const out = { x: 0, y: 0 };
  for (let k = 0; k < leafletPoints; k++) {
    const s = k / (leafletPoints - 1);
    // Bulges toward the wall when open and toward the atrium when shut.
    const bulge = belly * 4 * s * (1 - s);
    const y = hinge.x + alongY * reach * s + alongZ * ends.sign * bulge * open;
    const z = hinge.y + alongZ * reach * s + Math.abs(alongY) * bulge * (1 - open) * 0.5
      - Math.abs(alongY) * bulge * open;
    place(heart, at, y, z, out);
    curve[2 * k] = out.x;
    curve[2 * k + 1] = out.y;
  }
  return curve;
}

/** A reference point moved by the pose but still in coordinates of the axis. */
function axisPoint(heart: Heart, at: Pose, y: number, z: number): { x: number; y: number } {
  const straight = { ...at, cosine: 1, sine: 0 };
  const upright = { ...heart.placement, apexX: 0, apexY: 0, bend: 0, lean: 0 };
  const still: Heart = { ...heart, placement: upright };
  const out = { x: 0, y: 0 };
  forward(still, straight, y, z, out);
  return out;
}
