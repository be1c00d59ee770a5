import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  collectGarbage,
  dispose,
  keep,
  liveBytes,
  liveTensors,
  noGrad,
  peakBytes,
  resetPeakBytes,
  scope,
} from '../../src/tensor/memory.ts';
import { ones, tensor, zeros } from '../../src/tensor/tensor.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { expectNoLeaks, scopedTest } from '../support/leaks.ts';

expectNoLeaks();

scopedTest('what a scope returns moves out, the rest is released', () => {
  const before = liveTensors();
  let lost: Tensor | undefined;
  const result = scope(() => {
    lost = ones([3]);
    const a = lost.add(1);
    return {
      list: [a, [a.mul(2)]],
      map: new Map([['m', a.mul(3)]]),
      set: new Set([a.mul(4)]),
      number: 1,
      none: null,
    };
  });
  assert.equal(liveTensors() - before, 4);
  assert.ok(lost!.disposed);
  assert.deepEqual([...result.map.get('m')!.toFloat32()], [6, 6, 6]);
  assert.throws(() => lost!.add(1), /add: .*disposed/);
  dispose(result);
  assert.equal(liveTensors(), before);
});

scopedTest('nested scopes hand over one level at a time', () => {
  const before = liveTensors();
  scope(() => {
    const inner = scope(() => scope(() => ones([2]).add(1)).mul(3));
    assert.deepEqual([...inner.toFloat32()], [6, 6]);
    assert.equal(liveTensors(), before + 1);
  });
  assert.equal(liveTensors(), before);
});

scopedTest('a throw releases what was born inside, and the outer scope goes on', () => {
  const before = liveTensors();
  assert.throws(
    () =>
      scope(() => {
        ones([3]);
        scope(() => ones([4]).add(ones([5])));
      }),
    /add: .*size/,
  );
  assert.equal(liveTensors(), before);
  const after = scope(() => ones([1]).add(1));
  assert.equal(after.item(), 2);
});

scopedTest('tensors that a scope does not own are left alone', () => {
  const outside = ones([2]);
  const records = { outside };
  scope(() => records);
  scope(() => outside);
  assert.ok(!outside.disposed);
  const kept = scope(() => {
    const parameter = keep(ones([2]));
    parameter.add(1);
    records.outside = parameter;
    return null;
  });
  assert.equal(kept, null);
  assert.ok(!records.outside.disposed);
  records.outside.dispose();
});

scopedTest('dispose twice is once; a view outlives its base', () => {
  const before = liveTensors();
  const base = tensor([1, 2, 3, 4]);
  const view = base.reshape([2, 2]).select(0, 1);
  base.dispose();
  base.dispose();
  assert.equal(base.disposed, true);
  assert.deepEqual([...view.toFloat32()], [3, 4]);
  assert.match(String(base), /disposed/);
  assert.equal(liveTensors(), before + 2);
});

test('a scope or noGrad over a promise throws', () => {
  assert.throws(
    () => scope(async () => ones([2])),
    /scope: expected a synchronous body, got a promise/,
  );
  assert.throws(
    () => noGrad(() => Promise.resolve(1)),
    /noGrad: expected a synchronous body, got a promise/,
  );
  assert.throws(
    () =>
      scope(async () => {
        throw new Error('not unhandled');
      }),
    /promise/,
  );
  scope(() =>
    assert.equal(
      ones([2]).requiresGrad_().add(1).requiresGrad,
      true,
      'gradients are recorded again',
    ),
  );
});

scopedTest('results may be cyclic, and class instances are not searched', () => {
  const cyclic: { self?: unknown; tensor?: Tensor } = {};
  const result = scope(() => {
    cyclic.self = cyclic;
    cyclic.tensor = ones([1]);
    return cyclic;
  });
  assert.equal(result.tensor!.item(), 1);
  class Holder {
    tensor = ones([1]);
  }
  const holder = scope(() => new Holder());
  assert.ok(holder.tensor.disposed);
});

test('ten thousand operators in a scope leave the counts as they were', () => {
  const [tensors, bytes] = [liveTensors(), liveBytes()];
  scope(() => {
    const x = ones([8]);
    for (let i = 0; i < 100; i++) {
      scope(() => {
        for (let j = 0; j < 100; j++) x.add(x).chunk(2);
      });
      assert.equal(liveTensors(), tensors + 1);
    }
  });
  assert.equal(liveTensors(), tensors);
  assert.equal(liveBytes(), bytes);
});

test('without a scope the garbage collector gets them back, within a synchronous loop', () => {
  const [tensors, bytes] = [liveTensors(), liveBytes()];
  let x = ones([8]);
  let most = 0;
  for (let i = 0; i < 30_000; i++) {
    x = x.add(0);
    if (i % 100 === 0) most = Math.max(most, liveTensors() - tensors);
  }
  assert.ok(most < 25_000, `up to ${most} handles were alive at once`);
  x.dispose();
  collectGarbage();
  assert.equal(liveTensors(), tensors);
  assert.equal(liveBytes(), bytes);
});

test('large tensors dropped without a scope stay within the byte budget', () => {
  const size = 64 * 1024 * 1024;
  const before = liveBytes();
  let most = 0;
  for (let i = 0; i < 100; i++) {
    zeros([size], { dtype: 'uint8' });
    most = Math.max(most, liveBytes() - before);
  }
  assert.ok(most < 3 * 2 ** 30, `${most} bytes were alive at once`);
  collectGarbage();
  assert.equal(liveBytes(), before);
});

scopedTest('bytes count storage once, views nothing, and the autograd graph too', () => {
  const before = liveBytes();
  const x = zeros([1024, 1024]).requiresGrad_();
  const size = liveBytes() - before;
  assert.ok(size >= 4 * 2 ** 20 && size < 4.1 * 2 ** 20);
  x.reshape([-1]).narrow(0, 5, 10);
  assert.equal(liveBytes() - before, size);
  const loss = scope(() => x.exp().sum());
  assert.ok(liveBytes() - before > 1.9 * size, 'exp saves its result for backward');
  loss.dispose();
  assert.ok(liveBytes() - before < 1.1 * size, 'and lets go of it with the graph');
  resetPeakBytes();
  scope(() => x.detach().add(1));
  assert.ok(peakBytes() - before > 1.9 * size);
});

scopedTest('out of memory is an error that can be survived', () => {
  assert.throws(() => zeros([2 ** 30, 2 ** 14]), /zeros: .*memory/);
  assert.throws(() => zeros([2 ** 40, 2 ** 40]), /zeros: /);
  assert.equal(ones([2]).sum().item(), 2);
});
