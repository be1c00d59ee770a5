/** Ejection fraction of the phantom's own geometry, and the contraction that gives a wanted one. */
import type { PhantomParameters, View, ViewParameters } from './patient.ts';
import { movedHeights, widthFactor } from './motion.ts';
import { cavityHalfWidth, lowest, step } from './sections.ts';

const discs = 40;

interface Discs { readonly length: number; readonly diameters: Float64Array }

/** LV diameters at equal steps of the long axis, at contraction a, mm. */
function ventricleDiscs(view: ViewParameters, a: number): Discs {
  const { anatomy, motion } = view;
  const height = movedHeights(view, a);
  const end = (z: number): number => {
    const g = (z - lowest) / step;
    const i = Math.floor(g);
    return height[i] + (g - i) * (height[i + 1] - height[i]);
  };
  const length = end(anatomy.length);
  const diameters = new Float64Array(discs);
  let z = 0;
  for (let k = 0; k < discs; k++) {
    const wanted = ((k + 0.5) / discs) * length;
    while (end(z) < wanted) z += 0.1;
    for (const side of [0, 1] as const) {
      diameters[k] += cavityHalfWidth(anatomy, side, z) * widthFactor(anatomy, motion, side, z, a);
    }
  }
  return { length, diameters };
}

/** Biplane method of discs: V = pi/4 sum(d2 d4) L / n, ml, with L the longer of the two views. */
export function ventricleVolume(pair: Readonly<Record<View, ViewParameters>>, a: number): number {
  const two = ventricleDiscs(pair['2CH'], a);
  const four = ventricleDiscs(pair['4CH'], a);
  let sum = 0;
  for (let k = 0; k < discs; k++) sum += two.diameters[k] * four.diameters[k];
  return ((Math.PI / 4) * sum * Math.max(two.length, four.length)) / discs / 1000;
}

/** Finds the radial shortening, the same in both views, that gives `target` percent. */
export function solveContraction(drafts: Readonly<Record<View, ViewParameters>>, target: number):
  Pick<PhantomParameters, 'views' | 'ejectionFraction' | 'endDiastolicVolume'> {
  const endDiastolicVolume = ventricleVolume(drafts, 0);
  const withRadial = (radial: number): Record<View, ViewParameters> => ({
    '2CH': { ...drafts['2CH'], motion: { ...drafts['2CH'].motion, radial } },
    '4CH': { ...drafts['4CH'], motion: { ...drafts['4CH'].motion, radial } },
  });
  const fraction = (radial: number): number =>
    100 * (1 - ventricleVolume(withRadial(radial), 1) / endDiastolicVolume);
  let low = 0;
  let high = 0.6;
  for (let k = 0; k < 24; k++) {
    const middle = 0.5 * (low + high);
    if (fraction(middle) < target) low = middle;
    else high = middle;
  }
  const radial = 0.5 * (low + high);
  return { views: withRadial(radial), ejectionFraction: fraction(radial), endDiastolicVolume };
}
