import { cat } from '../tensor/ops.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** A denoiser: the network's prediction at z_t, step t, under a control that only it understands. */
export type Denoiser<Control> = (zt: Tensor, t: number, control: Control) => Tensor;

/**
 * Classifier-free guidance (Ho and Salimans 2022, eq. 6 in its diffusers form): eps_u + s (eps_c - eps_u).
 * `free` is the control without what the guidance strengthens; PAPER section 1 drops text and image
 * and keeps the local conditions. At s = 1 the second pass is not run.
 */
export function guide<Control>(
  denoise: Denoiser<Control>, control: Control, free: Control, scale: number,
): (zt: Tensor, t: number) => Tensor {
  expectFinite(scale);
  if (scale === 1) return (zt, t) => denoise(zt, t, control);
  return (zt, t) => {
    const unguided = denoise(zt, t, free);
    return unguided.add(denoise(zt, t, control).sub(unguided), scale);
  };
}

/**
 * The same in one pass of a batch twice as large, for a device that waits for its work: `both` is the control of
 * the clips without what is strengthened, and then with it.
 */
export function guideInOnePass<Control>(
  denoise: Denoiser<Control>, both: Control, scale: number,
): (zt: Tensor, t: number) => Tensor {
  expectFinite(scale);
  return (zt, t) => {
    const [unguided, guided] = denoise(cat([zt, zt], 0), t, both).chunk(2, 0);
    return unguided.add(guided.sub(unguided), scale);
  };
}

function expectFinite(scale: number): void {
  if (!Number.isFinite(scale)) throw new Error(`guidance: expected a finite scale, got ${scale}`);
}
