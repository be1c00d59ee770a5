import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as ops from '../../src/tensor/ops.ts';
import { fusedAttention, plainAttention } from '../../src/tensor/attention.ts';
import { hasOperator } from '../../src/tensor/device.ts';
import { scope } from '../../src/tensor/memory.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { expectNoLeaks } from '../support/leaks.ts';

// Printed by test/golden/tensor.py.
const golden = JSON.parse(
  readFileSync(new URL('../golden/tensor.json', import.meta.url), 'utf8'),
) as Record<string, { shape: number[]; values: number[] }>;

/** The i-th number of input k is sin(0.7 i + k). */
function x(k: number, ...shape: number[]): Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  return tensor(
    Float32Array.from({ length: count }, (_, i) => Math.sin(0.7 * i + k)),
    shape,
  );
}

function ints(limit: number, ...shape: number[]): Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  return tensor(
    BigInt64Array.from({ length: count }, (_, i) => BigInt((7 * i + 3) % limit)),
    shape,
  );
}

const a = () => x(1, 3, 1, 4);
const b = () => x(2, 2, 4);
const picture = () => x(3, 2, 4, 6, 5);
const positive = () => x(8, 3, 4).abs().add(0.5);
const q = () => x(9, 2, 2, 5, 4);
const k = () => x(10, 2, 2, 7, 4);
const v = () => x(11, 2, 2, 7, 3);

const cases: Record<string, () => Tensor> = {
  add: () => a().add(b()),
  addAlpha: () => a().add(b(), 0.5),
  sub: () => a().sub(b()),
  mul: () => a().mul(b()),
  div: () => a().div(b().add(3)),
  rsubNumber: () => a().neg().add(2),
  pow: () => positive().pow(1.5),
  powTensor: () => positive().pow(x(1, 4)),
  remainder: () => a().remainder(0.3),
  exp: () => a().exp(),
  log: () => positive().log(),
  log1p: () => positive().log1p(),
  sqrt: () => positive().sqrt(),
  rsqrt: () => positive().rsqrt(),
  sin: () => a().sin(),
  cos: () => a().cos(),
  tanh: () => a().tanh(),
  sigmoid: () => a().sigmoid(),
  relu: () => a().relu(),
  silu: () => ops.silu(a()),
  gelu: () => ops.gelu(a()),
  geluTanh: () => a().gelu('tanh'),
  softplus: () => a().softplus(),
  erf: () => a().erf(),
  leakyRelu: () => ops.leakyRelu(a(), 0.2),
  clamp: () => a().clamp(-0.3, 0.4),
  clampMin: () => a().clamp(0.1),
  softmax: () => b().softmax(-1),
  logSoftmax: () => b().logSoftmax(0),
  logSumExp: () => b().logSumExp(1),
  lerp: () => b().lerp(b().mul(2), 0.3),
  sum: () => b().sum(),
  sumDim: () => b().sum(1, true),
  mean: () => picture().mean([2, 3]),
  var: () => b().var(1),
  std0: () => b().std(0, { correction: 0 }),
  amax: () => picture().amax([1, 2]),
  argmax: () => b().argmax(1),
  cumsum: () => b().cumsum(1),
  norm: () => b().norm(2, 1),
  norm1: () => b().norm(1),
  matmul: () => x(1, 2, 3, 4).matmul(x(2, 4, 5)),
  einsum: () => ops.einsum('bij,bkj->bik', x(1, 2, 3, 4), x(2, 2, 5, 4)),
  baddbmm: () => ops.baddbmm(x(1, 2, 3, 5), x(2, 2, 3, 4), x(3, 2, 4, 5), 0.5, 2),
  linear: () => ops.linear(x(1, 2, 3, 4), x(2, 5, 4), x(3, 5)),
  embedding: () => ops.embedding(x(1, 7, 4), ints(7, 2, 3)),
  conv1d: () => ops.conv1d(x(1, 2, 3, 8), x(2, 4, 3, 3), null, 1, 1),
  conv2d: () => ops.conv2d(picture(), x(4, 6, 4, 3, 3), x(5, 6), [2, 1], 1),
  conv2dGroups: () => ops.conv2d(picture(), x(4, 6, 2, 3, 3), x(5, 6), 1, 2, 2, 2),
  convTranspose2d: () => ops.convTranspose2d(picture(), x(4, 4, 3, 2, 2), null, 2),
  conv3d: () => ops.conv3d(x(6, 1, 2, 3, 5, 4), x(7, 3, 2, 2, 3, 3), x(5, 3), 1, [0, 1, 1]),
  groupNorm: () => ops.groupNorm(picture(), 2, x(1, 4), x(2, 4), 1e-6),
  layerNorm: () => ops.layerNorm(picture(), [5], x(1, 5), x(2, 5)),
  batchNorm: () =>
    ops.batchNorm(picture(), x(3, 4), x(4, 4), x(1, 4), positive().select(0, 0), false),
  batchNormTraining: () => ops.batchNorm(picture(), x(3, 4), x(4, 4), null, null, true),
  padConstant: () => ops.pad(picture(), [1, 2, 0, 1], 'constant', 0.5),
  padReflect: () => ops.pad(picture(), [2, 1, 1, 0], 'reflect'),
  padReplicate: () => ops.pad(picture(), [1, 1, 2, 2], 'replicate'),
  avgPool2d: () => ops.avgPool2d(picture(), 2),
  avgPoolPadded: () => ops.avgPool2d(picture(), 3, 1, 1, false, false),
  maxPool2d: () => ops.maxPool2d(picture(), 3, 2, 1),
  adaptiveAvgPool2d: () => ops.adaptiveAvgPool2d(picture(), [3, 2]),
  nearest: () => ops.upsampleNearest2d(picture(), [9, 10]),
  bilinear: () => ops.upsampleBilinear2d(picture(), [9, 3]),
  bilinearCorners: () => ops.upsampleBilinear2d(picture(), [9, 3], true),
  bicubic: () => ops.upsampleBicubic2d(picture(), [8, 8]),
  gridSample: () => ops.gridSampler2d(picture(), x(1, 2, 3, 3, 2), 'bilinear', 'border'),
  mse: () => ops.mseLoss(b(), b().square()),
  l1: () => ops.l1Loss(b(), b().square()),
  huber: () => ops.smoothL1Loss(b(), b().mul(3), 0.5),
  crossEntropy: () => ops.crossEntropy(x(1, 2, 4, 3), ints(4, 2, 3), { labelSmoothing: 0.1 }),
  binaryCrossEntropy: () => ops.binaryCrossEntropy(b(), b().abs()),
  where: () => ops.where(b().gt(0), b(), b().mul(10)),
  tril: () => ops.tril(b(), -1),
  triu: () => ops.triu(b(), 1),
  oneHot: () => ops.oneHot(ints(4, 5), 4),
  cat: () => ops.cat([b(), b().mul(2)], 1),
  stack: () => ops.stack([b(), b().mul(2)], 1),
  split: () => ops.split(b(), [1, 3], 1)[1],
  flip: () => picture().flip(2),
  roll: () => b().roll(1, 1),
  gather: () => b().gather(1, ints(4, 2, 3)),
  indexSelect: () => b().indexSelect(1, ints(4, 3)),
  permute: () => picture().permute([0, 2, 3, 1]).reshape([2, -1]),
  repeatInterleave: () => b().repeatInterleave(2, 1),
  arange: () => ops.arange(2, 9, 3),
  linspace: () => ops.linspace(-1, 1, 6),
  rfft2: () => ops.rfft2(picture()).abs(),
  fft2: () => ops.real(ops.fft2(picture(), 'ortho')),
  svd: () => ops.svd(x(1, 4, 3))[1],
  eigh: () =>
    ops.eigh(
      x(1, 4, 3)
        .transpose(0, 1)
        .matmul(x(1, 4, 3)),
    )[0],
  attention: () => ops.attention(q(), k(), v()),
  attentionMask: () => ops.attention(q(), k(), v(), { mask: x(12, 5, 7) }),
  attentionCausal: () => ops.attention(q(), k(), v(), { causal: true }),
  attentionScale: () => ops.attention(q(), k(), v(), { scale: 0.3 }),
  bfloat16: () => x(1, 8).to('bfloat16').to('float32'),
  float16: () => x(1, 8).to('float16').to('float32'),
  toInt: () => x(1, 8).mul(10).to('int64'),
  cumulativeProduct: () => positive().cumprod(0),
  topk: () => b().topk(2, 1)[0],
};

