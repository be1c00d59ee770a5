/** What the baselines add to the networks, output and gradients as diffusers' and PyTorch's. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { GlobalAdapter } from '../../src/models/adapter.ts';
import { LocalEncoder } from '../../src/models/local-encoder.ts';
import { TemporalConvolution } from '../../src/models/temporal-convolution.ts';
import { UNet, type UNetConfig } from '../../src/models/unet.ts';
import { rootPath, type Path } from '../../src/nn/path.ts';
import { noGrad, scope } from '../../src/tensor/memory.ts';
import { cat, zeros } from '../../src/tensor/ops.ts';
import { tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { expectNoLeaks } from '../support/leaks.ts';
import { data, expectClose, fill, type Summary } from '../support/reference-fill.ts';

interface Run {
  readonly output: Summary;
  readonly inputGradient: Summary;
  readonly gradients: Record<string, Summary>;
}
type Layer = Run & { readonly keys: Record<string, number[]> };
interface Network { readonly keys: Record<string, number[]>; readonly clips: Run }

const golden = JSON.parse(
  readFileSync(new URL('../golden/baselines.json', import.meta.url), 'utf8'),
) as Record<'temporalConvolution' | 'encoder' | 'encoderOfOne' | 'adapter', Layer>
  & Record<'videocomposer' | 'moonshot', Network>;

expectNoLeaks();

/** Builds in a path of reference numbers, runs `use`, and releases it. */
function within<T>(build: (path: Path) => T, use: (built: T, path: Path) => void): void {
  const path = rootPath();
  try {
    scope(() => {
      const built = build(path);
      fill(path.state());
      use(built, path);
    });
  } finally {
    path.dispose();
  }
}

function expectKeys(path: Path, keys: Record<string, number[]>): void {
  assert.deepEqual(Object.fromEntries([...path.state()].map(([key, { shape }]) => [key, [...shape]])), keys);
}

function expectRun(path: Path, inputs: readonly Tensor[], y: Tensor, run: Run): void {
  expectClose(y, run.output, 1e-4, 'output');
  y.mul(data('loss', ...y.shape)).sum().backward();
  expectClose(cat(inputs.map(({ grad }) => grad!), 1), run.inputGradient, 1e-4, 'gradient of the input');
  for (const [key, summary] of Object.entries(run.gradients)) {
    expectClose(path.parameters().get(key)!.grad!, summary, 1e-4, `gradient of ${key}`);
  }
}

const layers: Record<
  'temporalConvolution' | 'encoder' | 'encoderOfOne' | 'adapter',
  { shape: number[]; build: (path: Path) => (x: Tensor) => Tensor }
> = {
  temporalConvolution: {
    shape: [6, 8, 3, 5],
    build: (path) => {
      const block = new TemporalConvolution(path, 8, 4);
      return (x) => block.call(x, 3);
    },
  },
  encoder: {
    shape: [6, 3, 20, 20],
    build: (path) => {
      const encoder = new LocalEncoder(path, 3, 4, { temporalHeads: 2 });
      return (x) => encoder.call(x, 2, 3);
    },
  },
  encoderOfOne: {
    shape: [2, 3, 20, 20],
    build: (path) => {
      const encoder = new LocalEncoder(path, 3, 4, { temporalHeads: 2 });
      return (x) => encoder.call(x, 2, 3);
    },
  },
  adapter: {
    shape: [3, 5, 8, 8],
    build: (path) => {
      const adapter = new GlobalAdapter(path, { channels: 5, grid: 8, tokenGrid: 4, contextWidth: 6, oneToken: true });
      return (x) => adapter.call(x);
    },
  },
};

for (const [name, { shape, build }] of Object.entries(layers) as [keyof typeof layers, (typeof layers)['encoder']][]) {
  test(`${name}: keys, output and gradients of input and parameters`, () => {
    within(build, (run, path) => {
      expectKeys(path, golden[name].keys);
      const x = data('x', ...shape).requiresGrad_(true);
      expectRun(path, [x], run(x), golden[name]);
    });
  });

  test(`${name}: bfloat16 in, bfloat16 out close to float32`, () => {
    within(build, (run) => noGrad(() => {
      const y = run(data('x', ...shape).to('bfloat16'));
      assert.equal(y.dtype, 'bfloat16');
      expectClose(y, golden[name].output, 0.05, 'output');
    }));
  });
}

