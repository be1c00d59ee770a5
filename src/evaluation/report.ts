/** The summary as tables: aligned text on a terminal, Markdown in a file. */
import { join } from 'node:path';
import { writeAtomic } from '../frames/atomic.ts';
import type { Estimate } from '../metrics/bootstrap.ts';
import { figureOf, figures } from './figures.ts';
import type { Summary } from './summary.ts';

const obedience = ['dice-lv', 'dice-myo', 'dice-la', 'ssim'] as const;

interface Table {
  readonly title: string;
  readonly note?: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** Writes report.json and report.md into the evaluation's folder. */
export function writeReport(folder: string, summary: Summary): void {
  const write = (name: string, text: string) =>
    writeAtomic(join(folder, name), new TextEncoder().encode(text));
  write('report.json', `${JSON.stringify(summary, null, 1)}\n`);
  write('report.md', markdownReport(summary));
}

export function markdownReport(summary: Summary): string {
  const tables = tablesOf(summary).map(({ title, note, head, rows }) => {
    const lines = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
    return [`## ${title}`, ...(note === undefined ? [] : ['', note]), '', ...lines].join('\n');
  });
  return `${['# Evaluation', heading(summary), ...tables].join('\n\n')}\n`;
}

export function textReport(summary: Summary): string {
  const tables = tablesOf(summary).map(({ title, note, head, rows }) => {
    const lines = [head, ...rows];
    const widths = head.map((_, c) => Math.max(...lines.map((cells) => cells[c].length)));
    const text = lines.map((cells) => cells.map((cell, c) => (
      c === 0 ? cell.padEnd(widths[c]) : cell.padStart(widths[c]))).join('  ').trimEnd());
    return [title.toUpperCase(), ...(note === undefined ? [] : [note]), ...text].join('\n');
  });
  return `${[heading(summary), ...tables].join('\n\n')}\n`;
}

function heading({ settings, clips, patients }: Summary): string {
  const { sampler, numInferenceSteps, guidanceScale, seed, precision, split } = settings;
  return `${clips} clips of ${patients} patients (${split} split), ${sampler}, ` +
    `${numInferenceSteps} steps, guidance ${guidanceScale}, ${precision}, seed ${seed}, ` +
    `model ${settings.model.slice(0, 12)}. Means with 95 % bootstrap intervals over patients.`;
}

function tablesOf(summary: Summary): Table[] {
  const { settings: { base } } = summary;
  return [
    {
      title: 'Criteria', head: ['what', 'wanted', 'got', 'met'],
      rows: summary.criteria.map(({ what, wanted, value, unit, digits, interval, met }) => {
        const range = interval === null ? '' : ` [${fixed(interval[0], digits)}, ` +
          `${fixed(interval[1], digits)}]`;
        const got = `${fixed(value, digits)}${range}${unit === '' ? '' : ` ${unit}`}`;
        return [what, wanted, got, met ? 'yes' : 'NO'];
      }),
    },
    {
      title: 'Mask obedience',
      note: 'Dice between the mask asked for and the one the segmenter finds; `real` is the ' +
        "segmenter's own on real clips, `another patient` the Dice of two unrelated masks.",
      head: ['run', 'n', 'LV', 'MYO', 'LA', 'SSIM to real'],
      rows: Object.entries(summary.runs).map(([run, row]) => [
        run, String(row['dice-lv']?.n ?? 0), ...obedience.map((name) => written(row[name], 3))]),
    },
    {
      title: 'Conditions, on against off',
      note: `Same seed, beside ${base.join(' and ')}. \`real\` is the real clip against what was ` +
        'asked: the best that can be reached.',
      head: ['condition', 'figure', 'n', 'off', 'on', 'on - off', 'real'],
      rows: summary.effects.map(({ condition, figure, off, on, difference, real }) => {
        const { title, unit, digits, better } = figureOf(figure);
        const sign = better === 'more' ? '(more is better)' : '(less is better)';
        return [
          condition, `${title}${unit === '' ? '' : `, ${unit}`} ${sign}`, String(on.n),
          ...[off, on, difference, real].map((estimate) => written(estimate, digits)),
        ];
      }),
    },
    {
      title: 'Realism',
      note: 'Generated against the real clip: power in bands of spatial frequency (units of ' +
        'Nyquist), energy of frame differences, grey levels inside the sector. ' +
        '`another patient` is real against real: its intervals say how much sets of this size differ by themselves.',
      head: ['run', ...bandNames(summary), 'worst radius, dB', 'frame difference, ratio',
        'grey distance'],
      rows: Object.entries(summary.realism).map(([run, row]) => [
        run, ...row.bands.map(({ decibels }) => written(decibels, 2)),
        row.worstRadius === null ? '-' : fixed(row.worstRadius, 2),
        written(row.frameDifferenceRatio, 3), written(row.greyDistance, 2)]),
    },
    {
      title: 'Every figure',
      head: ['figure', ...Object.keys(summary.runs)],
      rows: figures.map(({ name, title, unit, digits }) => [
        unit === '' ? title : `${title}, ${unit}`,
        ...Object.values(summary.runs).map((row) => written(row[name], digits))]),
    },
  ];
}

function bandNames(summary: Summary): string[] {
  const [first] = Object.values(summary.realism);
  return first.bands.map(({ from, to }) => `${from}..${to}, dB`);
}

function written(estimate: Estimate | undefined, digits: number): string {
  if (estimate === undefined) return '-';
  const { mean, low, high } = estimate;
  return `${fixed(mean, digits)} [${fixed(low, digits)}, ${fixed(high, digits)}]`;
}

/** Never -0.00. */
function fixed(value: number, digits: number): string {
  const text = value.toFixed(digits);
  return Number(text) === 0 ? text.replace('-', '') : text;
}
