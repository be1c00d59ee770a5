/**
 * Who the phantom patients are: `phantomPatient(seed, index)` draws everything that a patient's two
 * recordings depend on, and nothing else draws. The distributions follow the apical four-chamber
 * frames of CAMUS (sector depth and angle, chamber sizes, places and tilts of its ED and ES masks).
 */
import { randomStream, type RandomStream } from '../../frames/random.ts';
import {
  views, type Anatomy, type ImageQuality, type Imaging, type Motion, type PhantomParameters, type Phenotype,
  type Placement, type Side, type View, type ViewParameters,
} from './patient.ts';
import { solveContraction } from './volume.ts';

/**
 * Draws patient `index` (1-based) of the phantom population `seed`. A pure function: a patient
 * does not depend on how many others are written.
 */
export function phantomPatient(seed: number, index: number): PhantomParameters {
  if (!Number.isSafeInteger(seed)) {
    throw new Error(`phantom seed: expected a whole number, got ${seed}`);
  }
  if (!Number.isInteger(index) || index < 1 || index > 9999) {
    throw new Error(`phantom patient: expected a number in 1..9999, got ${index}`);
  }
  const draw = randomStream('phantom', seed, index, 'patient');
  const kind = draw.uniform();
  const phenotype: Phenotype = kind < 0.62 ? 'normal' : kind < 0.82 ? 'dilated' : 'hypertrophied';
  const sex = draw.uniform() < 0.5 ? 'F' : 'M';
  const age = Math.round(clamp(62 + 16 * draw.normal(), 20, 95));
  const quality = draw.uniform();
  const imageQuality: ImageQuality = quality < 0.45 ? 'Good' : quality < 0.83 ? 'Medium' : 'Poor';
  const heartRate = Math.round(clamp(70 + 12 * draw.normal(), 45, 110));
  const frames = Math.round(clamp((60 / heartRate) * (38 + 6 * draw.uniform()), 24, 40));
  const systole = clamp(0.33 + 0.0018 * (heartRate - 60) + 0.02 * draw.normal(), 0.3, 0.46);
  const meanFraction = { normal: 58, dilated: 33, hypertrophied: 62 }[phenotype];
  const target = clamp(meanFraction + 9 * draw.normal(), 20, 75);
  const shape = drawShape(draw, phenotype, sex);
  const scar = {
    side: draw.integer(2) as Side, centre: 0.25 + 0.6 * draw.uniform(), width: 0.2,
    severity: draw.uniform() < (phenotype === 'dilated' ? 0.5 : 0.12)
      ? 0.5 + 0.4 * draw.uniform() : 0,
  };
  const drafts = {} as Record<View, ViewParameters>;
  for (const view of views) {
    const stream = randomStream('phantom', seed, index, view, 'parameters');
    drafts[view] = drawView(stream, view, shape, target, scar, imageQuality);
  }
  const solved = solveContraction(drafts, target);
  return {
    id: `patient${String(index).padStart(4, '0')}`, seed, index, sex, age, phenotype, imageQuality,
    heartRate, frames, frameRate: Math.round(((frames * heartRate) / 60) * 10) / 10,
    endSystole: Math.round(systole * frames),
    earlyFilling: clamp(0.66 + 0.1 * draw.normal(), 0.45, 0.85),
    ejectionFraction: solved.ejectionFraction, endDiastolicVolume: solved.endDiastolicVolume,
    views: solved.views,
  };
}

interface Shape { readonly length: number; readonly width: number; readonly wall: number;
  readonly atriumLength: number; readonly atriumWidth: number; readonly depth: number }

function drawShape(draw: RandomStream, phenotype: Phenotype, sex: 'F' | 'M'): Shape {
  const body = (sex === 'M' ? 1.03 : 0.96) * (1 + 0.05 * draw.normal());
  const dilated = phenotype === 'dilated';
  const thick = phenotype === 'hypertrophied';
  const length = clamp(body * (80 + (dilated ? 6 : 0) + 4.5 * draw.normal()), 66, 98);
  const widthMean = 23.2 + (dilated ? 6 : 0) - (thick ? 1.8 : 0);
  const width = clamp(body * (widthMean + 2 * draw.normal()), 17, 34);
  const wallMean = 9.8 + (thick ? 3 : 0) - (dilated ? 0.6 : 0);
  const wall = clamp(body * (wallMean + 0.8 * draw.normal()), 7.5, 15);
  const atriumLength = clamp(body * (46 + (dilated ? 6 : 0) + 6 * draw.normal()), 30, 68);
  const atriumWidth = clamp(body * (19.5 + (dilated ? 2.5 : 0) + 2.2 * draw.normal()), 14, 28);
  const wanted = 30 + length + 0.9 * atriumLength + 10 * draw.normal();
  const depth = 10 * clamp(Math.round(wanted / 10), 13, 19);
  return { length, width, wall, atriumLength, atriumWidth, depth };
}

