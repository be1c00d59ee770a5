/** The table as Markdown, CSV and LaTeX, and in words where its order is not the paper's. */
import { fixed } from '../evaluation/written.ts';
import type { OrderPair } from './order.ts';
import { rivalFigures, type Rivals } from './rivals.ts';
import type { ExtractorName, FloorRow, TableRow } from './table-rows.ts';
import type { Table } from './table.ts';

/** What stands above and below a table: data, model sizes, budget, sampling. */
export interface TableContext {
  readonly title: string;
  /** Sentences, each complete. */
  readonly notes: readonly string[];
  /** Frames through the optimizer, by method's name. */
  readonly frames: ReadonlyMap<string, number>;
}

const viewNames = { '2CH': 'A2C', '4CH': 'A4C', both: 'both' } as const;
const shortNames: Readonly<Record<ExtractorName, string>> = {
  'echo-frames': 'FED frames', 'echo-clips': 'FED clips', inception: 'FID', i3d: 'FVD',
};
const paperNote = 'The last three columns are the paper\'s own (CAMUS, 91 test videos): another data set, ' +
  'other networks and other sizes. They stand there for their order alone; no value of one side can be ' +
  'held against one of the other. Its FVD looks divided by the 16 frames of a clip.';
const ownNote = 'FED is the Frechet distance on this project\'s own echo features (frames, and whole clips), ' +
  'which is neither FID nor FVD. SSIM is to the real clip that the conditions came from. Dice LV is between ' +
  'the asked mask and the one found in the generated clip, whether or not the mask was given. Intervals: ' +
  '95 %, bootstrap over patients.';
const floorNote = 'The floor is the distance between real halves, split by patient, at half of the patients; ' +
  'held against it must be the distances at that size (columns `halves` of the CSV). Its Dice LV is the ' +
  "segmenter's own on the real clips.";

export function markdownTable(table: Table, context: TableContext): string {
  const names = extractorNames(table);
  const head = ['method', 'conditions', 'view', 'n', 'frames trained',
    ...names.map((name) => titleOf(table, name)), 'SSIM', 'Dice LV',
    "paper's FID", "paper's FVD", "paper's SSIM"];
  const lines = [
    head, head.map(() => '---'),
    ...table.rows.map((row) => [
      row.title, row.letters, viewNames[row.view], `${row.n}`, `${context.frames.get(row.name) ?? '-'}`,
      ...names.map((name) => written(row.distances[name], digitsOf(name))),
      writtenMean(row.ssim), writtenMean(row.diceLv), ...paperCells(row, '-'),
    ]),
    ...table.floors.map((floor) => [
      'real against real (floor)', '-', viewNames[floor.view], `${floor.n}`, '-',
      ...names.map((name) => floorCell(floor, name)), '-', writtenMean(floor.diceLv), '-', '-', '-',
    ]),
  ];
  return [
    `# ${context.title}`, ...context.notes, ownNote, floorNote, paperNote,
    lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n'),
    ...(table.rivals === null ? [] : rivalsText(table, table.rivals)),
    "## Where the order is not the paper's", orderText(table.pairs), '',
  ].join('\n\n');
}

/** The study's method against the others, as a table of differences. */
function rivalsText(table: Table, { subject, rows }: Rivals): string[] {
  const names = extractorNames(table);
  const head = ['rival', 'view', ...names.map((name) => titleOf(table, name)), 'SSIM', 'Dice LV', 'Dice MYO', 'Dice LA'];
  const lines = [head, head.map(() => '---'), ...rows.map(({ rival, view, distances, figures }) => [
    rival, viewNames[view], ...names.map((name) => written(distances[name], digitsOf(name))),
    ...rivalFigures.map((name) => written(figures[name], 3)),
  ])];
  return [
    `## ${subject} against the others`,
    `Each rival's figure less that of ${subject}, clip by clip, 95 % intervals from a bootstrap over patients that draws ` +
      'the same patients for both. A rival is worse where its distance is above 0, and its SSIM or Dice below.',
    lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n'),
  ];
}

/** One line a pair of rows that stand the other way round than in the paper. */
export function orderText(pairs: readonly OrderPair[]): string {
  if (pairs.length === 0) {
    return 'No two rows of this table stand in the paper\'s, or there are too few patients to compare them.';
  }
  const against = pairs.filter(({ contradicts }) => contradicts);
  const certain = against.filter(isCertain);
  const agreeing = pairs.filter((pair) => !pair.contradicts && isCertain(pair));
  const intro = `Of ${pairs.length} comparisons of two rows that the paper has as well (by view and measure), ` +
    `${against.length} ${against.length === 1 ? 'goes' : 'go'} against the paper's order, ` +
    `${certain.length} of them with an interval that leaves out 0; ${agreeing.length} with it have one too. ` +
    'Differences are first row less second, with 95 % intervals, paired over patients; the paper ' +
    'prints no intervals.';
  const lines = [...certain, ...against.filter((pair) => !isCertain(pair))].map((pair) => {
    const { view, measure, paperMeasure, first, second, difference, low, high } = pair;
    const digits = digitsFor(Math.max(...[difference, low, high].map(Math.abs)));
    const better = (difference > 0) === (paperMeasure === 'SSIM');
    return `- ${viewNames[view]}, ${measure}: ${first} is ${better ? 'better' : 'worse'} than ${second} by ` +
      `${fixed(Math.abs(difference), digits)} (difference ${fixed(difference, digits)} ` +
      `[${fixed(low, digits)}, ${fixed(high, digits)}]${isCertain(pair) ? '' : ', which holds 0'}); ` +
      `the paper's ${paperMeasure} is ${pair.paperFirst.toFixed(2)} against ${pair.paperSecond.toFixed(2)}.`;
  });
  return [intro, ...(lines.length === 0 ? [] : [lines.join('\n')])].join('\n\n');
}

