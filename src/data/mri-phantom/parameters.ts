/**
 * Who the MRI phantom's patients are: `mriPatient(seed, index)` draws everything that a patient's
 * short-axis stack depends on, and nothing else draws. Sizes are those of adult cardiac MRI;
 * looks and places follow the short-axis stacks of M&Ms' vendors A and B.
 */
import { randomStream, type RandomStream } from '../../frames/random.ts';

export type Vendor = 'A' | 'B';
export const vendorNames: Readonly<Record<Vendor, string>> = { A: 'Siemens', B: 'Philips' };

/** M&Ms' codes: no disease, dilated and hypertrophic cardiomyopathy. */
export type Pathology = 'NOR' | 'DCM' | 'HCM';

/** End-diastolic heart; mm, radians; +X points from the LV's axis to the RV, +Y to its front. */
export interface Anatomy {
  readonly length: number;                          // endocardial apex to annulus
  readonly radius: number;                          // LV cavity at its widest
  readonly equator: number;                         // where, as a fraction of length
  readonly bluntness: number;                       // exponent of the apical superellipse
  readonly wall: number;                            // myocardium at the equator
  readonly apexWall: number;
  readonly septalBulge: number;                     // mm the septum is thicker (HCM)
  readonly ovality: number;                         // second harmonic of the cavity
  readonly ovalAngle: number;
  readonly papillary: readonly { angle: number; size: number; from: number; to: number }[];
  readonly trabeculae: number;                      // mm of trabeculated border
  readonly rightReach: number;                      // RV free wall beyond the LV, at the base
  readonly rightHeight: number;                     // RV half-height over the LV's radius
  readonly rightTilt: number;
  readonly rightStart: number;                      // RV apex, as a fraction of length
  readonly rightBase: number;                       // tricuspid plane over the mitral one
  readonly fat: number;                             // epicardial, mean
  readonly atrium: number;                          // LA radius
  readonly vessel: number;                          // aorta and pulmonary trunk, radius
}

/** Strengths at end systole. */
export interface Motion {
  readonly descent: number;                         // of the annulus, mm
  readonly radial: number;                          // fractional narrowing of the LV cavity
  readonly right: number;                           // fractional narrowing of the RV
}

/** Where the heart and the body are in the picture; mm and radians, y down. */
export interface Placement {
  readonly x: number;                               // heart's axis, right of the picture's centre
  readonly y: number;
  readonly septum: number;                          // direction of +X
  readonly drift: readonly [number, number];        // of the axis, mm a mm towards the base
  readonly front: number;                           // direction of the chest wall
  readonly chest: number;                           // mm from the heart's axis to the skin
  readonly chestRadius: number;
  readonly chestRise: number;                       // mm the skin comes nearer a mm to the apex
  readonly fatLayer: number;                        // under the skin
  readonly wallLayer: number;                       // muscle and ribs
  readonly below: number;                           // direction of the diaphragm
  readonly dome: number;                            // curvature of the diaphragm, 1 / mm
  readonly gap: number;                             // mm between heart and diaphragm
}

/** How the scanner sees it. Signals are relative to blood = 1. */
export interface Scan {
  readonly width: number;
  readonly height: number;
  readonly pixel: number;                           // mm
  readonly slices: number;
  readonly thickness: number;                       // mm
  readonly sliceSpacing: number;                    // mm, gap included
  readonly lastSlice: number;                       // mm of the first (most apical) slice below 0
  readonly gain: number;                            // stored value of blood
  readonly myocardium: number;
  readonly fat: number;
  readonly organ: number;                           // liver
  readonly muscle: number;
  readonly coil: number;                            // how much brighter the chest wall is
  readonly coilDepth: number;                       // mm
  readonly shading: number;                         // slow changes left over
  readonly noise: number;                           // standard deviation, of blood
  readonly blur: number;                            // pixels, standard deviation
  readonly flow: number;                            // unevenness of blood
  readonly shifts: readonly (readonly [number, number])[]; // breath-hold of each slice, mm
}

