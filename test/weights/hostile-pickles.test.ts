/** Pickles that somebody made to do harm: each is one sentence that says what was refused, and where. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { readCheckpoint } from '../../src/weights/tensors.ts';
import {
  bytes,
  call,
  dictionary,
  int,
  legacyCheckpoint,
  little,
  long,
  name,
  pickle,
  storage,
  tensor,
  text,
  tuple,
  zipCheckpoint,
} from './made-files.ts';
import type { Piece, TensorFields } from './made-files.ts';
import { file, refusal } from './refusal.ts';

const inZip = (...pieces: readonly Piece[]) => refusal(zipCheckpoint(pickle(...pieces)));
const unicode = (module: string, attribute: string) => bytes(text(module), text(attribute), 0x93);
const times = (count: number, piece: Buffer | number) =>
  Buffer.concat(Array<Buffer>(count).fill(bytes(piece)));
const ordered = () => call(name('collections', 'OrderedDict'));
const code = /is refused: only data is read, no code of a file is ever run \(archive\/data.pkl, byte \d+\)$/;

for (const [module, attribute] of [
  ['os', 'system'],
  ['posix', 'system'],
  ['builtins', 'eval'],
  ['__builtin__', 'eval'],
  ['builtins', 'getattr'],
  ['subprocess', 'Popen'],
  ['torch.jit', 'load'],
  ['torch', 'load'],
  ['torch.hub', 'load'],
  ['torch.storage', '_load_from_bytes'],
  ['torch._utils', '__builtins__.eval'],
  ['torch.FloatStorage', '__init__'],
  ['collections', 'OrderedDict.__reduce__'],
  ['numpy', 'load'],
  ['numpy.core.multiarray', '_reconstruct'],
  ['copyreg', '_reconstructor'],
  ['_codecs', 'decode'],
  ['torch.nn.modules.linear', 'Linear'],
  ['__main__', 'Net'],
  ['argparse', 'Namespace'],
  ['__proto__', 'constructor'],
]) {
  test(`the name ${module}.${attribute} is refused wherever it stands`, () => {
    for (const named of [name(module, attribute), unicode(module, attribute)]) {
      for (const whole of [
        call(named, text('true')),
        named,
        dictionary(text('a'), named),
        bytes(tuple(named), '0N'),
      ]) {
        const message = inZip(whole);
        assert.match(message, code);
        assert.ok(message.startsWith(`${module}.${attribute} `), message);
      }
    }
    assert.match(
      refusal(legacyCheckpoint(pickle(name(module, attribute)))),
      /refused: .* \(the file, byte \d+\)$/,
    );
  });
}

const pickles: [string, () => string, RegExp][] = [
  [
    'a name of control letters',
    () => inZip(unicode('a\n\u001b[2J', 'b'.repeat(1000))),
    /^"a\\n\\u001b.*\.\.\." is refused/,
  ],
  ['a name without an end', () => inZip('c', 'a'.repeat(300)), /a name of at most 200 bytes/],
  [
    'a name that is no text',
    () => inZip(int(1), int(2), 0x93),
    /expected a name as text, got a number and a number/,
  ],
  ['INST', () => inZip('(ios\nsystem\n'), /^the opcode INST \(0x69\) is refused/],
  ['OBJ', () => inZip('(', ordered(), 'o'), /^the opcode OBJ \(0x6f\) is refused/],
  ['the extension registry', () => inZip(0x82, 1), /^the opcode EXT1 \(0x82\) is refused/],
  ['text of protocol 0', () => inZip("S'a'\n"), /^the opcode STRING \(0x53\) is refused/],
  ['an opcode that is none', () => inZip(0xff), /^the opcode 0xff is refused/],
  [
    'NEWOBJ',
    () => inZip(name('collections', 'OrderedDict'), ')', 0x81),
    /an object of the name collections.OrderedDict is made/,
  ],
  [
    'a call of a storage class',
    () => inZip(call(name('torch', 'FloatStorage'), int(9))),
    /torch.FloatStorage is called/,
  ],
  ['a call of a dtype', () => inZip(call(name('torch', 'float32'))), /torch.float32 is called/],
  ['a call of a number', () => inZip(call(int(3))), /a number is called/],
  ['a call of a tensor', () => inZip(call(tensor())), /a tensor is called/],
  [
    'a call of the inert class',
    () => inZip(call(name('pytorch_lightning.callbacks.model_checkpoint', 'ModelCheckpoint'))),
    /is called, which no checkpoint needs/,
  ],
  [
    'arguments in a list',
    () => inZip(name('collections', 'OrderedDict'), ']R'),
    /expected arguments in a tuple, got a list/,
  ],
  [
    'attributes of a dictionary',
    () => inZip(dictionary(), dictionary(), 'b'),
    /expected attributes of an OrderedDict in a dictionary, got a dictionary for a dictionary/,
  ],
  ['attributes of a tensor', () => inZip(tensor(), dictionary(), 'b'), /got a dictionary for a tensor/],
  [
    'attributes through slots',
    () => inZip(ordered(), tuple('N', dictionary(text('__class__'), int(1))), 'b'),
    /got a tuple for None|got a tuple for a dictionary/,
  ],
  [
    'a codec of its own',
    () => inZip(call(name('_codecs', 'encode'), text('x'), text('zip'))),
    /given text and latin1/,
  ],
  [
    'a device that is a path',
    () => inZip(call(name('torch', 'device'), text('../../etc'))),
    /the name of a device/,
  ],
  ['a NumPy object', () => inZip(call(name('numpy', 'dtype'), text('O8'))), /a NumPy type of b1/],
  [
    'a NumPy number of too few bytes',
    () =>
      inZip(
        call(
          name('numpy.core.multiarray', 'scalar'),
          call(name('numpy', 'dtype'), text('f8')),
          bytes('C', 1, 0),
        ),
      ),
    /expected 8 bytes of a NumPy f8, got 1/,
  ],
  ['a bare NumPy type', () => inZip(call(name('numpy', 'dtype'), text('f8'))), /bare storage or type/],
  [
    'text of 2^63 bytes',
    () => inZip(0x8d, little(2n ** 63n, 8), 'abc'),
    /^a length of 9223372036854775808 bytes where \d+ are left/,
  ],
  ['text of 4 GB', () => inZip('X', little(0xffffffff, 4)), /^a length of 4294967295 bytes/],
  ['bytes of 2^40 bytes', () => inZip(0x8e, little(2n ** 40n, 8)), /^a length of 1099511627776 bytes/],
  ['an array of 2^64 bytes', () => inZip(0x96, little(-1n, 8)), /^a length of 18446744073709551615 bytes/],
  ['a frame past the end', () => inZip(0x95, little(2n ** 50n, 8)), /^a length of 1125899906842624/],
  ['a number of 2^31 bytes', () => inZip(0x8b, little(0x7fffffff, 4)), /^a length of 2147483647/],
  [
    'a number of 100 kB',
    () => inZip(0x8b, little(100_000, 4), Buffer.alloc(100_000, 0x77)),
    /a whole number of at most 1024 bytes, got 100000/,
  ],
  ['text that is no UTF-8', () => inZip('X', little(2, 4), 0xc3, 0x28), /expected text in UTF-8/],
  ['no end', () => refusal(zipCheckpoint(bytes(0x80, 2, ']'))), /expected 1 more bytes, 0 are left/],
  ['nothing', () => inZip(), /expected one value at the end, got 0/],
  ['two values', () => inZip(int(1), int(2)), /expected one value at the end, got 2/],
  ['an open mark', () => inZip('(', int(1)), /expected one value at the end/],
  ['a pop of nothing', () => inZip('0'), /the stack is empty/],
  ['a pop through a mark', () => inZip(int(1), '(', 0x85), /the stack is empty/],
  ['a mark that is not there', () => inZip(int(1), 't'), /expected a mark, there is none/],
  ['marks in marks', () => inZip(times(2000, 0x28)), /values nested at most 1000 deep/],
  ['a memo that is empty', () => inZip('h', 5), /value 5 is asked for before it is made/],
  ['protocol 0', () => refusal(zipCheckpoint(bytes(0x80, 0, 'N.'))), /a pickle of protocol 2 to 5, got 0/],
  ['a list in itself', () => inZip(']q', 0, 'h', 0, 'a'), /nested at most 64 deep, ".*" is deeper/],
  ['a dictionary in itself', () => inZip('}q', 0, text('a'), 'h', 0, 's'), /nested at most 64 deep/],
  ['a thousand lists in lists', () => inZip(times(1000, 0x5d), times(999, 0x61)), /nested at most 64 deep/],
  ['an append to a tuple', () => inZip(')', int(1), 'a'), /values are appended to a tuple, expected a list/],
  ['an append to a tensor', () => inZip(tensor(), int(1), 'a'), /appended to a tensor/],
  ['items set in a list', () => inZip(']', int(1), int(1), 's'), /items are set in a list/],
  ['a key without a value', () => inZip('}(', int(1), 'u'), /a value for every key/],
  ['a list as key', () => inZip('}]', int(1), 's'), /a dictionary has a list as key/],
  ['a key twice', () => inZip(dictionary(text('a'), int(1), text('a'), int(2))), /the same key twice/],
  [
    'laughs by tuples',
    () =>
      inZip(
        text('ha'),
        'q',
        0,
        ...Array.from({ length: 60 }, (_, i) => bytes('h', i, 'h', i, 0x86, 'q', i + 1, '0')),
        '0h',
        60,
      ),
    /the same ones come again/,
  ],
  [
    'laughs by lists of dictionaries',
    () =>
      inZip(
        dictionary(),
        'q',
        0,
        ...Array.from({ length: 30 }, (_, i) => bytes('](', times(10, bytes('h', i)), 'eq', i + 1, '0')),
        '0h',
        30,
      ),
    /the same ones come again/,
  ],
  [
    'copies of a long list',
    () =>
      inZip(
        '](',
        times(100_000, 0x4e),
        'eq',
        0,
        '0',
        times(500, bytes(name('builtins', 'set'), 'h', 0, 0x85, 'R0')),
        'N',
      ),
    /more values than any checkpoint has/,
  ],
  [
    'copies of long text',
    () =>
      inZip(
        text('x'.repeat(1_000_000)),
        'q',
        0,
        '0',
        times(500, bytes(name('_codecs', 'encode'), 'h', 0, text('latin1'), 0x86, 'R0')),
        'N',
      ),
    /more values than any checkpoint has/,
  ],
  [
    'a million dictionaries',
    () => inZip('(', times(1_000_000, 0x7d), 't'),
    /more values than any checkpoint has/,
  ],
  [
    'a stack of ten million',
    () => inZip('N', times(10_000_000, 0x32)),
    /more values than any checkpoint has/,
  ],
  [
    'tensors of one name',
    () => inZip(dictionary(text('a.b'), tensor(), text('a'), dictionary(text('b'), tensor()))),
    /two tensors are called "a.b"/,
  ],
  ['a name of 600 letters', () => inZip(dictionary(text('x'.repeat(600)), tensor())), /at most 500 letters/],
  ['a bare storage', () => inZip(storage()), /is a bare storage or type/],
  ['a persistent id that is text', () => inZip(text('0'), 'Q'), /a storage's id in a tuple, got text/],
  [
    'a persistent id of a module',
    () => inZip(tuple(text('module'), int(1), int(2), int(3), int(4)), 'Q'),
    /the id of a storage, got one of "module"/,
  ],
  [
    'a storage of no class',
    () => inZip(tuple(text('storage'), text('torch.FloatStorage'), text('0'), text('cpu'), int(4)), 'Q'),
    /a storage class, got text/,
  ],
  [
    'a storage of another key',
    () => inZip(tensor({ key: text('99') })),
    /names storage "99", which the file does not have$/,
  ],
  [
    'a storage of another folder',
    () => inZip(tensor({ key: text('../data.pkl') })),
    /names storage "\.\.\/data.pkl", which the file does not have$/,
  ],
  [
    'a storage larger than its entry',
    () => inZip(tensor({ elements: int(5) })),
    /expected 20 bytes of storage "0", got 16$/,
  ],
  [
    'a storage smaller than its entry',
    () => inZip(tensor({ elements: int(2), shape: [int(2)] })),
    /expected 8 bytes of storage "0", got 16$/,
  ],
  ['a storage of -1', () => inZip(tensor({ elements: int(-1) })), /the size of storage "0", got -1/],
  [
    'a storage of 2^62',
    () => inZip(tensor({ elements: long(2n ** 62n) })),
    /the size of storage "0", got 4611686018427387904/,
  ],
  [
    'a storage of two types',
    () => inZip(dictionary(text('a'), tensor(), text('b'), tensor({ type: 'LongStorage' }))),
    /is first 4 float32, then 4 int64/,
  ],
  [
    'a storage of a type of code',
    () => inZip(tensor({ type: 'QInt8Storage' })),
    /^torch.QInt8Storage is refused/,
  ],
  [
    'a parameter of a number',
    () => inZip(call(name('torch._utils', '_rebuild_parameter'), int(1), 0x88, ordered())),
    /made of a tensor, got a number/,
  ],
  ['a tensor of a number', () => inZip(tensor({ of: int(1) })), /made of a storage, got a number/],
];
for (const [what, make, message] of pickles) test(`pickle: ${what}`, () => assert.match(make(), message));

const extents: [string, TensorFields, RegExp][] = [
  ['one element too many', { shape: [int(5)] }, /float32 5 reaches to element 4 of a storage of 4/],
  ['an offset', { offset: int(1) }, /reaches to element 4 of a storage of 4/],
  ['an offset of 2^53', { offset: long(2n ** 53n - 1n) }, /reaches to element/],
  ['an offset before the start', { offset: int(-1) }, /offset of a tensor >= 0/],
  ['a stride', { shape: [int(2)], strides: [int(4)] }, /reaches to element 4/],
  [
    'a stride backward',
    { shape: [int(2)], strides: [int(-1)] },
    /stride of a tensor: expected whole numbers >= 0, got -1/,
  ],
  ['a size below zero', { shape: [int(-4)] }, /size of a tensor: .* got -4/],
  ['a size of 2^62', { shape: [long(2n ** 62n)] }, /size of a tensor: .* got a number/],
  [
    'a size past counting',
    { shape: [long(2n ** 50n), long(2n ** 50n)], strides: [int(0), int(0)] },
    /reaches to element/,
  ],
  [
    'a terabyte of one element',
    { shape: [long(2n ** 38n)], strides: [int(0)] },
    /is larger than its storage of 16 bytes/,
  ],
  ['sizes without strides', { strides: [] }, /as many strides as sizes, got 1 sizes and 0 strides/],
  ['a size that is text', { shape: [text('4')] }, /whole numbers >= 0, got text/],
  [
    '65 axes',
    { shape: Array<Buffer>(65).fill(int(1)), strides: Array<Buffer>(65).fill(int(1)) },
    /at most 64 numbers, got 65/,
  ],
];
for (const [what, fields, message] of extents) {
  test(`a tensor past its storage by ${what}`, () => assert.match(inZip(tensor(fields)), message));
}

test('many views that each repeat all of a storage are not read at once', () => {
  const wide = { shape: [int(512), int(512)], strides: [int(0), int(0)] };
  const views = Array.from({ length: 100 }, (_, i) => [text(`v${i}`), tensor(wide)]).flat();
  writeFileSync(file, zipCheckpoint(pickle(dictionary(...views))));
  assert.throws(
    () => readCheckpoint(file),
    /expected at most 67108928 bytes of tensors, got 104857600: its storages hold 16$/,
  );
});
