/** What the machine has: processor, memory, disk, and the BLAS library that libtorch brought in. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync, statfsSync } from 'node:fs';
import { availableParallelism, cpus, freemem, totalmem } from 'node:os';
import { dirname, resolve } from 'node:path';

const gibibyte = 2 ** 30;

/** `3.2 GiB`. */
export function formatBytes(bytes: number): string {
  if (bytes >= gibibyte) return `${(bytes / gibibyte).toFixed(bytes < 10 * gibibyte ? 1 : 0)} GiB`;
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}

/** The processor's name and how many hardware threads this process may use. */
export function processor(): { name: string; threads: number } {
  return { name: cpus()[0]?.model.trim() ?? process.arch, threads: availableParallelism() };
}

/**
 * Bytes of memory that a process can still get, and of all. Linux: MemAvailable, since "free"
 * leaves out the file cache that makes way; a container's limit counts where there is one.
 */
export function memory(): { free: number; total: number } {
  let free = freemem();
  if (existsSync('/proc/meminfo')) {
    const available = /^MemAvailable:\s+(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8'));
    if (available !== null) free = Number(available[1]) * 1024;
  }
  const limit = process.constrainedMemory();
  const total = limit > 0 && limit < totalmem() ? limit : totalmem();
  return { free: Math.min(free, total), total };
}

/** Bytes in use on a CUDA device, everybody's, as nvidia-smi says; null elsewhere or where it is silent. */
export function gpuMemoryUsed(device: string): number | null {
  const [, index = '0'] = /^cuda(?::(\d+))?$/.exec(device) ?? [null];
  if (!device.startsWith('cuda')) return null;
  const asked = ['--query-gpu=memory.used', '--format=csv,noheader,nounits', `--id=${index}`];
  const { stdout, status } = spawnSync('nvidia-smi', asked, { encoding: 'utf8' });
  const mebibytes = Number(stdout);
  return status === 0 && Number.isFinite(mebibytes) ? mebibytes * 2 ** 20 : null;
}

/** Bytes free for this user where `folder` is or will be. Errors: those of the file system. */
export function freeDisk(folder: string): number {
  let place = resolve(folder);
  while (!existsSync(place) && dirname(place) !== place) place = dirname(place);
  const { bavail, bsize } = statfsSync(place);
  return bavail * bsize;
}

export interface Blas {
  readonly name: string;
  readonly path: string | null;
  /** The reference implementation: right, and some thirty times slower. */
  readonly reference: boolean;
}

/** Kinds of BLAS by the name of the library file; the first that fits. */
const blasKinds: readonly (readonly [RegExp, string, boolean])[] = [
  [/libmkl_rt|libmkl_core/, 'MKL', false],
  [/openblas/, 'OpenBLAS', false],
  [/blis/, 'BLIS', false],
  [/atlas/, 'ATLAS', false],
  [/\/libblas\.so/, 'reference BLAS', true],
];

/**
 * The BLAS among the libraries in use. `libraries` are file paths (links resolved: Debian's
 * `libblas.so.3` is a link to one of several), `configuration` is libtorch's own account of its
 * build, for a BLAS that is linked into it.
 */
export function blasAmong(libraries: readonly string[], configuration: string): Blas {
  for (const [pattern, name, reference] of blasKinds) {
    const path = libraries.find((library) => pattern.test(library));
    if (path !== undefined) return { name, path, reference };
  }
  const built = /BLAS_INFO=(\w+)/.exec(configuration)?.[1];
  if (/MKL|oneAPI Math Kernel/.test(configuration) && built !== 'open') {
    return { name: 'MKL, inside libtorch', path: null, reference: false };
  }
  return {
    name: built === undefined ? 'unknown' : `${built}, inside libtorch`,
    path: null,
    reference: false,
  };
}

/**
 * Shared libraries that this process has mapped, links resolved; empty where the system does not
 * tell.
 */
export function loadedLibraries(): string[] {
  if (!existsSync('/proc/self/maps')) return [];
  const paths = readFileSync('/proc/self/maps', 'utf8').matchAll(/\s(\/\S+\.so[.\d]*)$/gm);
  const unique = new Set([...paths].map((match) => match[1]));
  return [...unique].map((path) => (existsSync(path) ? realpathSync(path) : path));
}
