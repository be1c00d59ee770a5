import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { GlobalAdapter } from '../../src/models/adapter.ts';
import { LocalEncoder } from '../../src/models/local-encoder.ts';
import { rootPath, type Path } from '../../src/nn/path.ts';
import { scope } from '../../src/tensor/memory.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { expectNoLeaks } from '../support/leaks.ts';
import { data, expectClose, fill, type Summary } from '../support/reference-fill.ts';

interface Golden {
  readonly keys: Record<string, number[]>;
  readonly output: Summary;
  readonly gradients: Record<string, Summary>;
}

const golden = JSON.parse(
  readFileSync(new URL('../golden/conditioning.json', import.meta.url), 'utf8'),
) as Record<'localEncoder' | 'localEncoderOdd' | 'adapter' | 'adapterTraining', Golden>;

expectNoLeaks();

function compare(name: keyof typeof golden, build: (path: Path) => () => Tensor): void {
  const path = rootPath();
  scope(() => {
    const run = build(path);
    fill(path.state());
    const { keys, output, gradients } = golden[name];
    const shapes = [...path.state()].map(([key, value]) => [key, [...value.shape]]);
    assert.deepEqual(Object.fromEntries(shapes), keys);
    const y = run();
    expectClose(y, output, 1e-5, 'output');
    y.mul(data('loss', ...y.shape))
      .sum()
      .backward();
    for (const [key, summary] of Object.entries(gradients)) {
      expectClose(path.parameters().get(key)!.grad!, summary, 1e-4, `gradient of ${key}`);
    }
  });
  path.dispose();
}

for (const [name, side] of [
  ['localEncoder', 32],
  ['localEncoderOdd', 27],
] as const) {
  test(`${name}: ${side} pixels a side to 4 latents`, () => {
    compare(name, (path) => {
      const encoder = new LocalEncoder(path, 3, 4);
      return () => encoder.call(data('x', 2, 3, side, side));
    });
  });
}

for (const [name, training] of [
  ['adapter', false],
  ['adapterTraining', true],
] as const) {
  test(`${name}: output and gradients as torch's`, () => {
    compare(name, (path) => {
      const adapter = new GlobalAdapter(path, {
        channels: 5,
        grid: 8,
        tokenGrid: 4,
        contextWidth: 6,
      });
      return () => adapter.call(data('features', 3, 5, 8, 8), training);
    });
  });
}

test('adapter: the paper’s size gives 64 tokens; a grid that does not divide is refused', () => {
  const path = rootPath();
  scope(() => {
    const adapter = new GlobalAdapter(path, { channels: 16, contextWidth: 32 });
    assert.deepEqual(adapter.call(data('x', 1, 16, 64, 64)).shape, [1, 64, 32]);
    assert.throws(() => new GlobalAdapter(rootPath(), { grid: 20 }), /multiple of tokenGrid/);
  });
  path.dispose();
});
