import { arange, cat, embedding } from '../tensor/ops.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import { normal } from './init.ts';
import { Module } from './module.ts';
import type { Path } from './path.ts';

/**
 * A table of learnt vectors: int64 (...) -> (..., dim), in the dtype of the table. Key `weight`.
 */
export class Embedding extends Module<[Tensor], Tensor> {
  readonly weight: Tensor;

  constructor(path: Path, count: number, dim: number, init = normal(1)) {
    super();
    this.weight = path.parameter('weight', [count, dim], init);
  }

  forward(indices: Tensor): Tensor {
    return embedding(this.weight, indices);
  }
}

/**
 * Sinusoids of the noise level's step, as DDPM and Stable Diffusion have them: cosines first
 * (diffusers' `flip_sin_to_cos`), frequencies 10000^(-i / (dim/2)) (`downscale_freq_shift` 0).
 *
 * @param t steps of any dtype, (n)
 * @returns float32 (n, dim)
 */
export function timestepEmbedding(t: Tensor, dim: number): Tensor {
  const half = requireEven(dim, 'timestep embedding');
  const frequency = arange(0, half, { dtype: 'float32', device: t.device })
    .mul(-Math.log(10000) / half)
    .exp();
  const phase = t.to('float32').unsqueeze(1).mul(frequency); // n dim/2
  return cat([phase.cos(), phase.sin()], 1); // n dim
}

/**
 * Sinusoidal positions of "Attention is all you need": channel 2i is sin(p 10000^(-2i/dim)), 2i+1
 * its cosine.
 *
 * @returns float32 (count, dim)
 */
export function sinusoidalPositions(count: number, dim: number, device = 'cpu'): Tensor {
  requireEven(dim, 'sinusoidal positions');
  const table = new Float32Array(count * dim);
  for (let position = 0; position < count; position++) {
    for (let channel = 0; channel < dim; channel += 2) {
      const phase = position * 10000 ** (-channel / dim);
      table[position * dim + channel] = Math.sin(phase);
      table[position * dim + channel + 1] = Math.cos(phase);
    }
  }
  return tensor(table, [count, dim], { device });
}

function requireEven(dim: number, what: string): number {
  if (dim % 2 !== 0) throw new Error(`${what}: expected an even number of channels, got ${dim}`);
  return dim / 2;
}
