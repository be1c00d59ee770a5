import assert from 'node:assert/strict';
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { scope } from '../../src/tensor/memory.ts';
import { crc32, crc32ByTable } from '../../src/weights/crc32.ts';
import { PythonName, StoredTensor, openCheckpoint } from '../../src/weights/checkpoint.ts';
import { readCheckpoint, readTensor } from '../../src/weights/tensors.ts';
import { expectNoLeaks, scopedTest } from '../support/leaks.ts';
import * as made from './made-files.ts';

expectNoLeaks();
const folder = mkdtempSync(join(tmpdir(), 'checkpoint-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const file = join(folder, 'file.pt');
const golden = new URL('../golden/pytorch-checkpoint/', import.meta.url);
const goldenFile = (name: string) => fileURLToPath(new URL(`${name}.pt`, golden));
interface Expected {
  readonly dtype: string;
  readonly shape: number[];
  readonly bytes: string;
  readonly requiresGrad?: boolean;
}
const expected = JSON.parse(
  readFileSync(new URL('../golden/pytorch-checkpoint.json', import.meta.url), 'utf8'),
) as Record<string, { tensors: Record<string, Expected> }>;

/** Writes bytes, opens them, and closes them after `body`. */
function opened<T>(content: Uint8Array, body: (checkpoint: ReturnType<typeof openCheckpoint>) => T): T {
  writeFileSync(file, content);
  const checkpoint = openCheckpoint(file);
  try {
    return body(checkpoint);
  } finally {
    checkpoint.close();
  }
}

const readFloats = (content: Uint8Array, name: string) =>
  opened(content, (checkpoint) => [...new Float32Array(checkpoint.read(name).buffer)]);

for (const [name, { tensors }] of Object.entries(expected)) {
  test(`${name}: every tensor is what PyTorch saved, to the bit`, () => {
    const checkpoint = openCheckpoint(goldenFile(name));
    assert.deepEqual([...checkpoint.tensors.keys()], Object.keys(tensors));
    for (const [key, { dtype, shape, bytes, requiresGrad = false }] of Object.entries(tensors)) {
      const stored = checkpoint.stored(key);
      assert.deepEqual([stored.dtype, stored.shape, stored.requiresGrad], [dtype, shape, requiresGrad], key);
      assert.equal(Buffer.from(checkpoint.read(key)).toString('hex'), bytes, key);
    }
    checkpoint.close();
  });
}

const plain = new Map<unknown, unknown>(
  Object.entries({
    small: 200,
    negative: -129,
    large: 70000,
    exact: 2 ** 53 - 1,
    past: 2n ** 53n + 1n,
    huge: -(2n ** 200n) + 5n,
    float: 0.1,
    text: 'café 心 🫀 "q"\n',
    long: 'x'.repeat(300),
    yes: true,
    no: false,
    none: null,
    list: [1, [2, 'b'], []],
    tuple: [1, [2, 3, 4], []],
  }),
);
const special = new Map<unknown, unknown>(
  Object.entries({
    size: [2, 3],
    device: 'cuda:1',
    cpu: 'cpu',
    dtype: new PythonName('torch.bfloat16'),
    bytes: Uint8Array.of(250, 251, 252, 253, 254, 255),
    bytearray: Uint8Array.of(97, 98, 99),
    set: new Set([1, 2]),
    frozen: new Set(['a']),
    counter: new Map([
      ['a', 2],
      ['b', 1],
    ]),
    f8: 2.5,
    f4: 0.5,
    i8: -7,
    u1: 255,
    big: 1.25,
    b1: true,
    u8: 2n ** 64n - 1n,
    i2: -2,
    empty: new Uint8Array(0),
  }),
);

function checkPlain(value: unknown): void {
  assert.ok(value instanceof Map);
  for (const [key, wanted] of plain) assert.deepEqual(value.get(key), wanted, String(key));
  const nested = value.get('nested') as Map<unknown, unknown>;
  assert.deepEqual(
    [...nested],
    [
      ['a', new Map([['b', 1]])],
      [5, 'five'],
      [[1, 2], 'pair'],
    ],
  );
  assert.deepEqual(value.get('__proto__'), new Map([['polluted', true]]));
  assert.equal(value.get('constructor'), 'c');
  assert.equal(value.get('toString'), 't');
  assert.equal(({} as { polluted?: boolean }).polluted, undefined);
}

for (const form of ['zip', 'legacy'] as const) {
  test(`${form}: numbers, text, containers and names, by three protocols`, () => {
    const value = (name: string) => {
      const checkpoint = openCheckpoint(goldenFile(`${name}-${form}`));
      checkpoint.close();
      assert.equal(checkpoint.format, form);
      return checkpoint.value as Map<unknown, unknown>;
    };
    checkPlain(value('plain'));
    assert.deepEqual(value('special'), special);
    for (const name of ['protocol4', 'protocol5']) {
      const whole = value(name);
      checkPlain(whole.get('plain'));
      assert.deepEqual(whole.get('special'), special);
      assert.equal(whole.get('epoch'), 7);
    }
    const training = value('training');
    assert.equal(training.get('epoch'), 7);
    const schedule = training.get('schedule') as Map<string, unknown>;
    assert.deepEqual(
      schedule.get('milestones'),
      new Map([
        [3, 2],
        [5, 1],
      ]),
    );
    const optimizer = training.get('optimizer') as Map<string, unknown>;
    const [group] = optimizer.get('param_groups') as Map<string, unknown>[];
    assert.deepEqual(
      [group.get('lr'), group.get('betas'), group.get('params')],
      [0.001, [0.9, 0.999], [0, 1]],
    );
    assert.ok((training.get('state_dict') as Map<string, unknown>).get('weight') instanceof StoredTensor);
  });
}

scopedTest('tensors of every dtype reach libtorch with their bits', () => {
  for (const form of ['zip', 'legacy']) {
    const { tensors } = readCheckpoint(goldenFile(`dtypes-${form}`));
    assert.equal(tensors.size, 12);
    for (const [name, tensor] of tensors) assert.deepEqual([tensor.dtype, tensor.shape], [name, [2, 3]]);
    const numbers = (name: string) => [...tensors.get(name)!.toFloat64()];
    assert.deepEqual(numbers('int8'), [-128, 127, 0, 1, 2, 100]);
    assert.deepEqual(numbers('bool'), [1, 0, 1, 0, 0, 1]);
    assert.deepEqual(numbers('bfloat16').slice(0, 5), [1.5, -0, 3.140625, NaN, -Infinity]);
    assert.deepEqual(numbers('float16').slice(0, 3), [1.5, -0, 3.140625]);
    assert.deepEqual(numbers('float64').slice(2), [3.14159, NaN, -Infinity, 1e-7]);
  }
});

scopedTest('views come out contiguous, and the tensors of one path alone are read', () => {
  const { tensors } = readCheckpoint(goldenFile('views-legacy'));
  assert.deepEqual([...tensors.get('window')!.toFloat32()], [8, 9, 10, 14, 15, 16]);
  assert.deepEqual(tensors.get('transposed')!.strides, [4, 1]);
  assert.deepEqual([...tensors.get('half.transposed')!.toFloat32()].slice(0, 4), [0, 4, 8, 1]);
  const read = readCheckpoint(goldenFile('training-zip'), { under: 'state_dict' });
  assert.deepEqual([...read.tensors.keys()], ['weight', 'bias']);
  assert.equal((read.value as Map<string, unknown>).get('epoch'), 7);
  const message = /training-zip.pt: expected tensors under "model", got "state_dict", "optimizer", "rng"$/;
  assert.throws(() => readCheckpoint(goldenFile('training-zip'), { under: 'model' }), message);
  const one = openCheckpoint(goldenFile('list-zip'));
  assert.deepEqual([...readTensor(one, '1.1.deep').toFloat32()], [1, 0, 0, 1]);
  assert.throws(
    () => readTensor(one, 'x'),
    /expected a tensor of the checkpoint \("0", "1.0", "1.1.deep"...\), got "x"$/,
  );
  one.close();
  assert.throws(() => readTensor(one, '0'), /list-zip.pt: "0": expected an open file, it was closed$/);
});

test('a zip of zip64 fields, deflated entries, a big-endian machine', () => {
  const content = made.pickle(made.dictionary(made.text('x'), made.tensor()));
  const entries = (data: Uint8Array, order = 'little') => [
    { name: 'a/data.pkl', content },
    { name: 'a/byteorder', content: Buffer.from(order) },
    { name: 'a/version', content: Buffer.from('3\n') },
    { name: 'a/data/', content: Buffer.alloc(0) },
    { name: 'a/data/0', content: data },
    { name: 'b/readme', content: Buffer.from('put beside it') },
  ];
  const data = made.floats(1, 2, 3, 4);
  assert.deepEqual(readFloats(made.zip(entries(data), { zip64: true }), 'x'), [1, 2, 3, 4]);
  const packed = entries(data).map((entry) => ({ ...entry, deflate: true }));
  assert.deepEqual(readFloats(made.zip(packed), 'x'), [1, 2, 3, 4]);
  const turned = Buffer.from(data).swap32();
  assert.deepEqual(readFloats(made.zip(entries(turned, 'big')), 'x'), [1, 2, 3, 4]);
});

test('tensors of untyped storages, of the oldest form, and old pairs', () => {
  const untyped = made.storage({ type: 'UntypedStorage', elements: made.int(16) });
  const rest = [made.int(1), made.tuple(made.int(2)), made.tuple(made.int(2))];
  const hooks = made.call(made.name('collections', 'OrderedDict'));
  const byBytes = made.call(
    made.name('torch._utils', '_rebuild_tensor_v3'),
    untyped,
    ...rest,
    0x89,
    hooks,
    made.name('torch', 'float32'),
  );
  assert.deepEqual(readFloats(made.zipCheckpoint(made.pickle(byBytes)), ''), [2, 4]);
  const oldest = made.call(made.name('torch._utils', '_rebuild_tensor'), made.storage(), ...rest);
  assert.deepEqual(readFloats(made.zipCheckpoint(made.pickle(oldest)), ''), [2, 4]);
  const pair = made.bytes('](', made.text('k'), made.tensor(), 'e');
  const ordered = made.call(made.name('collections', 'OrderedDict'), made.bytes('](', pair, 'e'));
  assert.deepEqual(readFloats(made.legacyCheckpoint(made.pickle(ordered)), 'k'), [1, 2, 3, 4]);
  const callback = made.name('pytorch_lightning.callbacks.model_checkpoint', 'ModelCheckpoint');
  const settings = made.zipCheckpoint(made.pickle(made.dictionary(callback, made.dictionary())));
  const [[key]] = opened(settings, ({ value }) => [...(value as Map<PythonName, unknown>)]);
  assert.equal(key.name, 'pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint');
});

test('a checksum by table is the checksum of zlib', () => {
  const data = Buffer.from('123456789');
  assert.equal(crc32ByTable(data), 0xcbf43926);
  assert.equal(crc32(data.subarray(4), crc32(data.subarray(0, 4))), 0xcbf43926);
  assert.equal(crc32ByTable(data.subarray(4), crc32ByTable(data.subarray(0, 4))), 0xcbf43926);
});

/** A file of `size` bytes, of which only `parts` are written: the rest is a hole of the disk. */
function sparseFile(size: number, parts: readonly (readonly [number, Uint8Array])[]): void {
  const handle = openSync(file, 'w');
  ftruncateSync(handle, size);
  for (const [at, part] of parts) writeSync(handle, part, 0, part.length, at);
  closeSync(handle);
}

test('a file of 6 GB opens, and gives its tensors, in little memory', () => {
  const elements = 1_500_000_000;
  const size = made.long(BigInt(elements));
  const last = (offset: number, stride: number) =>
    made.tensor({
      elements: size,
      offset: made.long(BigInt(offset)),
      shape: [made.int(3)],
      strides: [made.int(stride)],
    });
  const object = made.pickle(
    made.dictionary(
      made.text('end'),
      last(elements - 3, 1),
      made.text('far'),
      last(elements - 1 - 2e9 / 4, 1e9 / 4),
    ),
  );
  const start = made.legacyCheckpoint(object, { 0: Buffer.alloc(0) });
  const head = made.bytes(start.subarray(0, -8), made.little(elements, 8));
  const total = head.length + 4 * elements;
  sparseFile(total, [
    [0, head],
    [total - 12, made.floats(5, 6, 7)],
  ]);
  const before = process.memoryUsage();
  const checkpoint = openCheckpoint(file);
  assert.deepEqual([...new Float32Array(checkpoint.read('end').buffer)], [5, 6, 7]);
  assert.deepEqual([...new Float32Array(checkpoint.read('far').buffer)], [0, 0, 7]);
  checkpoint.close();
  const now = process.memoryUsage();
  const grown = now.arrayBuffers + now.heapUsed - before.arrayBuffers - before.heapUsed;
  assert.ok(grown < 30e6, `${grown} bytes more`);
});

const weights = fileURLToPath(new URL('../../../shared/data/weights/', import.meta.url));
const absent = existsSync(weights) ? false : 'the published weights (../shared/data/weights) are not here';

// What torch.load prints of them: tensors, elements, sum of all elements in float64, and the mean of one.
const published: [string, string, number, number, number, string, number][] = [
  [
    'pidinet.pth',
    'zip',
    83,
    710149,
    -16116.19564188412,
    'state_dict.module.init_block.weight',
    0.0005112939019634296,
  ],
  [
    'raft-small.pth',
    'legacy',
    106,
    990162,
    -4618.380040445283,
    'module.fnet.conv1.weight',
    0.0018962495722140609,
  ],
  ['taef2_decoder.pth', 'zip', 79, 1338499, -627.3743234872818, '1.bias', 0.3105652928352356],
  ['taef2_encoder.pth', 'zip', 79, 1338528, 251.84707695245743, '0.bias', -0.0014500170946121216],
];
for (const [name, format, count, elements, sum, key, mean] of published) {
  test(`${name} holds what torch says`, { skip: absent }, () => {
    const checkpoint = openCheckpoint(join(weights, name));
    checkpoint.close();
    assert.equal(checkpoint.format, format);
    const values = scope(() => {
      const { tensors } = readCheckpoint(join(weights, name));
      return [...tensors].map(([path, tensor]) => [path, tensor.toFloat64()] as const);
    });
    assert.equal(values.length, count);
    const sumOf = (numbers: Float64Array) => numbers.reduce((a, b) => a + b, 0);
    assert.equal(
      values.reduce((found, [, numbers]) => found + numbers.length, 0),
      elements,
    );
    const total = values.reduce((so, [, numbers]) => so + sumOf(numbers), 0);
    assert.ok(Math.abs(total - sum) < 1e-6, `${total}`);
    const [, one] = values.find(([path]) => path === key)!;
    assert.ok(Math.abs(sumOf(one) / one.length - mean) < 1e-10, `${sumOf(one) / one.length}`);
  });
}
