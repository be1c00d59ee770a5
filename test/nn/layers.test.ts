import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { geglu, quickGelu } from '../../src/nn/activation.ts';
import { multiHeadAttention } from '../../src/nn/attention.ts';
import { Conv2d, Conv3d } from '../../src/nn/convolution.ts';
import { Embedding, sinusoidalPositions, timestepEmbedding } from '../../src/nn/embedding.ts';
import { Linear } from '../../src/nn/linear.ts';
import type { Module } from '../../src/nn/module.ts';
import { BatchNorm3d, GroupNorm, LayerNorm } from '../../src/nn/normalization.ts';
import { rootPath, type Path } from '../../src/nn/path.ts';
import { noGrad, scope } from '../../src/tensor/memory.ts';
import { tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { expectNoLeaks } from '../support/leaks.ts';
import { data, deviation, expectClose, fill, type Summary } from '../support/reference-fill.ts';

interface LayerGolden {
  readonly keys: string[];
  readonly output: Summary;
  readonly gradients: Record<string, Summary>;
  readonly inputGradient?: Summary;
  readonly running: { mean: Summary; variance: Summary };
}

const golden = JSON.parse(
  readFileSync(new URL('../golden/layers.json', import.meta.url), 'utf8'),
) as Record<string, LayerGolden> & Record<string, Summary>;

expectNoLeaks();

type Layer = Module<[Tensor], Tensor>;

interface Case {
  readonly name: string;
  readonly build: (path: Path) => Layer | ((x: Tensor) => Tensor);
  readonly shape: readonly number[];
}

const cases: readonly Case[] = [
  { name: 'linear', build: (path) => new Linear(path, 6, 5), shape: [3, 4, 6] },
  {
    name: 'linearWithoutBias',
    build: (path) => new Linear(path, 6, 5, { bias: false }),
    shape: [3, 4, 6],
  },
  {
    name: 'conv2d',
    build: (path) => new Conv2d(path, 3, 4, [3, 2], { stride: [2, 1], padding: [1, 0] }),
    shape: [2, 3, 7, 6],
  },
  {
    name: 'conv3d',
    build: (path) => new Conv3d(path, 3, 4, [1, 2, 2], { stride: [1, 2, 2] }),
    shape: [2, 3, 3, 6, 4],
  },
  { name: 'groupNorm', build: (path) => new GroupNorm(path, 3, 6, 1e-6), shape: [2, 6, 5, 4] },
  { name: 'layerNorm', build: (path) => new LayerNorm(path, 8), shape: [2, 3, 8] },
  {
    name: 'batchNormTraining',
    build: (path) => {
      const norm = new BatchNorm3d(path, 4);
      return (x) => norm.call(x, true);
    },
    shape: [3, 4, 1, 5, 5],
  },
];

for (const { name, build, shape } of cases) {
  test(`${name}: output, gradients and keys as torch's`, () => {
    const path = rootPath();
    scope(() => {
      const layer = build(path);
      fill(path.state());
      const { keys, output, gradients, inputGradient } = golden[name];
      assert.deepEqual(
        [...path.state().keys()],
        keys.filter((key) => key !== 'num_batches_tracked'),
      );
      const x = data('x', ...shape).requiresGrad_(true);
      const y = typeof layer === 'function' ? layer(x) : layer.call(x);
      expectClose(y, output, 1e-5, 'output');
      y.mul(data('loss', ...y.shape))
        .sum()
        .backward();
      for (const [key, value] of path.parameters()) {
        expectClose(value.grad!, gradients[key], 1e-5, `gradient of ${key}`);
      }
      expectClose(x.grad!, inputGradient!, 1e-5, 'gradient of x');
    });
    path.dispose();
  });

  test(`${name}: bfloat16 in, bfloat16 out close to float32, float32 gradients`, () => {
    const path = rootPath();
    scope(() => {
      const layer = build(path);
      fill(path.state());
      const x = data('x', ...shape)
        .to('bfloat16')
        .requiresGrad_(true);
      const y = typeof layer === 'function' ? layer(x) : layer.call(x);
      assert.equal(y.dtype, 'bfloat16');
      expectClose(y, golden[name].output, 0.03, 'output');
      y.mul(data('loss', ...y.shape).to('bfloat16'))
        .sum()
        .backward();
      for (const [key, value] of path.parameters()) {
        assert.equal(value.grad!.dtype, 'float32');
        expectClose(value.grad!, golden[name].gradients[key], 0.06, `gradient of ${key}`);
      }
    });
    path.dispose();
  });
}

test('batch norm moves its running statistics while training and uses them afterwards', () => {
  const path = rootPath();
  scope(() => {
    const norm = new BatchNorm3d(path, 4);
    const x = data('x', 3, 4, 1, 5, 5);
    fill(path.state());
    const evaluated = golden.batchNormEvaluation as Summary;
    expectClose(norm.call(x), evaluated, 1e-5, 'evaluation');
    const { mean, variance } = golden.batchNormTraining.running;
    norm.call(x, true);
    expectClose(norm.runningMean, mean, 1e-5, 'running mean');
    expectClose(norm.runningVariance, variance, 1e-5, 'running variance');
    assert.ok(deviation(norm.call(x), evaluated) > 1e-3, 'expected the new statistics in use');
  });
  path.dispose();
});

test('embedding looks its rows up, and only those get a gradient', () => {
  const path = rootPath();
  scope(() => {
    const embedding = new Embedding(path, 7, 4);
    fill(path.state());
    const y = embedding.call(tensor([0, 3, 6, 3], [2, 2], { dtype: 'int64' }));
    expectClose(y, golden.embedding.output, 1e-6, 'output');
    y.mul(data('loss', ...y.shape))
      .sum()
      .backward();
    expectClose(embedding.weight.grad!, golden.embedding.gradients.weight, 1e-6, 'gradient');
  });
  path.dispose();
});

test('timestep embedding is diffusers’, for integer steps', () => {
  scope(() => {
    const t = tensor([0, 1, 499, 999], [4], { dtype: 'int64' });
    expectClose(timestepEmbedding(t, 16), golden.timestepEmbedding as Summary, 1e-4, 'embedding');
    assert.throws(() => timestepEmbedding(t, 7), /expected an even number of channels, got 7/);
  });
});

test('sinusoidal positions', () => {
  scope(() => {
    expectClose(sinusoidalPositions(5, 8), golden.sinusoidalPositions as Summary, 1e-6, 'table');
  });
});

test('gated activations', () => {
  scope(() => {
    const x = data('x', 2, 3, 8);
    expectClose(geglu(x), golden.geglu as Summary, 1e-5, 'geglu');
    expectClose(quickGelu(x), golden.quickGelu as Summary, 1e-5, 'quickGelu');
  });
});

test('multi-head attention, plain and masked', () => {
  scope(() => {
    const [q, k, v] = [data('q', 2, 5, 12), data('k', 2, 7, 12), data('v', 2, 7, 12)];
    expectClose(multiHeadAttention(q, k, v, 3), golden.attention as Summary, 1e-5, 'attention');
    const mask = Array.from({ length: 35 }, (_, i) => (i % 7 > Math.floor(i / 7) ? -Infinity : 0));
    const masked = multiHeadAttention(q, k, v, 3, tensor(mask, [5, 7]));
    expectClose(masked, golden.maskedAttention as Summary, 1e-5, 'masked');
    assert.throws(
      () => multiHeadAttention(q, k, v, 5),
      /expected channels divisible by 5 heads, got 12/,
    );
  });
});

test('a layer names itself when its input has the wrong number of channels', () => {
  const path = rootPath();
  scope(() => {
    const conv = new Conv2d(path.sub('unet.conv_in'), 4, 8, 3);
    const linear = new Linear(path.sub('text.fc1'), 4, 8);
    const x = data('x', 1, 3, 5, 5);
    assert.throws(
      () => conv.call(x),
      /conv2d: expected 4 input channels, got 3 \(input 1x3x5x5, weight 8x4x3x3\) at unet.conv_in/,
    );
    assert.throws(() => linear.call(x), /linear: expected 4 input features, got 5 .* at text.fc1/);
    assert.throws(
      () => new GroupNorm(path.sub('norm'), 3, 8),
      /divisible by 3 groups, got 8 at norm/,
    );
  });
  path.dispose();
});

test('a call releases its temporaries', () => {
  const path = rootPath();
  const linear = new Linear(path, 4, 4);
  const x = data('x', 2, 4);
  const y = noGrad(() => linear.call(x));
  assert.deepEqual(y.shape, [2, 4]);
  x.dispose();
  y.dispose();
  path.dispose();
});
