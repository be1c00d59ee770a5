/** Where the ultrasound sector is in a recording that does not say. */
import { convexHull, fillHull } from '../frames/convex-hull.ts';
import { labelFrames, plane } from '../frames/frames.ts';
import type { Frames, Labels, Point } from '../frames/frames.ts';

/** Grey level above which a pixel was lit by echo rather than by compression noise. */
const LIT = 4 / 255;

/**
 * 1 inside, 0 outside, one frame: the convex hull of what is not black in any frame of a grey
 * video. A fan below 180 degrees is convex but for the arc at the probe, which is a few pixels
 * deep. Islands smaller than a fiftieth of the largest lit region (letters, specks) do not count.
 */
export function estimateSector(video: Frames): Labels {
  const { height, width } = video;
  const lit = new Uint8Array(height * width);
  for (let t = 0; t < video.frames; t++) {
    const grey = plane(video, 0, t);
    for (let i = 0; i < lit.length; i++) if (grey[i] > LIT) lit[i] = 1;
  }
  dropIslands(lit, height, width);
  const sector = labelFrames(1, height, width);
  sector.data.set(fillHull(convexHull(rowEnds(lit, height, width)), height, width));
  return sector;
}

/** First and last lit pixel of each row: no others can be corners of the hull. */
function rowEnds(lit: Uint8Array, height: number, width: number): Point[] {
  return Array.from({ length: height }, (_, y) => {
    const row = lit.subarray(y * width, (y + 1) * width);
    return [row.indexOf(1), row.lastIndexOf(1)].filter((x) => x >= 0).map((x) => ({ x, y }));
  }).flat();
}

function dropIslands(lit: Uint8Array, height: number, width: number): void {
  const region = new Int32Array(lit.length);
  const sizes = [0];
  const queue: number[] = [];
  for (let start = 0; start < lit.length; start++) {
    if (!lit[start] || region[start]) continue;
    const id = sizes.length;
    sizes.push(0);
    region[start] = id;
    queue.push(start);
    while (queue.length > 0) {
      const index = queue.pop() as number;
      sizes[id] += 1;
      const x = index % width;
      const y = (index - x) / width;
      for (let dy = -1; dy <= 1; dy++) {
        for (let dx = -1; dx <= 1; dx++) {
          const inside = y + dy >= 0 && y + dy < height && x + dx >= 0 && x + dx < width;
          const other = index + dy * width + dx;
          if (inside && lit[other] && !region[other]) {
            region[other] = id;
            queue.push(other);
          }
        }
      }
    }
  }
  const least = Math.max(...sizes) / 50;
  for (let i = 0; i < lit.length; i++) if (sizes[region[i]] < least) lit[i] = 0;
}
