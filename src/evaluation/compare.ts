/** Two evaluation cards beside each other, where they were measured alike. */
import { bootstrapMean } from '../metrics/bootstrap.ts';
import type { Card, Metric } from './card.ts';
import { fixed, unitName } from './written.ts';

export interface Comparison {
  readonly metric: Metric;
  /** The same metric of the second card. */
  readonly other: Metric;
  /** Second less first, over the clips of which both have it (for a distance, of the whole sets). */
  readonly difference: number;
  readonly low: number;
  readonly high: number;
  /** Whether clips were paired, or the two intervals taken together as if they were independent. */
  readonly paired: boolean;
}

/**
 * The fields of the manifests that differ, each as `field: expected ..., got ...`; none where two
 * cards may be compared.
 */
export function manifestDifferences(a: Card, b: Card): string[] {
  return differences(a.manifest, b.manifest, 'manifest');
}

function differences(a: unknown, b: unknown, path: string): string[] {
  if (Object.is(a, b)) return [];
  const isTree = (x: unknown): x is Record<string, unknown> => typeof x === 'object' && x !== null;
  if (!isTree(a) || !isTree(b)) return [`${path}: ${shown(a)} and ${shown(b)}`];
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])];
  return keys.flatMap((key) => differences(a[key], b[key], `${path}.${key}`));
}

function shown(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (typeof value === 'object') return 'something';
  const text = String(value);
  return /^[0-9a-f]{64}$/.test(text) ? text.slice(0, 12) : text.slice(0, 60);
}

/**
 * Every metric that both cards have, of runs of one name. Figures of clips are compared clip by clip,
 * with a bootstrap interval of the mean difference over patients.
 *
 * @throws naming the fields when the manifests differ
 */
export function compareCards(a: Card, b: Card): Comparison[] {
  const fields = manifestDifferences(a, b);
  if (fields.length > 0) {
    const [most, rest] = [fields.slice(0, 5), fields.length - 5];
    throw new Error('compare: expected two cards measured alike, got manifests that differ in ' +
      `${most.join('; ')}${rest > 0 ? `; and ${rest} more` : ''}`);
  }
  return a.metrics.flatMap((metric) => {
    const other = b.metrics.find(({ name, run }) => name === metric.name && run === metric.run);
    return other === undefined ? [] : compareMetric(a, b, metric, other) ?? [];
  });
}

function compareMetric(a: Card, b: Card, metric: Metric, other: Metric): Comparison | null {
  if (metric.value === null || other.value === null) return null;
  if (metric.ranks === undefined && metric.dimension === undefined) {
    const of = (card: Card) => new Map(card.clips.map(({ id, runs }) =>
      [id, runs[metric.run]?.[metric.name] ?? null]));
    const second = of(b);
    const pairs = [...of(a)].map(([id, value]) => [value, second.get(id) ?? null] as const);
    const values = pairs.map(([x, y]) => (x === null || y === null ? null : y - x));
    const estimate = bootstrapMean(values, a.clips.map(({ patient }) => patient));
    if (estimate !== null) {
      const { mean: difference, low, high } = estimate;
      return { metric, other, difference, low, high, paired: true };
    }
  }
  return { metric, other, paired: false, ...independentDifference(metric, other) };
}

/** Second less first of two metrics that have a value, their intervals taken as independent. */
export function independentDifference(
  metric: Metric, other: Metric,
): { readonly difference: number; readonly low: number; readonly high: number } {
  const difference = other.value! - metric.value!;
  const side = (end: 'low' | 'high', opposite: 'low' | 'high') => Math.hypot(
    (metric[opposite] ?? metric.value!) - metric.value!, (other[end] ?? other.value!) - other.value!);
  return { difference, low: difference - side('low', 'high'), high: difference + side('high', 'low') };
}

/** Figures of which neither more nor less is better by itself. */
const neutral = new Set([
  'ef-discs', 'ef-discs-asked', 'ef-area-length', 'ef-area-length-asked', 'flow-still',
  'frame-difference', 'roughness', 'area-roughness',
]);

/** The comparison as an aligned table. */
export function comparisonText(a: Card, b: Card, rows: readonly Comparison[]): string {
  const head = ['metric', 'run', 'n', 'A', 'B', 'B - A', ''];
  const range = (value: number, low: number | null, high: number | null, digits: number) =>
    `${fixed(value, digits)}${low === null || high === null ? ''
      : ` [${fixed(low, digits)}, ${fixed(high, digits)}]`}`;
  const lines = rows.map(({ metric, other, difference, low, high, paired }) => {
    const { title, unit, digits, better, run, n } = metric;
    const sure = low > 0 || high < 0;
    const winner = (difference < 0) === (better === 'less') ? 'B is better' : 'A is better';
    const side = neutral.has(metric.name) ? 'they differ' : winner;
    return [
      unit === '' ? title : `${title}, ${unit}`, run, String(n),
      range(metric.value!, metric.low, metric.high, digits),
      range(other.value!, other.low, other.high, digits),
      range(difference, low, high, digits), `${sure ? side : '-'}${paired ? '' : ' (not paired)'}`,
    ];
  });
  const widths = head.map((_, c) => Math.max(...[head, ...lines].map((cells) => cells[c].length)));
  const aligned = [head, ...lines].map((cells) => cells.map((cell, c) =>
    (c < 2 || c === 6 ? cell.padEnd(widths[c]) : cell.padStart(widths[c]))).join('  ').trimEnd());
  const made = (name: string, { made: of }: Card) =>
    `${name}: model ${of.model.slice(0, 12)}, ${of.sampler}, ${of.numInferenceSteps} steps, ` +
    `guidance ${of.guidanceScale}, ${of.precision}`;
  const { n, patients, split } = a.manifest.data;
  return [
    made('A', a), made('B', b),
    `${n} ${unitName(a.manifest.frames)} of ${patients} patients (${split} split); 95 % intervals; differences of ` +
      'figures are one by one, those of distances take the two sets as independent.',
    '', ...aligned, '',
  ].join('\n');
}
