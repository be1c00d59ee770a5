import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { rootPath } from '../../src/nn/path.ts';
import { Discriminator, discriminatorConfig } from '../../src/models/discriminator.ts';
import { noGrad, scope } from '../../src/tensor/memory.ts';
import { expectNoLeaks } from '../support/leaks.ts';
import { data, deviation, fill, type Summary } from '../support/reference-fill.ts';

interface Golden {
  config: object;
  size: number;
  keys: Record<string, number[]>;
  output: Summary;
  inputGradient: Summary;
  gradients: Record<string, Summary>;
}
const golden = JSON.parse(
  readFileSync(new URL('../golden/discriminator.json', import.meta.url), 'utf8'),
) as Record<string, Golden>;

expectNoLeaks();

for (const [name, expected] of Object.entries(golden)) {
  test(`the discriminator of ${name} layers is the reference, forward and backward`, () => {
    const path = rootPath();
    const config = discriminatorConfig.parse(expected.config);
    const discriminator = new Discriminator(path, config);
    const keys = [...path.state()].map(([key, value]) => [key, value.shape]);
    assert.deepEqual(Object.fromEntries(keys), expected.keys);
    fill(path.state());
    scope(() => {
      const { size } = expected;
      const x = data('x', 2, config.input_nc, size, size).requiresGrad_(true);
      const y = discriminator.call(x);
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

test('the score of a picture does not depend on its neighbours in the batch', () => {
  const path = rootPath({ seed: 3 });
  const discriminator = new Discriminator(path, discriminatorConfig.parse(golden.two.config));
  scope(() => noGrad(() => {
    const x = data('x', 2, 1, 20, 20);
    const together = discriminator.call(x).narrow(0, 1, 1);
    const alone = discriminator.call(x.narrow(0, 1, 1));
    assert.ok(together.sub(alone).abs().amax().item() < 1e-6);
  }));
  path.dispose();
});
