import {
  addOutline, clamp, fadeAtBorder, fillOutside, percentile, sketchPlace,
} from '../conditions/sketch-place.ts';
import type { SketchExtractor } from '../conditions/sketch.ts';
import { checkFrames, floatFrames } from '../frames/frames.ts';
import { pidinetInput, type Pidinet } from '../models/pidinet.ts';
import { noGrad, scope } from '../tensor/memory.ts';
import { tensor, upsampleBilinear2d } from '../tensor/ops.ts';

export interface PidinetOptions {
  /** Longer side in pixels at which edges are looked for. */
  readonly side: number;
}

/** Share of the sector's pixels that stay below full brightness: of its grey, and of its lines. */
const BRIGHT = 0.99;
const STRONG = 0.985;
/** Lines weaker than this are not made stronger: there is nothing to draw. */
const FAINT = 0.02;

/**
 * PiDiNet as a sketch extractor. Alone it sees the sector's outline and little else, since that is
 * the strongest edge by far. So the outside takes on the nearby inside, the grey is stretched, and the
 * frame enlarged to `side`; its fused edges are stretched in turn, and the outline is added as the
 * built-in sketch does.
 *
 * @throws when its answer is not finite, which its weights must be to blame for
 */
export function pidinetSketch(
  network: Pick<Pidinet, 'call'>, { side }: PidinetOptions,
): SketchExtractor {
  return (frame, sector = null) => {
    checkFrames(frame, 'sketch', { channels: 1, frames: 1 });
    const { height, width } = frame;
    const place = sketchPlace(frame, sector);
    const brightest = percentile(frame.data, place.inside, BRIGHT);
    const grey = fillOutside(frame.data, place);
    const shown = grey.map((value) => (brightest > 0 ? clamp(value / brightest) : 0));
    const edges = edgesOf(network, shown, height, width, side);
    fadeAtBorder(edges, place);
    const strongest = Math.max(FAINT, percentile(edges, place.inside, STRONG));
    const lines = edges.map((value) => clamp(value / strongest));
    addOutline(lines, place);
    return floatFrames({ channels: 1, frames: 1, height, width }, lines);
  };
}

/** The network's edges at `side`, brought back to h w. */
function edgesOf(
  network: Pick<Pidinet, 'call'>, values: Float32Array, height: number, width: number, side: number,
): Float32Array {
  const factor = side / Math.max(height, width);
  const size = [height, width].map((length) => Math.max(8, Math.round(length * factor)));
  const edges = scope(() => noGrad(() => {
    const picture = upsampleBilinear2d(tensor(values, [1, 1, height, width]), size, false);
    const found = network.call(pidinetInput(picture));
    return upsampleBilinear2d(found, [height, width], false).toFloat32();
  }));
  if (edges.every(Number.isFinite)) return edges;
  throw new Error('pidinet: expected finite edges, got NaN or infinity');
}
