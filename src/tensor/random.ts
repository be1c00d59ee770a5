import { createHash } from 'node:crypto';
import { randn, tensor } from './creation.ts';
import { Boxed } from './handle.ts';
import { scope } from './memory.ts';
import { native } from './native.ts';
import { Tensor } from './tensor-class.ts';
import type { Device } from './tensor-class.ts';

/** A stream of random numbers of its own. Its state can be saved and restored, byte for byte. */
export class Generator extends Boxed {
  readonly device: Device;

  constructor(seed: number | bigint, device: Device) {
    super(native().generator(device, seed));
    this.device = device;
  }

  getState(): Uint8Array {
    return scope(() => new Tensor(native().generatorState(this.external)).toUint8());
  }

  /** Throws when the bytes are no state of this kind of generator. */
  setState(state: Uint8Array): void {
    scope(() => native().setGeneratorState(this.external, tensor(state, [state.length]).external));
  }
}

/** A generator seeded with `seed` (64 bits; libtorch's CPU generator uses the low 32). */
export function generator(seed: number | bigint, device: Device = 'cpu'): Generator {
  return new Generator(seed, device);
}

/** Seeds libtorch's default generator of a device. */
export function manualSeed(seed: number | bigint, device: Device = 'cpu'): void {
  native().seedDefault(device, seed);
}

/**
 * Standard normal float32 numbers, a function of (seed, key) alone: the same for a clip whatever its
 * batch or the number of processes (DESIGN section 5). Drawn by the CPU, or by `device`, whose
 * numbers are others.
 */
export function noise(
  seed: number | bigint,
  key: readonly (string | number)[],
  shape: readonly number[],
  device: Device = 'cpu',
): Tensor {
  const digest = createHash('sha256')
    .update(JSON.stringify([String(seed), ...key]))
    .digest();
  return randn(shape, { generator: generator(digest.readBigUInt64LE(0), device), device });
}
