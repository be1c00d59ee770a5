/**
 * The mitral valve's moving direction (PAPER section 1): one drawn stroke and an arrow make the
 * skeleton of every frame. The stroke is the shut valve from hinge to hinge at end-diastole; the
 * arrow says which way and how far it goes.
 */
import type { Point, Polyline } from '../frames/frames.ts';
import { planCycle } from './cycle.ts';
import type { Cycle, CyclePlan } from './cycle.ts';
import { lineLength, resampleLine } from './polyline.ts';

/** Hinges sit in the annulus, which travels this share of what the leaflets do. */
const HINGE_SHARE = 0.4;

/** Leaflets open no further than this, in radians from where they are shut. */
const WIDEST = (75 * Math.PI) / 180;

const LEAFLET_POINTS = 13;

export interface ValveArrow {
  /** The shut valve, from hinge to hinge. */
  readonly stroke: Polyline;
  readonly from: Point;
  readonly to: Point;
}

/**
 * Strokes of every frame, in the pixels of the input.
 *
 * Half cycle (ED to ES): the stroke is carried along the arrow as the heart contracts, its middle
 * all the way, its hinges less. Whole cycle: in systole the annulus carries the shut valve; in
 * diastole the two halves swing open about their hinges towards the arrow's side, at the E wave and
 * again at the A wave, so that at its widest their tips have gone the arrow's length.
 */
export function strokesFromArrow(arrow: ValveArrow, cycle: Cycle): Polyline[][] {
  const { stroke, from, to } = arrow;
  const travel = { x: to.x - from.x, y: to.y - from.y };
  const numbers = [...stroke.flatMap(({ x, y }) => [x, y]), travel.x, travel.y];
  if (stroke.length < 2 || lineLength(stroke) === 0) {
    throw new Error(
      `arrow: expected a stroke of at least 2 different points, got ${stroke.length}`,
    );
  }
  if (!numbers.every(Number.isFinite)) {
    throw new Error('arrow: expected finite points, got NaN or an infinite coordinate');
  }
  const plan = planCycle(cycle);
  return Array.from({ length: plan.frames }, (_, t) => {
    return (cycle.span ?? 'whole') === 'half'
      ? [carried(stroke, travel, plan.contraction[t])]
      : swung(stroke, travel, plan, t);
  });
}

/** The whole stroke moved by `share` of the arrow; hinges by less. */
function carried(stroke: Polyline, travel: Point, share: number): Point[] {
  const points = resampleLine(stroke, 2 * LEAFLET_POINTS - 1);
  return points.map((point, i) => {
    const along = i / (points.length - 1);
    const part = share * (HINGE_SHARE + (1 - HINGE_SHARE) * Math.sin(Math.PI * along));
    return { x: point.x + part * travel.x, y: point.y + part * travel.y };
  });
}

/** The two leaflets of frame t, each from hinge to tip. */
function swung(stroke: Polyline, travel: Point, plan: CyclePlan, t: number): Point[][] {
  const annulus = HINGE_SHARE * plan.contraction[t];
  const shift = { x: annulus * travel.x, y: annulus * travel.y };
  const points = resampleLine(stroke, 2 * LEAFLET_POINTS - 1);
  const leaflets = [points.slice(0, LEAFLET_POINTS), points.slice(LEAFLET_POINTS - 1).reverse()];
  const reach = Math.hypot(travel.x, travel.y);
  return leaflets.map((leaflet) => {
    const hinge = leaflet[0];
    const tip = leaflet[LEAFLET_POINTS - 1];
    const chord = { x: tip.x - hinge.x, y: tip.y - hinge.y };
    const length = Math.hypot(chord.x, chord.y);
    // The tip goes `reach` along the arrow when the sine of the swing is reach / length.
    const widest = Math.min(Math.asin(Math.min(reach / (length || 1), 1)), WIDEST);
    const side = Math.sign(chord.x * travel.y - chord.y * travel.x);
    const angle = side * widest * plan.opening[t];
    const [cosine, sine] = [Math.cos(angle), Math.sin(angle)];
    return leaflet.map((point) => {
      const x = point.x - hinge.x;
      const y = point.y - hinge.y;
      return {
        x: hinge.x + cosine * x - sine * y + shift.x,
        y: hinge.y + sine * x + cosine * y + shift.y,
      };
    });
  });
}
