import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ImageEncoder, imageEncoderConfig, imageEncoderInput } from '../../src/models/medsam.ts';
import { joinWindows, partitionWindows } from '../../src/models/sam-attention.ts';
import { rootPath } from '../../src/nn/path.ts';
import { noGrad, scope } from '../../src/tensor/memory.ts';
import { cat } from '../../src/tensor/ops.ts';
import { expectNoLeaks } from '../support/leaks.ts';
import { data, deviation, fill, type Summary } from '../support/reference-fill.ts';

interface Golden {
  config: object;
  keys: Record<string, number[]>;
  output: Summary;
  inputGradient: Summary;
  gradients: Record<string, Summary>;
}
const golden = JSON.parse(
  readFileSync(new URL('../golden/medsam.json', import.meta.url), 'utf8'),
) as Record<'padded' | 'plain' | 'wide', Golden> & { input: Summary };

expectNoLeaks();

for (const name of ['padded', 'plain', 'wide'] as const) {
  test(`the image encoder (${name}) is SAM's, forward and backward`, () => {
    const expected = golden[name];
    const path = rootPath();
    const config = imageEncoderConfig.parse(expected.config);
    const encoder = new ImageEncoder(path, config);
    const keys = [...path.state()].map(([key, value]) => [key, value.shape]);
    assert.deepEqual(Object.fromEntries(keys), expected.keys);
    fill(path.state());
    scope(() => {
      const { img_size: size, in_chans: channels } = config;
      const x = data('x', 2, channels, size, size).requiresGrad_(true);
      const y = encoder.call(x);
      assert.ok(deviation(y, expected.output) < 1e-4);
      y.mul(data('loss', ...y.shape)).sum().backward();
      assert.ok(deviation(x.grad!, expected.inputGradient) < 2e-4);
      for (const [key, gradient] of Object.entries(expected.gradients)) {
        const error = deviation(path.parameters().get(key)!.grad!, gradient);
        assert.ok(error < 2e-4, `${key} deviates by ${error}`);
      }
    });
    path.dispose();
  });
}

test('global attention in chunks of queries is the attention in one piece', () => {
  const path = rootPath({ seed: 2 });
  const config = imageEncoderConfig.parse({
    img_size: 192, patch_size: 4, in_chans: 1, embed_dim: 16, depth: 1, num_heads: 2,
    out_chans: 4, global_attn_indexes: [0],
  });
  const encoder = new ImageEncoder(path, config);
  scope(() => noGrad(() => {
    // 4 x 2 heads x 2304^2 scores are past the limit, one picture's are not.
    const x = data('x', 4, 1, 192, 192);
    const alone = cat(x.chunk(4, 0).map((picture) => encoder.call(picture)), 0);
    assert.ok(encoder.call(x).sub(alone).abs().amax().item() < 1e-4);
  }));
  path.dispose();
});

test('windows join to the grid that they were cut from', () => {
  scope(() => {
    const x = data('x', 2, 5, 7, 3);
    const windows = partitionWindows(x, 4);
    assert.deepEqual(windows.shape, [8, 4, 4, 3]);
    assert.deepEqual(joinWindows(windows, 5, 7).toFloat32(), x.toFloat32());
  });
});

test('input pictures are resized, and stretched to [0, 1] each on its own', () => {
  const config = imageEncoderConfig.parse({ img_size: 16, patch_size: 4 });
  scope(() => {
    const pictures = data('pictures', 3, 1, 6, 8).mul(40).add(100);
    pictures.narrow(0, 1, 1).fill_(7);
    const input = imageEncoderInput(pictures, config);
    const [first, flat, last] = input.chunk(3, 0);
    assert.ok(deviation(cat([first, last], 0), golden.input) < 1e-4);
    assert.equal(flat.abs().amax().item(), 0);
    assert.equal(input.amax().item(), 1);
    assert.throws(() => imageEncoderInput(data('x', 1, 2, 4, 4), config), /1 or 3 channels, got 2/);
  });
});

test('a picture of another size is told', () => {
  const path = rootPath();
  const encoder = new ImageEncoder(path, imageEncoderConfig.parse(golden.plain.config));
  scope(() => {
    assert.throws(() => encoder.call(data('x', 1, 1, 16, 8)), /pictures of 1x16x16, got 1x16x8/);
  });
  path.dispose();
});
