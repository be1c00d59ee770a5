/** `./heartbeat memorisation build`: an index of training clips, calibrated. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { integer, number } from './console/flags.ts';
import { catchSignals, receivedSignal } from './console/signals.ts';
import { Interrupted, UserError } from './console/user-error.ts';
import { expectWritable } from './console/output-folder.ts';
import { judgedSize, openGateNetworks, releasedEchoFeatures, showIndexing } from './memorisation-gate.ts';

interface BuildFlags {
  readonly data: string;
  readonly output: string;
  readonly checkpoint?: string;
  readonly echoFeatures: string;
  readonly falseAlarmRate?: number;
  readonly device: string;
  readonly threads?: number;
}

export function register(command: Command): void {
  command
    .description('Index the training clips of a data set and calibrate on its validation patients.')
    .requiredOption('--data <folder>', 'what the model was trained on, in the layout of CAMUS')
    .requiredOption('--output <folder>', 'folder of the index; one of the same clips is kept, a stale one replaced')
    .option('--checkpoint <folder>', 'model folder or run that says side and frames (default: the released one)')
    .option('--echo-features <folder>', 'networks of features (default: the released ones)', releasedEchoFeatures)
    .option('--false-alarm-rate <x>', 'share of real clips that each space may mark (default: 0.05)',
      number({ min: 0 }))
    .option('--device <name>', 'cpu, cuda, cuda:0 or mps', 'cpu')
    .option('--threads <n>', 'CPU threads (default: all cores)', integer({ min: 1, max: 1024 }))
    .action(build);
}

async function build(flags: BuildFlags): Promise<void> {
  const { data, device, falseAlarmRate } = flags;
  const output = resolve(flags.output);
  if (falseAlarmRate !== undefined && !(falseAlarmRate > 0 && falseAlarmRate <= 0.5)) {
    throw new UserError(`--false-alarm-rate: expected a share above 0 and up to 0.5, got ${falseAlarmRate}`,
      { exitCode: 2 });
  }
  expectWritable(output);
  const { isMnms } = await import('../data/mnms-folder.ts');
  if (isMnms(data)) {
    throw new UserError(`--data ${data}: expected echocardiograms in the layout of CAMUS, got M&Ms`, { exitCode: 2 });
  }
  const { openModel } = await import('./model-choice.ts');
  const { size } = openModel(flags.checkpoint);
  const { resolution, frames } = judgedSize(size);
  const { buildIndex, indexSources } = await import('../evaluation/memorisation/build.ts');
  const { itemNouns } = await import('../evaluation/memorisation/items.ts');
  const { staleness, readIndex } = await import('../evaluation/memorisation/index-file.ts');
  const { calibrationText, powerTables } = await import('../evaluation/memorisation/tables.ts');
  const { textTable } = await import('../evaluation/report.ts');
  const { setThreads } = await import('../tensor/device.ts');
  if (flags.threads !== undefined) setThreads(flags.threads);
  catchSignals();
  const options = { data, resolution, frames, falseAlarmRate };
  const sources = indexSources(options);
  const echo = await openGateNetworks(flags.echoFeatures, frames, device);
  try {
    const stopRequested = () => receivedSignal() !== null;
    const kept = attempt(() => readIndex(output));
    const fresh = kept !== null && staleness(kept, echo.extractors, sources) === null;
    const index = fresh ? kept : await buildIndex({
      ...options, output, extractors: echo.extractors, onProgress: showIndexing(), stopRequested,
    }, sources);
    if (index === null) throw new Interrupted(receivedSignal()!, 'stopped: no index was written');
    const { clips } = index.about;
    const patients = new Set(clips.map(({ patient }) => patient)).size;
    const lines = [
      `${clips.length} training ${itemNouns(frames)[1]} of ${patients} patients${fresh ? ', indexed before' : ''}`,
      calibrationText(index.about), ...powerTables(index.about).map((table) => `\n${textTable(table)}`),
      `${output}`,
    ];
    process.stdout.write(`${lines.join('\n')}\n`);
  } finally {
    echo.dispose();
  }
}

/** Null where there is no index, or a damaged one: it is built then. */
function attempt<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}
