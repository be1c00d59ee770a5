import { readFileSync } from 'node:fs';
import { libtorch, native } from './native.ts';
import type { Device } from './tensor-class.ts';

/** Devices that this libtorch can use here, `cpu` first. */
export function availableDevices(): Device[] {
  const devices: Device[] = ['cpu'];
  for (let i = 0; i < cudaCount(); i++) devices.push(`cuda:${i}`);
  if (native().deviceCount('mps') > 0) devices.push('mps');
  return devices;
}

/** CUDA devices; 0 with a CPU-only libtorch. */
export function cudaCount(): number {
  return native().deviceCount('cuda');
}

/** Waits until everything asked of the device is done: before reading a clock. */
export function synchronize(device: Device): void {
  native().synchronize(device);
}

/** Threads that one operator may use; the physical cores unless set. */
export function getThreads(): number {
  return native().threads();
}

export function setThreads(count: number): void {
  native().setThreads(count);
}

/** Whether the loaded libtorch has `aten::name` (with `name.overload`, that overload). */
export function hasOperator(name: string): boolean {
  const [base, overload = ''] = name.split('.');
  return native().schema(`aten::${base}`, overload) !== null;
}

/** Version of the loaded libtorch, its folder, and where it was found. */
export function libtorchVersion(): { version: string; folder: string; origin: string } {
  const { version, libraries, origin } = libtorch();
  return { version, folder: libraries, origin };
}

/** How libtorch was built and which threads it uses, as it says itself. */
export function configuration(): string {
  return native().configuration();
}

/** The BLAS library in this process: a path, or null where it is built into libtorch or unknown. */
export function blasLibrary(): string | null {
  native();
  try {
    const maps = readFileSync('/proc/self/maps', 'utf8');
    const paths = [
      ...new Set(
        [
          ...maps.matchAll(
            /(\/\S*lib(?:open|mkl|blis|atlas)?\w*blas\w*\S*\.so\S*|\/\S*libmkl_rt\S*)/g,
          ),
        ].map((match) => match[1]),
      ),
    ];
    return paths.find((path) => /openblas|mkl|blis/.test(path)) ?? paths[0] ?? null;
  } catch {
    return null;
  }
}