function drawView(draw: RandomStream, view: View, shape: Shape, target: number,
  scar: Motion['scar'], quality: ImageQuality): ViewParameters {
  const n = (mean: number, deviation: number, low: number, high: number): number =>
    clamp(mean + deviation * draw.normal(), low, high);
  const four = view === '4CH';
  const side = (scale: number): number => scale * (1 + 0.06 * draw.normal());
  const length = shape.length * (1 + 0.02 * draw.normal());
  const anatomy: Anatomy = {
    length, halfWidth: [side(shape.width), side(shape.width)],
    equator: n(0.6, 0.05, 0.48, 0.7), bluntness: n(2.15, 0.2, 1.8, 2.7),
    annulusRatio: n(0.72, 0.05, 0.6, 0.84),
    wall: [side(shape.wall), side(shape.wall)], apexWall: shape.wall * n(0.9, 0.1, 0.65, 1.1),
    atriumLength: shape.atriumLength * n(1, 0.06, 0.85, 1.15),
    atriumHalfWidth: shape.atriumWidth * n(1, 0.05, 0.88, 1.12),
    tent: n(3.5, 1, 1.5, 6), coaptation: n(four ? 0.6 : 0.45, 0.05, 0.35, 0.7),
    rightWidth: four ? n(27, 4, 17, 38) : 0,
    rightAtriumLength: shape.atriumLength * n(0.92, 0.08, 0.7, 1.1),
    papillary: draw.uniform() < 0.5
      ? [{ z: n(0.55, 0.08, 0.4, 0.7), side: 1, size: n(3.8, 0.7, 2.5, 5.5) }] : [],
  };
  const motion: Motion = {
    descent: 0.0027 * target * length * n(1, 0.12, 0.7, 1.3), radial: 0,
    atrial: n(0.13, 0.04, 0.04, 0.22), right: n(0.22, 0.05, 0.1, 0.35),
    rock: n(0.01, 0.012, -0.02, 0.035), swirl: n(0.7, 0.25, 0.2, 1.2), scar,
  };
  const wide = draw.uniform() < 0.06;
  const placement: Placement = {
    apexX: n(-3, 5, -14, 9), apexY: n(30, 5, 20, 44) + (shape.depth - 160) * 0.06,
    tilt: n(four ? 0.1 : 0.06, 0.07, -0.1, 0.3),
    lean: n(four ? 0.2 : 0.14, 0.06, 0, 0.35), bend: n(four ? 8 : 6, 2.5, 1, 14),
    depth: shape.depth, halfAngle: wide ? 0.782 : 0.6514, pixel: 0.7,
  };
  return { anatomy, motion, placement, imaging: drawImaging(draw, quality) };
}

function drawImaging(draw: RandomStream, quality: ImageQuality): Imaging {
  const n = (mean: number, deviation: number, low: number, high: number): number =>
    clamp(mean + deviation * draw.normal(), low, high);
  const rank = { Good: 0, Medium: 1, Poor: 2 }[quality];
  const shadows = [-1, 1].filter(() => draw.uniform() < 0.35 + 0.15 * rank).map((sign) => ({
    angle: sign * n(0.58, 0.07, 0.35, 0.7), width: n(0.1, 0.03, 0.05, 0.18),
    loss: n(8 + 3 * rank, 3, 3, 20),
  }));
  for (let k = draw.integer(2 + rank); k > 0; k--) {
    shadows.push({ angle: 0.5 * (2 * draw.uniform() - 1), width: n(0.06, 0.02, 0.03, 0.1),
      loss: n(3 + rank, 1.5, 1, 8) });
  }
  return {
    gain: n(-20, 4, -29, -10), dynamicRange: n(66, 5, 54, 78), gamma: n(1, 0.08, 0.85, 1.2),
    noise: n(-34 + 3 * rank, 3.5, -45, -22), clutter: n(-15 + 2 * rank, 3, -23, -6),
    haze: n(-32 + 2 * rank, 2.5, -39, -23), blood: n(-37 + rank, 3, -44, -28),
    myocardium: n(-12 - 1.5 * rank, 2.5, -19, -6), surroundings: n(-24, 3, -32, -15),
    posterior: n(11, 4, 3, 20),
    specular: n(10.5, 2, 5, 16), valve: n(-7, 3, -14, 0),
    anisotropy: n(5, 1.5, 1, 9), lumpiness: n(6.3, 1, 4, 9),
    pulse: n(1.15, 0.12, 0.9, 1.5), beam: n(0.0285, 0.003, 0.022, 0.037),
    wavelength: n(0.75, 0.05, 0.6, 0.9),
    depthGain: [0, 1, 2, 3, 4, 5].map(() => n(0, 2.4, -5, 5)), shadows,
    persistence: n(0.12, 0.04, 0, 0.25),
  };
}

function clamp(x: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, x));
}
