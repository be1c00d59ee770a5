import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as ops from '../../src/tensor/ops.ts';
import { plainAttention } from '../../src/tensor/attention.ts';
import { enableGrad, noGrad, scope } from '../../src/tensor/memory.ts';
import { noise } from '../../src/tensor/random.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { expectNoLeaks, scopedTest } from '../support/leaks.ts';

expectNoLeaks();

/** Inputs of the shapes given, away from zero so that no kink is near. */
function inputs(name: string, shapes: readonly number[][]): Tensor[] {
  return shapes.map((shape, i) => noise(1, [name, i], shape).to('float64'));
}

/**
 * d(sum of weights * f)/d(input) by autograd against central differences in float64, at up to 12
 * elements of every input.
 */
function checkGradient(
  name: string,
  f: (...x: Tensor[]) => Tensor,
  shapes: readonly number[][],
): void {
  const values = inputs(name, shapes);
  const leaves = values.map((value) => value.clone().requiresGrad_());
  const output = f(...leaves);
  const weights = noise(2, [name], output.shape).to('float64');
  output.mul(weights).sum().backward();
  const at = (x: Tensor[]) =>
    scope(() =>
      noGrad(() =>
        f(...x)
          .mul(weights)
          .sum()
          .item(),
      ),
    );
  values.forEach((value, i) => {
    const { grad } = leaves[i];
    assert.ok(grad, `input ${i} has no gradient`);
    const analytic = grad.toFloat64();
    const data = value.toFloat64();
    const step = Math.max(1, Math.floor(data.length / 12));
    for (let j = 0; j < data.length; j += step) {
      const shifted = (by: number) =>
        scope(() => {
          const moved = Float64Array.from(data);
          moved[j] += by;
          return at(values.map((other, o) => (o === i ? tensor(moved, other.shape) : other)));
        });
      const h = 1e-5;
      const numeric = (shifted(h) - shifted(-h)) / (2 * h);
      const off = Math.abs(numeric - analytic[j]);
      const largest = Math.max(1, Math.abs(numeric));
      assert.ok(
        off < 1e-6 * largest,
        `input ${i}, element ${j}: differences give ${numeric}, autograd ${analytic[j]}`,
      );
    }
  });
}

const cases: [name: string, f: (...x: Tensor[]) => Tensor, shapes: number[][]][] = [
  [
    'broadcast arithmetic',
    (a, b) =>
      a
        .mul(b)
        .add(a.div(b.square().add(1)))
        .sub(b, 0.5),
    [
      [3, 1, 4],
      [2, 4],
    ],
  ],
  [
    'exp log sqrt pow',
    (a) => a.exp().add(1).log().add(a.square().add(1).sqrt()).add(a.pow(3)),
    [[3, 4]],
  ],
  ['sin cos tanh sigmoid', (a) => a.sin().mul(a.cos()).add(a.tanh()).sub(a.sigmoid()), [[3, 4]]],
  [
    'silu gelu softplus',
    (a) => a.silu().add(a.gelu()).add(a.gelu('tanh')).add(a.softplus()),
    [[3, 4]],
  ],
  ['softmax', (a) => a.softmax(-1), [[3, 5]]],
  ['log softmax', (a) => a.logSoftmax(1), [[2, 4, 3]]],
  ['mean var', (a) => a.mean([0, 2]).add(a.var([0, 2])), [[2, 3, 4]]],
  ['amax', (a) => a.amax(1), [[3, 5]]],
  ['norm', (a) => a.norm(2, 1), [[3, 5]]],
  [
    'matmul',
    (a, b) => a.matmul(b),
    [
      [2, 3, 4],
      [4, 5],
    ],
  ],
  ['linear', (x, w, b) => ops.linear(x, w, b), [[2, 3, 4], [5, 4], [5]]],
  ['conv2d', (x, w, b) => ops.conv2d(x, w, b, 2, 1), [[2, 3, 6, 5], [4, 3, 3, 3], [4]]],
  [
    'conv2d channels last',
    (x, w) => ops.conv2d(x.channelsLast(), w.channelsLast(), null, 1, 1),
    [
      [2, 3, 5, 5],
      [4, 3, 3, 3],
    ],
  ],
  [
    'conv3d',
    (x, w, b) => ops.conv3d(x, w, b, 1, [0, 1, 1]),
    [[1, 2, 3, 4, 4], [3, 2, 2, 3, 3], [3]],
  ],
  [
    'transposed conv2d',
    (x, w) => ops.convTranspose2d(x, w, null, 2),
    [
      [2, 3, 4, 4],
      [3, 4, 2, 2],
    ],
  ],
  ['group norm', (x, w, b) => ops.groupNorm(x, 2, w, b), [[2, 4, 3, 3], [4], [4]]],
  ['layer norm', (x, w, b) => ops.layerNorm(x, [5], w, b), [[2, 3, 5], [5], [5]]],
  ['batch norm', (x, w, b) => ops.batchNorm(x, w, b, null, null, true), [[4, 3, 2, 2], [3], [3]]],
  [
    'attention',
    (q, k, v) => ops.attention(q, k, v),
    [
      [2, 2, 4, 3],
      [2, 2, 5, 3],
      [2, 2, 5, 3],
    ],
  ],
  [
    'masked attention',
    (q, k, v, m) => ops.attention(q, k, v, { mask: m }),
    [
      [1, 2, 4, 3],
      [1, 2, 5, 3],
      [1, 2, 5, 3],
      [4, 5],
    ],
  ],
  [
    'attention in blocks',
    (q, k, v) => plainAttention(q, k, v, {}, 3),
    [
      [2, 2, 4, 3],
      [2, 2, 5, 3],
      [2, 2, 5, 3],
    ],
  ],
  ['nearest', (x) => ops.upsampleNearest2d(x, [6, 8]), [[1, 2, 3, 4]]],
  ['bilinear', (x) => ops.upsampleBilinear2d(x, [5, 7]), [[1, 2, 3, 4]]],
  ['bicubic', (x) => ops.upsampleBicubic2d(x, [5, 7]), [[1, 2, 3, 4]]],
  [
    'grid sample',
    (x, g) => ops.gridSampler2d(x, g.mul(0.4)),
    [
      [1, 2, 5, 5],
      [1, 3, 3, 2],
    ],
  ],
  ['average pool', (x) => ops.avgPool2d(x, 2), [[1, 2, 4, 6]]],
  ['max pool', (x) => ops.maxPool2d(x, 2), [[1, 2, 4, 6]]],
  ['adaptive pool', (x) => ops.adaptiveAvgPool2d(x, [2, 3]), [[1, 2, 5, 7]]],
  ['pad', (x) => ops.pad(x, [1, 2, 1, 1], 'reflect').add(ops.pad(x, [1, 2, 1, 1])), [[1, 2, 4, 4]]],
  ['embedding', (w) => ops.embedding(w, tensor([0, 2, 2, 1], [4], { dtype: 'int64' })), [[3, 4]]],
  [
    'cross entropy',
    (x) => ops.crossEntropy(x, tensor([0, 2, 1], [3], { dtype: 'int64' })),
    [[3, 4]],
  ],
  [
    'losses',
    (x, y) =>
      ops.mseLoss(x, y).add(ops.smoothL1Loss(x, y)).add(ops.binaryCrossEntropy(x, y.sigmoid())),
    [
      [3, 4],
      [3, 4],
    ],
  ],
  [
    'views',
    (x) =>
      x.permute([2, 0, 1]).reshape([4, 6]).narrow(1, 1, 4).transpose(0, 1).flip(0).select(0, 1),
    [[2, 3, 4]],
  ],
  [
    'cat stack split',
    (x, y) => ops.cat(ops.split(ops.stack([x, y], 1), [1, 2], 0), 1 - 1).cumsum(0),
    [
      [3, 4],
      [3, 4],
    ],
  ],
  ['gather index', (x) => x.gather(1, tensor([0, 1, 1, 2], [2, 2], { dtype: 'int64' })), [[2, 3]]],
  [
    'where lerp',
    (x, y) => ops.where(x.gt(0), x, y).lerp(y, 0.3).maximum(x.minimum(y)),
    [
      [3, 4],
      [3, 4],
    ],
  ],
  [
    'einsum',
    (x, y) => ops.einsum('bij,bkj->bik', x, y),
    [
      [2, 3, 4],
      [2, 5, 4],
    ],
  ],
  ['fourier magnitude', (x) => ops.rfft2(x).abs(), [[1, 4, 6]]],
];

