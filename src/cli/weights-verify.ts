/** `./heartbeat weights verify`: recomputes the hashes of the weights that are here. */
import type { Command } from 'commander';
import { findSnapshot, repositoryFolder, type CachedFile } from '../hub/cache.ts';
import { filesOf, weights, type Weight, type WeightFile } from '../hub/catalogue.ts';
import { cacheFolder } from '../hub/environment.ts';
import { verifyFile, type FileState } from '../hub/verify.ts';
import { startProgress } from './console/progress.ts';
import { styleFor } from './console/style.ts';
import { UserError } from './console/user-error.ts';
import { chosenWeights, interruptible, unitFor } from './weights-choice.ts';

const examples = `
Examples:
  ./heartbeat weights verify                       all that is here
  ./heartbeat weights verify sd15-unet clip-text   these, which must be here

A file is whole when its bytes have the hash that the catalogue pins, or the one that the cache
names it by ("unpinned"). Exit code 1 when a file is damaged, or a weight that was asked for or
begun lacks one. Nothing is asked of the network.`;

export function register(command: Command): void {
  command
    .description('Recompute the hashes of the weights that are here.')
    .argument('[names...]', 'which weights (default: all that is here)')
    .addHelpText('after', examples)
    .action(verify);
}

interface Row {
  readonly name: string;
  readonly file: WeightFile;
  readonly cached: CachedFile | undefined;
}

async function verify(names: readonly string[]): Promise<void> {
  const cache = cacheFolder();
  const asked = names.length > 0;
  const rows = (asked ? chosenWeights(names) : weights).flatMap((weight) => rowsOf(weight, cache, asked));
  if (rows.length === 0) {
    process.stdout.write(`none of the weights is in ${cache}\n`);
    return;
  }
  const total = rows.reduce((sum, { cached }) => sum + (cached?.size ?? 0), 0);
  const { unit, size } = unitFor(total);
  const states = await interruptible(async (signal) => {
    const bar = startProgress({ label: 'verify', total: Math.ceil(total / size), unit });
    const found: FileState[] = [];
    let read = 0;
    for (const { file, cached } of rows) {
      const onBytes = (bytes: number) => bar.update(Math.floor((read += bytes) / size), file.path);
      found.push(await verifyFile(file, cached, { onBytes, signal }));
    }
    bar.update(Math.ceil(total / size));
    bar.finish();
    return found;
  }, 'stopped before the end: not every file was read');
  rows.forEach((row, at) => process.stdout.write(`${describe(row, states[at])}\n`));
  expectWhole(rows, states);
}

/** What is here of a weight, and what one whole variant of it lacks. Nothing, where none is here nor was asked for. */
function rowsOf(weight: Weight, cache: string, asked: boolean): Row[] {
  const folder = repositoryFolder(cache, weight.repository);
  const snapshot = findSnapshot(folder, weight.files.map(({ path }) => path), weight.revision);
  if (snapshot === null && !asked) return [];
  const isHere = ({ path }: WeightFile) => snapshot?.files.has(path) === true;
  const variant = weight.files.find((file) => file.variant !== undefined && isHere(file))?.variant ?? 'fp32';
  const needed = filesOf(weight, variant);
  return weight.files
    .filter((file) => isHere(file) || needed.includes(file))
    .map((file) => ({ name: weight.name, file, cached: snapshot?.files.get(file.path) }));
}

function describe({ name, file, cached }: Row, state: FileState): string {
  const style = styleFor();
  const what = `${name}  ${file.path}`;
  if (state.kind === 'whole') return `${style.green('whole  ')}  ${what}${state.pinned ? '' : ' (unpinned)'}`;
  if (state.kind === 'missing') return `${style.yellow('missing')}  ${what}`;
  if (state.kind === 'unknown') return `${style.yellow('unknown')}  ${what}: no hash to compare with`;
  return `${style.red('damaged')}  ${what}: expected ${state.expected}, got ${state.got} in ${cached?.path}`;
}

/** Throws with what to do about the files that are not whole. */
function expectWhole(rows: readonly Row[], states: readonly FileState[]): void {
  const those = (kind: FileState['kind']) => rows.filter((_, at) => states[at].kind === kind);
  const [damaged, missing] = [those('damaged'), those('missing')];
  const count = damaged.length + missing.length;
  if (count === 0) return;
  const again = [...new Set(damaged.map(({ name }) => name))];
  const rest = [...new Set(missing.map(({ name }) => name))].filter((name) => !again.includes(name));
  const commands = [
    ...(again.length > 0 ? [`"./heartbeat weights pull ${again.join(' ')} --force-download"`] : []),
    ...(rest.length > 0 ? [`"./heartbeat weights pull ${rest.join(' ')}"`] : []),
  ];
  throw new UserError(`expected ${rows.length} whole files, got ${count} damaged or missing; ` +
    `run ${commands.join(', then ')}`);
}
