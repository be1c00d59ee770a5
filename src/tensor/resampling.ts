import { operator } from './operator.ts';
import type { Tensor } from './tensor-class.ts';

/** Padding, pooling and interpolation of pictures (n, c, h, w). */

/** One number for all axes, or one for each. */
type Sizes = number | readonly number[];
type Mode = 'constant' | 'reflect' | 'replicate' | 'circular';

const constantPad = operator<(x: Tensor, pad: readonly number[], value: number) => Tensor>(
  'constant_pad_nd(self, pad, value)',
);
const padOperator =
  operator<(x: Tensor, pad: readonly number[], mode: string) => Tensor>('pad(self, pad, mode)');
/**
 * sizes = (before, after) of the last axis, then of the one before it, ...
 * Negative sizes crop (constant only).
 */
export function pad(
  x: Tensor,
  sizes: readonly number[],
  mode: Mode = 'constant',
  value = 0,
): Tensor {
  return mode === 'constant' ? constantPad(x, sizes, value) : padOperator(x, sizes, mode);
}

export const avgPool2d = operator<
  (
    x: Tensor,
    kernel: Sizes,
    stride?: Sizes,
    padding?: Sizes,
    ceilMode?: boolean,
    countIncludePad?: boolean,
  ) => Tensor
>('avg_pool2d(self, kernel_size, stride, padding, ceil_mode, count_include_pad)');
export const avgPool3d = operator<
  (
    x: Tensor,
    kernel: Sizes,
    stride?: Sizes,
    padding?: Sizes,
    ceilMode?: boolean,
    countIncludePad?: boolean,
  ) => Tensor
>('avg_pool3d(self, kernel_size, stride, padding, ceil_mode, count_include_pad)');
export const maxPool2d = operator<
  (
    x: Tensor,
    kernel: Sizes,
    stride?: Sizes,
    padding?: Sizes,
    dilation?: Sizes,
    ceilMode?: boolean,
  ) => Tensor
>('max_pool2d(self, kernel_size, stride, padding, dilation, ceil_mode)');
export const maxPool3d = operator<
  (
    x: Tensor,
    kernel: Sizes,
    stride?: Sizes,
    padding?: Sizes,
    dilation?: Sizes,
    ceilMode?: boolean,
  ) => Tensor
>('max_pool3d(self, kernel_size, stride, padding, dilation, ceil_mode)');
export const adaptiveAvgPool2d = operator<(x: Tensor, size: Sizes) => Tensor>(
  'adaptive_avg_pool2d(self, output_size)',
);
type Size2d = readonly [number, number] | readonly number[];
export const upsampleNearest2d = operator<(x: Tensor, size: Size2d) => Tensor>(
  'upsample_nearest2d(self, output_size)',
);
export const upsampleNearest3d = operator<(x: Tensor, size: readonly number[]) => Tensor>(
  'upsample_nearest3d(self, output_size)',
);
const bilinear = operator<(x: Tensor, size: Size2d, alignCorners: boolean) => Tensor>(
  'upsample_bilinear2d(self, output_size, align_corners)',
);
const bicubic = operator<(x: Tensor, size: Size2d, alignCorners: boolean) => Tensor>(
  'upsample_bicubic2d(self, output_size, align_corners)',
);
/** No low-pass filter when it shrinks: `avgPool2d` first where that matters. */
export function upsampleBilinear2d(x: Tensor, size: Size2d, alignCorners = false): Tensor {
  return bilinear(x, size, alignCorners);
}
export function upsampleBicubic2d(x: Tensor, size: Size2d, alignCorners = false): Tensor {
  return bicubic(x, size, alignCorners);
}
const gridSampler = operator<
  (x: Tensor, grid: Tensor, mode: number, padding: number, align: boolean) => Tensor
>('grid_sampler_2d(input, grid, interpolation_mode, padding_mode, align_corners)');
const modes = { bilinear: 0, nearest: 1, bicubic: 2 };
const borders = { zeros: 0, border: 1, reflection: 2 };
/** x (n, c, h, w) at grid (n, gh, gw, 2) of (x, y) in [-1, 1]. */
export function gridSampler2d(
  x: Tensor,
  grid: Tensor,
  mode: keyof typeof modes = 'bilinear',
  padding: keyof typeof borders = 'zeros',
  alignCorners = false,
): Tensor {
  return gridSampler(x, grid, modes[mode], borders[padding], alignCorners);
}