test('a temporal convolution changes nothing at birth, and joins only the frames of a clip', () => {
  const path = rootPath();
  scope(() => noGrad(() => {
    const block = new TemporalConvolution(path, 8, 4);
    const x = data('x', 6, 8, 3, 5);
    assert.equal(block.call(x, 3).sub(x).abs().amax().item(), 0);
    fill(path.state());
    const other = cat([data('another frame', 1, 8, 3, 5), x.narrow(0, 1, 5)], 0);
    const apart = block.call(x, 3).sub(block.call(other, 3)).abs();
    assert.ok(apart.narrow(0, 1, 2).amax().item() > 1e-3, 'the clip’s other frames');
    assert.equal(apart.narrow(0, 3, 3).amax().item(), 0);
  }));
  path.dispose();
});

const SMALL: UNetConfig = {
  sample_size: 8, block_out_channels: [8, 16], layers_per_block: 1,
  down_block_types: ['CrossAttnDownBlock2D', 'DownBlock2D'], up_block_types: ['UpBlock2D', 'CrossAttnUpBlock2D'],
  attention_head_dim: 2, cross_attention_dim: 6, norm_num_groups: 4, temporal: true,
};
const VIDEOCOMPOSER: UNetConfig = {
  ...SMALL, imageQuery: 'joint', temporalConvolution: true, temporalWithoutSpatial: true,
};
const steps = () => tensor([7, 801], [2], { dtype: 'int64' });
const text = () => data('text', 2, 5, 6);

test("videocomposer's U-Net: temporal convolution, temporal attention, one attention over text and image", () => {
  within((path) => new UNet(path, VIDEOCOMPOSER), (net, path) => {
    expectKeys(path, golden.videocomposer.keys);
    const z = data('z', 6, 4, 8, 8).requiresGrad_(true);
    const local = data('local', 6, 8, 8, 8).requiresGrad_(true);
    const image = data('image', 2, 4, 6).narrow(1, 0, 1);
    const y = net.call(z, steps(), { text: text(), image }, local);
    expectRun(path, [z, local], y, golden.videocomposer.clips);
  });
});

test("moonshot's U-Net: the image branch asks with the text's query; temporal attention last", () => {
  within((path) => new UNet(path, { ...SMALL, imageQuery: 'shared', localChannels: 0 }), (net, path) => {
    expectKeys(path, golden.moonshot.keys);
    const z = data('z', 6, 4, 8, 8).requiresGrad_(true);
    const y = net.call(z, steps(), { text: text(), image: data('image', 2, 4, 6) });
    expectRun(path, [z], y, golden.moonshot.clips);
  });
});

test('an image token among the text’s: zeros count, and none is refused', () => {
  within((path) => new UNet(path, VIDEOCOMPOSER), (net) => noGrad(() => {
    const z = data('z', 6, 4, 8, 8);
    const seen = (image: Tensor) => net.call(z, steps(), { text: text(), image });
    const nothing = zeros([2, 1, 6]);
    const apart = (image: Tensor) => seen(nothing).sub(seen(image)).abs().amax().item();
    assert.ok(apart(data('image', 2, 1, 6)) > 1e-3, 'the token must matter');
    assert.ok(apart(zeros([2, 2, 6])) > 1e-3, 'tokens of zeros count');
    assert.throws(() => net.call(z, steps(), { text: text(), image: null }),
      /^Error: unet: expected image tokens, zeros where there is no image, got none$/);
  }));
});

test('as an image network it has no temporal layer of either kind', () => {
  within((path) => new UNet(path, { ...VIDEOCOMPOSER, temporal: false }), (_, path) => {
    assert.deepEqual([...path.state().keys()].filter((key) => /temp/.test(key)), []);
  });
});

test('heads that do not divide the features are refused', () => {
  assert.throws(() => new LocalEncoder(rootPath(), 3, 4, { temporalHeads: 3 }), /divisor of featureChannels/);
});
