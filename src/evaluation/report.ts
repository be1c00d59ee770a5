/** The summary as tables: aligned text on a terminal, Markdown in a file. */
import { join } from 'node:path';
import { writeAtomic } from '../frames/atomic.ts';
import { encodePng } from '../frames/png.ts';
import { htmlCard } from './card-html.ts';
import { drawCard } from './card-picture.ts';
import { cardFile, extractorLines, lpipsLines, makeCard, type CardContent } from './card.ts';
import { effectTable, type Table } from './effect-table.ts';
import { figures } from './figures.ts';
import { heading, leftOutNote } from './heading.ts';
import { memorisationSection, pairsPicture } from './memorisation/section.ts';
import { memorisationTables } from './memorisation/tables.ts';
import type { Results } from './results.ts';
import { setDistances } from './set-distances.ts';
import { summarize } from './summary.ts';
import type { Summary } from './summary.ts';
import { fixed, unitName, written } from './written.ts';

const obedience = ['dice-lv', 'dice-myo', 'dice-la', 'ssim'] as const;

/**
 * What an evaluation has measured so far.
 *
 * @throws when there is no clip to report on
 */
export function collectCard(results: Results): CardContent {
  const [all, settings] = [results.all(), results.settings()];
  const summary = summarize(all, settings, (id) => results.masks(id));
  const runs = settings.plan.runs.map(({ name }) => name);
  const whole = all.filter(({ runs: own }) => ['real', ...runs].every((name) => name in own));
  const content = makeCard(whole, settings, summary, setDistances(results, whole, runs, settings.frames));
  const memorisation = memorisationSection(results.folder, whole, runs);
  return memorisation === null ? content : { ...content, card: { ...content.card, memorisation } };
}

/** Writes the card into the evaluation's folder: card.json, card.html, card.png, and report.md. */
export function writeCard(results: Results, content: CardContent): void {
  const write = (name: string, bytes: Uint8Array) => writeAtomic(join(results.folder, name), bytes);
  const encode = (text: string) => new TextEncoder().encode(text);
  const sheets = results.sheets();
  const pairs = content.card.memorisation === undefined ? null : pairsPicture(results.folder);
  write(cardFile, encode(`${JSON.stringify(content.card, null, 1)}\n`));
  write('card.html', encode(htmlCard(content, sheets, pairs)));
  write('card.png', encodePng(drawCard(content, sheets, pairs)));
  write('report.md', encode(markdownReport(content)));
}

export function markdownReport(content: CardContent): string {
  const { summary } = content;
  const tables = tablesOf(content).map(({ title, note, head, rows }) => {
    const lines = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
    return [`## ${title}`, ...(note === undefined ? [] : ['', note]), '', ...lines].join('\n');
  });
  return `${['# Evaluation', heading(summary), ...tables].join('\n\n')}\n`;
}

export function textReport(content: CardContent): string {
  const { summary } = content;
  return `${[heading(summary), ...tablesOf(content).map(textTable)].join('\n\n')}\n`;
}

/** A table in aligned text, its title above it. */
export function textTable({ title, note, head, rows }: Table): string {
  const lines = [head, ...rows];
  const widths = head.map((_, c) => Math.max(...lines.map((cells) => cells[c].length)));
  const text = lines.map((cells) => cells.map((cell, c) => (
    c === 0 ? cell.padEnd(widths[c]) : cell.padStart(widths[c]))).join('  ').trimEnd());
  return [title.toUpperCase(), ...(note === undefined ? [] : [note]), ...text].join('\n');
}

function tablesOf(content: CardContent): Table[] {
  const { summary, card } = content;
  const single = summary.settings.frames === 1;
  const unit = unitName(summary.settings.frames);
  const notes = [...lpipsLines(card), ...(single ? [leftOutNote] : [])];
  const known = figures.filter(({ name }) => Object.values(summary.runs).some((row) => name in row));
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
        `segmenter's own on real ${unit}, \`another patient\` the Dice of two unrelated masks.`,
      head: ['run', 'n', 'LV', 'MYO', 'LA', 'SSIM to real'],
      rows: Object.entries(summary.runs).map(([run, row]) => [
        run, String(row['dice-lv']?.n ?? 0), ...obedience.map((name) => written(row[name], 3))]),
    },
    effectTable(content),
    {
      title: 'Realism',
      note: `Generated against the real ${single ? 'frame' : 'clip'}: power in bands of spatial frequency (units of ` +
        `Nyquist), ${single ? '' : 'energy of frame differences, '}grey levels inside the sector. ` +
        '`another patient` is real against real: its intervals say how much sets of this size differ by themselves.',
      head: ['run', ...bandNames(summary), 'worst radius, dB', ...(single ? [] : ['frame difference, ratio']),
        'grey distance'],
      rows: Object.entries(summary.realism).map(([run, row]) => [
        run, ...row.bands.map(({ decibels }) => written(decibels, 2)),
        row.worstRadius === null ? '-' : fixed(row.worstRadius, 2),
        ...(single ? [] : [written(row.frameDifferenceRatio ?? undefined, 3)]), written(row.greyDistance, 2)]),
    },
    {
      title: 'Distances between sets',
      note: `${extractorLines(card).join('. ') || 'No features were taken'}. \`halves\` is real ` +
        'against generated at half of the patients, as the floor is real against real. Frechet ' +
        'echo distances are on this project\'s own features: they are not FID or FVD.',
      head: ['distance', 'run', 'n', 'value', 'at endless n', 'halves', 'floor', 'ranks'],
      rows: card.metrics.filter(({ dimension }) => dimension !== undefined).map((metric) => {
        const { title, run, n, value, low, high, digits, ranks, dimension } = metric;
        const short = (x: number | null | undefined) =>
          (x === null || x === undefined ? '-' : fixed(x, digits));
        return [
          title, run, String(n), `${short(value)} [${short(low)}, ${short(high)}]`,
          short(metric.infinity), short(metric.halves), short(metric.floor),
          ranks === undefined ? '-' : `${ranks.join(', ')} of ${dimension}`,
        ];
      }),
    },
    ...memorisationTables(card.memorisation),
    {
      title: 'Every figure',
      ...(notes.length > 0 ? { note: notes.join(' ') } : {}),
      head: ['figure', ...Object.keys(summary.runs)],
      rows: known.map(({ name, unit, digits }) => {
        const { title } = card.metrics.find((metric) => metric.name === name)!;
        return [unit === '' ? title : `${title}, ${unit}`,
          ...Object.values(summary.runs).map((row) => written(row[name], digits))];
      }),
    },
  ];
}

function bandNames(summary: Summary): string[] {
  const [first] = Object.values(summary.realism);
  return first.bands.map(({ from, to }) => `${from}..${to}, dB`);
}
