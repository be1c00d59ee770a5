/** `./heartbeat weights list`: what there is, and what of it is here. */
import type { Command } from 'commander';
import { findSnapshot, repositoryFolder, type Snapshot } from '../hub/cache.ts';
import { weights, type Weight, type WeightFile } from '../hub/catalogue.ts';
import { cacheFolder } from '../hub/environment.ts';
import { styleFor } from './console/style.ts';
import { formatSize } from './weights-choice.ts';

const examples = `
Examples:
  ./heartbeat weights list
  HF_HOME=/data/huggingface ./heartbeat weights list

Nothing is asked of the network, and no file is read: "here" means there, and of the known size.
"unpinned" is a file of which no public page showed the hash; the Hub's own is checked all the same.`;

export function register(command: Command): void {
  command
    .description('Show the public weights: purpose, repository, licence, files, sizes, whether they are here.')
    .addHelpText('after', examples)
    .action(list);
}

function list(): void {
  const cache = cacheFolder();
  const lines = [`cache: ${cache}`];
  for (const weight of weights) {
    const folder = repositoryFolder(cache, weight.repository);
    const snapshot = findSnapshot(folder, weight.files.map(({ path }) => path), weight.revision);
    lines.push('', ...describe(weight, snapshot));
  }
  process.stdout.write(`${lines.join('\n')}\n`);
}

function describe(weight: Weight, snapshot: Snapshot | null): string[] {
  const style = styleFor();
  const revision = weight.revision === null ? 'main (unpinned)' : weight.revision.slice(0, 12);
  return [
    `${style.bold(weight.name.padEnd(11))}${weight.purpose}`,
    `  from      ${weight.repository} at ${revision}`,
    `  licence   ${weight.licence}`,
    ...weight.files.map((file) => `  ${stateOf(file, snapshot)}  ${describeFile(file, snapshot)}`),
  ];
}

function stateOf({ path, size }: WeightFile, snapshot: Snapshot | null): string {
  const style = styleFor();
  const found = snapshot?.files.get(path);
  if (found === undefined) return style.dim('missing ');
  return (size ?? found.size) === found.size ? style.green('here    ') : style.red('damaged ');
}

function describeFile({ path, size: known, hash, variant }: WeightFile, snapshot: Snapshot | null): string {
  const size = known ?? snapshot?.files.get(path)?.size;
  const bytes = size === undefined ? 'size unknown' : formatSize(size);
  const notes = [bytes, variant, hash === null ? 'unpinned' : undefined];
  return `${path} (${notes.filter((note) => note !== undefined).join(', ')})`;
}
