/**
 * This engine beside PyTorch on the same libtorch, in one run: `npm run bench`, or
 * node --import tsx bench/engine.ts [--rounds 5] [--iterations 5] [--threads N]
 *   [--parts operators,train,sample] [--dtypes float32,bfloat16]
 *
 * Processes of the two sides take turns (A B A B ...); a ratio is taken of each pair and the
 * medians are printed, as Markdown. Exit 1 when the sides' float32 outputs differ.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { processor } from '../src/cli/machine.ts';
import { physicalCores } from '../src/tensor/cores.ts';
import { findLibtorch } from '../src/tensor/libtorch.ts';
import { presets } from '../src/training/presets.ts';
import { jobFor, type Measurement, type Part, type Precision, type Report } from './engine-job.ts';
import { pythonOf } from './engine-python.ts';

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    iterations: { type: 'string', default: '5' },
    threads: { type: 'string', default: String(physicalCores()) },
    parts: { type: 'string', default: 'operators,train,sample' },
    dtypes: { type: 'string', default: 'float32,bfloat16' },
  },
});
const [rounds, iterations, threads] = [flags.rounds, flags.iterations, flags.threads].map(Number);
const parts = flags.parts.split(',') as Part[];
const dtypes = flags.dtypes.split(',') as Precision[];
/** Of outputs in float32: the orders of sums differ, nothing else. */
const largestDifference = 1e-4;

/** What this engine tells malloc itself, told to both sides alike. */
const malloc = {
  MALLOC_MMAP_THRESHOLD_: String(32 << 20),
  MALLOC_TRIM_THRESHOLD_: String(512 << 20),
};
const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'heartbeat-bench-'));

type Side = 'engine' | 'python';
interface Turn {
  readonly parts: readonly Part[];
  readonly dtype: Precision;
  readonly channelsLast?: boolean;
  readonly memory?: boolean;
}

