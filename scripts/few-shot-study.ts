/**
 * few-shot-study.ts DATA FOLDER [flags]: ultrasound initialisation against training from scratch, at
 * several numbers of MRI volumes with the same seed, volumes and budget. Everything lies in FOLDER; a
 * stopped study goes on with the same command. Prints a table and writes FOLDER/study.md.
 *
 * --checkpoint FOLDER (models/small), --volumes 5,15,24, --steps 300, --segmenter-steps 1000,
 * --clips 8 (volumes measured), --sampling-steps 12, --seed 0, --preset small, --threads N, --device cpu,
 * --parallel 1 (trainings side by side: for a card, which one of them does not fill)
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { alignCells, type SliceSummary } from '../src/evaluation/slice-results.ts';
import { inLanes } from '../src/frames/worker.ts';
import { modelHash, readModelIndex } from '../src/heartbeat/model-folder.ts';

const heartbeat = fileURLToPath(new URL('../heartbeat', import.meta.url));
const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    checkpoint: { type: 'string', default: fileURLToPath(new URL('../models/small', import.meta.url)) },
    volumes: { type: 'string', default: '5,15,24' }, steps: { type: 'string', default: '300' },
    'segmenter-steps': { type: 'string', default: '1000' }, clips: { type: 'string', default: '8' },
    'sampling-steps': { type: 'string', default: '12' }, seed: { type: 'string', default: '0' },
    preset: { type: 'string', default: 'small' }, threads: { type: 'string' }, device: { type: 'string' },
    parallel: { type: 'string', default: '1' },
  },
});
const [data, output] = positionals.map((path) => resolve(path));
if (output === undefined || positionals.length !== 2) {
  throw new Error('expected a data set in the M&Ms layout and a folder to write: few-shot-study.ts DATA FOLDER');
}
const common = ['--data', data, '--seed', flags.seed, ...(flags.threads ? ['--threads', flags.threads] : []),
  ...(flags.device ? ['--device', flags.device] : [])];
const recipe = ['--preset', flags.preset, '--cache', join(output, 'cache'), '--resume-from-checkpoint', 'latest'];
const inits = [
  { name: 'ultrasound', extra: [] },
  { name: 'scratch', extra: ['--from-scratch'] },
] as const;

/** Runs a command of ours. @throws when it fails */
async function run(...args: string[]): Promise<void> {
  process.stderr.write(`heartbeat ${args.join(' ')}\n`);
  const [status, signal] = await once(spawn(heartbeat, args, { stdio: ['ignore', 'ignore', 'inherit'] }), 'exit') as
    [number | null, string | null];
  if (status === 0) return;
  process.exitCode = status ?? 1;
  throw new Error(`heartbeat ${args[0]} ended with ${signal ?? status}; the same command goes on`);
}

/** Whether the model is finished; one of another budget or start is a mistake that would go unseen. */
function isTrained(folder: string, count: number): boolean {
  const model = join(folder, 'few-shot', 'model');
  if (!existsSync(model)) return false;
  const { steps, start, volumes } = readModelIndex(model).card as { steps: number; start: string; volumes: string[] };
  if (steps === Number(flags.steps) && start === modelHash(flags.checkpoint) && volumes.length <= count) return true;
  throw new Error(`${model}: expected ${flags.steps} steps from ${flags.checkpoint}, got another study's model: ` +
    'take another FOLDER');
}

const segmenter = join(output, 'segmenter', 'model');
const cells = flags.volumes.split(',').map(Number).flatMap((count) =>
  inits.map(({ name, extra }) => ({ name, count, extra, folder: join(output, `${name}-${count}`) })));
try {
  if (!existsSync(segmenter)) {
    await run('train', 'segmenter', ...common, ...recipe, '--output', output,
      '--max-train-steps', flags['segmenter-steps']);
  }
  await inLanes(cells.length, Number(flags.parallel), async (i) => {
    const { count, extra, folder } = cells[i];
    if (!isTrained(folder, count)) {
      await run('train', 'few-shot', ...common, ...recipe, ...extra, '--output', folder, '--volumes', String(count),
        '--checkpoint', flags.checkpoint, '--max-train-steps', flags.steps);
    }
    await run('evaluate', ...common, '--checkpoint', join(folder, 'few-shot', 'model'), '--segmenter', segmenter,
      '--output', join(folder, 'evaluation'), '--clips', flags.clips, '--steps', flags['sampling-steps'],
      '--sampler', 'dpm-solver++', '--guidance-scale', '1');
  });
} catch (error) { // those that run beside it are whole by now
  process.stderr.write(`stopped: ${(error as Error).message}\n`);
  process.exit(process.exitCode ?? 1);
}
const written = ({ mean, low, high }: { mean: number; low: number; high: number }, digits = 3) =>
  `${mean.toFixed(digits)} [${low.toFixed(digits)}, ${high.toFixed(digits)}]`;
const rows = cells.flatMap(({ name, count, folder }, i): string[][] => {
  const { runs } = JSON.parse(readFileSync(join(folder, 'evaluation', 'report.json'), 'utf8')) as SliceSummary;
  const { seconds } = readModelIndex(join(folder, 'few-shot', 'model')).card;
  const dice = (of: SliceSummary['runs']['real']) =>
    (['dice-lv', 'dice-myo', 'dice-rv'] as const).map((figure) => written(of[figure]!));
  const real = ['real', '-', ...dice(runs.real), '-', '-', '-', '-'];
  const row = [name, String(count), ...dice(runs.mask), written(runs['no mask']['dice-lv']!),
    written(runs.mask.ssim!), written(runs.mask.psnr!, 2), String(seconds)];
  return i === 0 ? [real, row] : [row];
});
const head = ['start', 'volumes', 'LV Dice', 'MYO Dice', 'RV Dice', 'LV Dice, no mask', 'SSIM', 'PSNR, dB', 'seconds'];
const table = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
writeFileSync(join(output, 'study.md'), `${table}\n`);
process.stdout.write(`${alignCells([head, ...rows])}\n`);
