/**
 * A heart beat of masks from two: end-diastole and end-systole joined by shape-preserving
 * interpolation. Both are warped to the moment between them (thin-plate splines on corresponding
 * landmarks), and the signed distances of the nested structures are blended there. One warp for
 * all structures and nested fields keep the muscle closed around the cavity at every moment.
 */
import { checkLabels, floatFrames, labelFrames, plane } from '../frames/frames.ts';
import type { Labels } from '../frames/frames.ts';
import { samplePlane } from '../frames/sample-plane.ts';
import { planCycle } from './cycle.ts';
import type { Cycle } from './cycle.ts';
import { findLandmarks, measureStructures } from './landmarks.ts';
import type { Structures } from './landmarks.ts';
import { blendPoints } from './polyline.ts';
import { thinPlateWarp } from './thin-plate.ts';
import { tidyComponents } from './components.ts';

/**
 * Masks (1 f h w) of a beat whose frame 0 is `ed` and whose ES frame is `es` (1 frame each, labels
 * 0..3, one size). A whole cycle comes back to ED in the frame after the last; a half one ends
 * at ES.
 */
export function interpolateCycle(ed: Labels, es: Labels, cycle: Cycle): Labels {
  for (const [name, masks] of [['ED', ed], ['ES', es]] as const) {
    checkLabels(masks, [0, 1, 2, 3], `${name} mask`);
    if (masks.frames !== 1) {
      throw new Error(`${name} mask: expected 1 frame, got ${masks.frames}`);
    }
  }
  if (ed.height !== es.height || ed.width !== es.width) {
    throw new Error(
      `ES mask: expected the size of the ED mask, ${ed.width} x ${ed.height}, ` +
        `got ${es.width} x ${es.height}`,
    );
  }
  const plan = planCycle(cycle);
  const result = labelFrames(plan.frames, ed.height, ed.width);
  const blend = blender(ed, es);
  const made = new Map<number, Uint8Array>();
  for (let t = 0; t < plan.frames; t++) {
    const share = plan.contraction[t];
    const frame = made.get(share) ?? blend(share);
    made.set(share, frame);
    plane(result, 0, t).set(frame);
  }
  return result;
}

/** The mask between ED (share 0) and ES (share 1). */
function blender(ed: Labels, es: Labels): (share: number) => Uint8Array {
  const ends = [measureStructures(ed, 0), measureStructures(es, 0)];
  const [pointsEd, pointsEs] = findLandmarks(ends);
  return (share) => {
    if (share <= 0) return ends[0].labels;
    if (share >= 1) return ends[1].labels;
    const between = pointsEd.map((point, i) => blendPoints(point, pointsEs[i], share));
    const toEd = thinPlateWarp(between, pointsEd, 1);
    const toEs = thinPlateWarp(between, pointsEs, 1);
    return blendStructures(ends[0], ends[1], toEd, toEs, share);
  };
}

const FIELDS = ['cavity', 'muscle', 'neighbour', 'heart'] as const;

function blendStructures(
  ed: Structures,
  es: Structures,
  toEd: ReturnType<typeof thinPlateWarp>,
  toEs: ReturnType<typeof thinPlateWarp>,
  share: number,
): Uint8Array {
  const { height, width } = ed;
  const fields = floatFrames({ channels: FIELDS.length, frames: 1, height, width });
  const planes = FIELDS.map((_, k) => plane(fields, k, 0));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const a = toEd(x, y);
      const b = toEs(x, y);
      const at = y * width + x;
      FIELDS.forEach((name, k) => {
        planes[k][at] =
          (1 - share) * samplePlane(ed[name], height, width, a.x, a.y) +
          share * samplePlane(es[name], height, width, b.x, b.y);
      });
    }
  }
  const [cavity, muscle, neighbour, heart] = planes;
  const labels = new Uint8Array(height * width);
  for (let i = 0; i < labels.length; i++) {
    labels[i] = labelOf(cavity[i], muscle[i], neighbour[i], heart[i]);
  }
  tidyComponents(labels, height, width, [ed.labels, es.labels]);
  return labels;
}

/** Label of a pixel from its four signed distances. */
function labelOf(cavity: number, muscle: number, neighbour: number, heart: number): number {
  if (heart <= 0 && muscle <= 0 && neighbour <= 0) return 0;
  if (neighbour > muscle) return 3;
  // A seam between the structures belongs to the cavity where the cavity's border is as near.
  if (muscle <= 0) return cavity >= muscle - 0.75 ? 1 : 2;
  return cavity > 0 ? 1 : 2;
}
