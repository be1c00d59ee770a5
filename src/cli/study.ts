/** `./heartbeat study`: a declared table of methods, conditions and views; `study usefulness`. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Option, type Command } from 'commander';
import type { StudyPart } from '../study/study.ts';
import type { StudyConfig } from '../study/study-config.ts';
import { configKey } from '../training/run-folder.ts';
import { integer, repeated } from './console/flags.ts';
import { expectWritable } from './console/output-folder.ts';
import { formatDuration } from './console/progress.ts';
import { catchSignals, receivedSignal } from './console/signals.ts';
import { Interrupted, ofFlag, UserError } from './console/user-error.ts';
import { consoleWatch } from './console-watch.ts';
import { chooseDType } from './dtype-choice.ts';
import { registerUsefulness } from './study-usefulness.ts';

const examples = `
Examples:
  ./heartbeat study --preset tiny --output runs/study-tiny     a whole study in seconds
  ./heartbeat study --output runs/table --dry-run              what the paper's table takes here
  ./heartbeat study --output runs/table                        trains, evaluates, writes it
  ./heartbeat study my-study.yaml --data CAMUS --output runs/mine
  ./heartbeat study --output runs/table --only moonshot        one method, while another process does another
  ./heartbeat study usefulness --data CAMUS --checkpoint runs/camus --output runs/usefulness

Without FILE it is studies/table.yaml, the paper's table; --preset tiny is studies/tiny.yaml. Everything
is resumable: Ctrl+C saves, and the same command goes on, training by training and clip by clip.
Written: table.md, table.csv, table.tex, table.json, figure.png, figure/, and a card for every cell below
cells/. docs/study.md tells what a file may hold.`;

interface StudyFlags {
  readonly preset?: 'tiny' | 'small';
  readonly data?: string;
  readonly output: string;
  readonly dryRun?: boolean;
  readonly only: readonly string[];
  readonly device: string;
  readonly dtype?: 'float32' | 'bf16';
  readonly threads?: number;
}

export function register(command: Command): void {
  command
    .description('Train, generate and measure what a study file declares, and write its table.')
    .argument('[file]', 'YAML (default: studies/table.yaml)')
    .addOption(new Option('--preset <name>', 'a study that ships here: tiny, or small (the paper\'s table)')
      .choices(['tiny', 'small']))
    .option('--data <folder>', 'another data set than the file\'s, in the layout of CAMUS')
    // not a required one: commander would ask for it before `study usefulness` is reached
    .option('--output <folder>', 'everything that the study makes; may hold a part of it')
    .option('--dry-run', 'say what is done and what is missing, and how long it will take')
    .option('--only <part>', 'shared, a method, or a cell such as heartbeat/T-S-I, and no table: several processes ' +
      'can share the work, `--only shared` first (repeatable)', repeated, [])
    .addOption(new Option('--dtype <name>',
      'of sampling (default: bf16 on CUDA and where the processor computes it, else float32)').choices(['float32', 'bf16']))
    .option('--device <name>', 'cpu, cuda, cuda:0 or mps', 'cpu')
    .option('--threads <n>', 'CPU threads (default: all cores)', integer({ min: 1 }))
    .addHelpText('after', examples)
    .action(run);
  registerUsefulness(command);
}

async function run(file: string | undefined, flags: StudyFlags): Promise<void> {
  if (flags.output === undefined) {
    throw new UserError('--output: expected a folder, got nothing (see study --help)', { exitCode: 2 });
  }
  if (file !== undefined && flags.preset !== undefined) {
    throw new UserError(`--preset and ${file}: expected one of them, got both`, { exitCode: 2 });
  }
  if (file !== undefined && !existsSync(file)) {
    throw new UserError(`expected a study's YAML file (or the word usefulness), got no such file: ${file}`,
      { exitCode: 2 });
  }
  if (flags.dryRun && flags.only.length > 0) {
    throw new UserError('--dry-run and --only: expected one of them, got both', { exitCode: 2 });
  }
  if (!flags.dryRun) expectWritable(flags.output);
  const { readStudy } = await import('../study/study-config.ts');
  const { setThreads } = await import('../tensor/device.ts');
  if (flags.threads !== undefined) setThreads(flags.threads);
  const given = flags.data === undefined ? {} : { data: resolve(flags.data) };
  const study = readStudy(file ?? shipped(flags.preset === 'tiny' ? 'tiny' : 'table'), given);
  const output = resolve(flags.output);
  if (flags.only.length > 0) await checkParts(study, output, flags.only);
  if (flags.dryRun) return dryRun(study, output, flags);
  catchSignals();
  const { runStudy, runStudyParts } = await import('../study/study.ts');
  const asked = { float32: 'float32', bf16: 'bfloat16' } as const;
  const dtype = flags.dtype === undefined ? chooseDType(flags.device) : asked[flags.dtype];
  const options = { study, output, device: flags.device, dtype, ...consoleWatch() };
  const files = flags.only.length === 0 ? await runStudy(options)
    : await runStudyParts(options, flags.only) ? {} : null;
  if (files === null) {
    throw new Interrupted(receivedSignal() ?? 'SIGINT', 'stopped, everything finished is kept: the same command goes on');
  }
  for (const path of Object.values(files)) if (path !== null) process.stdout.write(`${path}\n`);
}

async function checkParts(study: StudyConfig, output: string, only: readonly string[]): Promise<void> {
  const { cellsOf } = await import('../study/cells.ts');
  const { expectParts } = await import('../study/parts.ts');
  ofFlag('--only', () => expectParts(only, cellsOf(study, output)));
}

function shipped(name: 'tiny' | 'table'): string {
  return fileURLToPath(new URL(`../../studies/${name}.yaml`, import.meta.url));
}

async function dryRun(study: StudyConfig, output: string, flags: StudyFlags): Promise<void> {
  const { studyParts, shareLeft } = await import('../study/study.ts');
  const { estimateStage, estimateSampling } = await import('../training/estimate.ts');
  const { sharedConfig } = await import('../study/budget.ts');
  const dtype = chooseDType(flags.device);
  const { recipePrecision } = await import('../training/precision.ts');
  const parts = studyParts(study, output, {
    device: flags.device, report: (line) => process.stderr.write(`${line}\n`),
  });
  const missing = parts.filter((part) => part.done < part.total);
  const clip = missing.some(({ unit }) => unit === 'clips')
    ? await estimateSampling(sharedConfig(study), dtype, flags.device) : null;
  const perClip = clip === null ? 0 : clip.control + study.sampling.steps * clip.perStep + clip.decode;
  const seconds = (part: StudyPart): number => {
    if (part.done >= part.total) return 0;
    if (part.task === null) return perClip * (part.total - part.done);
    return shareLeft(part)
      * estimateStage(part.task.stage, { config: part.task.config, device: flags.device }).total;
  };
  const width = Math.max(...parts.map(({ label }) => label.length));
  let sum = 0;
  for (const part of parts) {
    const left = seconds(part);
    sum += left;
    const type = part.task === null ? ''
      : { no: ', float32', bf16: ', bf16' }[recipePrecision(configKey(part.task.stage), part.task.config)];
    const state = part.done >= part.total ? 'done' : `missing, about ${formatDuration(left)}${type}`;
    process.stdout.write(
      `${part.label.padEnd(width)}  ${`${part.done}/${part.total} ${part.unit}`.padStart(16)}  ${state}\n`);
  }
  process.stdout.write(`${missing.length} of ${parts.length} missing, about ${formatDuration(sum)} on this ` +
    'machine (from two trial steps of each; measuring and preparing clips come on top)\n');
}

