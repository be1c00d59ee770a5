/** `./heartbeat export`: a model as the folder of a diffusers pipeline. */
import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { expectNewFolder } from './console/output-folder.ts';

const examples = `
Examples:
  ./heartbeat export --checkpoint runs/small/video/model --output exported
  ./heartbeat import --input exported --output imported

unet/, vae/, text_encoder/, tokenizer/ and scheduler/ are diffusers' and transformers' own; what they
have no place for lies in heartbeat/. See docs/export.md.`;

export interface FolderFlags { output: string; dtype: 'float32' | 'float16' }

export const dtypeOption = (): Option => new Option('--dtype <name>', 'of the stored weights')
  .choices(['float32', 'float16']).default('float32');

export function register(command: Command): void {
  command
    .description('Write a model as the folder of a diffusers pipeline, for the reference libraries.')
    .option('--checkpoint <folder>', 'model folder, or a run (default: the released small model)')
    .requiredOption('--output <folder>', 'a new or empty folder')
    .addOption(dtypeOption())
    .addHelpText('after', examples)
    .action(run);
}

async function run(flags: FolderFlags & { checkpoint?: string }): Promise<void> {
  expectNewFolder(flags.output);
  const output = resolve(flags.output);
  const { findCheckpoint } = await import('./model-choice.ts');
  const { exportPipeline } = await import('../heartbeat/export.ts');
  const { loadModelFolder, readModelIndex } = await import('../heartbeat/model-folder.ts');
  const checkpoint = findCheckpoint(flags.checkpoint);
  const { card } = readModelIndex(checkpoint);
  const model = loadModelFolder(checkpoint);
  try {
    for (const note of await exportPipeline(model, output, flags.dtype, card)) process.stderr.write(`${note}\n`);
  } finally {
    model.dispose();
  }
  process.stdout.write(`${output}\n`);
}
