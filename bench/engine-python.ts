import { execFileSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import type { Libtorch } from '../src/tensor/libtorch.ts';

const probe = `
import numpy, os, torch
paths = [torch.__version__]
if os.path.exists('/proc/self/maps'):
    paths += [line.split()[-1] for line in open('/proc/self/maps') if '/libtorch_cpu.' in line][:1]
print('\\n'.join(paths))
`;

/**
 * A Python whose torch is the same libtorch: the same file where the system tells which one a
 * process has loaded, else the same version. Throws one sentence when there is none.
 */
export function pythonOf(libtorch: Libtorch): string {
  const { libraries, version } = libtorch;
  // .../<environment>/lib/python3.x/site-packages/torch/lib
  const environment = join(libraries, '..', '..', '..', '..', '..');
  const library = ['libtorch_cpu.so', 'libtorch_cpu.dylib']
    .map((name) => join(libraries, name))
    .find(existsSync);
  const candidates = [join(environment, 'bin', 'python3'), 'python3', '/usr/bin/python3'];
  const found = candidates.find((python) => {
    const [own, path] = ask(python);
    if (path !== undefined && library !== undefined) {
      return realpathSync(path) === realpathSync(library);
    }
    return own !== undefined && number(own) === number(version);
  });
  if (found !== undefined) return found;
  throw new Error(
    `no Python with numpy and the torch of libtorch ${version} (${libraries}) was found: install ` +
      'python3-torch and python3-numpy (Debian, Ubuntu), or set LIBTORCH to the torch folder ' +
      'of a Python environment that has numpy',
  );
}

function ask(python: string): string[] {
  try {
    const stdio: ['ignore', 'pipe', 'ignore'] = ['ignore', 'pipe', 'ignore'];
    return execFileSync(python, ['-c', probe], { encoding: 'utf8', stdio }).trim().split('\n');
  } catch {
    return [];
  }
}

/** `1.13.0a0` and `1.13.0` are one version. */
function number(version: string): string {
  return /^\d+\.\d+\.\d+/.exec(version)?.[0] ?? version;
}
