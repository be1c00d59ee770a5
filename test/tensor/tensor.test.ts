import assert from 'node:assert/strict';
import { dtypes, isFloating } from '../../src/tensor/dtype.ts';
import { availableDevices, getThreads, hasOperator, setThreads } from '../../src/tensor/device.ts';
import * as ops from '../../src/tensor/ops.ts';
import { scope } from '../../src/tensor/memory.ts';
import {
  arange,
  empty,
  eye,
  full,
  ones,
  rand,
  randint,
  randn,
  randperm,
  tensor,
  zeros,
} from '../../src/tensor/tensor.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { expectNoLeaks, scopedTest } from '../support/leaks.ts';

expectNoLeaks();

scopedTest('typed arrays go in and come out unchanged', () => {
  const floats = Float32Array.of(1.5, -2.25, 0, 3e38, -0, Infinity);
  assert.deepEqual(tensor(floats, [2, 3]).toFloat32(), floats);
  assert.equal(tensor(floats, [2, 3]).dtype, 'float32');
  const bytes = Uint8Array.of(0, 1, 254, 255);
  assert.deepEqual(tensor(bytes).toUint8(), bytes);
  const wide = BigInt64Array.of(2n ** 62n, -1n, 0n);
  assert.deepEqual(tensor(wide).toBigInt64(), wide);
  assert.deepEqual(tensor(Int32Array.of(-5, 7)).toInt32(), Int32Array.of(-5, 7));
  const doubles = Float64Array.of(Math.PI, 1e300);
  assert.deepEqual(tensor(doubles).toFloat64(), doubles);
  assert.equal(tensor([1, 2 ** 53], [2], { dtype: 'int64' }).toBigInt64()[1], 2n ** 53n);
  const view = new Float32Array(new Float32Array([9, 1, 2, 9]).buffer, 4, 2);
  assert.deepEqual([...tensor(view).toFloat32()], [1, 2]);
  assert.deepEqual([...arange(6).reshape([2, 3]).transpose(0, 1).toInt32()], [0, 3, 1, 4, 2, 5]);
});

scopedTest('a tensor made from data is a copy of it', () => {
  const data = Float32Array.of(1, 2);
  const made = tensor(data);
  data[0] = 9;
  assert.equal(made.select(0, 0).item(), 1);
  const out = made.toFloat32();
  out[0] = 7;
  assert.equal(made.select(0, 0).item(), 1);
});

scopedTest('every dtype to every dtype keeps small whole numbers', () => {
  for (const from of dtypes) {
    for (const to of dtypes) {
      if (from.startsWith('complex') || to.startsWith('complex')) continue;
      const cast = tensor([0, 1, 1, 0]).to(from).to(to);
      assert.equal(cast.dtype, to);
      assert.deepEqual([...cast.toFloat32()], [0, 1, 1, 0], `${from} to ${to}`);
    }
  }
});

scopedTest('bfloat16 and float16 round as their formats say', () => {
  assert.equal(
    tensor([1 + 2 ** -9], [])
      .to('bfloat16')
      .item(),
    1,
  );
  assert.equal(
    tensor([1 + 3 * 2 ** -9], [])
      .to('bfloat16')
      .item(),
    1 + 2 ** -7,
  );
  assert.equal(tensor([65519], []).to('float16').item(), 65504);
  assert.equal(tensor([65520], []).to('float16').item(), Infinity);
  assert.equal(tensor([3e38], []).to('bfloat16').item() > 2.9e38, true);
});

scopedTest('metadata', () => {
  const x = zeros([2, 3, 4], { dtype: 'bfloat16' });
  assert.deepEqual(x.shape, [2, 3, 4]);
  assert.deepEqual([x.dtype, x.device, x.numel, x.rank, x.bytes], ['bfloat16', 'cpu', 24, 3, 48]);
  assert.equal(String(x), 'Tensor(bfloat16 2x3x4 cpu)');
  assert.deepEqual([x.requiresGrad, x.isLeaf, x.grad], [false, true, null]);
  assert.equal(x.requiresGrad_(), x);
  assert.equal(x.add(1).isLeaf, false);
});

