import assert from 'node:assert/strict';
import { generator, manualSeed, noise } from '../../src/tensor/random.ts';
import { rand, randn } from '../../src/tensor/tensor.ts';
import { expectNoLeaks, scopedTest } from '../support/leaks.ts';

expectNoLeaks();

scopedTest('the same seed gives the same numbers, another seed others', () => {
  const draw = (seed: number | bigint) => randn([100], { generator: generator(seed) }).toFloat32();
  assert.deepEqual(draw(7), draw(7n));
  assert.notDeepEqual(draw(7), draw(8));
  assert.throws(() => generator(1.5), /integer/);
});

scopedTest('the first numbers are those of torch.Generator().manual_seed(7)', () => {
  // torch.randn(3, generator=torch.Generator().manual_seed(7))
  const expected = [-0.1468, 0.7861, 0.9468];
  const actual = randn([3], { generator: generator(7) }).toFloat32();
  expected.forEach((value, i) => assert.ok(Math.abs(actual[i] - value) < 1e-4, `${actual[i]}`));
});

scopedTest('a restored state goes on where it was', () => {
  const stream = generator(3);
  randn([5], { generator: stream });
  const state = stream.getState();
  const first = rand([50], { generator: stream }).toFloat32();
  rand([9], { generator: stream });
  stream.setState(state);
  assert.deepEqual(rand([50], { generator: stream }).toFloat32(), first);
  const other = generator(99);
  other.setState(state);
  assert.deepEqual(rand([50], { generator: other }).toFloat32(), first);
  assert.throws(() => stream.setState(new Uint8Array(7)), /.+/);
});

scopedTest('streams do not disturb each other or the default one', () => {
  manualSeed(5);
  const expected = randn([4]).toFloat32();
  manualSeed(5);
  randn([4], { generator: generator(1) });
  noise(1, ['x'], [4]);
  assert.deepEqual(randn([4]).toFloat32(), expected);
});

scopedTest('noise is a function of seed and key alone', () => {
  const key = ['clip', 3];
  const expected = noise(1, key, [2, 5]).toFloat32();
  noise(1, ['clip', 4], [2, 5]);
  assert.deepEqual(noise(1, key, [2, 5]).toFloat32(), expected);
  assert.deepEqual(noise(1n, key, [10]).toFloat32(), expected);
  for (const [seed, other] of [
    [2, key],
    [1, ['clip', '3']],
    [1, ['clip']],
    [1, ['clip3']],
    [1, [3, 'clip']],
  ] as const) {
    assert.notDeepEqual(noise(seed, other, [2, 5]).toFloat32(), expected);
  }
  const many = noise(1, ['many'], [100_000]);
  assert.equal(many.dtype, 'float32');
  assert.ok(Math.abs(many.mean().item()) < 0.02 && Math.abs(many.std().item() - 1) < 0.02);
});
