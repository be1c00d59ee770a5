/** The comparison of phantom and real frames as an SVG drawing: histograms and spectrum. */
import type { Summary } from './phantom-statistics.ts';

const cell = { width: 190, height: 120, gap: 26 };
const ink = { real: '#4a4f58', phantom: '#d1495b' };

export function drawComparison(real: Summary, phantom: Summary): string {
  const names = Object.keys(real.histograms);
  const parts = names.map((name, k) => panel(k, `${name}: grey level 0..255`, [
    { values: real.histograms[name], colour: ink.real },
    { values: phantom.histograms[name], colour: ink.phantom },
  ], 0, Math.max(...real.histograms[name], ...phantom.histograms[name])));
  const levels = [...real.spectrum, ...phantom.spectrum];
  parts.push(panel(names.length, 'radial power, dB, to Nyquist', [
    { values: real.spectrum, colour: ink.real }, { values: phantom.spectrum, colour: ink.phantom },
  ], Math.min(...levels), Math.max(...levels)));
  const width = (names.length + 1) * (cell.width + cell.gap) + cell.gap;
  const height = cell.height + 84;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"`,
    ` viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${width}" height="${height}" fill="white"/>`,
    `<text x="${cell.gap}" y="20" fill="${ink.real}">real CAMUS, 4CH</text>`,
    `<text x="${cell.gap + 130}" y="20" fill="${ink.phantom}">phantom, 4CH</text>`,
    ...parts, '</svg>',
  ].join('\n') + '\n';
}

function panel(column: number, title: string,
  lines: readonly { values: readonly number[]; colour: string }[], low: number,
  high: number): string {
  const left = cell.gap + column * (cell.width + cell.gap);
  const top = 48;
  const curves = lines.map(({ values, colour }) => {
    const points = values.map((value, k) => {
      const x = left + ((k + 0.5) / values.length) * cell.width;
      const y = top + cell.height * (1 - (value - low) / (high - low));
      return `${x.toFixed(1)},${y.toFixed(1)}`;
    });
    return `<polyline points="${points.join(' ')}" fill="none" stroke="${colour}"`
      + ' stroke-width="2"/>';
  });
  return [
    `<text x="${left}" y="${top - 8}" fill="#222">${title}</text>`,
    `<rect x="${left}" y="${top}" width="${cell.width}" height="${cell.height}"`,
    ' fill="none" stroke="#bbb"/>', ...curves,
  ].join('\n');
}
