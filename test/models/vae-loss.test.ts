import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { radialPower, spectrumLoss } from '../../src/models/spectrum-loss.ts';
import {
  gradientLoss, hingeDiscriminatorLoss, klLoss, reconstructionLoss, vaeLoss, vaeLossConfig,
} from '../../src/models/vae-loss.ts';
import type { VaeLoss } from '../../src/models/vae-loss.ts';
import { posterior } from '../../src/models/vae.ts';
import { scope } from '../../src/tensor/memory.ts';
import { conv2d } from '../../src/tensor/ops.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { expectNoLeaks } from '../support/leaks.ts';
import { data, deviation, parameter, type Summary } from '../support/reference-fill.ts';

type Term = 'reconstruction' | 'gradient' | 'spectrum' | 'kl' | 'adversarial' | 'discriminator';
interface Total { total: number; adaptiveWeight: number; gradients: Record<string, Summary> }
const golden = JSON.parse(
  readFileSync(new URL('../golden/vae-loss.json', import.meta.url), 'utf8'),
) as Record<Term, number> & Record<'power' | 'oddPower', Summary> &
  Record<'plain' | 'textured', Total>;

expectNoLeaks();

function near(actual: number, expected: number, name: string): void {
  const error = Math.abs(actual - expected) / Math.abs(expected);
  assert.ok(error < 1e-4, `${name}: expected ${expected}, got ${actual}`);
}

/** A decoder of one convolution and a discriminator of another, as in the golden's program. */
function scene() {
  const target = data('target', 2, 1, 10, 12);
  const mean = data('mean', 2, 3, 5, 6).requiresGrad_(true);
  const logvar = data('logvar', 2, 3, 5, 6).requiresGrad_(true);
  const features = data('features', 2, 4, 10, 12).requiresGrad_(true);
  const weight = parameter('decoder.weight', [1, 4, 3, 3]).requiresGrad_(true);
  const judge = parameter('judge.weight', [1, 1, 4, 4]);
  const reconstruction = conv2d(features, weight, null, [1, 1], [1, 1]);
  const scores = (x: Tensor): Tensor => conv2d(x, judge, null, [2, 2], [0, 0]);
  return { target, mean, logvar, features, weight, reconstruction, scores };
}

test('every term is that of the reference', () => {
  scope(() => {
    const { target, mean, logvar, reconstruction, scores } = scene();
    const l1 = reconstructionLoss(reconstruction, target).item();
    near(l1, golden.reconstruction, 'reconstruction');
    near(gradientLoss(reconstruction, target).item(), golden.gradient, 'gradient');
    near(spectrumLoss(reconstruction, target).item(), golden.spectrum, 'spectrum');
    near(klLoss(posterior(mean, logvar), 120).item(), golden.kl, 'kl');
    const discriminator = hingeDiscriminatorLoss(scores(target), scores(reconstruction));
    near(discriminator.item(), golden.discriminator, 'discriminator');
    assert.ok(deviation(radialPower(target), golden.power) < 1e-4);
    assert.ok(deviation(radialPower(data('odd', 1, 2, 7, 9)), golden.oddPower) < 1e-4);
  });
});

const cases = {
  plain: { klWeight: 1e-3, adversarialWeight: 0.7 },
  textured: { klWeight: 1e-3, adversarialWeight: 0.7, gradientWeight: 0.3, spectrumWeight: 0.2 },
} as const;

for (const [name, settings] of Object.entries(cases)) {
  test(`the ${name} loss, its adaptive weight and its gradients are those of the reference`, () => {
    const expected = golden[name as keyof typeof cases];
    scope(() => {
      const { target, mean, logvar, features, weight, reconstruction, scores } = scene();
      const loss: VaeLoss = vaeLoss({
        target, reconstruction, posterior: posterior(mean, logvar),
        scores: scores(reconstruction), lastLayer: weight,
      }, vaeLossConfig.parse(settings));
      assert.equal(weight.grad, null);
      near(loss.total.item(), expected.total, 'total');
      near(loss.terms.adaptiveWeight.item(), expected.adaptiveWeight, 'adaptive weight');
      near(loss.terms.adversarial.item(), golden.adversarial, 'adversarial');
      loss.total.backward();
      for (const [key, value] of Object.entries({ features, weight, mean, logvar })) {
        const error = deviation(value.grad!, expected.gradients[key]);
        assert.ok(error < 1e-4, `${key} deviates by ${error}`);
      }
    });
  });
}

test('the adaptive weight leaves an accumulated gradient alone', () => {
  scope(() => {
    const { target, mean, logvar, weight, reconstruction, scores } = scene();
    const before = data('before', ...weight.shape);
    weight.grad = before;
    vaeLoss({
      target, reconstruction, posterior: posterior(mean, logvar),
      scores: scores(reconstruction), lastLayer: weight,
    }, vaeLossConfig.parse({}));
    assert.deepEqual(weight.grad!.toFloat32(), before.toFloat32());
  });
});

test('without scores there is no adversarial term, and texture terms are off by default', () => {
  scope(() => {
    const { target, mean, logvar, weight, reconstruction } = scene();
    const loss = vaeLoss({
      target, reconstruction, posterior: posterior(mean, logvar), scores: null, lastLayer: weight,
    }, vaeLossConfig.parse({ klWeight: 1e-3 }));
    assert.deepEqual(Object.keys(loss.terms), ['reconstruction', 'kl']);
    near(loss.total.item(), golden.reconstruction + 1e-3 * golden.kl, 'total');
  });
});
