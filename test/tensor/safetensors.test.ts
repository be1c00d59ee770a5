import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { dtypes, storedName } from '../../src/tensor/dtype.ts';
import { scope } from '../../src/tensor/memory.ts';
import {
  readSafetensors,
  readSafetensorsHeader,
  writeSafetensors,
} from '../../src/tensor/safetensors.ts';
import { arange, randn, tensor, zeros } from '../../src/tensor/tensor.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { expectNoLeaks, scopedTest } from '../support/leaks.ts';

expectNoLeaks();
const folder = mkdtempSync(join(tmpdir(), 'safetensors-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const file = join(folder, 'file.safetensors');

/** A file with this header, or these bytes in place of one, and so many bytes of data. */
function write(header: unknown, data = 0): string {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  writeFileSync(file, Buffer.concat([length, text, Buffer.alloc(data)]));
  return file;
}

scopedTest('a round trip keeps every dtype, shape, bit and word', () => {
  const tensors = new Map<string, Tensor>();
  for (const dtype of dtypes) {
    if (storedName(dtype))
      tensors.set(
        `of ${dtype}`,
        arange(0, 12, { dtype: 'float32' }).gt(0).to(dtype).reshape([3, 4]),
      );
  }
  tensors.set('odd', tensor([NaN, -0, Infinity, 1e-45]));
  tensors.set('none', zeros([0, 3]));
  tensors.set('scalar', tensor([5], []));
  tensors.set('view', arange(6).reshape([2, 3]).transpose(0, 1));
  tensors.set('parameter', randn([4], { dtype: 'bfloat16' }).requiresGrad_());
  tensors.set('große Wörter "quoted"', tensor([1]));
  const metadata = { format: 'pt', note: 'Δ\n"x"' };
  writeSafetensors(file, tensors, metadata);
  const read = readSafetensors(file);
  assert.deepEqual(read.metadata, metadata);
  assert.deepEqual([...read.tensors.keys()].sort(), [...tensors.keys()].sort());
  for (const [name, expected] of tensors) {
    const actual = read.tensors.get(name)!;
    assert.deepEqual([actual.dtype, actual.shape], [expected.dtype, expected.shape], name);
    assert.deepEqual(actual.toFloat64(), expected.toFloat64(), name);
  }
  assert.equal(readSafetensorsHeader(file).tensors.get('view')!.dtype, 'int64');
  assert.deepEqual(readdirSync(folder), ['file.safetensors'], 'no temporary file remains');
  const first = readFileSync(file);
  writeSafetensors(file, new Map([...tensors].reverse()), metadata);
  assert.deepEqual(
    readFileSync(file),
    first,
    'the same tensors in another order are the same bytes',
  );
});

scopedTest('tensors larger than the copy buffer', () => {
  const large = randn([3 * 1024 * 1024 + 5]);
  writeSafetensors(file, new Map([['x', large]]));
  assert.ok(readSafetensors(file).tensors.get('x')!.eq(large).all());
});

scopedTest("a file that safetensors' own Python package wrote", () => {
  // save({'a': tensor([[1.5, -2.]]), 'b': tensor([7])}, metadata={'k': 'v'})
  const header =
    '{"__metadata__":{"k":"v"},"b":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},' +
    '"a":{"dtype":"F32","shape":[1,2],"data_offsets":[8,16]}}  ';
  const data = Buffer.alloc(16);
  data.writeBigInt64LE(7n, 0);
  data.writeFloatLE(1.5, 8);
  data.writeFloatLE(-2, 12);
  write(header);
  writeFileSync(file, Buffer.concat([readFileSync(file), data]));
  const { tensors, metadata } = readSafetensors(file);
  assert.deepEqual(metadata, { k: 'v' });
  assert.deepEqual([...tensors.get('a')!.toFloat32(), tensors.get('b')!.item()], [1.5, -2, 7]);
});

const f32 = (shape: number[], begin: number, end: number) => ({
  dtype: 'F32',
  shape,
  data_offsets: [begin, end],
});
const broken: [string, () => string, RegExp][] = [
  [
    'no header',
    () => {
      writeFileSync(file, 'abc');
      return file;
    },
    /8 bytes of header length, got 3/,
  ],
  [
    'an oversize header',
    () => {
      writeFileSync(file, Buffer.alloc(16, 0xff));
      return file;
    },
    /at most 100000000 bytes/,
  ],
  [
    'a header past the end',
    () => {
      writeFileSync(file, Buffer.from([99, 0, 0, 0, 0, 0, 0, 0, 123]));
      return file;
    },
    /header of 99 bytes, the file has 1/,
  ],
  ['no JSON', () => write('{"a":'), /not JSON/],
  ['a list', () => write('[]'), /an object as header/],
  ['truncated data', () => write({ a: f32([2], 0, 8) }, 7), /expected 8 bytes of data, got 7/],
  ['data left over', () => write({ a: f32([2], 0, 8) }, 9), /expected 8 bytes of data, got 9/],
  [
    'overlapping offsets',
    () => write({ a: f32([2], 0, 8), b: f32([2], 4, 12) }, 12),
    /b to begin at byte 8, got 4/,
  ],
  [
    'a hole',
    () => write({ a: f32([1], 0, 4), b: f32([1], 8, 12) }, 12),
    /b to begin at byte 4, got 8/,
  ],
  ['backward offsets', () => write({ a: f32([2], 8, 0) }, 8), /data_offsets \[8,0\]/],
  [
    'an unknown dtype',
    () => write({ a: { ...f32([2], 0, 8), dtype: 'F8_E5M2' } }, 8),
    /dtype "F8_E5M2"/,
  ],
  [
    'a size that does not fit',
    () => write({ a: f32([3], 0, 8) }, 8),
    /F32 3\) expected 12 bytes, got 8/,
  ],
  ['a negative size', () => write({ a: f32([-2], 0, 8) }, 8), /shape \[-2\]/],
  ['a fractional size', () => write({ a: f32([0.5, 4], 0, 8) }, 8), /shape/],
  ['a size past counting', () => write({ a: f32([1e18, 1e18], 0, 8) }, 8), /shape|expected/],
  ['an entry that is null', () => write({ a: null }), /dtype/],
  ['metadata that are numbers', () => write({ __metadata__: { a: 1 } }), /table of strings/],
];
for (const [name, make, message] of broken) {
  test(`${name} is one sentence that names the file`, () => {
    const path = make();
    assert.throws(
      () => readSafetensors(path),
      (error: Error) => {
        assert.match(error.message, message);
        assert.ok(error.message.startsWith(path) && !error.message.includes('\n'));
        return true;
      },
    );
  });
}

test('missing files and folders', () => {
  assert.throws(() => readSafetensors(join(folder, 'absent')), /absent: no such file/);
  assert.throws(() => readSafetensors(folder), /expected a file/);
  assert.throws(
    () => writeSafetensors(join(folder, 'no', 'x'), new Map()),
    /folder .* does not exist/,
  );
});

test('a write that fails leaves the old file and nothing else', () =>
  scope(() => {
    writeSafetensors(file, new Map([['a', tensor([1])]]));
    const before = readFileSync(file);
    const gone = tensor([2]);
    const shape = gone.shape.length + gone.dtype.length;
    assert.ok(shape > 0);
    gone.dispose();
    assert.throws(
      () => writeSafetensors(file, new Map([['a', gone]])),
      /cannot be written: .*disposed/,
    );
    assert.throws(
      () => writeSafetensors(file, new Map([['a', tensor([2]).to('complex64')]])),
      /complex64/,
    );
    assert.deepEqual(readFileSync(file), before);
    assert.deepEqual(readdirSync(folder), ['file.safetensors']);
  }));

test('hundreds of mutated files give tensors or one sentence, never a crash', () => {
  scope(() =>
    writeSafetensors(
      file,
      new Map([
        ['a', randn([3, 5])],
        ['b', arange(7)],
      ]),
      { k: 'v' },
    ),
  );
  const whole = readFileSync(file);
  let state = 12345;
  const next = (limit: number) => (state = (state * 48271) % 2147483647) % limit;
  let refused = 0;
  for (let round = 0; round < 400; round++) {
    const bytes = Buffer.from(
      whole.subarray(0, round % 5 === 0 ? next(whole.length) : whole.length),
    );
    for (let i = next(4); i >= 0 && bytes.length > 0; i--)
      bytes[next(Math.min(bytes.length, 200))] = next(256);
    writeFileSync(file, bytes);
    scope(() => {
      try {
        for (const x of readSafetensors(file).tensors.values()) x.toFloat32();
      } catch (error) {
        refused++;
        assert.ok((error as Error).message.startsWith(file), (error as Error).message);
      }
    });
  }
  assert.ok(refused > 200, `${refused} were refused`);
});
