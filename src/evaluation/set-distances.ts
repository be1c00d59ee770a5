/** Distances between the set of real clips and the set of those that a run generated. */
import type { FeatureRows } from '../metrics/features.ts';
import {
  frechetAtInfinity, frechetFloor, frechetInterval, type FrechetExtrapolation, type FrechetFloor,
  type FrechetInterval,
} from '../metrics/frechet-statistics.ts';
import { kernelInterval, type KernelInterval } from '../metrics/kid.ts';
import type { ExtractorAbout } from './feature-extractors.ts';
import type { Results } from './results.ts';

/** Bootstrap draws of each interval. */
const SAMPLES = 300;

/** What a set is too small for is null. */
export interface SetDistance {
  readonly extractor: ExtractorAbout;
  readonly run: string;
  readonly frechet: FrechetInterval | null;
  /** The Frechet distance over the frames of a clip, as some print FVD; null for frames. */
  readonly perFrame: number | null;
  readonly infinity: FrechetExtrapolation | null;
  /** Real against real, halves by patient. */
  readonly floor: Omit<FrechetFloor, 'splits'> | null;
  /** Real against generated over the same halves: what is to be compared with the floor. */
  readonly halves: Omit<FrechetFloor, 'splits'> | null;
  readonly kernel: KernelInterval | null;
}

/**
 * Every extractor's distances of every run, from the features that an evaluation keeps. An extractor
 * counts when all measured clips have its features, by the same weights.
 *
 * @param clips names and patients of the measured clips
 */
export function setDistances(
  results: Results, clips: readonly { readonly id: string; readonly patient: string }[],
  runs: readonly string[], frames: number,
): SetDistance[] {
  return featureSets(results, clips, runs).flatMap(({ extractor: about, rows, groups }) => {
    const real = rows.get('real')!;
    const floor = attempt(() => frechetFloor({ features: real, groups }));
    return runs.map((run) => {
      const made = rows.get(run)!;
      const sets = [{ features: real, groups }, { features: made, groups }] as const;
      const frechet = attempt(() => frechetInterval(...sets, { samples: SAMPLES }));
      return {
        extractor: about, run, frechet,
        perFrame: about.of === 'clips' && frechet !== null ? frechet.value / frames : null,
        infinity: attempt(() => frechetAtInfinity(...sets, { vary: 'both' })),
        floor: withoutSplits(floor),
        halves: withoutSplits(attempt(() =>
          frechetFloor({ features: real, groups }, { other: made }))),
        kernel: attempt(() => kernelInterval(real, made, [groups, groups], { samples: SAMPLES })),
      };
    });
  });
}

export interface FeatureSet {
  readonly extractor: ExtractorAbout;
  /** By run, and `real`: those of every clip, in the order of the clips. */
  readonly rows: ReadonlyMap<string, FeatureRows>;
  /** The patient of each row. */
  readonly groups: readonly string[];
}

/** What an evaluation keeps of its clips' features, extractor by extractor. */
export function featureSets(
  results: Results, clips: readonly { readonly id: string; readonly patient: string }[],
  runs: readonly string[],
): FeatureSet[] {
  return extractorsOf(results, clips).map((extractor) => {
    const kept = clips.map(({ id }) => results.features(id, extractor.name)!.rows);
    const rows = new Map(['real', ...runs].map((run) =>
      [run, joined(kept.map((own) => own.get(run)!))]));
    const perClip = rows.get('real')!.rows / clips.length;
    const groups = clips.flatMap(({ patient }) => Array.from({ length: perClip }, () => patient));
    return { extractor, rows, groups };
  });
}

/** Extractors of which every clip has features, by the same weights. */
function extractorsOf(
  results: Results, clips: readonly { readonly id: string }[],
): ExtractorAbout[] {
  const names = ['echo-frames', 'echo-clips', 'inception', 'i3d'] as const;
  return names.flatMap((name) => {
    const all = clips.map(({ id }) => results.features(id, name)?.about ?? null);
    const [first] = all;
    const same = first !== undefined && first !== null
      && all.every((about) => about?.sha256 === first.sha256);
    return same ? [first] : [];
  });
}

function joined(parts: readonly FeatureRows[]): FeatureRows {
  const { dimension } = parts[0];
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const data = new Float32Array(rows * dimension);
  let at = 0;
  for (const part of parts) {
    data.set(part.data, at);
    at += part.data.length;
  }
  return { rows, dimension, data };
}

/** Null where there are too few patients for it; what is wrong with the features is still thrown. */
function attempt<T>(work: () => T): T | null {
  try {
    return work();
  } catch (error) {
    if (/expected (at least \d+ (groups|rows)|groups for)/.test((error as Error).message)) return null;
    throw error;
  }
}

function withoutSplits(floor: FrechetFloor | null): Omit<FrechetFloor, 'splits'> | null {
  if (floor === null) return null;
  const { splits: _, ...rest } = floor;
  return rest;
}
