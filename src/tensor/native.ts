import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { addonPath, findLibtorch } from './libtorch.ts';
import type { Libtorch } from './libtorch.ts';
import { physicalCores } from './cores.ts';

declare const external: unique symbol;
/** A tensor or generator as the addon gives it. */
export interface External {
  readonly [external]: true;
}
export type NativeValue =
  External | number | bigint | boolean | string | null | undefined | NativeValue[];

/** What `native/` exports. */
export interface Native {
  operator(name: string, overload: string): number;
  call(operator: number, ...args: unknown[]): NativeValue;
  schema(name: string, overload: string): string | null;
  schemas(): string[];
  dispose(tensor: External): void;
  liveTensors(): number;
  memory(): [live: number, peak: number];
  liveBytes(): number;
  resetPeak(): void;
  emptyCache(): void;
  shape(tensor: External): number[];
  strides(tensor: External): number[];
  scalarType(tensor: External): number;
  device(tensor: External): string;
  requiresGrad(tensor: External): boolean;
  setRequiresGrad(tensor: External, on: boolean): void;
  isLeaf(tensor: External): boolean;
  grad(tensor: External): External | null;
  setGrad(tensor: External, gradient: External | null): void;
  backward(
    tensor: External,
    gradient: External | null,
    inputs: External[] | null,
    retainGraph: boolean,
    createGraph: boolean,
  ): void;
  gradMode(): boolean;
  setGradMode(on: boolean): void;
  readBytes(tensor: External, offset: number, target: ArrayBufferView): void;
  writeBytes(tensor: External, offset: number, source: ArrayBufferView): void;
  generator(device: string, seed: number | bigint): External;
  seedDefault(device: string, seed: number | bigint): void;
  generatorState(generator: External): External;
  setGeneratorState(generator: External, state: External): void;
  load(library: string): void;
  deviceCount(type: string): number;
  synchronize(device: string): void;
  threads(): number;
  setThreads(count: number): void;
  configuration(): string;
}

let loaded: Native | null = null;
let chosen: Libtorch | null = null;

/** The addon; the first call loads libtorch (a second or so) and sets its threads. */
export function native(): Native {
  return loaded ?? load();
}

/** The libtorch in use: version, folder and where it was found. */
export function libtorch(): Libtorch {
  native();
  return chosen!;
}

/** Whether libtorch is in this process yet. */
export function isLoaded(): boolean {
  return loaded !== null;
}

/** Errors: one sentence where a library that it needs is not found. */
function loadDevices(addon: Native, library: string): void {
  try {
    addon.load(library);
  } catch (error) {
    throw new Error(
      `there is a card, and ${library} does not load: ${(error as Error).message}; put the folder ` +
        'of what is missing on LD_LIBRARY_PATH, or name a libtorch without CUDA by LIBTORCH',
      { cause: error },
    );
  }
}

function load(): Native {
  chosen = findLibtorch();
  const path = addonPath(chosen);
  if (!existsSync(path)) {
    const { version, libraries } = chosen;
    throw new Error(
      `native/ is not built for libtorch ${version} (${libraries}): ` +
        'run bash scripts/build-native.sh',
    );
  }
  const addon = createRequire(import.meta.url)(path) as Native;
  // The CUDA half is a gigabyte to load: only where there is a card to use it.
  if (['/dev/nvidiactl', '/dev/dxg', '/dev/kfd'].some(existsSync)) {
    for (const name of ['libtorch_cuda.so', 'libtorch_hip.so']) {
      const library = join(chosen.libraries, name);
      if (existsSync(library)) loadDevices(addon, library);
    }
  }
  const asked = Number(process.env.OMP_NUM_THREADS);
  addon.setThreads(
    asked >= 1 ? Math.floor(asked) : Math.min(physicalCores(), availableParallelism()),
  );
  loaded = addon;
  return addon;
}
