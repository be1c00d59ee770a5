/** The card as one HTML file: plots as inline SVG, contact sheets inline; no script, no network. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { decibels } from '../metrics/spectrum.ts';
import { dotPlot, escapeHtml, linePlot, scatterPlot } from './card-plots.ts';
import type { Card, CardContent, Metric } from './card.ts';
import { effectTable } from './effect-table.ts';
import { inPixels, type FigureName } from './figures.ts';
import { heading, leftOutNote } from './heading.ts';
import { memorisationTables } from './memorisation/tables.ts';
import { wantedRuns } from './runs.ts';
import { unitName, written } from './written.ts';

const STYLE = `
body { font: 15px/1.45 system-ui, sans-serif; color: #1c1e22; background: #fafaf8; margin: 2rem auto;
  max-width: 1400px; padding: 0 1.5rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
table { border-collapse: collapse; font-size: 13px; } th, td { padding: 3px 10px; text-align: right;
  border-bottom: 1px solid #e2e2dd; white-space: nowrap; } th:first-child, td:first-child {
  text-align: left; } .scroll { overflow-x: auto; } .plots { display: flex; flex-wrap: wrap; gap: 24px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 14px; font-size: 13px; }
dt { color: #6b6f76; } dd { margin: 0; overflow-wrap: anywhere; } img { max-width: 100%; }
.no { color: #b3261e; } .yes { color: #1f7a45; } footer { color: #6b6f76; margin-top: 2rem; }`;

/** Figures with a plot of their own. */
const plotted: readonly FigureName[] = [
  'dice-lv', 'dice-myo', 'hausdorff95-lv', 'stroke-offset-mm', 'flow-error-mm', 'edge-f1',
  'prior-histogram', 'ef-discs-error', 'ef-area-length-error', 'view-accuracy', 'ssim', 'roughness',
];

/**
 * @param sheets PNG files of contact sheets
 * @param pairs PNG file of generated clips over their nearest training clips
 */
export function htmlCard(
  content: CardContent, sheets: readonly string[], pairs: string | null = null,
): string {
  const { card, summary } = content;
  const criteria = summary.criteria.map(({ what, wanted, value, digits, unit, met }) => [
    what, wanted, `${value.toFixed(digits)} ${unit}`.trim(), met ? 'yes' : 'NO']);
  const effects = effectTable(content);
  const single = summary.settings.frames === 1;
  const runs = Object.keys(summary.runs);
  const figureRows = rowsOf(card.metrics.filter(({ dimension }) => dimension === undefined), runs);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Evaluation card</title><style>${STYLE}</style></head><body>
<h1>Evaluation card</h1>
<p>${escapeHtml(heading(summary))}</p>
<h2>Criteria</h2>${table(['what', 'wanted', 'got', 'met'], criteria)}
<h2>Plots</h2><div class="plots">${plotsOf(content).join('\n')}</div>
<h2>Distances between sets</h2>${distanceTable(card)}
${memorisationPart(card, pairs)}
<h2>${effects.title}</h2><p>${escapeHtml(effects.note ?? '')}</p>${table(effects.head, effects.rows)}
<h2>Every figure, mean [95 % interval] (n)</h2>${single ? `<p>${leftOutNote}</p>` : ''}
${table(['figure', ...runs], figureRows)}
<h2>How it was measured</h2>${manifestList(card)}
<h2>Contact sheets</h2>
${sheets.map(picture).join('\n')}
<footer>Synthetic pictures, not for diagnosis.</footer>
</body></html>
`;
}

function memorisationPart(card: Card, pairs: string | null): string {
  const tables = memorisationTables(card.memorisation).map(({ title, note, head, rows }) =>
    `<h2>${escapeHtml(title)}</h2><p>${escapeHtml(note)}</p>${table(head, rows)}`);
  return [...tables, ...(pairs === null ? [] : [picture(pairs)])].join('\n');
}

function picture(file: string): string {
  return `<p><img alt="${escapeHtml(basename(file, '.png'))}" src="data:image/png;base64,` +
    `${readFileSync(file).toString('base64')}"></p>`;
}

