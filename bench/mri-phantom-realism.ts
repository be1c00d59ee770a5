/**
 * MRI phantom volumes against real ones of M&Ms, read by the same reader: grey levels by tissue and
 * vendor at the reader's window, slices, areas, ejection fraction.
 *
 *   node --import tsx bench/mri-phantom-realism.ts <M&Ms folder> <MRI phantom folder>
 *
 * Only figures leave this program. Means over volumes of vendors A and B; histograms are of ED,
 * eight bins of equal width from black to white, in percent.
 */
import { listMnmsVolumes, readMnmsVolume, type MnmsSource } from '../src/data/mnms.ts';
import { MNMS_WINDOW } from '../src/data/mnms.ts';
import { labelledSlices } from '../src/data/slices.ts';
import { percentileWindow } from '../src/data/window.ts';

const tissues = ['rest', 'LV', 'MYO', 'RV'] as const;
const bins = 8;

interface Figures { readonly values: Record<string, number>; readonly histogram: number[][] }

function measure(source: MnmsSource): Figures {
  const { image, mask } = readMnmsVolume(source);
  if (mask === null) throw new Error(`${source.id}: expected masks, got none`);
  const { low, high } = percentileWindow(image, MNMS_WINDOW);
  const { first, last } = labelledSlices(mask, source.phase);
  const size = image.width * image.height;
  const sums = tissues.map(() => ({ n: 0, sum: 0, square: 0 }));
  const histogram = tissues.map(() => new Array<number>(bins).fill(0));
  for (let i = first * size; i < (last + 1) * size; i++) {
    const level = Math.min(1, Math.max(0, (image.data[i] - low) / (high - low)));
    const into = sums[mask.data[i]];
    into.n += 1;
    into.sum += level;
    into.square += level * level;
    histogram[mask.data[i]][Math.min(bins - 1, Math.floor(level * bins))] += 1;
  }
  const values: Record<string, number> = {};
  sums.forEach(({ n, sum, square }, k) => {
    values[`mean ${tissues[k]}`] = sum / n;
    values[`deviation ${tissues[k]}`] = Math.sqrt(square / n - (sum / n) ** 2);
  });
  values['MYO / LV'] = values['mean MYO'] / values['mean LV'];
  values['slices'] = image.frames;
  values['labelled slices'] = last - first + 1;
  const area = (label: number): number => (100 * sums[label].n) / (size * (last - first + 1));
  for (const k of [1, 2, 3]) values[`area of a slice ${tissues[k]}, %`] = area(k);
  return { values, histogram: histogram.map((row, k) => row.map((n) => (100 * n) / sums[k].n)) };
}

function summarize(folder: string, vendor: string): Figures & { count: number } {
  const sources = listMnmsVolumes(folder, { phases: ['ED'] }).filter((one) => one.vendor === vendor);
  const all = sources.map(measure);
  const mean = (of: (one: Figures) => number): number =>
    all.reduce((sum, one) => sum + of(one), 0) / all.length;
  const values = Object.fromEntries(Object.keys(all[0].values).map((name) =>
    [name, mean((one) => one.values[name])]));
  return { values, count: all.length, histogram: tissues.map((_, k) =>
    Array.from({ length: bins }, (__, b) => mean((one) => one.histogram[k][b]))) };
}

const [real, phantom] = process.argv.slice(2);
if (phantom === undefined) {
  console.error('usage: mri-phantom-realism.ts <M&Ms folder> <MRI phantom folder>');
  process.exit(2);
}
for (const vendor of ['A', 'B']) {
  const [left, right] = [summarize(real, vendor), summarize(phantom, vendor)];
  console.log(`\nvendor ${vendor}: ${left.count} real, ${right.count} phantom volumes at ED`);
  for (const name of Object.keys(left.values)) {
    const [a, b] = [left.values[name], right.values[name]].map((value) => value.toFixed(3));
    console.log(`${name.padEnd(26)}${a.padStart(8)}${b.padStart(10)}`);
  }
  tissues.forEach((tissue, k) => {
    for (const [name, { histogram }] of [['real', left], ['phantom', right]] as const) {
      const row = histogram[k].map((part) => part.toFixed(0).padStart(4)).join('');
      console.log(`${tissue.padEnd(6)}${name.padEnd(9)}${row}`);
    }
  });
}
