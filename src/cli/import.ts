/** `./heartbeat import`: an exported folder, with what was changed in it, as a model. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { expectNewFolder } from './console/output-folder.ts';
import { dtypeOption, type FolderFlags } from './export.ts';

const examples = `
Examples:
  ./heartbeat import --input exported --output imported
  ./heartbeat sample --checkpoint imported --text "An ECHO with 4-chamber view." --output clip

unet/, vae/ and text_encoder/ may have been trained and saved by diffusers or transformers meanwhile.
See docs/export.md.`;

export function register(command: Command): void {
  command
    .description('Read a folder that `export` wrote back as a model folder.')
    .requiredOption('--input <folder>', 'what `export` wrote')
    .requiredOption('--output <folder>', 'the model folder to write, new or empty')
    .addOption(dtypeOption())
    .addHelpText('after', examples)
    .action(run);
}

async function run(flags: FolderFlags & { input: string }): Promise<void> {
  expectNewFolder(flags.output);
  const output = resolve(flags.output);
  const { importPipeline } = await import('../heartbeat/export.ts');
  const { saveModelFolder } = await import('../heartbeat/model-folder.ts');
  const { model, card } = importPipeline(resolve(flags.input));
  try {
    saveModelFolder(model, output, flags.dtype, card);
  } finally {
    model.dispose();
  }
  process.stdout.write(`${output}\n`);
}
