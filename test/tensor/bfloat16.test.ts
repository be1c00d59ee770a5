import assert from 'node:assert/strict';
import * as ops from '../../src/tensor/ops.ts';
import { plainAttention } from '../../src/tensor/attention.ts';
import { scope } from '../../src/tensor/memory.ts';
import { noise } from '../../src/tensor/random.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { expectNoLeaks, scopedTest } from '../support/leaks.ts';

expectNoLeaks();

type Case = [name: string, f: (...x: Tensor[]) => Tensor, shapes: number[][]];


const cases: Case[] = [
  ['conv2d', (x, w, b) => ops.conv2d(x, w, b, 1, 1), [[2, 4, 8, 8], [6, 4, 3, 3], [6]]],
  [
    'strided conv2d',
    (x, w) => ops.conv2d(x, w, null, 2, 1),
    [
      [2, 4, 9, 7],
      [6, 4, 3, 3],
    ],
  ],
  [
    'grouped, dilated conv2d',
    (x, w) => ops.conv2d(x, w, null, 1, 2, 2, 2),
    [
      [2, 4, 8, 8],
      [6, 2, 3, 3],
    ],
  ],
  [
    '1x1 conv2d',
    (x, w) => ops.conv2d(x, w),
    [
      [2, 4, 8, 8],
      [6, 4, 1, 1],
    ],
  ],
  [
    'conv2d, channels last',
    (x, w) => ops.conv2d(x.channelsLast(), w.channelsLast(), null, 1, 1),
    [
      [2, 4, 8, 8],
      [6, 4, 3, 3],
    ],
  ],
  [
    'conv3d',
    (x, w) => ops.conv3d(x, w, null, 1, 1),
    [
      [1, 4, 3, 6, 6],
      [5, 4, 3, 3, 3],
    ],
  ],
  [
    'transposed conv2d',
    (x, w) => ops.convTranspose2d(x, w, null, 2),
    [
      [2, 4, 5, 5],
      [4, 6, 2, 2],
    ],
  ],
  ['linear', (x, w, b) => ops.linear(x, w, b), [[2, 3, 8], [5, 8], [5]]],
  [
    'matmul',
    (a, b) => a.matmul(b),
    [
      [2, 3, 8],
      [8, 5],
    ],
  ],
  [
    'bmm',
    (a, b) => ops.bmm(a, b),
    [
      [2, 3, 8],
      [2, 8, 5],
    ],
  ],
  ['group norm', (x, w, b) => ops.groupNorm(x, 2, w, b), [[2, 4, 6, 6], [4], [4]]],
  [
    'group norm, channels last',
    (x, w, b) => ops.groupNorm(x.channelsLast(), 2, w, b),
    [[2, 4, 6, 6], [4], [4]],
  ],
  ['layer norm', (x, w, b) => ops.layerNorm(x, [8], w, b), [[2, 3, 8], [8], [8]]],
  ['batch norm', (x, w, b) => ops.batchNorm(x, w, b, null, null, true), [[4, 3, 4, 4], [3], [3]]],
  ['softmax', (x) => x.softmax(-1), [[3, 7]]],
  ['silu', (x) => x.silu(), [[3, 7]]],
  ['gelu', (x) => x.gelu(), [[3, 7]]],
  [
    'attention',
    (q, k, v) => ops.attention(q, k, v),
    [
      [1, 2, 9, 8],
      [1, 2, 7, 8],
      [1, 2, 7, 8],
    ],
  ],
  [
    'attention in blocks',
    (q, k, v) => plainAttention(q, k, v, {}, 4),
    [
      [1, 2, 9, 8],
      [1, 2, 7, 8],
      [1, 2, 7, 8],
    ],
  ],
  ['nearest', (x) => ops.upsampleNearest2d(x, [8, 8]), [[1, 2, 4, 4]]],
  ['bilinear', (x) => ops.upsampleBilinear2d(x, [8, 8]), [[1, 2, 4, 4]]],
  ['average pool', (x) => ops.avgPool2d(x, 2), [[1, 2, 4, 4]]],
  ['adaptive pool', (x) => ops.adaptiveAvgPool2d(x, 2), [[1, 2, 5, 5]]],
  ['zero padding', (x) => ops.pad(x, [1, 1, 1, 1]), [[1, 2, 4, 4]]],
  [
    'cat',
    (a, b) => ops.cat([a, b], 1),
    [
      [2, 3],
      [2, 4],
    ],
  ],
  ['sums', (x) => x.mean(1).add(x.sum(1)).add(x.var(1)), [[3, 9]]],
  ['arithmetic', (a, b) => a.mul(b).add(a).sub(b).lerp(a, 0.5), [[3, 5], [5]]],
];

/** Result and gradients of `f`, as float32, with inputs of `dtype`. */
function run(f: Case[1], values: Tensor[], dtype: 'float32' | 'bfloat16'): Tensor[] {
  const leaves = values.map((value) => value.to(dtype).clone().requiresGrad_());
  const output = f(...leaves);
  assert.equal(output.dtype, dtype);
  output
    .to('float32')
    .mul(noise(3, ['weight'], output.shape))
    .sum()
    .backward();
  return [output, ...leaves.map((leaf) => leaf.grad!)].map((x) => x.detach().to('float32'));
}

for (const [name, f, shapes] of cases) {
  scopedTest(`${name}: bfloat16 is float32, rounded, forward and backward`, () =>
    scope(() => {
      // Both see the same, rounded inputs.
      const values = shapes.map((shape, i) =>
        noise(1, [name, i], shape).to('bfloat16').to('float32'),
      );
      const [exact, rounded] = [run(f, values, 'float32'), run(f, values, 'bfloat16')];
      exact.forEach((expected, i) => {
        const largest = expected.abs().amax().item();
        const off = rounded[i].sub(expected).abs().amax().item();
        assert.deepEqual(rounded[i].shape, expected.shape);
        assert.ok(
          off <= 0.03 * Math.max(1, largest),
          `${i === 0 ? 'result' : `gradient ${i - 1}`} off by ${off}`,
        );
      });
    }),
  );
}