function plotsOf({ card, summary, distances, results }: CardContent): string[] {
  const dots = (metrics: readonly Metric[]) => metrics.flatMap(({ run, value, low, high }) =>
    (value === null ? [] : [{ label: run, value, low, high }]));
  const figurePlots = plotted.flatMap((name) => {
    const [inMm, px] = [name, inPixels(name)].map((wanted) => card.metrics.filter((metric) => metric.name === wanted));
    const own = inMm.length > 0 ? inMm : px;
    return own.length === 0 ? [] : [dotPlot(own[0].title, own[0].unit, dots(own))];
  });
  const frechetPlots = card.manifest.extractors.flatMap(({ name }) => {
    const own = card.metrics.filter((metric) => metric.name === `frechet-${name}`);
    if (own.length === 0) return [];
    const { floor } = own[0];
    const halves = own.map((metric) =>
      ({ ...metric, value: metric.halves ?? null, low: null, high: null }));
    const beside = floor === undefined || floor === null ? []
      : [dotPlot(`${own[0].title}, at half the patients`, '', dots(halves),
        { value: floor, label: 'real against real' })];
    return [dotPlot(own[0].title, '', dots(own)), ...beside];
  });
  const runs = summary.settings.plan.runs.map(({ name }) => name);
  const chosen = wantedRuns(summary.settings.plan, ['mask', 'all']);
  const ef = ['real', ...chosen].map((run) => ({
    label: run,
    points: results.flatMap(({ runs: { [run]: own } }) => {
      const { 'ef-discs-asked': asked, 'ef-discs': found } = own.figures;
      return asked === null || found === null ? [] : [[asked, found] as const];
    }),
  })).filter(({ points }) => points.length > 0);
  const radii = results[0].runs.real.spectrum.length;
  const spectra = runs.map((run) => ({
    label: run,
    points: Array.from({ length: radii }, (_, r) => [(r + 1) / radii, results.reduce((sum, clip) =>
      sum + decibels(clip.runs[run].spectrum[r], clip.runs.real.spectrum[r]), 0) / results.length,
    ] as const).filter(([, value]) => Number.isFinite(value)),
  }));
  const infinity = distances.filter(({ run, infinity: line }) => chosen.includes(run) && line !== null)
    .map(({ extractor, run, infinity: line }) => ({
      label: `${extractor.frechet}, ${run}`,
      points: line!.points.map(({ n, value }) => [1 / n, value] as const),
    }));
  return [
    ...figurePlots, ...frechetPlots,
    ...(ef.length === 0 ? [] : [scatterPlot({ title: 'Ejection fraction by discs',
      x: 'asked for, %', y: 'found, %' }, ef, true)]),
    linePlot({ title: 'Radial power, generated over real', x: 'of Nyquist', y: 'dB' }, spectra),
    ...(infinity.length === 0 ? [] : [scatterPlot({ title: 'Frechet distances of subsets',
      x: '1 / n', y: 'distance' }, infinity)]),
  ];
}

function distanceTable({ metrics }: Card): string {
  const own = metrics.filter(({ dimension }) => dimension !== undefined);
  if (own.length === 0) return '<p>Too few patients, or no features.</p>';
  const short = (value: number | null | undefined, digits: number) =>
    (value === null || value === undefined ? '-' : value.toFixed(digits));
  return table(
    ['distance', 'run', 'n', 'value [95 % interval]', 'at endless n', 'halves', 'real against real',
      'ranks of dimension', 'weights'],
    own.map(({ title, run, n, value, low, high, digits, infinity, halves, floor, ranks, dimension,
      sha256 }) => [
      title, run, `${n}`, `${short(value, digits)} [${short(low, digits)}, ${short(high, digits)}]`,
      short(infinity, digits), short(halves, digits), short(floor, digits),
      ranks === undefined ? '-' : `${ranks.join(', ')} of ${dimension}` +
        `${Math.min(...ranks) < dimension! ? ' (deficient)' : ''}`,
      sha256?.slice(0, 12) ?? '-',
    ]));
}

function rowsOf(metrics: readonly Metric[], runs: readonly string[]): string[][] {
  const names = [...new Set(metrics.map(({ name }) => name))];
  return names.map((name) => {
    const own = metrics.filter((metric) => metric.name === name);
    const [{ title, unit, digits }] = own;
    return [unit === '' ? title : `${title}, ${unit}`, ...runs.map((run) => {
      const found = own.find((metric) => metric.run === run);
      if (found === undefined || found.value === null) return '-';
      const { value: mean, low, high, n } = found;
      return `${written({ mean, low: low ?? mean, high: high ?? mean, n }, digits)} (${n})`;
    })];
  });
}

function manifestList({ manifest, made }: Card): string {
  const { data, extractors, lpips, ...rest } = manifest;
  const files = Object.values(data.clips).reduce((sum, clip) => sum + Object.keys(clip.files).length, 0);
  const rows: [string, string][] = [
    ...Object.entries(made).map(([name, value]) => [name, String(value)] as [string, string]),
    ['data', `${data.n} ${unitName(manifest.frames)} of ${data.patients} patients, ${data.split} split; sha256 of ` +
      `${files} files in card.json`],
    ...Object.entries(rest).map(([name, value]) => [name, String(value ?? 'none')] as [string, string]),
    ...extractors.map(({ name, network, sha256, dimension, input }) =>
      [name, `${network}, ${dimension} features, sha256 ${sha256}; ${input}`] as [string, string]),
    ...(lpips === undefined ? [] : [['lpips', `${lpips.network}, sha256 ${lpips.sha256}; ${lpips.input}`] as
      [string, string]]),
  ];
  return `<dl>${rows.map(([name, value]) =>
    `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd>`).join('')}</dl>`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cell = (kind: 'td' | 'th', text: string) =>
    `<${kind}${text === 'NO' ? ' class="no"' : text === 'yes' ? ' class="yes"' : ''}>` +
    `${escapeHtml(text)}</${kind}>`;
  const row = (kind: 'td' | 'th', cells: readonly string[]) =>
    `<tr>${cells.map((text) => cell(kind, text)).join('')}</tr>`;
  return `<div class="scroll"><table>${row('th', head)}${rows.map((cells) => row('td', cells)).join('')}` +
    '</table></div>';
}
