/**
 * release-model.ts RUN FOLDER: the finished model of a run as it is released: weights in float16, what
 * each training took in the index and in a README, and the run's evaluation where there is one.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadModelFolder, readModelIndex, saveModelFolder } from '../src/heartbeat/model-folder.ts';
import { modelOf } from '../src/training/runs.ts';

interface Card {
  readonly preset: string;
  readonly steps: number;
  readonly seconds: number;
  readonly clips: number;
  readonly seed: number;
}

const [run, folder] = process.argv.slice(2);
if (run === undefined || folder === undefined) {
  process.stderr.write('release-model: expected a run and the folder to write, got fewer\n');
  process.exit(2);
}

const stages = ['vae', 'image-encoder', 'image', 'video'] as const;
const cards = stages.map((stage) => {
  return { stage, ...(readModelIndex(modelOf(run, stage)).card as unknown as Card) };
});
const model = loadModelFolder(modelOf(run, 'video'));
saveModelFolder(model, folder, 'float16', { trainings: cards });
model.dispose();

const [{ preset, clips, seed }] = cards;
const report = join(run, 'evaluation', 'report.md');
const quality = existsSync(report)
  ? readFileSync(report, 'utf8').replace(/^#/gm, '##')
  : 'Not measured yet: `./heartbeat evaluate --help`.\n';
const rows = cards.map(({ stage, steps, seconds }) => `| ${stage} | ${steps} | ${seconds} |`);
writeFileSync(join(folder, 'README.md'), `# HeartBeat, preset ${preset}

A whole HeartBeat in diffusers' folder layout, weights in float16: autoencoder, U-Net with temporal
attention, text encoder, image encoder, local encoders, Global Adapter, scheduler.

- **Data**: the phantom of this repository alone, ${clips} training clips. No patient's data.
- **Made again** by \`bash scripts/train-small.sh FOLDER\` (seed ${seed}).
- **Licence**: MIT, like the code. Synthetic pictures, not for diagnosis.

| training | steps | seconds |
|---|---|---|
${rows.join('\n')}

## Measured

${quality}`);
process.stdout.write(`${folder}\n`);
