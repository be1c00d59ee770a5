import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { rootPath } from '../../src/nn/path.ts';
import { posterior, Vae, vaeConfig, vaeReduction } from '../../src/models/vae.ts';
import { hasBf16Instructions } from '../../src/tensor/bf16.ts';
import { noGrad, scope } from '../../src/tensor/memory.ts';
import { cat } from '../../src/tensor/ops.ts';
import type { DType } from '../../src/tensor/tensor.ts';
import { expectNoLeaks } from '../support/leaks.ts';
import { data, deviation, fill, type Summary } from '../support/reference-fill.ts';

interface Golden {
  config: object;
  size: [number, number];
  keys: Record<string, number[]>;
  mean: Summary;
  logvar: Summary;
  sample: Summary;
  scaled: Summary;
  decoded: Summary;
  inputGradient: Summary;
  gradients: Record<string, Summary>;
}
const golden = JSON.parse(
  readFileSync(new URL('../golden/vae.json', import.meta.url), 'utf8'),
) as { small: Golden; deep: Golden; shortcut: Golden };

expectNoLeaks();

function shapes(tensors: ReadonlyMap<string, { shape: readonly number[] }>): object {
  return Object.fromEntries([...tensors].map(([key, value]) => [key, value.shape]));
}

for (const [name, expected] of Object.entries(golden)) {
  test(`the ${name} autoencoder is that of diffusers, forward and backward`, () => {
    const path = rootPath();
    const config = vaeConfig.parse(expected.config);
    const vae = new Vae(path, config);
    assert.deepEqual(shapes(path.state()), expected.keys);
    fill(path.state());
    scope(() => {
      const x = data('x', 2, config.in_channels, ...expected.size).requiresGrad_(true);
      const found = vae.encode(x);
      const z = found.sample(data('noise', ...found.mean.shape));
      const y = vae.decode(z);
      assert.ok(deviation(found.mean, expected.mean) < 1e-4);
      assert.ok(deviation(found.logvar, expected.logvar) < 1e-4);
      assert.ok(deviation(z, expected.sample) < 1e-4);
      assert.ok(deviation(y, expected.decoded) < 1e-4);
      if (config.latents_mean !== null) {
        const scaled = vae.scaleLatents(z);
        assert.ok(deviation(scaled, expected.scaled) < 1e-4);
        assert.ok(deviation(vae.unscaleLatents(scaled), expected.sample) < 1e-4);
      }
      y.mul(data('loss', ...y.shape)).sum().backward();
      assert.ok(deviation(x.grad!, expected.inputGradient) < 1e-4);
      for (const [key, gradient] of Object.entries(expected.gradients)) {
        const error = deviation(path.parameters().get(key)!.grad!, gradient);
        assert.ok(error < 2e-4, `${key} deviates by ${error}`);
      }
    });
    path.dispose();
  });
}

test('the autoencoder computes in bfloat16 when its input is', () => {
  const path = rootPath();
  const vae = new Vae(path, vaeConfig.parse(golden.small.config));
  fill(path.state());
  scope(() => noGrad(() => {
    const y = vae.call(data('x', 2, 1, 8, 12).to('bfloat16'));
    const exact = vae.call(data('x', 2, 1, 8, 12));
    assert.equal(y.dtype, 'bfloat16');
    const error = y.to('float32').sub(exact).norm().item() / exact.norm().item();
    const most = hasBf16Instructions() ? 0.05 : 0.12; // emulated, sums too are rounded to 8 bits
    assert.ok(error > 0 && error < most, `relative error ${error}`);
  }));
  path.dispose();
});

test('bfloat16 gradients point where the float32 ones do', () => {
  const path = rootPath({ seed: 1 });
  const vae = new Vae(path, vaeConfig.parse({
    in_channels: 1, out_channels: 1, block_out_channels: [16, 32, 64], layers_per_block: 1,
    norm_num_groups: 8,
  }));
  const gradient = (dtype: DType): Float32Array => scope(() => {
    const x = data('x', 2, 1, 32, 32);
    const found = vae.encode(x.to(dtype));
    const y = vae.decode(found.sample(data('noise', ...found.mean.shape)));
    y.to('float32').sub(x).abs().mean().backward();
    const parameters = [...path.parameters().values()];
    const all = cat(parameters.map(({ grad }) => grad!.flatten()), 0).toFloat32();
    for (const parameter of parameters) parameter.grad = null;
    return all;
  });
  const [exact, rough] = [gradient('float32'), gradient('bfloat16')];
  const product = (a: Float32Array, b: Float32Array): number =>
    a.reduce((sum, value, index) => sum + value * b[index], 0);
  const cosine = product(exact, rough) / Math.sqrt(product(exact, exact) * product(rough, rough));
  assert.ok(cosine > 0.98 && cosine < 1, `cosine ${cosine}`);
  path.dispose();
});

test('a posterior survives the scope it was made in, and holds logvar in bounds', () => {
  scope(() => {
    const found = scope(() => posterior(data('m', 1, 2), data('v', 1, 2).mul(1e3)));
    const [a, b] = found.logvar.toFloat32();
    assert.ok([a, b].every((value) => value === 20 || value === -30));
    const noiseless = found.sample(data('n', 1, 2).zero_());
    assert.deepEqual(noiseless.toFloat32(), found.mode().toFloat32());
  });
});

test('sizes that do not fit are told', () => {
  const path = rootPath();
  const config = vaeConfig.parse(golden.deep.config);
  const vae = new Vae(path, config);
  assert.equal(vaeReduction(config), 4);
  scope(() => {
    assert.throws(() => vae.encode(data('x', 1, 3, 6, 8)), /sides divisible by 4, got 1x3x6x8/);
    assert.throws(() => vae.encode(data('x', 1, 1, 8, 8)), /\(n, 3, h, w\).*got 1x1x8x8/);
    assert.throws(() => vae.decode(data('z', 1, 3, 2, 2)), /latents \(n, 4, h, w\), got 1x3x2x2/);
  });
  path.dispose();
});
