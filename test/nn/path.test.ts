import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kaimingUniform, normal, ones, zeros } from '../../src/nn/init.ts';
import { Linear } from '../../src/nn/linear.ts';
import { rootPath, type Path } from '../../src/nn/path.ts';
import { scope } from '../../src/tensor/memory.ts';
import { tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { expectNoLeaks } from '../support/leaks.ts';

expectNoLeaks();

/** Runs a test with a new root, released afterwards. */
function withRoot(run: (root: Path) => void, options = {}): void {
  const root = rootPath(options);
  try {
    scope(() => run(root));
  } finally {
    root.dispose();
  }
}

function values(x: Tensor): number[] {
  return [...x.toFloat32()];
}

test('keys are the path; a key twice is an error', () => {
  withRoot((root) => {
    const block = root.sub('down_blocks').sub(0);
    new Linear(block.sub('to_out.0'), 2, 3);
    block.buffer('running_mean', [2], 0.5);
    assert.equal(block.fullName, 'down_blocks.0');
    assert.deepEqual(
      [...root.state().keys()],
      [
        'down_blocks.0.to_out.0.weight',
        'down_blocks.0.to_out.0.bias',
        'down_blocks.0.running_mean',
      ],
    );
    assert.deepEqual([...root.buffers().keys()], ['down_blocks.0.running_mean']);
    assert.deepEqual([...block.parameters().keys()], ['to_out.0.weight', 'to_out.0.bias']);
    assert.throws(
      () => block.buffer('running_mean', [2], 0),
      /expected a new key, got down_blocks.0.running_mean a second time/,
    );
  });
});

test('a prefix is whole names: a.1 does not hold a.10', () => {
  withRoot((root) => {
    root.sub('a').sub(1).parameter('w', [1], ones);
    root.sub('a').sub(10).parameter('w', [1], ones);
    assert.deepEqual([...root.sub('a').sub(1).parameters().keys()], ['w']);
  });
});

test('initial weights depend on seed and key, not on the order of construction', () => {
  const made = (seed: number, order: readonly string[]) => {
    const root = rootPath({ seed });
    for (const name of order) root.parameter(name, [3, 4], kaimingUniform());
    const found = new Map([...root.parameters()].map(([key, value]) => [key, values(value)]));
    root.dispose();
    return found;
  };
  const forwards = made(1, ['a', 'b']);
  const backwards = made(1, ['b', 'a']);
  assert.deepEqual(forwards.get('a'), backwards.get('a'));
  assert.deepEqual(forwards.get('b'), backwards.get('b'));
  assert.notDeepEqual(forwards.get('a'), forwards.get('b'));
  assert.notDeepEqual(forwards.get('a'), made(2, ['a']).get('a'));
});

test('the distributions of the initial values', () => {
  withRoot((root) => {
    const moments = (x: readonly number[]) => {
      const mean = x.reduce((a, b) => a + b, 0) / x.length;
      return [mean, Math.sqrt(x.reduce((a, b) => a + (b - mean) ** 2, 0) / x.length)];
    };
    const gaussian = values(root.parameter('n', [100, 100], normal(0.02)));
    const [mean, std] = moments(gaussian);
    assert.ok(Math.abs(mean) < 0.001 && Math.abs(std - 0.02) < 0.0005);
    const linear = new Linear(root.sub('l'), 100, 100);
    const uniform = values(linear.weight);
    const [centre, spread] = moments(uniform);
    assert.ok(Math.abs(centre) < 0.003 && Math.abs(spread - 0.1 / Math.sqrt(3)) < 0.001);
    assert.ok(Math.max(...uniform) <= 0.1 && Math.max(...uniform) > 0.0995);
    assert.ok(Math.max(...values(linear.bias!).map(Math.abs)) <= 0.1);
    assert.deepEqual(values(root.parameter('z', [2], zeros)), [0, 0]);
  });
});

test('load copies by key; what does not fit is an error with the key and the shapes', () => {
  withRoot((root) => {
    const weight = root.sub('fc').parameter('weight', [2, 2], zeros);
    root.sub('fc').buffer('mean', [2], 0);
    const good = new Map([
      ['fc.weight', tensor([1, 2, 3, 4], [2, 2])],
      ['fc.mean', tensor([5, 6], [2])],
    ]);
    root.load(good);
    assert.deepEqual(values(weight), [1, 2, 3, 4]);
    assert.equal(weight.requiresGrad, true);

    const misshapen = new Map([
      ...good,
      ['fc.mean', tensor([1, 2, 3], [3])],
      ['fc.weight', tensor([9, 9, 9, 9], [2, 2])],
    ]);
    assert.throws(() => root.load(misshapen), /fc.mean expected shape 2, got 3/);
    assert.throws(() => root.load(misshapen, { strict: false }), /fc.mean expected shape 2, got 3/);
    assert.deepEqual(values(weight), [1, 2, 3, 4], 'nothing is copied when anything is wrong');

    const partial = new Map([['fc.weight', tensor([0, 0, 0, 1], [2, 2])]]);
    assert.throws(() => root.load(partial), /expected fc.mean of shape 2, got no such key/);
    assert.deepEqual(root.load(partial, { strict: false }), {
      missing: ['fc.mean'],
      unexpected: [],
    });
    assert.deepEqual(values(weight), [0, 0, 0, 1]);

    const extra = new Map([...good, ['fc.more', tensor([1], [1])]]);
    assert.throws(() => root.load(extra), /got fc.more of shape 1, expected no such key/);
    assert.deepEqual(root.load(extra, { strict: false }).unexpected, ['fc.more']);
  });
});

test('load converts to the dtype of the path', () => {
  withRoot(
    (root) => {
      const weight = root.parameter('weight', [2], ones);
      assert.equal(weight.dtype, 'bfloat16');
      root.load(new Map([['weight', tensor([0.5, -2], [2])]]));
      assert.equal(weight.dtype, 'bfloat16');
      assert.deepEqual(values(weight), [0.5, -2]);
    },
    { dtype: 'bfloat16' },
  );
});

test('a frozen parameter gets no gradient, a thawed one does', () => {
  withRoot((root) => {
    const [a, b] = ['a', 'b'].map((name) => root.parameter(name, [2], ones));
    root.freeze((key) => key === 'a');
    assert.deepEqual([...root.trainable().keys()], ['b']);
    a.mul(b).sum().backward();
    assert.equal(a.grad, null);
    assert.deepEqual(values(b.grad!), [1, 1]);
    root.freeze(() => false);
    assert.deepEqual([...root.trainable().keys()], ['a', 'b']);
  });
});
