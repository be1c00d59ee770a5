/** `./heartbeat memorisation check`: clips on disk against an index. */
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import {
  addGateFlags, checkGateFlags, expectThresholds, openGateNetworks, releasedEchoFeatures, type GateFlags,
} from './memorisation-gate.ts';
import { expectNewFolder } from './console/output-folder.ts';
import { catchSignals, throwIfStopped } from './console/signals.ts';
import { UserError } from './console/user-error.ts';

interface CheckFlags extends GateFlags {
  readonly index: string;
  readonly output?: string;
  readonly data?: string;
  readonly device: string;
}

const examples = `
Examples:
  ./heartbeat memorisation check out --index runs/small/memorisation --output checked
  ./heartbeat memorisation check a.nii.gz frames/ --index runs/small/memorisation --on-memorised block

A clip is a NIfTI file, or a folder of PNG frames; in other folders everything below is looked through
(of what sample wrote, video.nii.gz). It must have as many frames as the index. An index of
pictures (an image model's) judges every frame of a clip, or a PNG file; the nearest one counts.`;

/** Pairs on the picture. */
const SHOWN = 12;

export function register(command: Command): void {
  command
    .description('Compare clips with the training clips of an index.')
    .argument('<path...>', 'NIfTI files, folders of PNG frames, or folders of such')
    .requiredOption('--index <folder>', 'what memorisation build wrote')
    .option('--output <folder>', 'a new or empty folder for check.json and nearest.png (training pictures!)')
    .option('--data <folder>', 'the data set of the index: it must be unchanged, and its clips are shown whole')
    .option('--device <name>', 'cpu, cuda, cuda:0 or mps', 'cpu')
    .addHelpText('after', examples);
  for (const option of addGateFlags(command.createCommand('flags')).options) {
    if (option.long !== '--memorisation-index') command.addOption(option);
  }
  command.action(check);
}

async function check(paths: readonly string[], flags: CheckFlags): Promise<void> {
  const { index: folder, output, data, device, echoFeatures = releasedEchoFeatures, onMemorised = 'mark' } = flags;
  checkGateFlags({ ...flags, memorisationIndex: folder });
  if (output !== undefined) expectNewFolder(output);
  catchSignals();
  const { readIndex } = await import('../evaluation/memorisation/index-file.ts');
  const { indexSources } = await import('../evaluation/memorisation/build.ts');
  const { itemNouns } = await import('../evaluation/memorisation/items.ts');
  const { openGate } = await import('../evaluation/memorisation/gate.ts');
  const { drawPairs, worstFirst } = await import('../evaluation/memorisation/pairs.ts');
  const { trainingPictures } = await import('../evaluation/memorisation/section.ts');
  const { calibrationText } = await import('../evaluation/memorisation/tables.ts');
  const { textTable } = await import('../evaluation/report.ts');
  const { findClips, readUserClip } = await import('../inputs/clip-files.ts');
  const index = readIndex(folder);
  const { about } = index;
  if (onMemorised === 'block') expectThresholds(about, `--index ${folder}`);
  const found = findClips(paths);
  const size = { resolution: about.resolution, frames: about.frames };
  const echo = await openGateNetworks(echoFeatures, about.frames, device);
  try {
    const wanted = data === undefined ? size : indexSources({ ...size, data, falseAlarmRate: about.falseAlarmRate });
    const gate = openGate(index, echo.extractors, wanted, `--index ${folder}`);
    try {
      const pairs = [];
      for (const path of found) {
        await throwIfStopped();
        const read = () => readUserClip(path, about.frames === 1 ? { resolution: about.resolution } : size);
        pairs.push({ name: path, verdict: gate.check(read())!, video: read });
      }
      const ordered = worstFirst(pairs, index);
      const marked = ordered.filter(({ verdict }) => verdict.marked !== null && verdict.marked.length > 0);
      process.stdout.write(`${textTable({
        title: 'Memorisation', note: calibrationText(about),
        head: [itemNouns(about.frames)[0], 'pixel distance', 'from', 'feature distance', 'from', 'marked'],
        rows: ordered.map(({ name, verdict: { pixel, feature, marked: by } }) => [
          name, pixel.distance.toFixed(3), pixel.nearest, feature.distance.toFixed(3), feature.nearest,
          by === null ? '-' : by.join(', ') || 'no']),
      })}\n`);
      if (output !== undefined) {
        const { writeFolderAtomic, writeAtomic } = await import('../frames/atomic.ts');
        await writeFolderAtomic(resolve(output), (target) => {
          mkdirSync(target, { recursive: true });
          const rows = ordered.map(({ name, verdict }) => ({ clip: name, ...verdict }));
          const content = { index: index.hash, thresholds: about.calibration?.thresholds ?? null, clips: rows };
          writeAtomic(join(target, 'check.json'), new TextEncoder().encode(`${JSON.stringify(content, null, 1)}\n`));
          drawPairs(join(target, 'nearest.png'), ordered.slice(0, SHOWN), index,
            data === undefined ? undefined : trainingPictures(data, gate));
        });
        process.stdout.write(`${join(output, 'check.json')}\n${join(output, 'nearest.png')}\n`);
      }
      if (marked.length > 0 && onMemorised === 'block') {
        const { name } = marked[0];
        throw new UserError(`--on-memorised block: expected no clip near a training clip, got ${marked.length} ` +
          `of ${ordered.length}, the nearest ${name}`);
      }
    } finally {
      gate.dispose();
    }
  } finally {
    echo.dispose();
  }
}
