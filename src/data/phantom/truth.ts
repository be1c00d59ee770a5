/** What the phantom knows for certain: labels and flow of every pixel, from the inverse motion. */
import { backward, forward, swirl, type Heart, type Pose } from './motion.ts';
import type { Probe } from './probe.ts';
import { heights, lowest, step, valveBorder } from './sections.ts';
import { leafletPoints, type LeafletCurve } from './valve.ts';

/** Label of a reference point: 0 background, 1 LV cavity, 2 myocardium, 3 left atrium. */
export function labelAt(heart: Heart, y: number, z: number): number {
  const { anatomy, reference } = heart;
  const g = (z - lowest) / step;
  if (g < 0 || g >= heights - 1) return 0;
  const i = Math.floor(g);
  const f = g - i;
  const table = reference[y < 0 ? 0 : 1];
  const distance = Math.abs(y);
  const inner = table[1][i] + f * (table[1][i + 1] - table[1][i]);
  if (distance < inner) return z < valveBorder(anatomy, distance / inner) ? 1 : 3;
  if (z > anatomy.length + 1) return 0;
  const outer = table[2][i] + f * (table[2][i + 1] - table[2][i]);
  return distance < outer && outer > 0.06 ? 2 : 0;
}

/** Pixels between the nodes at which the motion is evaluated; between them it is interpolated. */
const nodeStep = 3;
/** Bilinear weights by place between nodes: 00, 01, 10, 11. */
const weights = Float32Array.from({ length: 4 * nodeStep * nodeStep }, (_, k) => {
  const v = Math.floor(k / 4 / nodeStep) / nodeStep;
  const u = (Math.floor(k / 4) % nodeStep) / nodeStep;
  return (k & 2 ? v : 1 - v) * (k & 1 ? u : 1 - u);
});

/** Material coordinates and displacement at nodes; one is made per recording and reused. */
export interface NodeGrid {
  readonly columns: number;
  readonly rows: number;
  readonly used: Int32Array;             // nodes around the sector
  readonly y: Float32Array;
  readonly z: Float32Array;
  readonly dx: Float32Array;
  readonly dy: Float32Array;
  readonly label: Uint8Array;
  readonly corner: Int32Array;           // of every pixel inside the sector, its upper left node
  readonly part: Uint8Array;             // and its place between nodes: nodeStep * row + column
}

export function createNodes(probe: Probe): NodeGrid {
  const columns = Math.ceil(probe.width / nodeStep) + 2;
  const rows = Math.ceil(probe.height / nodeStep) + 2;
  const near = new Uint8Array(columns * rows);
  const corner = new Int32Array(probe.pixels.length);
  const part = new Uint8Array(probe.pixels.length);
  for (let n = 0; n < probe.pixels.length; n++) {
    const row = Math.floor(probe.pixels[n] / probe.width);
    const column = probe.pixels[n] - row * probe.width;
    const o = Math.floor(row / nodeStep) * columns + Math.floor(column / nodeStep);
    corner[n] = o;
    part[n] = nodeStep * (row % nodeStep) + (column % nodeStep);
    near[o] = near[o + 1] = near[o + columns] = near[o + columns + 1] = 1;
  }
  const make = (): Float32Array => new Float32Array(columns * rows);
  return { columns, rows, used: Int32Array.from(near.keys()).filter((o) => near[o] === 1),
    y: make(), z: make(), dx: make(), dy: make(), label: new Uint8Array(columns * rows),
    corner, part };
}

/**
 * Fills labels [height][width] of the pose and, in units of 1/flowScale pixel, the displacement of
 * the material at each pixel's centre to the next pose, as planes dx and dy.
 */
