/** `./heartbeat pack`: one archive for machines without network. */
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { styleFor } from './console/style.ts';
import { UserError } from './console/user-error.ts';

interface PackFlags {
  readonly output?: string;
  readonly node?: string;
  readonly model?: string;
}

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Bytes. */
const LIMIT = 60e6;

const examples = `
Examples:
  ./heartbeat pack                                     heartbeat-<version>-linux-x64.tar.xz here
  ./heartbeat pack --output /media/stick/heartbeat.tar.xz
  ./heartbeat pack --model runs/mine --node node-v22.20.0-linux-x64/bin/node

On the machine without network, which needs Linux, the glibc that Node was made for (printed) or a
newer one, a C++ compiler (g++ or clang++; CXX names another) and any libtorch:
  tar -xJf heartbeat-*-linux-x64.tar.xz      (without xz: python3 -m tarfile -e FILE)
  cd heartbeat-*-linux-x64
  ./heartbeat doctor                         finds libtorch, compiles the addon for it, once
  ./heartbeat demo                           a clip by the model in the archive
The libtorch is the folder that LIBTORCH names, the torch that python3 imports (with its CUDA), or
the system's. All commands run as in a clone; none calls npm, apt or the network, but "weights".

The archive holds Node, the transpiled program with the packages it uses, the sources of the addon,
and the model; no libtorch. The same inputs and the same xz give the same bytes.`;

export function register(command: Command): void {
  command
    .description('Make one archive, under 60 MB, that runs on a Linux machine without network.')
    .option('--output <file>', '(default: heartbeat-<version>-linux-x64.tar.xz)')
    .option('--node <file>', 'the Node.js to carry, 20 or newer (default: the one running now)')
    .option('--model <folder>', 'model folder or run to carry (default: the released models/small)')
    .addHelpText('after', examples)
    .action(pack);
}

async function pack(flags: PackFlags): Promise<void> {
  const { archiveName, contentsOf, runtimePath } = await import('./packing/contents.ts');
  const { filesBelow } = await import('./packing/packages.ts');
  if (existsSync(join(root, runtimePath))) {
    throw new UserError(
      'pack: expected a clone of the repository, got an unpacked archive, which cannot be packed again',
      { exitCode: 2 },
    );
  }
  const { inspectRuntime } = await import('./packing/runtime.ts');
  const { expectTools, writeArchive } = await import('./packing/archive.ts');
  const { findCheckpoint } = await import('./model-choice.ts');
  expectTools();
  const runtime = inspectRuntime(flags.node ?? process.execPath, flags.node !== undefined);
  const model = findCheckpoint(flags.model, undefined, '--model');
  expectSmall(model, filesBelow(model));
  const name = archiveName(root, runtime);
  const output = flags.output ?? `${name}.tar.xz`;
  expectFile(output);
  say(`Node.js ${runtime.version} for glibc ${runtime.glibc} (${runtime.file}), model ${model}`);
  const archive = await writeArchive(output, await contentsOf(root, runtime, model), {
    name,
    limit: LIMIT,
    onPart: ({ name: part, files, raw, packed, seconds }) =>
      say(
        `${part.padEnd(12)}${megabytes(packed).padStart(9)} of ${megabytes(raw).padStart(9)}, ` +
          `${String(files).padStart(4)} files, ${seconds.toFixed(0)} s`,
      ),
  });
  process.stdout.write(
    `${styleFor().bold(output)}: ${megabytes(archive.bytes)}, sha256 ${archive.sha256}\n`,
  );
}

/** Weights hardly shrink: a model that is too large as it is does not get an hour of xz first. */
function expectSmall(model: string, files: readonly string[]): void {
  const bytes = files.reduce((sum, path) => sum + statSync(join(model, path)).size, 0);
  if (bytes < LIMIT) return;
  throw new UserError(
    `--model ${model}: expected one under ${megabytes(LIMIT)}, got ${megabytes(bytes)}; carry such a ` +
      'model beside the archive and name it with --checkpoint there',
    { exitCode: 2 },
  );
}

function expectFile(output: string): void {
  if (existsSync(output) && statSync(output).isDirectory()) {
    throw new UserError(`--output: expected a file, got ${output}, a folder`, { exitCode: 2 });
  }
  let place = dirname(resolve(output));
  while (!existsSync(place)) place = dirname(place);
  accessSync(place, constants.W_OK);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function say(text: string): void {
  process.stderr.write(`${styleFor(process.stderr).dim(text)}\n`);
}
