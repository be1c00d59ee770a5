/** The evaluation card: every metric with its n and interval, and what it was measured with. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { figures, overTime, type FigureName } from './figures.ts';
import { memorisationSchema } from './memorisation/section.ts';
import type { ExtractorAbout } from './feature-extractors.ts';
import type { ClipResult, KeptResult, MeasuredWith, Settings } from './results.ts';
import type { SetDistance } from './set-distances.ts';
import type { Summary } from './summary.ts';

export const cardFile = 'card.json';
const cardKind = 'heartbeat evaluation card';
const cardVersion = 1;

const measured = z.number().nullable();
const text = z.string();

const metricSchema = z.strictObject({
  /** `dice-lv`, or `frechet` of an extractor. */
  name: text,
  title: text,
  unit: text,
  digits: z.int(),
  better: z.enum(['more', 'less']),
  run: text,
  /** Clips behind it; of a distance, vectors of each set. */
  n: z.int(),
  value: measured,
  low: measured,
  high: measured,
  /** Of the extractor's weights; null where no network of features is behind it. */
  sha256: text.nullable(),
  /** Of a distance. */
  dimension: z.int().optional(),
  ranks: z.tuple([z.int(), z.int()]).optional(),
  /** Real against real, and real against generated, at half of the patients. */
  floor: measured.optional(),
  halves: measured.optional(),
  /** At endless n; see docs/metrics.md for when to believe it. */
  infinity: measured.optional(),
});
export type Metric = z.infer<typeof metricSchema>;

const cardSchema = z.object({
  kind: z.literal(cardKind),
  version: z.literal(cardVersion),
  /** How it was measured: what two cards must share to be compared. */
  manifest: z.object({
    data: z.object({
      split: text, n: z.int(), patients: z.int(),
      /** sha256 of each prepared clip, and of the files that it was read from. */
      clips: z.record(text, z.object({ prepared: text, files: z.record(text, text) })),
    }),
    /** How pictures are read, and how they reach their size. */
    decode: text,
    resize: text,
    resolution: z.int(),
    frames: z.int(),
    seed: z.int(),
    /** Version of the way in which figures are computed. */
    measuring: z.int(),
    segmenter: text,
    /** Null of single frames, whose view no network reads. */
    viewReader: text.nullable(),
    extractors: z.array(z.object({
      name: text, of: text, network: text, sha256: text, dimension: z.int(), input: text,
      frechet: text, kernel: text,
    })),
    lpips: z.object({ title: text, network: text, sha256: text, input: text }).optional(),
  }),
  /** What was measured: what a comparison is about. */
  made: z.object({
    model: text, sampler: text, numInferenceSteps: z.int(), guidanceScale: z.number(),
    precision: text, base: z.array(text),
  }),
  metrics: z.array(metricSchema),
  /** Every figure of every clip, by run: a comparison pairs them. */
  clips: z.array(z.object({
    id: text, patient: text, view: text, phase: z.enum(['ED', 'ES']).optional(),
    runs: z.record(text, z.record(text, measured)),
  })),
  /** Figures that single frames do not have. */
  leftOut: z.array(text).optional(),
  /** How near generated clips are to training clips, where a gate judged them. */
  memorisation: memorisationSchema.optional(),
});
export type Card = z.infer<typeof cardSchema>;

/** What is drawn on a card beside its numbers. */
export interface CardContent {
  readonly card: Card;
  readonly summary: Summary;
  readonly distances: readonly SetDistance[];
  readonly results: readonly ClipResult[];
}

/** How videos come to be pixels in an evaluation, for its manifest. */
const DECODE = 'real: NIfTI of the CAMUS layout, grey 0..255; generated: 8-bit PNG strips, ' +
  'lossless; both rounded to 8 bits, then divided by 255';
const RESIZE = 'letterboxed to a square of square pixels, each new pixel the mean over its area ' +
  '(src/frames/resize.ts); generated frames at their own size';

export function makeCard(
  results: readonly KeptResult[],
  settings: Settings, summary: Summary, distances: readonly SetDistance[],
): CardContent {
  const { model, sampler, numInferenceSteps, guidanceScale, precision, base, seed } = settings;
  const { segmenter, echoVideo, lpips, measuring } = results[0];
  const extractors = new Map(distances.map(({ extractor }) => [extractor.name, extractor]));
  const card: Card = {
    kind: cardKind, version: cardVersion,
    manifest: {
      data: {
        split: settings.split, n: summary.clips, patients: summary.patients,
        clips: Object.fromEntries(results.map(({ id, hash, files }) =>
          [id, { prepared: hash, files: { ...files } }])),
      },
      decode: DECODE,
      resize: `real frames ${settings.frames === 1 ? 'ED and ES' : 'evenly spread over the recording'}, ${RESIZE}`,
      resolution: settings.resolution, frames: settings.frames,
      seed, measuring, segmenter, viewReader: echoVideo, extractors: [...extractors.values()],
      ...(lpips === undefined ? {} : { lpips }),
    },
    made: { model, sampler, numInferenceSteps, guidanceScale, precision, base: [...base] },
    metrics: [...distances.flatMap(distanceMetrics), ...figureMetrics(summary, results[0])],
    ...(settings.frames === 1 ? { leftOut: [...overTime] } : {}),
    clips: results.map(({ id, patient, view, phase, runs }) => ({
      id, patient, view, ...(phase === undefined ? {} : { phase }),
      runs: Object.fromEntries(Object.entries(runs).map(([run, { figures: own }]) => [run, own])),
    })),
  };
  return { card, summary, distances, results };
}