expectNoLeaks();

function compare(actual: Tensor, expected: { shape: number[]; values: number[] }): void {
  assert.deepEqual(actual.shape, expected.shape);
  const numbers = actual.toFloat64();
  expected.values.forEach((value, i) => {
    const off = Math.abs(numbers[i] - value);
    assert.ok(
      off <= 2e-5 * Math.max(1, Math.abs(value)),
      `element ${i}: expected ${value}, got ${numbers[i]}`,
    );
  });
}

test('every golden has a case, and every case a golden', () => {
  assert.deepEqual(Object.keys(cases).sort(), Object.keys(golden).sort());
});

for (const [name, run] of Object.entries(cases)) {
  test(`${name} gives PyTorch's numbers`, () => scope(() => compare(run(), golden[name])));
}

test('plain attention in blocks of any size is the same', () => {
  for (const rows of [1, 2, 3, 5, 9]) {
    scope(() => {
      compare(plainAttention(q(), k(), v(), {}, rows), golden.attention);
      compare(plainAttention(q(), k(), v(), { mask: x(12, 5, 7) }, rows), golden.attentionMask);
      compare(plainAttention(q(), k(), v(), { causal: true }, rows), golden.attentionCausal);
    });
  }
});

const unfused = hasOperator('scaled_dot_product_attention') ? false : 'this libtorch has no fused attention';
test('fused attention in parts of the batch is the same', { skip: unfused }, () => {
  scope(() => {
    const [queries, keys, values] = [q(), k(), v()].map((x) => ops.cat([x, x.mul(0.5), x.add(1)], 0));
    const mask = x(13, 6, 1, 5, 7);
    for (const options of [{}, { causal: true }, { mask: x(12, 5, 7) }, { mask }]) {
      const whole = fusedAttention(queries, keys, values, options, Infinity).toFloat32();
      for (const most of [1, 2]) {
        const parts = fusedAttention(queries, keys, values, options, most).toFloat32();
        parts.forEach((value, i) => assert.ok(Math.abs(value - whole[i]) < 1e-6));
      }
    }
  });
});

test('a bool mask hides keys in both forms of attention', () => {
  scope(() => {
    const seen = ops.arange(7).lt(4).expand([5, 7]);
    const expected = ops.attention(q(), k().narrow(2, 0, 4), v().narrow(2, 0, 4)).toFloat32();
    for (const run of [ops.attention, plainAttention]) {
      const actual = run(q(), k(), v(), { mask: seen }).toFloat32();
      actual.forEach((value, i) => assert.ok(Math.abs(value - expected[i]) < 1e-5));
    }
  });
});
