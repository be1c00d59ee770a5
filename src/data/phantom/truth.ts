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
  const table = reference[y < 0 ? 0 : 1]!;
  const distance = Math.abs(y);
  const inner = table[1]![i]! + f * (table[1]![i + 1]! - table[1]![i]!);
  if (distance < inner) return z < valveBorder(anatomy, distance / inner) ? 1 : 3;
  if (z > anatomy.length + 1) return 0;
  const outer = table[2]![i]! + f * (table[2]![i + 1]! - table[2]![i]!);
  return distance < outer && outer > 0.06 ? 2 : 0;
}

/**
 * Fills labels [height][width] of the pose and, in units of 1/flowScale pixel, the displacement of
 * the material at each pixel's centre to the next pose, as planes dx and dy.
 */
export function fillTruth(heart: Heart, probe: Probe, now: Pose, next: Pose, labels: Uint8Array,
  dx: Int16Array, dy: Int16Array, flowScale: number): void {
  const { pixels, width, pixel } = probe;
  const material = { y: 0, z: 0 };
  const there = { x: 0, y: 0 };
  const turn = next.turned - now.turned;
  for (let n = 0; n < pixels.length; n++) {
    const index = pixels[n]!;
    const row = Math.floor(index / width);
    const x = (index - row * width + 0.5 - width / 2) * pixel;
    const y = (row + 0.5) * pixel;
    backward(heart, now, x, y, material);
    const label = labelAt(heart, material.y, material.z);
    labels[index] = label;
    if (label === 1) swirl(heart, material, turn);
    forward(heart, next, material.y, material.z, there);
    dx[index] = Math.round(((there.x - x) / pixel) * flowScale);
    dy[index] = Math.round(((there.y - y) / pixel) * flowScale);
  }
}

/** Lays the leaflets' own motion over the flow of the blood, within `reach` mm of them. */
export function addLeafletFlow(probe: Probe, now: readonly LeafletCurve[],
  next: readonly LeafletCurve[], dx: Int16Array, dy: Int16Array, flowScale: number, inside: Uint8Array): void {
  const { width, height, pixel } = probe;
  const reach = 1.3;
  now.forEach((curve, leaflet) => {
    const moved = next[leaflet]!;
    for (let s = 0; s < 4 * (leafletPoints - 1); s++) {
      const k = s >> 2;
      const f = (s & 3) / 4;
      const px = curve[2 * k]! + f * (curve[2 * k + 2]! - curve[2 * k]!);
      const py = curve[2 * k + 1]! + f * (curve[2 * k + 3]! - curve[2 * k + 1]!);
      const qx = moved[2 * k]! + f * (moved[2 * k + 2]! - moved[2 * k]!);
      const qy = moved[2 * k + 1]! + f * (moved[2 * k + 3]! - moved[2 * k + 1]!);
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
