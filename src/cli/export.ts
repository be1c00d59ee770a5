/** `./heartbeat export`: a model as the folder of a diffusers pipeline. */
import { existsSync, readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { UserError } from './console/user-error.ts';

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

/** Refuses, before any weight is read, a folder that holds something. */
export function expectNewFolder(output: string): string {
  const folder = resolve(output);
  let held: string[] = [];
  try {
    if (existsSync(folder)) held = readdirSync(folder);
  } catch {
    held = ['a file'];
  }
  if (held.length === 0) return folder;
  throw new UserError(`--output ${output}: expected a new or empty folder, got one that holds ${held[0]}`, { exitCode: 2 });
}

async function run(flags: FolderFlags & { checkpoint?: string }): Promise<void> {
  const output = expectNewFolder(flags.output);
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
