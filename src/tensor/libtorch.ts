import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  realpathSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A libtorch to build against: where its libraries and headers are. */
export interface Libtorch {
  readonly libraries: string;
  readonly include: readonly string[];
  readonly version: string;
  readonly origin: 'LIBTORCH' | 'python3' | 'system';
}

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const suffix = process.platform === 'darwin' ? 'dylib' : 'so';
const pythonCache = join(root, 'build', 'python-torch.json');

export const noLibtorch =
  'no libtorch found: install libtorch-dev and libopenblas0-openmp (Debian, Ubuntu), pytorch ' +
  '(Homebrew) or `pip install torch`, or set LIBTORCH to the folder of one';

/**
 * The libtorch to use, first that is there: LIBTORCH, a `torch` importable by `python3`, the
 * system's. Throws one sentence when LIBTORCH names a folder without one, or when there is none.
 * `fresh` asks python again; otherwise its last answer is taken from `build/`.
 */
export function findLibtorch(fresh = false): Libtorch {
  const named = process.env.LIBTORCH;
  if (named) {
    const found = inspect(named, 'LIBTORCH');
    if (!found) {
      throw new Error(`LIBTORCH: expected lib/libtorch_cpu.${suffix} and include/ATen in ${named}`);
    }
    return found;
  }
  const python = pythonTorch(fresh);
  const found = python === null ? null : inspect(python, 'python3');
  if (found) return found;
  for (const prefix of ['/usr', '/usr/local', '/opt/homebrew/opt/pytorch', '/opt/homebrew']) {
    const system = inspect(prefix, 'system');
    if (system) return system;
  }
  throw new Error(noLibtorch);
}

function inspect(prefix: string, origin: Libtorch['origin']): Libtorch | null {
  const include = join(prefix, 'include');
  if (!existsSync(join(include, 'ATen', 'core', 'Tensor.h'))) return null;
  const library = `libtorch_cpu.${suffix}`;
  const libraries = ['lib', 'lib64', ...multiarch(prefix)]
    .map((name) => join(prefix, name))
    .find((folder) => existsSync(join(folder, library)));
  if (!libraries) return null;
  const api = join(include, 'torch', 'csrc', 'api', 'include');
  return { libraries, include: [include, api], version: version(prefix, include, api), origin };
}

function multiarch(prefix: string): string[] {
  const library = join(prefix, 'lib');
  if (!existsSync(library)) return [];
  return readdirSync(library)
    .filter((name) => name.includes('-linux-'))
    .map((name) => join('lib', name));
}

function version(prefix: string, include: string, api: string): string {
  const python = join(prefix, 'version.py');
  if (existsSync(python)) {
    const found = /__version__\s*=\s*['"]([^'"]+)/.exec(readFileSync(python, 'utf8'));
    if (found) return found[1];
  }
  for (const header of [
    join(api, 'torch', 'version.h'),
    join(include, 'torch', 'headeronly', 'version.h'),
  ]) {
    if (!existsSync(header)) continue;
    const text = readFileSync(header, 'utf8');
    const part = (name: string) =>
      new RegExp(`define TORCH_VERSION_${name} (\\d+)`).exec(text)?.[1];
    if (part('MAJOR')) return `${part('MAJOR')}.${part('MINOR')}.${part('PATCH')}`;
  }
  return 'unknown';
}

/** Folder of the `torch` that `python3` would import, or null; asked without importing it. */
function pythonTorch(fresh: boolean): string | null {
  const python = (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'python3'))
    .find((path) => existsSync(path));
  if (!python) return null;
  const { VIRTUAL_ENV, PYTHONPATH, PYENV_VERSION } = process.env;
  const question = JSON.stringify([python, VIRTUAL_ENV, PYTHONPATH, PYENV_VERSION]);
  if (!fresh && existsSync(pythonCache)) {
    const cached = JSON.parse(readFileSync(pythonCache, 'utf8')) as Record<string, string | null>;
    const answer = cached[question];
    if (answer === null || (answer !== undefined && existsSync(answer))) return answer;
  }
  const program =
    'import importlib.util as u; s = u.find_spec("torch"); ' +
    'print(s.submodule_search_locations[0] if s else "")';
  let answer: string | null = null;
  try {
    const stdio: ['ignore', 'pipe', 'ignore'] = ['ignore', 'pipe', 'ignore'];
    answer = execFileSync(python, ['-c', program], { encoding: 'utf8', stdio }).trim() || null;
  } catch {
    // A python that cannot answer has no torch for us.
  }
  try {
    mkdirSync(dirname(pythonCache), { recursive: true });
    writeFileSync(pythonCache, JSON.stringify({ [question]: answer }));
  } catch {
    // A read-only checkout asks again next time.
  }
  return answer;
}

export const nativeSources: readonly string[] = [
  'addon.cpp',
  'convert.cpp',
  'dispatch.cpp',
  'handle.cpp',
  'memory.cpp',
  'runtime.cpp',
  'tensor.cpp',
];

/** Path of the addon for this libtorch and these sources; another of either is another path. */
export function addonPath(libtorch: Libtorch): string {
  const library = realpathSync(join(libtorch.libraries, `libtorch_cpu.${suffix}`));
  const { size, mtimeMs } = statSync(library);
  const hash = createHash('sha256');
  hash.update(
    JSON.stringify([library, size, mtimeMs, libtorch.version, process.platform, process.arch]),
  );
  const folder = join(root, 'native');
  for (const name of readdirSync(folder).sort())
    hash.update(name).update(readFileSync(join(folder, name)));
  // What `./heartbeat pack` made has only the transpiled build.
  const build = [join('src', 'tensor', 'build.ts'), join('dist', 'tensor', 'build.js')]
    .map((path) => join(root, path))
    .find((path) => existsSync(path))!;
  hash.update(readFileSync(build));
  const key = `${libtorch.version.replace(/[^\w.]/g, '-')}-${hash.digest('hex').slice(0, 12)}`;
  return join(root, 'build', 'native', key, 'heartbeat.node');
}