function runSide(side: Side, python: string, turn: Turn): Report {
  const { channelsLast = false, memory = false } = turn;
  const options = { ...turn, channelsLast, memory, threads, iterations, warmUp: 2, folder };
  const job = JSON.stringify(jobFor(presets.small().model, options));
  const [program, ...args] =
    side === 'engine'
      ? [process.execPath, '--import', 'tsx', here('engine-side.ts'), job]
      : [python, here('engine.py'), job];
  const env = { ...process.env, ...malloc, OMP_NUM_THREADS: String(threads) };
  const output = execFileSync(program, args, {
    encoding: 'utf8',
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return JSON.parse(output.trim().split('\n').at(-1)!) as Report;
}

/** |a - b| / |b| of the two sides' outputs of a name, Euclidean. */
function difference(name: string): number {
  const [a, b] = (['engine', 'python'] as const).map((side) => {
    const bytes = readFileSync(join(folder, `${side}-${name}.f32`));
    return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  });
  if (a.length !== b.length || a.length === 0) return Infinity;
  let [off, size] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    off += (a[i] - b[i]) ** 2;
    size += b[i] ** 2;
  }
  return Math.sqrt(off / size);
}

const outputs = {
  sample: 'latents after a guided DDIM step',
  loss: 'loss and gradient norm',
  gradients: 'gradients of all weights',
  weights: 'weights after a training step',
  average: 'their moving average',
};

function compareOutputs(python: string): boolean {
  console.log(`\n| output | ${dtypes.join(' | ')} |\n|---|${dtypes.map(() => '---:|').join('')}`);
  const columns = dtypes.map((dtype) => {
    for (const side of ['engine', 'python'] as const) {
      runSide(side, python, { parts: ['check'], dtype });
    }
    return Object.keys(outputs).map(difference);
  });
  Object.values(outputs).forEach((text, row) => {
    const cells = columns.map((column) => column[row].toExponential(1));
    console.log(`| ${text} | ${cells.join(' | ')} |`);
  });
  const exact = dtypes.indexOf('float32');
  return exact < 0 || columns[exact].every((value) => value < largestDifference);
}

interface Row {
  readonly name: string;
  readonly dtype: Precision;
  readonly layout: string;
  readonly pairs: { readonly engine: Measurement; readonly python: Measurement }[];
}

/** One part in one precision; PyTorch in the memory format that a first trial finds faster. */
function measure(python: string, part: Part, dtype: Precision): Row[] {
  const turn = { parts: [part], dtype };
  const trials = [false, true].map(
    (channelsLast) => runSide('python', python, { ...turn, channelsLast }).results,
  );
  const best = new Map(
    Object.keys(trials[0]).map((name) => [name, trials[1][name].wall < trials[0][name].wall]),
  );
  const rows = [...best].map(([name, last]): Row => ({
    name,
    dtype,
    layout: /^conv|step$/.test(name) ? (last ? 'channels last' : 'contiguous') : '',
    pairs: [],
  }));
  for (let round = 0; round < rounds; round++) {
    console.error(`bench: ${dtype} ${part}, round ${round + 1} of ${rounds}`);
    const engine = runSide('engine', python, turn).results;
    const memory = round === 0;
    const byLayout = new Map(
      [...new Set(best.values())].map((channelsLast) => [
        channelsLast,
        runSide('python', python, { ...turn, channelsLast, memory }).results,
      ]),
    );
    for (const { name, pairs } of rows) {
      pairs.push({ engine: engine[name], python: byLayout.get(best.get(name)!)![name] });
    }
  }
  return rows;
}

function median(values: (number | undefined)[]): number {
  const sorted = values.filter((value) => value !== undefined).sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

type Key = keyof Measurement;

function cells({ pairs }: Row, key: Key, show: (value: number) => string): string[] {
  const [engine, python] = (['engine', 'python'] as const).map((side) =>
    median(pairs.map((pair) => pair[side][key])),
  );
  const ratios = pairs.map((pair) =>
    pair.python[key] === undefined ? undefined : pair.engine[key]! / pair.python[key],
  );
  return [show(engine), show(python), median(ratios).toFixed(2)];
}

const milliseconds = (value: number) => (value < 0.1 ? value.toFixed(4) : value.toFixed(2));
const mebibytes = (value: number) => (value / 2 ** 20).toFixed(0);

function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const rule = head.map((_, i) => (i < 3 ? '---|' : '---:|')).join('');
  console.log(`\n| ${head.join(' | ')} |\n|${rule}`);
  for (const row of rows) console.log(`| ${row.join(' | ')} |`);
}

function printRows(rows: readonly Row[]): void {
  const first = ['measured', 'dtype', "PyTorch's format"];
  const told = ({ name, dtype, layout }: Row) => [name, dtype, layout];
  printTable(
    [...first, 'engine ms', 'PyTorch ms', 'ratio', 'ratio of CPU time'],
    rows.map((row) => [
      ...told(row),
      ...cells(row, 'wall', milliseconds),
      cells(row, 'processor', milliseconds)[2],
    ]),
  );
  const steps = rows.filter(({ name }) => name.endsWith('step'));
  if (steps.length === 0) return;
  printTable(
    [...first, 'engine MiB', 'PyTorch MiB', 'ratio', 'tensors MiB', 'PyTorch MiB', 'ratio'],
    steps.map((row) => [
      ...told(row),
      ...cells(row, 'resident', mebibytes),
      ...cells(row, 'tensors', mebibytes),
    ]),
  );
}

try {
  const libtorch = findLibtorch();
  const python = pythonOf(libtorch);
  console.log(
    `libtorch ${libtorch.version} (${libtorch.origin}), ${threads} threads, ` +
      `${processor().name}; ${rounds} rounds of ${iterations} iterations; ` +
      Object.entries(malloc).map(([name, value]) => `${name}=${value}`).join(' '),
  );
  runSide('engine', python, { parts: ['weights'], dtype: 'float32' });
  if (!compareOutputs(python)) {
    process.exitCode = 1;
    console.error(`bench: expected float32 outputs within ${largestDifference} of PyTorch's`);
  }
  printRows(dtypes.flatMap((dtype) => parts.flatMap((part) => measure(python, part, dtype))));
} catch (error) {
  console.error(`bench: ${(error as Error).message}`);
  process.exitCode = 2;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