/** Figures that the segmenter is behind. */
const bySegmenter = /^(dice|hausdorff|hausdorff95|ef|ridge|area-roughness)(-|$)/;

function figureMetrics(summary: Summary, { segmenter, echoVideo, lpips }: MeasuredWith): Metric[] {
  const hashes: Partial<Record<FigureName, string | null>> = { 'view-accuracy': echoVideo, lpips: lpips?.sha256 };
  return figures.flatMap(({ name, title, unit, digits, better }) =>
    Object.entries(summary.runs).flatMap(([run, row]) => {
      const estimate = row[name];
      if (estimate === undefined) return [];
      const { n, mean: value, low, high } = estimate;
      const sha256 = hashes[name] ?? (bySegmenter.test(name) ? segmenter : null);
      const called = name === 'lpips' && lpips !== undefined ? `${lpips.title} to the real pictures` : title;
      return [{ name, title: called, unit, digits, better, run, n, value, low, high, sha256 }];
    }));
}

function distanceMetrics(distance: SetDistance): Metric[] {
  const { extractor, run, frechet, perFrame, infinity, floor, halves, kernel } = distance;
  const common = {
    run, unit: '', better: 'less' as const, sha256: extractor.sha256, dimension: extractor.dimension,
  };
  const metrics: Metric[] = [];
  if (frechet !== null) {
    const { n1, value, low, high, rank1, rank2 } = frechet;
    const ranks: [number, number] = [rank1, rank2];
    const name = `frechet-${extractor.name}`;
    metrics.push({
      ...common, name, title: extractor.frechet, digits: 3, n: n1, value, low, high, ranks,
      floor: floor?.mean ?? null, halves: halves?.mean ?? null, infinity: infinity?.value ?? null,
    });
    if (perFrame !== null) {
      const frames = value / perFrame || 1;
      metrics.push({
        ...common, name: `${name}-per-frame`, title: `${extractor.frechet}, over the frames`,
        digits: 4, n: n1, value: perFrame, low: low / frames, high: high / frames, ranks,
      });
    }
  }
  if (kernel !== null && frechet !== null) {
    const { value, low, high } = kernel;
    metrics.push({
      ...common, name: `kernel-${extractor.name}`, title: extractor.kernel, digits: 5,
      n: frechet.n1, value, low, high,
    });
  }
  return metrics;
}

/** The extractors that the distances between sets are taken on, in words and hashes. */
export function extractorLines({ manifest }: Card): string[] {
  return manifest.extractors.map(({ name, network, sha256, dimension, input }) =>
    `${name}: ${network}, sha256 ${sha256.slice(0, 12)}, ${dimension} features; ${input}`);
}

/** The network of a perceptual distance, which is a figure of each clip; none where there was none. */
export function lpipsLines({ manifest: { lpips } }: Card): string[] {
  if (lpips === undefined) return [];
  const hashes = lpips.sha256.split('+').map((hash) => hash.slice(0, 12));
  return [`${lpips.title}: ${lpips.network}, sha256 ${hashes.join(' and ')}; ${lpips.input}.`];
}

/**
 * The card of a file, or of the folder of an evaluation.
 *
 * @throws one sentence when it is not a card of this version
 */
export function readCard(path: string): Card {
  const folder = statSync(path, { throwIfNoEntry: false })?.isDirectory();
  const file = folder ? join(path, cardFile) : path;
  if (!existsSync(file)) {
    throw new Error(`${file}: expected an evaluation card, got no such file (evaluate writes it)`);
  }
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    throw new Error(`${file}: expected an evaluation card, got no JSON`);
  }
  const parsed = cardSchema.safeParse(content);
  if (parsed.success) return parsed.data;
  const { path: where, message } = parsed.error.issues[0];
  throw new Error(`${file}: expected ${cardKind}, version ${cardVersion}; ` +
    `${where.join('.') || 'at its root'}: ${message}`);
}

export type { ExtractorAbout };