export interface MriPatient {
  readonly id: string;
  readonly seed: number;
  readonly index: number;                           // 1-based
  readonly vendor: Vendor;
  readonly centre: number;
  readonly pathology: Pathology;
  readonly sex: 'F' | 'M';
  readonly age: number;
  readonly height: number;                          // cm
  readonly weight: number;                          // kg
  readonly heartRate: number;
  readonly endSystole: number;                      // phase of the beat, 0..1
  readonly earlyFilling: number;
  readonly ejectionFraction: number;                // percent, of this geometry
  readonly anatomy: Anatomy;
  readonly motion: Motion;
  readonly placement: Placement;
  readonly scan: Scan;
}

/**
 * Draws patient `index` (1-based) of the population `seed`. A pure function: a patient does not
 * depend on how many others are written. Vendors alternate, so that each has half of any ten.
 */
export function mriPatient(seed: number, index: number): MriPatient {
  if (!Number.isSafeInteger(seed)) {
    throw new Error(`MRI phantom seed: expected a whole number, got ${seed}`);
  }
  if (!Number.isInteger(index) || index < 1 || index > 9999) {
    throw new Error(`MRI phantom patient: expected a number in 1..9999, got ${index}`);
  }
  const stream = randomStream('mri phantom', seed, index, 'patient');
  const n = bounded(stream);
  // The parity turns over every ten, so that both vendors validate and test.
  const vendor: Vendor = (index + Math.floor(index / 10)) % 2 === 1 ? 'A' : 'B';
  const kind = stream.uniform();
  const pathology: Pathology = kind < 0.5 ? 'NOR' : kind < 0.75 ? 'DCM' : 'HCM';
  const sex = stream.uniform() < 0.45 ? 'F' : 'M';
  const age = Math.round(n(55, 16, 18, 88));
  const height = Math.round(n(sex === 'M' ? 176 : 163, 7, 145, 200));
  const weight = Math.round(n(sex === 'M' ? 82 : 68, 13, 45, 130));
  const heartRate = Math.round(n(68, 11, 45, 105));
  const fraction = n({ NOR: 60, DCM: 30, HCM: 66 }[pathology], 6, 15, 78) / 100;
  const anatomy = drawAnatomy(stream, pathology, sex);
  const descent = anatomy.length * 0.26 * fraction * n(1, 0.12, 0.7, 1.3);
  const stretch = 1 - descent / anatomy.length;
  const motion: Motion = {
    descent,
    // Volume goes with length times the square of the radius.
    radial: 1 - Math.sqrt((1 - fraction) / stretch),
    right: n(0.27, 0.05, 0.12, 0.4) * Math.min(1, 0.4 + fraction),
  };
  return {
    id: `MRI${String(index).padStart(4, '0')}`, seed, index, vendor,
    centre: vendor === 'A' ? 1 : 2, pathology, sex, age, height, weight, heartRate,
    endSystole: n(0.33 + 0.0018 * (heartRate - 60), 0.02, 0.28, 0.46),
    earlyFilling: n(0.66, 0.1, 0.45, 0.85),
    ejectionFraction: Math.round(1000 * fraction) / 10, anatomy, motion,
    placement: drawPlacement(stream, anatomy, weight),
    scan: drawScan(stream, vendor, anatomy),
  };
}

type Draw = (mean: number, deviation: number, low: number, high: number) => number;

function bounded(stream: RandomStream): Draw {
  return (mean, deviation, low, high) =>
    Math.min(high, Math.max(low, mean + deviation * stream.normal()));
}

function drawAnatomy(stream: RandomStream, pathology: Pathology, sex: 'F' | 'M'): Anatomy {
  const n = bounded(stream);
  const body = (sex === 'M' ? 1.04 : 0.95) * n(1, 0.05, 0.88, 1.12);
  const dilated = pathology === 'DCM';
  const thick = pathology === 'HCM';
  return {
    length: body * n(86 + (dilated ? 9 : 0), 5, 70, 108),
    radius: body * n(26 + (dilated ? 6.5 : 0) - (thick ? 1.5 : 0), 1.8, 19, 38),
    equator: n(0.78, 0.04, 0.68, 0.88), bluntness: n(2.1, 0.15, 1.8, 2.5),
    wall: body * n(8.3 + (thick ? 4 : 0) - (dilated ? 0.4 : 0), 0.9, 6.2, 17),
    apexWall: body * n(5.5 + (thick ? 1.5 : 0), 0.8, 3.5, 9),
    septalBulge: thick ? n(5, 3, 0, 12) : n(0.6, 0.6, 0, 2),
    ovality: n(0.03, 0.02, 0, 0.08), ovalAngle: Math.PI * stream.uniform(),
    papillary: [2.35, 3.95].map((angle) => ({ angle: n(angle, 0.18, angle - 0.4, angle + 0.4),
      size: n(5.6, 1, 3.4, 8), from: n(0.22, 0.04, 0.12, 0.3), to: n(0.66, 0.05, 0.52, 0.78) })),
    trabeculae: n(5.5, 1.5, 2.5, 10),
    rightReach: body * n(39, 5, 26, 52), rightHeight: n(1.22, 0.08, 1.02, 1.4),
    rightTilt: n(0.12, 0.16, -0.3, 0.5), rightStart: n(0.17, 0.06, 0.04, 0.32),
    rightBase: n(-1, 4, -9, 7),
    fat: n(5.6, 1.9, 2, 11), atrium: body * n(24, 3, 18, 34), vessel: body * n(16.5, 1.6, 13, 21),
  };
}

