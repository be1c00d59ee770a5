import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ClipText, clipTextConfig } from '../../src/models/clip-text.ts';
import { rootPath } from '../../src/nn/path.ts';
import { noGrad, scope } from '../../src/tensor/memory.ts';
import { tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { expectNoLeaks } from '../support/leaks.ts';
import { data, deviation, fill, type Summary } from '../support/reference-fill.ts';

interface Golden {
  config: object;
  ids: number[][];
  keys: Record<string, number[]>;
  output: Summary;
  gradients: Record<string, Summary>;
}
const golden = JSON.parse(
  readFileSync(new URL('../golden/clip-text.json', import.meta.url), 'utf8'),
) as Record<'quickGelu' | 'gelu', Golden>;

expectNoLeaks();

function tokens(ids: number[][]): Tensor {
  return tensor(BigInt64Array.from(ids.flat(), BigInt), [ids.length, ids[0].length]);
}

for (const [name, expected] of Object.entries(golden)) {
  test(`the text transformer with ${name} is that of transformers, forward and backward`, () => {
    const path = rootPath();
    const model = new ClipText(path, clipTextConfig.parse(expected.config));
    const keys = [...path.state()].map(([key, value]) => [key, value.shape]);
    assert.deepEqual(Object.fromEntries(keys), expected.keys);
    fill(path.state());
    scope(() => {
      const y = model.call(tokens(expected.ids));
      assert.ok(deviation(y, expected.output) < 1e-4);
      y.mul(data('loss', ...y.shape)).sum().backward();
      for (const [key, gradient] of Object.entries(expected.gradients)) {
        const error = deviation(path.parameters().get(key)!.grad!, gradient);
        assert.ok(error < 2e-4, `${key} deviates by ${error}`);
      }
    });
    path.dispose();
  });
}

test('a token sees those before it and none after it', () => {
  const path = rootPath({ seed: 1 });
  const model = new ClipText(path, clipTextConfig.parse(golden.quickGelu.config));
  scope(() => noGrad(() => {
    const [a, b] = model.call(tokens([[5, 6, 7, 8], [5, 6, 9, 8]])).chunk(2, 0);
    const change = a.sub(b).abs().amax([0, 2]).toFloat32();
    assert.ok(change[0] < 1e-6 && change[1] < 1e-6, `tokens before: ${change}`);
    assert.ok(change[2] > 1e-3 && change[3] > 1e-5, `tokens from there on: ${change}`);
  }));
  path.dispose();
});

test('the text transformer computes in bfloat16 on demand, and tells what does not fit', () => {
  const path = rootPath({ seed: 1 });
  const model = new ClipText(path, clipTextConfig.parse(golden.quickGelu.config));
  scope(() => noGrad(() => {
    const ids = tokens(golden.quickGelu.ids);
    const [exact, rough] = [model.call(ids), model.call(ids, 'bfloat16')];
    assert.equal(rough.dtype, 'bfloat16');
    const error = rough.to('float32').sub(exact).norm().item() / exact.norm().item();
    assert.ok(error > 0 && error < 0.03, `relative error ${error}`);
    assert.throws(() => model.call(tokens([Array<number>(10).fill(1)])), /up to 9\), got 1x10/);
  }));
  path.dispose();
  const odd = clipTextConfig.parse({ hidden_size: 10, num_attention_heads: 4 });
  assert.throws(() => new ClipText(rootPath(), odd), /divisible by 4 heads, got 10/);
});
