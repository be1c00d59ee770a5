/** Where the tissue of every frame came from: a flow followed back to the first frame. */
import { plane, type Frames } from '../frames/frames.ts';
import { samplePlane } from '../frames/sample-plane.ts';

/** Fixed-point steps p = q - flow(p) that find which material arrives at q: to 0.1 px where flow bends by a third. */
const INVERSIONS = 3;

/**
 * The pixel of frame 0 at which the material of each pixel lay, to the nearest pixel; what came in from
 * outside of the picture takes the border's.
 *
 * @param flow 2 f h w: forward displacement over the longer side; the last frame's is not read
 * @param strength times the displacement: 0 stands still
 * @returns f h w, row * w + column
 */
export function followMaterial(flow: Frames, strength = 1): Int32Array {
  const { frames, height, width } = flow;
  const size = height * width;
  const scale = strength * Math.max(height, width);
  const origins = new Int32Array(frames * size);
  let x = Float32Array.from({ length: size }, (_, i) => i % width);
  let y = Float32Array.from({ length: size }, (_, i) => Math.floor(i / width));
  for (let t = 0; t < frames; t++) {
    for (let i = 0; i < size; i++) {
      origins[t * size + i] = Math.round(y[i]) * width + Math.round(x[i]);
    }
    if (t + 1 === frames) break;
    const [dx, dy] = [plane(flow, 0, t), plane(flow, 1, t)];
    const [nextX, nextY] = [new Float32Array(size), new Float32Array(size)];
    for (let i = 0; i < size; i++) {
      const [column, row] = [i % width, Math.floor(i / width)];
      let [px, py] = [column, row];
      for (let step = 0; step < INVERSIONS; step++) {
        const across = samplePlane(dx, height, width, px, py);
        const down = samplePlane(dy, height, width, px, py);
        px = column - scale * across;
        py = row - scale * down;
      }
      nextX[i] = samplePlane(x, height, width, px, py);
      nextY[i] = samplePlane(y, height, width, px, py);
    }
    [x, y] = [nextX, nextY];
  }
  return origins;
}
