/** The plots of a card as SVG: plain shapes and text, no script. */

export interface Dot {
  readonly label: string;
  readonly value: number;
  readonly low: number | null;
  readonly high: number | null;
}

export interface Series {
  readonly label: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface Axes {
  readonly title: string;
  readonly x: string;
  readonly y: string;
}

const COLOURS = ['#1f6fb4', '#d1495b', '#2a9d5c', '#8d5fb0', '#c7841a', '#3d8f95', '#6b6f76'];
const INK = '#1c1e22';
const FAINT = '#8a8f98';
const WIDTH = 430;

/** One row a dot, with its interval; a line at `reference`, such as the real-against-real floor. */
export function dotPlot(
  title: string, unit: string, dots: readonly Dot[],
  reference?: { readonly value: number; readonly label: string },
): string {
  const [left, right, row] = [150, 14, 20];
  const ends = dots.flatMap(({ value, low, high }) => [value, low ?? value, high ?? value]);
  const scale = scaleOf([...ends, ...(reference === undefined ? [] : [reference.value])], left,
    WIDTH - right);
  const height = 44 + row * dots.length + 30;
  const bottom = 36 + row * dots.length;
  const parts = [
    text(0, 14, title + (unit === '' ? '' : `, ${unit}`), { bold: true }),
    ...axis(scale, bottom),
    ...(reference === undefined ? [] : [
      line(scale.at(reference.value), 26, scale.at(reference.value), bottom, FAINT, '4 3'),
      text(scale.at(reference.value), 24, reference.label, { anchor: 'middle', colour: FAINT, size: 10 }),
    ]),
    ...dots.flatMap(({ label, value, low, high }, i) => {
      const y = 40 + row * i;
      const colour = COLOURS[i % COLOURS.length];
      return [
        text(left - 8, y + 4, label, { anchor: 'end' }),
        ...(low === null || high === null ? []
          : [line(scale.at(low), y, scale.at(high), y, colour, undefined, 2)]),
        circle(scale.at(value), y, 3.5, colour),
      ];
    }),
  ];
  return svg(WIDTH, height, title, parts);
}

/** Points, one colour a series; `diagonal` draws y = x. */
export function scatterPlot(axes: Axes, series: readonly Series[], diagonal = false): string {
  return plane(axes, series, diagonal, (points, colour) =>
    points.map(([x, y]) => circle(x, y, 3, colour)));
}

/** A line a series. */
export function linePlot(axes: Axes, series: readonly Series[]): string {
  return plane(axes, series, false, (points, colour) => [
    `<polyline fill="none" stroke="${colour}" stroke-width="1.5" points="` +
      `${points.map(([x, y]) => `${digits(x)},${digits(y)}`).join(' ')}"/>`,
  ]);
}

function plane(
  { title, x, y }: Axes, series: readonly Series[], diagonal: boolean,
  draw: (points: readonly (readonly [number, number])[], colour: string) => string[],
): string {
  const [left, top, bottom] = [56, 26, 250];
  const legend = 16 * series.length;
  const all = series.flatMap(({ points }) => points);
  const [xs, ys] = [all.map(([value]) => value), all.map(([, value]) => value)];
  const both = diagonal ? [...xs, ...ys] : null;
  const across = scaleOf(both ?? xs, left, WIDTH - 14);
  const up = scaleOf(both ?? ys, bottom, top);
  const parts = [
    text(0, 14, title, { bold: true }), ...axis(across, bottom), ...sideAxis(up, left),
    text((left + WIDTH) / 2, bottom + 34, x, { anchor: 'middle', colour: FAINT }),
    `<g transform="translate(12 ${(top + bottom) / 2}) rotate(-90)">` +
      `${text(0, 0, y, { anchor: 'middle', colour: FAINT })}</g>`,
    ...(diagonal ? [line(across.at(across.from), up.at(across.from), across.at(across.to),
      up.at(across.to), FAINT, '4 3')] : []),
    ...series.flatMap(({ label, points }, i) => {
      const colour = COLOURS[i % COLOURS.length];
      const at = bottom + 54 + 16 * i;
      return [
        ...draw(points.map(([px, py]) => [across.at(px), up.at(py)] as const), colour),
        circle(left, at - 4, 3.5, colour), text(left + 10, at, label),
      ];
    }),
  ];
  return svg(WIDTH, bottom + 48 + legend, title, parts);
}

interface Scale {
  readonly from: number;
  readonly to: number;
  readonly ticks: readonly number[];
  readonly at: (value: number) => number;
}

/** Round ends and steps of 1, 2 or 5 times a power of ten, about five of them. */
function scaleOf(values: readonly number[], start: number, end: number): Scale {
  const known = values.filter(Number.isFinite);
  const [least, most] = [Math.min(...known, Infinity), Math.max(...known, -Infinity)];
  const [low, high] = known.length === 0 ? [0, 1]
    : least === most ? [least - 0.5, most + 0.5] : [least, most];
  const raw = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((n) => n * power).find((size) => size >= raw * (1 - 1e-9))!;
  const [from, to] = [Math.floor(low / step) * step, Math.ceil(high / step) * step];
  const count = Math.round((to - from) / step);
  const ticks = Array.from({ length: count + 1 }, (_, i) => Number((from + i * step).toPrecision(6)));
  return { from, to, ticks, at: (value) => start + ((value - from) / (to - from)) * (end - start) };
}

function axis(scale: Scale, y: number): string[] {
  return [line(scale.at(scale.from), y, scale.at(scale.to), y, FAINT), ...scale.ticks.flatMap((tick) => [
    line(scale.at(tick), y, scale.at(tick), y + 4, FAINT),
    text(scale.at(tick), y + 17, `${tick}`, { anchor: 'middle', colour: FAINT, size: 10 }),
  ])];
}

function sideAxis(scale: Scale, x: number): string[] {
  return [line(x, scale.at(scale.from), x, scale.at(scale.to), FAINT), ...scale.ticks.flatMap((tick) => [
    line(x - 4, scale.at(tick), x, scale.at(tick), FAINT),
    text(x - 7, scale.at(tick) + 4, `${tick}`, { anchor: 'end', colour: FAINT, size: 10 }),
  ])];
}

function svg(width: number, height: number, title: string, parts: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" ` +
    `viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(title)}" ` +
    `font-family="system-ui, sans-serif" font-size="12">${parts.join('')}</svg>`;
}

function line(
  x1: number, y1: number, x2: number, y2: number, colour: string, dash?: string, width = 1,
): string {
  const dashes = dash === undefined ? '' : ` stroke-dasharray="${dash}"`;
  return `<line x1="${digits(x1)}" y1="${digits(y1)}" x2="${digits(x2)}" y2="${digits(y2)}" ` +
    `stroke="${colour}" stroke-width="${width}"${dashes}/>`;
}

function circle(x: number, y: number, radius: number, colour: string): string {
  return `<circle cx="${digits(x)}" cy="${digits(y)}" r="${radius}" fill="${colour}"/>`;
}

interface TextOptions {
  readonly anchor?: 'start' | 'middle' | 'end';
  readonly colour?: string;
  readonly size?: number;
  readonly bold?: boolean;
}

function text(
  x: number, y: number, words: string,
  { anchor = 'start', colour = INK, size = 12, bold = false }: TextOptions = {},
): string {
  return `<text x="${digits(x)}" y="${digits(y)}" text-anchor="${anchor}" fill="${colour}" ` +
    `font-size="${size}"${bold ? ' font-weight="600"' : ''}>${escapeHtml(words)}</text>`;
}

function digits(value: number): string {
  return `${Number(value.toFixed(2))}`;
}

/** Text as it may stand in HTML, and in an attribute between double quotes. */
export function escapeHtml(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