export function fillTruth(heart: Heart, probe: Probe, nodes: NodeGrid, now: Pose, next: Pose,
  labels: Uint8Array, dx: Int16Array, dy: Int16Array, flowScale: number): void {
  fillNodes(heart, probe, nodes, now, next);
  const { pixels } = probe;
  const { columns, corner, part, label } = nodes;
  for (let n = 0; n < pixels.length; n++) {
    const index = pixels[n];
    const o = corner[n];
    const p = o + columns;
    const w = 4 * part[n];
    const w00 = weights[w];
    const w01 = weights[w + 1];
    const w10 = weights[w + 2];
    const w11 = weights[w + 3];
    // No structure is thinner than the nodes are apart, so equal corners settle the label.
    const first = label[o];
    labels[index] = first === label[o + 1] && first === label[p] && first === label[p + 1] ? first
      : labelAt(heart,
        w00 * nodes.y[o] + w01 * nodes.y[o + 1] + w10 * nodes.y[p] + w11 * nodes.y[p + 1],
        w00 * nodes.z[o] + w01 * nodes.z[o + 1] + w10 * nodes.z[p] + w11 * nodes.z[p + 1]);
    dx[index] = Math.round(flowScale * (w00 * nodes.dx[o] + w01 * nodes.dx[o + 1]
      + w10 * nodes.dx[p] + w11 * nodes.dx[p + 1]));
    dy[index] = Math.round(flowScale * (w00 * nodes.dy[o] + w01 * nodes.dy[o + 1]
      + w10 * nodes.dy[p] + w11 * nodes.dy[p + 1]));
  }
}

function fillNodes(heart: Heart, probe: Probe, nodes: NodeGrid, now: Pose, next: Pose): void {
  const { pixel, width } = probe;
  const material = { y: 0, z: 0 };
  const there = { x: 0, y: 0 };
  const turn = next.turned - now.turned;
  for (const o of nodes.used) {
    const row = Math.floor(o / nodes.columns);
    const x = ((o - row * nodes.columns) * nodeStep + 0.5 - width / 2) * pixel;
    const y = (row * nodeStep + 0.5) * pixel;
    backward(heart, now, x, y, material);
    nodes.y[o] = material.y;
    nodes.z[o] = material.z;
    nodes.label[o] = labelAt(heart, material.y, material.z);
    if (nodes.label[o] === 1) swirl(heart, material, turn);
    forward(heart, next, material.y, material.z, there);
    nodes.dx[o] = (there.x - x) / pixel;
    nodes.dy[o] = (there.y - y) / pixel;
  }
}

/** Lays the leaflets' own motion over the flow of the blood, within `reach` mm of them. */
export function addLeafletFlow(probe: Probe, now: readonly LeafletCurve[],
  next: readonly LeafletCurve[], dx: Int16Array, dy: Int16Array, flowScale: number,
  inside: Uint8Array): void {
  const { width, height, pixel } = probe;
  const reach = 1.3;
  now.forEach((curve, leaflet) => {
    const moved = next[leaflet];
    for (let s = 0; s < 4 * (leafletPoints - 1); s++) {
      const k = s >> 2;
      const f = (s & 3) / 4;
      const px = curve[2 * k] + f * (curve[2 * k + 2] - curve[2 * k]);
      const py = curve[2 * k + 1] + f * (curve[2 * k + 3] - curve[2 * k + 1]);
      const qx = moved[2 * k] + f * (moved[2 * k + 2] - moved[2 * k]);
      const qy = moved[2 * k + 1] + f * (moved[2 * k + 3] - moved[2 * k + 1]);
      const u = Math.round(((qx - px) / pixel) * flowScale);
      const v = Math.round(((qy - py) / pixel) * flowScale);
      const c0 = Math.max(0, Math.ceil((px - reach) / pixel + width / 2 - 0.5));
      const c1 = Math.min(width - 1, Math.floor((px + reach) / pixel + width / 2 - 0.5));
      const r0 = Math.max(0, Math.ceil((py - reach) / pixel - 0.5));
      const r1 = Math.min(height - 1, Math.floor((py + reach) / pixel - 0.5));
      for (let row = r0; row <= r1; row++) {
        for (let column = c0; column <= c1; column++) {
          const ex = (column + 0.5 - width / 2) * pixel - px;
          const ey = (row + 0.5) * pixel - py;
          const index = row * width + column;
          if (ex * ex + ey * ey > reach * reach || inside[index] === 0) continue;
          dx[index] = u;
          dy[index] = v;
        }
      }
    }
  });
}