for (const [name, f, shapes] of cases) {
  scopedTest(`${name}: autograd agrees with finite differences`, () =>
    checkGradient(name, f, shapes),
  );
}

scopedTest('backward inside a scope leaves its gradient with the parameter', () => {
  const w = tensor([1, 2, 3]).requiresGrad_();
  scope(() => w.square().sum().backward());
  scope(() => w.mul(10).sum().backward());
  assert.deepEqual([...w.grad!.toFloat32()], [12, 14, 16]);
  w.grad = null;
  assert.equal(w.grad, null);
});

scopedTest('gradientsOf leaves the gradients that were there', () => {
  const [a, b] = [tensor([2, 3]).requiresGrad_(), tensor([5, 7]).requiresGrad_()];
  a.grad = tensor([1, 1]);
  const loss = a.mul(b).sum();
  const [gradient] = noGrad(() => ops.gradientsOf(loss, [a], { retainGraph: true }));
  assert.deepEqual([...gradient.toFloat32()], [5, 7]);
  assert.deepEqual([...a.grad!.toFloat32()], [1, 1]);
  assert.equal(b.grad, null);
  loss.backward();
  assert.deepEqual([...b.grad!.toFloat32()], [2, 3]);
  const other = tensor([1]).requiresGrad_();
  assert.throws(
    () => ops.gradientsOf(a.mul(b).sum(), [other]),
    /does not depend on|not have been used|unreachable/,
  );
});

scopedTest('noGrad records nothing, enableGrad inside it does', () => {
  const w = tensor([1, 2]).requiresGrad_();
  assert.equal(
    noGrad(() => w.mul(2).requiresGrad),
    false,
  );
  assert.equal(
    noGrad(() => enableGrad(() => w.mul(2).requiresGrad)),
    true,
  );
  assert.throws(
    () =>
      noGrad(() => {
        throw new Error('inside');
      }),
    /inside/,
  );
  assert.equal(w.mul(2).requiresGrad, true);
  assert.equal(w.mul(2).detach().requiresGrad, false);
});

scopedTest('backward says what it was called on', () => {
  assert.throws(
    () => tensor([1, 2]).sum().backward(),
    /backward: .*does not require grad.*float32 scalar/,
  );
  assert.throws(
    () => tensor([1, 2]).requiresGrad_().mul(2).backward(),
    /backward: .*scalar.*float32 2/,
  );
  const w = tensor([1, 2]).requiresGrad_();
  const loss = w.square().sum();
  loss.backward();
  assert.throws(() => loss.backward(), /second time/);
});

test('second derivatives, with createGraph', () =>
  scope(() => {
    const x = tensor([2], [1]).requiresGrad_();
    x.pow(3).sum().backward({ createGraph: true });
    const first = x.grad!;
    x.grad = null;
    first.sum().backward();
    assert.equal(x.grad!.item(), 12);
    x.grad = null;
  }));
