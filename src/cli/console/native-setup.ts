/**
 * Sets the addon up before the first verb that works with tensors; costs a few milliseconds when
 * that is done.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
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
 * Runs `scripts/setup.sh native`, whose lines go to stderr. Throws `UserError` (exit 2) when it
 * could not be done; the script has then printed the sentence that says what to do.
 */
export function ensureNative(): void {
  if (addonIsBuilt()) return;
  const { status, signal, error } = spawnSync('bash', ['scripts/setup.sh', 'native'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (status === 0) return;
  if (signal === 'SIGINT' || status === 130) throw new Interrupted('SIGINT');
  if (signal === 'SIGTERM' || status === 143) throw new Interrupted('SIGTERM');
  if (error !== undefined)
    throw new UserError(`bash could not be started: ${error.message}`, { exitCode: 2 });
  throw new UserError('the set-up of libtorch did not succeed', { exitCode: 2, shown: true });
}
