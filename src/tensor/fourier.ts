import { operator } from './operator.ts';
import type { Tensor } from './tensor-class.ts';

type Norm = 'backward' | 'ortho' | 'forward';
type Sizes = readonly number[] | null;

/** Discrete Fourier transforms. Results are complex; `magnitude` makes them real. */
const declared = {
  fft2: operator<(x: Tensor, size: Sizes, dims: readonly number[], norm: Norm | null) => Tensor>(
    'fft_fft2(self, s, dim, norm)',
  ),
  ifft2: operator<(x: Tensor, size: Sizes, dims: readonly number[], norm: Norm | null) => Tensor>(
    'fft_ifft2(self, s, dim, norm)',
  ),
  rfft2: operator<(x: Tensor, size: Sizes, dims: readonly number[], norm: Norm | null) => Tensor>(
    'fft_rfft2(self, s, dim, norm)',
  ),
  irfft2: operator<(x: Tensor, size: Sizes, dims: readonly number[], norm: Norm | null) => Tensor>(
    'fft_irfft2(self, s, dim, norm)',
  ),
  rfft: operator<(x: Tensor, n: number | null, dim: number, norm: Norm | null) => Tensor>(
    'fft_rfft(self, n, dim, norm)',
  ),
};

/** Of the last two axes. */
export function fft2(x: Tensor, norm: Norm = 'backward'): Tensor {
  return declared.fft2(x, null, [-2, -1], norm);
}
export function ifft2(x: Tensor, norm: Norm = 'backward'): Tensor {
  return declared.ifft2(x, null, [-2, -1], norm);
}
/** Of the last two axes of a real tensor: (..., h, w) -> (..., h, w / 2 + 1). */
export function rfft2(x: Tensor, norm: Norm = 'backward'): Tensor {
  return declared.rfft2(x, null, [-2, -1], norm);
}
/** Inverse of rfft2, to a picture of `size`. */
export function irfft2(
  x: Tensor,
  size: readonly [number, number],
  norm: Norm = 'backward',
): Tensor {
  return declared.irfft2(x, size, [-2, -1], norm);
}
/** Of one axis of a real tensor. */
export function rfft(x: Tensor, dim = -1, norm: Norm = 'backward'): Tensor {
  return declared.rfft(x, null, dim, norm);
}
/** |z| of a complex tensor; not differentiable at 0. */
export { abs as magnitude } from './aten.ts';
export const real = operator<(x: Tensor) => Tensor>('real(self)');
export const imag = operator<(x: Tensor) => Tensor>('imag(self)');
export const fftshift =
  operator<(x: Tensor, dims?: readonly number[]) => Tensor>('fft_fftshift(self, dim)');
