/** Measured speed of the loaded libtorch: what a training step is made of, in GFLOP/s. */
import { noGrad, scope } from '../tensor/memory.ts';
import { conv2d } from '../tensor/ops.ts';
import { randn, type Tensor } from '../tensor/tensor.ts';

export interface Speed {
  readonly dtype: 'float32' | 'bfloat16';
  /** A matrix product of 1024 x 1024, of 8192 x 8192 on a GPU, which smaller ones do not fill; in GFLOP/s. */
  readonly matmul: number;
  /** A 3x3 convolution, 8 (GPU: 1024) pictures of 32 x 32, 128 to 128 channels, forward, in GFLOP/s. */
  readonly convolution: number;
}

const channels = 128;
const grid = 32;

/**
 * Best of the calls that fit in a third of a second, after one to warm up; a slow library gets two
 * calls.
 */
function gigaflops(flops: number, compute: () => Tensor): number {
  const timed = () => {
    const began = performance.now();
    // Reading one value waits for a device that works on its own time.
    scope(() => {
      compute().flatten().narrow(0, 0, 1).to('float32').item();
    });
    return (performance.now() - began) / 1000;
  };
  let best = timed();
  const end = performance.now() + 330;
  do best = Math.min(best, timed());
  while (performance.now() < end);
  return flops / best / 1e9;
}

/**
 * Measures matrix product and convolution on `device`; about a second a dtype. Throws what libtorch
 * throws.
 */
export function measureSpeed(dtype: Speed['dtype'], device: string): Speed {
  const [side, pictures] = device === 'cpu' ? [1024, 8] : [8192, 1024];
  const matmulFlops = 2 * side ** 3;
  const convolutionFlops = 2 * pictures * grid ** 2 * channels ** 2 * 9;
  return noGrad(() =>
    scope(() => {
      const values = (shape: number[]) => randn(shape, { device }).to(dtype);
      const a = values([side, side]);
      const b = values([side, side]);
      const picture = values([pictures, channels, grid, grid]).channelsLast();
      const kernel = values([channels, channels, 3, 3]);
      return {
        dtype,
        matmul: gigaflops(matmulFlops, () => a.matmul(b)),
        convolution: gigaflops(convolutionFlops, () =>
          conv2d(picture, kernel, null, [1, 1], [1, 1]),
        ),
      };
    }),
  );
}