/** Decimals that show three digits of the largest number, at least two. */
function digitsFor(most: number): number {
  return most === 0 ? 2 : Math.min(6, Math.max(2, 2 - Math.floor(Math.log10(most))));
}

const isCertain = ({ low, high }: OrderPair) => low > 0 || high < 0;

export function csvTable(table: Table, context: TableContext): string {
  const names = extractorNames(table);
  const of = (name: ExtractorName) => name.replaceAll('-', '_');
  const interval = (name: string) => [name, `${name}_low`, `${name}_high`];
  const head = ['method', 'conditions', 'view', 'clips', 'patients', 'frames_trained',
    ...names.map((name) => `frechet_${of(name)}`)
      .flatMap((name) => [...interval(name), `${name}_n`, `${name}_halves`]),
    ...interval('ssim'), ...interval('dice_lv'),
    'paper_camus_fid', 'paper_camus_fvd', 'paper_camus_ssim'];
  const rows = table.rows.map((row) => [
    row.name, row.letters, viewNames[row.view], row.n, row.patients, context.frames.get(row.name),
    ...names.flatMap((name) => {
      const found = row.distances[name];
      return [found?.value, found?.low, found?.high, found?.n, found?.halves];
    }),
    row.ssim?.mean, row.ssim?.low, row.ssim?.high, row.diceLv?.mean, row.diceLv?.low, row.diceLv?.high,
    row.paper?.fid, row.paper?.fvd, row.paper?.ssim,
  ]);
  const floors = table.floors.map((floor) => [
    'real against real', '', viewNames[floor.view], floor.n, floor.patients, null,
    ...names.flatMap((name) => [null, null, null, null, floor.distances[name]?.value]),
    null, null, null, floor.diceLv?.mean, floor.diceLv?.low, floor.diceLv?.high, null, null, null,
  ]);
  return [head, ...rows, ...floors].map((cells) => `${cells.map(csvCell).join(',')}\n`).join('');
}

function csvCell(value: string | number | null | undefined): string {
  const text = typeof value === 'number' ? `${Number(value.toPrecision(7))}` : value ?? '';
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A `table*` for `booktabs`, intervals in small type. */
export function latexTable(table: Table, context: TableContext): string {
  const names = extractorNames(table);
  const small = (text: string) => (text === '-' ? '--'
    : text.replace(/ (\[.*\])$/, ' {\\scriptsize $1}'));
  const row = (cells: readonly string[]) => `${cells.join(' & ')} \\\\`;
  const own = 2 + names.length;
  const caption = [
    `${context.title}.`, ...context.notes, ownNote, floorNote.replaceAll('`', ''), paperNote].join(' ');
  const lines = table.rows.map((entry, i) => {
    const before = table.rows[i - 1];
    const rule = before !== undefined && before.name !== entry.name ? ['\\midrule'] : [];
    return [...rule, row([
      latex(entry.title), entry.letters, viewNames[entry.view], `${entry.n}`,
      ...names.map((name) => small(written(entry.distances[name], digitsOf(name)))),
      small(writtenMean(entry.ssim)), small(writtenMean(entry.diceLv)), ...paperCells(entry, '--'),
    ])].join('\n');
  });
  const floors = table.floors.map((floor) => row([
    'real against real', '--', viewNames[floor.view], `${floor.n}`,
    ...names.map((name) => small(floorCell(floor, name))), '--', small(writtenMean(floor.diceLv)), '--', '--', '--',
  ]));
  return [
    '% needs \\usepackage{booktabs}', '\\begin{table*}', '\\centering',
    `\\caption{${latex(caption)}}`,
    `\\begin{tabular}{lllr${'r'.repeat(own)}|rrr}`, '\\toprule',
    row(['', '', '', '', `\\multicolumn{${own}}{c|}{this study}`, '\\multicolumn{3}{c}{the paper, CAMUS}']),
    row(['method', 'conditions', 'view', '$n$', ...names.map((name) => latex(titleOf(table, name))),
      'SSIM', 'Dice LV', 'FID', 'FVD', 'SSIM']),
    '\\midrule', ...lines, '\\midrule', ...floors, '\\bottomrule', '\\end{tabular}', '\\end{table*}', '',
  ].join('\n');
}

function latex(text: string): string {
  return text.replace(/[&%$#_{}]/g, (sign) => `\\${sign}`);
}

function extractorNames({ extractors }: Table): ExtractorName[] {
  return extractors.map(({ name }) => name);
}

/** FID and FVD only where the weights are the published ones; else what the distance is called. */
function titleOf({ extractors }: Table, name: ExtractorName): string {
  const { frechet } = extractors.find((extractor) => extractor.name === name)!;
  return name === 'inception' || name === 'i3d' ? frechet : shortNames[name];
}

function digitsOf(name: ExtractorName): number {
  return name === 'inception' || name === 'i3d' ? 2 : 3;
}

function written(
  found: { value: number; low: number; high: number } | null | undefined, digits: number,
): string {
  if (found === null || found === undefined) return '-';
  const { value, low, high } = found;
  return `${fixed(value, digits)} [${fixed(low, digits)}, ${fixed(high, digits)}]`;
}

function writtenMean(found: { mean: number; low: number; high: number } | null): string {
  return written(found === null ? null : { ...found, value: found.mean }, 3);
}

function floorCell({ distances }: FloorRow, name: ExtractorName): string {
  const found = distances[name];
  return found === null || found === undefined ? '-' : fixed(found.value, digitsOf(name));
}

function paperCells({ paper }: TableRow, absent: string): string[] {
  return paper === null ? [absent, absent, absent] : [paper.fid, paper.fvd, paper.ssim].map((x) => x.toFixed(2));
}

