import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { addonPath, findLibtorch, nativeSources, root } from './libtorch.ts';
import type { Libtorch } from './libtorch.ts';

const run = promisify(execFile);

/** Compiles `native/` against the libtorch that `findLibtorch` gives, once. */
export async function buildAddon(): Promise<{ path: string; libtorch: Libtorch; built: boolean }> {
  const libtorch = findLibtorch(true);
  const path = addonPath(libtorch);
  if (existsSync(path)) return { path, libtorch, built: false };
  const compiler = findCompiler();
  // A name of its own until it is whole: two builds at once do not disturb each other.
  const work = `${dirname(path)}.${process.pid}`;
  mkdirSync(work, { recursive: true });
  try {
    const flags = compileFlags(libtorch);
    const objects: string[] = [];
    const waiting = [...nativeSources];
    const worker = async (): Promise<void> => {
      for (let source = waiting.shift(); source !== undefined; source = waiting.shift()) {
        const object = join(work, `${source}.o`);
        objects.push(object);
        await run(compiler, [...flags, '-c', join(root, 'native', source), '-o', object]);
      }
    };
    await Promise.all([worker(), worker()]);
    await run(compiler, [...objects, '-o', join(work, 'heartbeat.node'), ...linkFlags(libtorch)]);
    mkdirSync(dirname(path), { recursive: true });
    renameSync(join(work, 'heartbeat.node'), path);
  } catch (error) {
    const stderr = String((error as { stderr?: unknown }).stderr ?? error);
    const line = stderr.split('\n').find((text) => /error/i.test(text)) ?? stderr.split('\n')[0];
    throw new Error(`native/ did not compile against libtorch ${libtorch.version}: ${line.trim()}`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return { path, libtorch, built: true };
}

function findCompiler(): string {
  const candidates = process.env.CXX ? [process.env.CXX] : ['c++', 'g++', 'clang++'];
  for (const name of candidates) {
    try {
      execFileSync(name, ['--version'], { stdio: 'ignore' });
      return name;
    } catch {
      // The next one may be there.
    }
  }
  throw new Error(`no C++ compiler found (${candidates.join(', ')}): install g++ or clang++`);
}

function compileFlags({ include, libraries, version }: Libtorch): string[] {
  const [major, minor] = version.split('.').map(Number);
  const headers = dirname(createRequire(import.meta.url).resolve('node-api-headers/package.json'));
  return [
    // Headers of 2.12 and later ask for C++20.
    `-std=${major > 2 || (major === 2 && minor >= 9) ? 'c++20' : 'c++17'}`,
    '-O2',
    '-fPIC',
    '-fvisibility=hidden',
    '-w',
    ...(major < 2 ? ['-DHEARTBEAT_LIBTORCH_1'] : []),
    ...(process.platform === 'linux'
      ? [`-D_GLIBCXX_USE_CXX11_ABI=${newStrings(libraries) ? 1 : 0}`]
      : []),
    '-I',
    join(headers, 'include'),
    ...include.flatMap((folder) => (folder === '/usr/include' ? [] : ['-isystem', folder])),
  ];
}

/** pip's torch before 2.6 has the old C++ ABI; the mangled name of one function tells which. */
function newStrings(libraries: string): boolean {
  const library = readFileSync(join(libraries, 'libc10.so'));
  return library.includes('torchCheckFailEPKcS2_jRKNSt7__cxx1112basic_string');
}

function linkFlags({ libraries }: Libtorch): string[] {
  const own =
    process.platform === 'darwin'
      ? ['-bundle', '-undefined', 'dynamic_lookup']
      : ['-shared', '-Wl,--no-as-needed'];
  return [...own, `-L${libraries}`, `-Wl,-rpath,${libraries}`, '-ltorch_cpu', '-lc10'];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    const { libtorch, built } = await buildAddon();
    const { version, libraries } = libtorch;
    console.log(`native: ${built ? 'built' : 'ready'} for libtorch ${version} (${libraries})`);
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 2;
  }
}