function drawPlacement(stream: RandomStream, anatomy: Anatomy, weight: number): Placement {
  const n = bounded(stream);
  const turn = n(0, 0.25, -0.5, 0.5);
  const outer = anatomy.radius + anatomy.wall;
  const fatLayer = n(7 + 0.22 * (weight - 50), 5, 4, 38);
  return {
    x: n(-1, 8, -20, 18), y: n(-13, 8, -30, 8),
    septum: Math.PI - 0.28 + turn + n(0, 0.15, -0.3, 0.3),
    drift: [n(0.02, 0.06, -0.12, 0.12), n(-0.02, 0.06, -0.12, 0.12)],
    front: -2.25 + turn + n(0, 0.22, -0.5, 0.5),
    chest: outer + n(21, 6, 11, 36) + fatLayer, chestRadius: n(178, 24, 130, 250),
    chestRise: n(0.42, 0.13, 0.1, 0.75), fatLayer, wallLayer: n(13, 2.5, 8, 19),
    below: Math.PI / 2 + 0.5 * turn + n(0, 0.1, -0.2, 0.2), dome: n(0.0016, 0.0012, -0.0005, 0.0045),
    gap: n(6, 3, 2, 14),
  };
}

function drawScan(stream: RandomStream, vendor: Vendor, anatomy: Anatomy): Scan {
  const n = bounded(stream);
  const siemens = vendor === 'A';
  const pixel = Math.round(100 * n(1.29, 0.08, 1.2, 1.6)) / 100;
  const sliceSpacing = stream.uniform() < (siemens ? 0.55 : 0.85) ? 10 : 8;
  const thickness = sliceSpacing - 2 * stream.integer(2);
  const lastSlice = n(8, 5, 0, 18);
  const wanted = (anatomy.length + lastSlice + n(16, 6, 4, 28)) / sliceSpacing;
  const slices = Math.round(Math.min(16, Math.max(8, wanted)));
  return {
    width: 192, height: siemens ? 176 : 192, pixel, slices, thickness,
    sliceSpacing, lastSlice,
    gain: siemens ? n(240, 60, 120, 420) : stream.uniform() < 0.6 ? n(150, 15, 110, 190)
      : n(1700, 120, 1300, 2000),
    myocardium: siemens ? n(0.26, 0.045, 0.17, 0.4) : n(0.27, 0.04, 0.2, 0.42),
    fat: n(siemens ? 0.95 : 1, 0.06, 0.75, 1.2), organ: n(0.3, 0.07, 0.16, 0.48),
    muscle: n(0.22, 0.04, 0.14, 0.34),
    coil: siemens ? n(2.3, 0.6, 1.1, 4.2) : n(0.25, 0.15, 0, 0.6), coilDepth: n(15, 3, 9, 24),
    shading: siemens ? n(0.13, 0.04, 0.04, 0.22) : n(0.07, 0.03, 0.02, 0.14),
    noise: siemens ? n(0.04, 0.018, 0.015, 0.11) : n(0.055, 0.02, 0.02, 0.12),
    blur: siemens ? n(0.72, 0.1, 0.5, 1) : n(0.58, 0.08, 0.42, 0.8),
    flow: n(siemens ? 0.09 : 0.12, 0.025, 0.03, 0.2),
    shifts: Array.from({ length: slices }, () =>
      [n(0, 0.7, -2.5, 2.5), n(0, 0.9, -3, 3)] as const),
  };
}
