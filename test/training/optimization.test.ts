import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { rootPath } from '../../src/nn/path.ts';
import { mseLoss } from '../../src/tensor/ops.ts';
import { scope } from '../../src/tensor/memory.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import {
  learningRate, Optimization, optimizationConfig, type OptimizationConfig,
} from '../../src/training/optimization.ts';
import { shuffledOrder } from '../../src/training/order.ts';
import { expectNoLeaks } from '../support/leaks.ts';
import { data } from '../support/reference-fill.ts';
import { valuesOf } from './drawn-clips.ts';

expectNoLeaks();

// Printed by test/golden/learning-rate.py with diffusers.
const golden = JSON.parse(
  readFileSync(new URL('../golden/learning-rate.json', import.meta.url), 'utf8'),
) as (Partial<OptimizationConfig> & { rates: number[] })[];

describe('order of the data', () => {
  it('shuffles every epoch anew, each item once', () => {
    const order = shuffledOrder(3, 11);
    const epochs = Array.from({ length: 4 }, (_, epoch) =>
      Array.from({ length: 11 }, (_, i) => order(epoch * 11 + i)));
    for (const epoch of epochs) {
      assert.deepEqual([...epoch].sort((a, b) => a - b), Array.from({ length: 11 }, (_, i) => i));
    }
    assert.equal(new Set(epochs.map((epoch) => epoch.join())).size, 4);
  });

  it('is a function of seed and place: whatever the batch, forwards or back', () => {
    const there = shuffledOrder(3, 11);
    const back = shuffledOrder(3, 11);
    const forwards = Array.from({ length: 40 }, (_, i) => there(i));
    const backwards = Array.from({ length: 40 }, (_, i) => back(39 - i)).reverse();
    assert.deepEqual(backwards, forwards);
    const other = shuffledOrder(4, 11);
    assert.notDeepEqual(Array.from({ length: 11 }, (_, i) => other(i)), forwards.slice(0, 11));
  });

  it('of nothing is one sentence', () => {
    assert.throws(() => shuffledOrder(0, 0), /^Error: order: expected at least 1 item.*got 0$/);
  });
});

describe('learning rate', () => {
  it("is that of diffusers' get_scheduler at every step", () => {
    for (const { rates, ...given } of golden) {
      const config = optimizationConfig.parse(given);
      rates.forEach((rate, step) => {
        const found = learningRate(config, step);
        assert.ok(Math.abs(found - rate) <= 1e-12, `step ${step}: expected ${rate}, got ${found}`);
      });
    }
  });
});

/** A line through 8 samples of 3 numbers: enough of a network for an optimizer. */
function withLine(
  config: Partial<OptimizationConfig>,
  use: (line: Optimization, lossOf: (rows: number, first: number) => Tensor,
    state: () => Map<string, Float32Array>) => void,
): void {
  const path = rootPath();
  const weight = path.parameter('weight', [3, 1], ({ shape }) => data('weight', ...shape));
  const line = new Optimization(path.trainable(), optimizationConfig.parse({
    learningRate: 0.1, lrWarmupSteps: 0, maxTrainSteps: 100, emaDecay: 0.5, ...config,
  }));
  const lossOf = (rows: number, first: number) =>
    mseLoss(data('x', 8, 3).narrow(0, first, rows).matmul(weight),
      data('y', 8, 1).narrow(0, first, rows));
  try {
    use(line, lossOf, () => scope(() => {
      const { optimizer, ema } = line.state();
      return valuesOf(new Map([...path.state(), ...optimizer,
        ...[...ema].map(([key, value]) => [`ema.${key}`, value] as const)]));
    }));
  } finally {
    line.dispose();
    path.dispose();
  }
}

describe('optimization', () => {
  it('over 2 micro-batches of 4 is that over 1 batch of 8', () => {
    let whole: Float32Array | null = null;
    withLine({}, (line, lossOf, state) => {
      const reports = [0, 1, 2].map((step) => line.step(step, () => lossOf(8, 0)));
      assert.ok(reports[2].loss < reports[0].loss);
      whole = state().get('weight')!;
    });
    withLine({ gradientAccumulationSteps: 2 }, (line, lossOf, state) => {
      for (const step of [0, 1, 2]) line.step(step, (micro) => lossOf(4, 4 * micro));
      state().get('weight')!.forEach((value, i) =>
        assert.ok(Math.abs(value - whole![i]) < 1e-5, `${value} for ${whole![i]}`));
    });
  });

  it('clips the gradients of all parameters together and reports the norm before', () => {
    const norms = [1e-3, 1e3].map((maxGradNorm) => {
      let norm = 0;
      withLine({ maxGradNorm }, (line, lossOf, state) => {
        norm = line.step(0, () => lossOf(8, 0)).gradNorm;
        const first = state().get('weight.exp_avg')!;
        const used = Math.hypot(...first) / 0.1; // the first moment is (1 - beta1) of the gradient
        const off = Math.abs(used / Math.min(norm, maxGradNorm) - 1);
        assert.ok(off < 1e-3, `used ${used} of ${norm}`);
      });
      return norm;
    });
    assert.equal(norms[0], norms[1]);
  });

  it('refuses a loss that is not a number in one sentence, and nothing has changed', () => {
    withLine({ gradientAccumulationSteps: 2 }, (line, lossOf, state) => {
      line.step(0, (micro) => lossOf(4, 4 * micro));
      const before = state();
      for (const bad of [NaN, Infinity]) {
        assert.throws(
          () => line.step(7, (micro) => lossOf(4, 0).mul(micro === 1 ? bad : 1)),
          /^Error: training: expected a finite loss at step 7, got loss (NaN|Infinity) [^\n]+$/);
      }
      assert.throws(() => line.step(7, (micro) => {
        if (micro === 1) throw new Error('no more data');
        return lossOf(4, 0);
      }), /no more data/);
      assert.deepEqual(state(), before);
      // and no gradient is left over that the next step would take for its own
      line.step(1, (micro) => lossOf(4, 4 * micro));
      const after = state();
      withLine({ gradientAccumulationSteps: 2 }, (other, loss, otherState) => {
        for (const step of [0, 1]) other.step(step, (micro) => loss(4, 4 * micro));
        assert.deepEqual(otherState(), after);
      });
    });
  });

  it('puts the trained weights back after looking at their average, also after an error', () => {
    withLine({}, (line, lossOf, state) => {
      line.step(0, () => lossOf(8, 0));
      line.step(1, () => lossOf(8, 0));
      const before = state();
      const average = line.withEma(() => scope(() => lossOf(8, 0).item()));
      assert.notEqual(average, scope(() => lossOf(8, 0).item()));
      assert.throws(() => line.withEma(() => { throw new Error('preview failed'); }), /preview/);
      assert.deepEqual(state(), before);
    });
  });

  it('of no parameters is one sentence', () => {
    assert.throws(() => new Optimization(new Map(), optimizationConfig.parse({})),
      /expected parameters that train, got none/);
  });
});
