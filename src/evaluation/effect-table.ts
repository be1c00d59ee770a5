/** Every condition on against off, as a table: figures clip by clip, and distances between sets. */
import type { CardContent, Metric } from './card.ts';
import { independentDifference } from './compare.ts';
import { figureOf } from './figures.ts';
import { written } from './written.ts';

export interface Table {
  readonly title: string;
  readonly note?: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export function effectTable(content: CardContent): Table {
  const { summary: { settings: { base, frames }, effects } } = content;
  const single = frames === 1;
  const rows = effects.map(({ condition, figure, off, on, difference, real }) => {
    const { title, unit, digits, better } = figureOf(figure);
    return [
      condition, `${title}${unit === '' ? '' : `, ${unit}`} ${direction(better)}`, String(on.n),
      ...[off, on, difference, real].map((estimate) => written(estimate, digits)),
    ];
  });
  return {
    title: 'Conditions, on against off',
    note: `Same seed, beside ${base.join(' and ')}. \`real\` is the real ${single ? 'frame' : 'clip'} against what ` +
      'was asked: the best that can be reached.' + (single ? ' Differences of figures are frame by frame; those ' +
      'of distances take the two intervals as independent, and their `real` is the floor.' : ''),
    head: ['condition', 'figure', 'n', 'off', 'on', 'on - off', 'real'],
    rows: single ? [...rows, ...distanceRows(content)] : rows,
  };
}

function distanceRows({ card, summary }: CardContent): string[][] {
  const names = card.manifest.extractors.map(({ name }) => `frechet-${name}`);
  return summary.settings.plan.contrasts.flatMap(({ condition, on, off }) => names.flatMap((name) => {
    const [with_, without] = [on, off].map((run) =>
      card.metrics.find((metric) => metric.name === name && metric.run === run));
    if (with_ === undefined || without === undefined) return [];
    const { title, digits, n, floor } = with_;
    const { difference, low, high } = independentDifference(without, with_);
    return [[
      condition, `${title} ${direction('less')}`, String(n), interval(without), interval(with_),
      written({ mean: difference, low, high, n }, digits), typeof floor === 'number' ? floor.toFixed(digits) : '-',
    ]];
  }));
}

function direction(better: Metric['better']): string {
  return better === 'more' ? '(more is better)' : '(less is better)';
}

function interval({ value, low, high, n, digits }: Metric): string {
  return written({ mean: value!, low: low ?? value!, high: high ?? value!, n }, digits);
}
