import { signedDistance } from '../conditions/distance.ts';
import { checkFrames, shapeText } from '../frames/frames.ts';
import type { Frames } from '../frames/frames.ts';

export interface EdgeAgreement {
  /** Share of the found edge pixels that have an asked one within the tolerance. */
  readonly precision: number;
  /** Share of the asked edge pixels that have a found one within the tolerance. */
  readonly recall: number;
  /** Harmonic mean of both; 1 where nothing was asked and nothing found. */
  readonly f1: number;
}

/**
 * Agreement of two edge maps (BSDS's measure, Martin et al. 2004, with nearest pixels in place of a
 * one-to-one matching): a pixel is an edge from `threshold` on, and is right when the other map has
 * an edge within `tolerance` pixels.
 *
 * @param found 1 1 h w in [0, 1]
 * @param inside h w: only edges there are counted (nearest ones are looked for everywhere), so that
 *   the sector's outline, which every sketch has, does not vouch for the rest
 * @throws when the shapes differ or a pixel is not in [0, 1]
 */
export function compareEdges(
  found: Frames, asked: Frames, tolerance: number, inside: Uint8Array, threshold = 0.5,
): EdgeAgreement {
  const { height, width } = found;
  if (shapeText(found) !== shapeText(asked) || inside.length !== height * width) {
    throw new Error(
      `edges: expected two maps and a region of one shape, got ${shapeText(found)}, ` +
        `${shapeText(asked)} and ${inside.length} values`,
    );
  }
  for (const [name, map] of [['found', found], ['asked', asked]] as const) {
    checkFrames(map, `edges: ${name} map`, { channels: 1, frames: 1, minimum: 0, maximum: 1 });
  }
  const foundEdges = found.data.map((value) => (value >= threshold ? 1 : 0));
  const askedEdges = asked.data.map((value) => (value >= threshold ? 1 : 0));
  const share = (edges: Float32Array, near: Uint8Array) => {
    let [hits, count] = [0, 0];
    for (let i = 0; i < edges.length; i++) {
      if (edges[i] === 0 || inside[i] === 0) continue;
      count++;
      hits += near[i];
    }
    return count === 0 ? null : hits / count;
  };
  const precision = share(foundEdges, dilate(askedEdges, height, width, tolerance));
  const recall = share(askedEdges, dilate(foundEdges, height, width, tolerance));
  if (precision === null && recall === null) return { precision: 1, recall: 1, f1: 1 };
  const [p, r] = [precision ?? 0, recall ?? 0];
  return { precision: p, recall: r, f1: p + r === 0 ? 0 : (2 * p * r) / (p + r) };
}

/** 1 within `radius` pixels of an edge pixel's centre. */
function dilate(
  edges: Float32Array, height: number, width: number, radius: number,
): Uint8Array {
  const depth = signedDistance(Uint8Array.from(edges), height, width);
  // the border of a pixel is half a pixel nearer than its centre
  return Uint8Array.from(depth, (d) => (0.5 - d <= radius + 1e-4 ? 1 : 0));
}