scopedTest('creation', () => {
  assert.deepEqual([...full([2, 2], 7, { dtype: 'int64' }).toInt32()], [7, 7, 7, 7]);
  assert.deepEqual([...eye(2).toFloat32()], [1, 0, 0, 1]);
  assert.equal(arange(3).dtype, 'int64');
  assert.equal(arange(0, 1, 0.25).dtype, 'float32');
  assert.equal(arange(0, 3, { dtype: 'float64' }).dtype, 'float64');
  assert.equal(ops.onesLike(zeros([2], { dtype: 'float16' })).dtype, 'float16');
  assert.equal(empty([3, 0]).numel, 0);
  const whole = randint(2, 5, [1000]).toInt32();
  assert.deepEqual([...new Set(whole)].sort(), [2, 3, 4]);
  assert.deepEqual([...randperm(9).toInt32()].sort(), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  const uniform = rand([1000]);
  assert.ok(uniform.amin().item() >= 0 && uniform.amax().item() < 1);
});

scopedTest('in place writes through views and gives the same tensor back', () => {
  const x = zeros([2, 3]);
  assert.equal(x.select(0, 1).add_(2).mul_(3).shape.length, 1);
  assert.deepEqual([...x.toFloat32()], [0, 0, 0, 6, 6, 6]);
  assert.equal(x.copy_(ones([3])), x);
  x.sub_(0.5)
    .div_(0.5)
    .lerp_(zeros([2, 3]), 0.25)
    .sqrt_()
    .clamp_(0.9)
    .fill_(4)
    .addcdiv_(ones([3]), full([3], 2));
  assert.deepEqual([...x.toFloat32()], [4.5, 4.5, 4.5, 4.5, 4.5, 4.5]);
  assert.equal(x.zero_().sum().item(), 0);
});

scopedTest('channels last changes memory, not values', () => {
  const x = randn([2, 3, 4, 5]);
  const last = x.channelsLast();
  assert.deepEqual(last.strides, [60, 1, 15, 3]);
  assert.deepEqual(last.toFloat32(), x.toFloat32());
  assert.deepEqual(
    ops.conv2d(last, randn([4, 3, 3, 3]).channelsLast(), null, 1, 1).strides,
    [80, 1, 20, 4],
  );
  assert.deepEqual(randn([1, 2, 3, 4, 5]).channelsLast().strides, [120, 1, 40, 10, 2]);
  assert.throws(
    () => randn([3, 4]).channelsLast(),
    /channelsLast: expected 4 or 5 dimensions, got 3x4/,
  );
});

scopedTest('foreach operators do what a loop does', () => {
  const lists = () => [[1, 2], [3], [4, 5, 6]].map((row) => tensor(row));
  const flat = (list: readonly Tensor[]) => list.flatMap((x) => [...x.toFloat32()]);
  const x = lists();
  ops.foreachMul_(x, 2);
  ops.foreachAdd_(x, lists(), 10);
  assert.deepEqual(flat(x), [12, 24, 36, 48, 60, 72]);
  ops.foreachAddcmul_(x, lists(), lists(), -1);
  assert.deepEqual(flat(x), [11, 20, 27, 32, 35, 36]);
  ops.foreachAddcdiv_(x, lists(), lists(), 4);
  ops.foreachAddScalar_(x, 1);
  assert.deepEqual(flat(x), [16, 25, 32, 37, 40, 41]);
  assert.deepEqual(flat(ops.foreachSqrt(lists().map((y) => y.square()))), [1, 2, 3, 4, 5, 6]);
  assert.deepEqual(flat(ops.foreachNorm([tensor([3, 4])])), [5]);
  ops.foreachMul_(x, lists());
  ops.foreachZero_(x);
  assert.deepEqual(flat(x), [0, 0, 0, 0, 0, 0]);
});

scopedTest('errors are one sentence with the operator and the shapes', () => {
  assert.throws(
    () => ops.conv2d(zeros([1, 3, 8, 8]), zeros([4, 4, 3, 3])),
    /^Error: conv2d: .*expected input.*channels.*\(input float32 1x3x8x8, weight float32 4x4x3x3\)/,
  );
  assert.throws(
    () => zeros([2, 3]).matmul(zeros([2, 3])),
    /^Error: matmul: .*\(self float32 2x3, other float32 2x3\)$/,
  );
  assert.throws(
    () => zeros([2, 3]).reshape([4, 2]),
    /reshape: .*invalid for input of size 6.*\(self float32 2x3, shape \[4, 2\]\)/,
  );
  assert.throws(() => zeros([2]).narrow(0, 1, 5), /narrow: /);
  assert.throws(
    () => ops.cat([zeros([2, 2]), zeros([3, 3])], 0),
    /cat: .*\[float32 2x2, float32 3x3\]/,
  );
  assert.throws(() => zeros([2]).sum(1.5), /sum: argument 'dim'.*expected an integer/);
  assert.throws(() => zeros([-1]), /zeros: .*negative/);
  assert.throws(() => tensor([1, 2], [3]), /tensor: expected 3 elements for shape 3, got 2/);
  assert.throws(() => zeros([2]).item(), /item: .*/);
  assert.throws(() => zeros([2]).to('float31' as 'float32'), /to: /);
  assert.throws(
    () => zeros([1], { dtype: 'quaternion' as 'float32' }),
    /dtype: expected one of .*, got quaternion/,
  );
  assert.throws(() => zeros([1]).add(null as unknown as Tensor), /add: argument 'other'.*missing/);
  assert.throws(() => zeros([1]).add({} as Tensor), /add: argument 'other'.*expected a tensor/);
  assert.throws(() => zeros([1], { device: 'cuda:99' }), /zeros: |device/i);
  assert.throws(() => {
    ones([2]).grad = ones([3]);
  }, /shape of its tensor/);
});

scopedTest('empty tensors, NaN and infinities', () => {
  const none = zeros([0, 3]);
  assert.deepEqual([none.numel, none.sum().item(), none.toFloat32().length], [0, 0, 0]);
  assert.ok(Number.isNaN(none.mean().item()));
  assert.deepEqual(ops.cat([none, ones([1, 3])]).shape, [1, 3]);
  assert.deepEqual(ops.linear(none, ones([2, 3])).shape, [0, 2]);
  const odd = tensor([NaN, 1, Infinity, -Infinity]);
  assert.deepEqual([...odd.isNan().toUint8()], [1, 0, 0, 0]);
  assert.deepEqual([...odd.isFinite().toUint8()], [0, 1, 0, 0]);
  assert.ok(Number.isNaN(odd.amax().item()));
  assert.deepEqual([...odd.nanToNum(5).narrow(0, 0, 2).toFloat32()], [5, 1]);
  assert.equal(odd.eq(odd).all(), false);
  assert.equal(odd.eq(odd).any(), true);
});

scopedTest('random shapes: reductions, permutations and broadcasts agree with plain loops', () => {
  let state = 1;
  const next = (limit: number) => (state = (state * 48271) % 2147483647) % limit;
  for (let round = 0; round < 40; round++) {
    scope(() => {
      const shape = Array.from({ length: 1 + next(4) }, () => 1 + next(5));
      const x = randn(shape);
      const values = x.toFloat32();
      const dim = next(shape.length);
      const inner = shape.slice(dim + 1).reduce((a, b) => a * b, 1);
      const sums = new Float64Array(values.length / shape[dim]);
      values.forEach(
        (value, i) => (sums[Math.floor(i / (inner * shape[dim])) * inner + (i % inner)] += value),
      );
      x.sum(dim)
        .toFloat32()
        .forEach((value, i) => assert.ok(Math.abs(value - sums[i]) < 1e-4));
      const order = shape.map((_, i) => i).sort(() => next(3) - 1);
      const back = order.map((_, i) => order.indexOf(i));
      assert.deepEqual(x.permute(order).contiguous().permute(back).toFloat32(), values);
      const row = randn([shape.at(-1)!]);
      const added = x.add(row).toFloat32();
      const bias = row.toFloat32();
      added.forEach((value, i) =>
        assert.equal(value, Math.fround(values[i] + bias[i % bias.length])),
      );
    });
  }
});

scopedTest('device and threads', () => {
  assert.equal(availableDevices()[0], 'cpu');
  const threads = getThreads();
  assert.ok(threads >= 1);
  setThreads(1);
  assert.equal(getThreads(), 1);
  setThreads(threads);
  assert.throws(() => setThreads(0), /threads/);
  assert.ok(hasOperator('add.Tensor') && hasOperator('conv2d') && !hasOperator('no_such_operator'));
  assert.ok(isFloating('bfloat16') && !isFloating('int64'));
});
