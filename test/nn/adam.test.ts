import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Adam, clipGradNorm, type AdamOptions } from '../../src/nn/adam.ts';
import { Ema } from '../../src/nn/ema.ts';
import { zeros } from '../../src/nn/init.ts';
import { rootPath, type Path } from '../../src/nn/path.ts';
import { noGrad, scope } from '../../src/tensor/memory.ts';
import { tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { expectNoLeaks } from '../support/leaks.ts';
import { data, expectClose, fill, type Summary } from '../support/reference-fill.ts';

interface AdamGolden {
  readonly a: Summary;
  readonly b: Summary;
  readonly norms: number[];
}

const golden = JSON.parse(
  readFileSync(new URL('../golden/layers.json', import.meta.url), 'utf8'),
) as Record<'adam' | 'adamWithL2' | 'adamW', AdamGolden> & { ema: number[][] };

expectNoLeaks();

function problem(): { root: Path; a: Tensor; b: Tensor } {
  const root = rootPath();
  const a = root.sub('a').parameter('weight', [3, 4], zeros);
  const b = root.sub('b').parameter('bias', [5], zeros);
  fill(root.parameters());
  return { root, a, b };
}

/** One step of the reference program; the norm before clipping. */
function train(adam: Adam, a: Tensor, b: Tensor, step: number): number {
  return scope(() => {
    adam.zeroGrad();
    const first = a
      .mul(data(`a${step}`, 3, 4))
      .sin()
      .sum();
    first
      .add(
        b
          .mul(data(`b${step}`, 5))
          .square()
          .sum(),
      )
      .backward();
    const norm = clipGradNorm([a, b], 2);
    adam.step(0.1 / (1 + step));
    return norm;
  });
}

const variants: readonly (readonly ['adam' | 'adamWithL2' | 'adamW', AdamOptions])[] = [
  ['adam', { betas: [0.8, 0.95], eps: 1e-6 }],
  ['adamWithL2', { weightDecay: 0.1 }],
  ['adamW', { weightDecay: 0.1, decoupled: true }],
];

for (const [name, options] of variants) {
  test(`${name}: four clipped steps as torch's`, () => {
    const { root, a, b } = problem();
    const adam = new Adam(root.trainable(), options);
    for (let step = 0; step < 4; step++) {
      const norm = train(adam, a, b, step);
      assert.ok(Math.abs(norm / golden[name].norms[step] - 1) < 1e-5, `norm ${norm}`);
    }
    expectClose(a, golden[name].a, 1e-5, 'a');
    expectClose(b, golden[name].b, 1e-5, 'b');
    adam.dispose();
    root.dispose();
  });

  test(`${name}: exported and imported state continues to the same weights`, () => {
    const { root, a, b } = problem();
    const adam = new Adam(root.trainable(), options);
    for (let step = 0; step < 2; step++) train(adam, a, b, step);
    scope(() => {
      const weights = new Map(
        [...root.parameters()].map(([key, value]) => [key, value.detach().clone()]),
      );
      const state = new Map([...adam.state()].map(([key, value]) => [key, value.clone()]));
      const other = problem();
      other.root.load(weights);
      const resumed = new Adam(other.root.trainable(), options);
      resumed.load(state);
      for (let step = 2; step < 4; step++) {
        train(adam, a, b, step);
        train(resumed, other.a, other.b, step);
      }
      assert.deepEqual(other.a.detach().toFloat32(), a.detach().toFloat32());
      assert.deepEqual(other.b.detach().toFloat32(), b.detach().toFloat32());
      state.delete('a.weight.exp_avg');
      assert.throws(
        () => resumed.load(state),
        /adam: expected a.weight.exp_avg of shape 3x4, got no such key/,
      );
      resumed.dispose();
      other.root.dispose();
    });
    adam.dispose();
    root.dispose();
  });
}

test('a parameter without a gradient is left alone', () => {
  const { root, a, b } = problem();
  const adam = new Adam(root.trainable(), { weightDecay: 0.1, decoupled: true });
  scope(() => {
    const before = a.detach().toFloat32();
    b.square().sum().backward();
    adam.step(0.1);
    assert.deepEqual(a.detach().toFloat32(), before);
    adam.zeroGrad();
    assert.equal(b.grad, null);
  });
  adam.dispose();
  root.dispose();
});

test('the moving average follows the parameters with a decay that warms up', () => {
  const root = rootPath();
  const w = root.parameter('w', [3], zeros);
  const ema = new Ema(root.parameters(), { decay: 0.35 });
  scope(() =>
    noGrad(() => {
      golden.ema.forEach((expected, n) => {
        w.add_(data(`w${n}`, 3));
        ema.update();
        const shadow = ema.state().get('w')!.toFloat32();
        expected.forEach((value, i) =>
          assert.ok(Math.abs(shadow[i] - value) < 1e-6, `update ${n}: ${shadow}`),
        );
      });
      const [trained, average] = [w.toFloat32(), ema.state().get('w')!.toFloat32()];
      ema.withAverage(() => {
        assert.deepEqual(w.toFloat32(), average);
        assert.throws(() => ema.update(), /expected the trained weights in place/);
      });
      assert.deepEqual(w.toFloat32(), trained);
      assert.deepEqual(ema.state().get('w')!.toFloat32(), average);

      const copy = new Ema(root.parameters(), { decay: 0.35 });
      copy.load(new Map([...ema.state()].map(([key, value]) => [key, value.clone()])));
      w.add_(tensor([1, 1, 1], [3]));
      ema.update();
      copy.update();
      assert.deepEqual(copy.state().get('w')!.toFloat32(), ema.state().get('w')!.toFloat32());
      copy.dispose();
    }),
  );
  ema.dispose();
  root.dispose();
});
