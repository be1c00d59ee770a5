/**
 * Sets the addon up before the first verb that works with tensors; costs a few milliseconds when
 * that is done.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { addonPath, findLibtorch } from '../../tensor/libtorch.ts';
import { Interrupted, UserError } from './user-error.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));

function addonIsBuilt(): boolean {
  try {
    return existsSync(addonPath(findLibtorch()));
  } catch {
    // No libtorch yet: set-up installs one or says what to do.
    return false;
  }
}

/**
 * Compiles the addon. A clone runs `scripts/setup.sh native`, which also installs what is missing;
 * what `./heartbeat pack` made compiles alone. Lines go to stderr. Throws `UserError` (exit 2) when
 * it could not be done.
 */
export function ensureNative(): void {
  if (addonIsBuilt()) return;
  if (existsSync(join(root, 'runtime', 'node'))) compile();
  else setUp();
}

function setUp(): void {
  const { status, signal, error } = spawnSync('bash', ['scripts/setup.sh', 'native'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (status === 0) return;
  throwIfInterrupted(status, signal);
  if (error !== undefined)
    throw new UserError(`bash could not be started: ${error.message}`, { exitCode: 2 });
  throw new UserError('the set-up of libtorch did not succeed', { exitCode: 2, shown: true });
}

function compile(): void {
  const build = join(root, 'build');
  try {
    mkdirSync(build, { recursive: true });
    accessSync(build, constants.W_OK);
  } catch {
    throw new UserError(
      `cannot write to ${build}; make this folder writable, or run ./heartbeat doctor once as its ` +
        'owner, with the same libtorch',
      { exitCode: 2 },
    );
  }
  process.stderr.write('set-up: addon for libtorch, compiled once ... ');
  const began = performance.now();
  const { pid, status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    [join(root, 'dist', 'tensor', 'build.js')],
    { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
  );
  if (status === 0) {
    const seconds = ((performance.now() - began) / 1000).toFixed(0);
    process.stderr.write(`${seconds} s\n${stdout}`);
    return;
  }
  process.stderr.write('failed\n');
  // A build that was stopped leaves a folder named after its process.
  for (const name of existsSync(join(build, 'native')) ? readdirSync(join(build, 'native')) : []) {
    if (name.endsWith(`.${pid}`)) rmSync(join(build, 'native', name), { recursive: true, force: true });
  }
  throwIfInterrupted(status, signal);
  const reason = stderr.trim().split('\n').at(-1) || 'the compiler gave no reason';
  throw new UserError(reason, { exitCode: 2 });
}

function throwIfInterrupted(status: number | null, signal: NodeJS.Signals | null): void {
  if (signal === 'SIGINT' || status === 130) throw new Interrupted('SIGINT');
  if (signal === 'SIGTERM' || status === 143) throw new Interrupted('SIGTERM');
}
