/** Files around the pickle that somebody made to do harm, or that are no checkpoints. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openCheckpoint } from '../../src/weights/checkpoint.ts';
import {
  bytes,
  call,
  dictionary,
  floats,
  int,
  legacyCheckpoint,
  long,
  name,
  pickle,
  storage,
  tensor,
  text,
  tuple,
  zip,
} from './made-files.ts';
import type { ZipEntry } from './made-files.ts';
import { folder, refusal } from './refusal.ts';

const content = pickle(dictionary(text('x'), tensor()));
const entry = (given: Partial<ZipEntry> = {}): ZipEntry => ({
  name: 'archive/data/0',
  content: floats(1, 2, 3, 4),
  ...given,
});
const archive = (...more: ZipEntry[]) => zip([{ name: 'archive/data.pkl', content }, ...more]);
const readsX = (bytesOfFile: Uint8Array) => refusal(bytesOfFile, 'x');
const archives: [string, () => string, RegExp][] = [
  [
    'a wrong checksum of a storage',
    () => readsX(archive(entry({ crc: 1 }))),
    /^"x": entry "archive\/data\/0" is damaged: expected checksum 00000001, got [0-9a-f]{8}$/,
  ],
  [
    'a wrong checksum of the pickle',
    () => refusal(zip([{ name: 'a/data.pkl', content, crc: 7 }])),
    /entry "a\/data.pkl" is damaged/,
  ],
  [
    'a wrong checksum of a deflated storage',
    () => readsX(archive(entry({ crc: 1, deflate: true }))),
    /is damaged/,
  ],
  ['an entry twice', () => refusal(archive(entry(), entry())), /entry "archive\/data\/0" comes twice/],
  [
    'two pickles',
    () => refusal(archive(entry(), { name: 'b/data.pkl', content })),
    /with one data.pkl in a folder, got 2/,
  ],
  ['no pickle', () => refusal(zip([{ name: 'readme', content }])), /with one data.pkl in a folder, got 0/],
  [
    'TorchScript',
    () => refusal(archive({ name: 'archive/constants.pkl', content })),
    /TorchScript program, whose code is never run/,
  ],
  [
    'an absolute name',
    () => refusal(archive(entry({ name: '/etc/passwd' }))),
    /entry "\/etc\/passwd": expected a name that stays inside/,
  ],
  ['a name that leads up', () => refusal(archive(entry({ name: 'a/../../x' }))), /stays inside the archive/],
  ['a name of Windows', () => refusal(archive(entry({ name: 'C:\\x' }))), /stays inside the archive/],
  [
    'a name with a NUL',
    () => refusal(archive(entry({ name: 'a\u0000b' }))),
    /"a\\u0000b": expected a name that stays/,
  ],
  [
    'another name in the header',
    () => readsX(archive(entry({ localName: 'archive/data/1' }))),
    /called otherwise in its own header/,
  ],
  ['encryption', () => refusal(archive(entry({ flags: 1 }))), /is encrypted/],
  ['another packing', () => refusal(archive(entry({ method: 14 }))), /is packed by method 14, expected 0/],
  [
    'two sizes',
    () => refusal(archive(entry({ size: 100 }))),
    /is stored, but has two sizes: 100 and 16 bytes/,
  ],
  [
    'a bomb',
    () => readsX(archive(entry({ deflate: true, content: Buffer.alloc(1_000_000), size: 16 }))),
    /longer than the 16 bytes it claims/,
  ],
  [
    'a claim of 4 GB',
    () => refusal(zip([{ name: 'a/data.pkl', content, deflate: true, size: 4_000_000_000 }])),
    /at most 67108864 bytes, got 4000000000/,
  ],
  [
    'a claim that deflate cannot keep',
    () => refusal(zip([{ name: 'a/data.pkl', content, deflate: true, size: 10_000_000 }])),
    /expected to inflate to at most/,
  ],
  [
    'bytes that do not inflate',
    () => refusal(zip([{ name: 'a/data.pkl', content: Buffer.alloc(20, 0xff), method: 8 }])),
    /cannot be inflated/,
  ],
  [
    'entries on top of each other',
    () => refusal(archive(entry(), entry({ name: 'archive/data/1', headerAt: 0 }))),
    /reaches into what follows it/,
  ],
  [
    'an entry behind the end',
    () => refusal(archive(entry({ headerAt: 1e6 }))),
    /reaches into what follows it/,
  ],
  ['a comment', () => refusal(zip([{ name: 'a/data.pkl', content }], { comment: 'x' })), /cut short/],
  [
    'half a file',
    () => refusal(archive(entry()).subarray(0, 150)),
    /a zip directory at the end of the file: it is cut short/,
  ],
  [
    'a new format',
    () => refusal(archive(entry(), { name: 'archive/version', content: Buffer.from('11') })),
    /format version of at most 10, got "11"/,
  ],
  [
    'a byte order of its own',
    () => refusal(archive(entry(), { name: 'archive/byteorder', content: Buffer.from('pdp') })),
    /byteorder little or big, got "pdp"/,
  ],
];
for (const [what, make, message] of archives) test(`zip: ${what}`, () => assert.match(make(), message));

const legacy = (pickled: Uint8Array, ...rest: [Record<string, Uint8Array>?, number?]) =>
  refusal(legacyCheckpoint(pickled, ...rest));
const view = (...items: Buffer[]) => pickle(tensor({ view: tuple(text('v'), ...items), shape: [int(2)] }));
const legacies: [string, () => string, RegExp][] = [
  ['a pickle of another program', () => refusal(pickle(int(1))), /its magic number is not there$/],
  [
    'a pickle that runs at once',
    () => refusal(pickle(call(name('os', 'system'), text('true')))),
    /^os.system is refused/,
  ],
  [
    'a magic number that is a storage',
    () => refusal(pickle(storage())),
    /a storage is named where there is none/,
  ],
  [
    'a storage that is not there',
    () => legacy(pickle(tensor()), {}),
    /storage "0" is named, but not in the file$/,
  ],
  ['a storage that nobody named', () => legacy(pickle(int(1))), /every storage of the object once, got "0"$/],
  [
    'a storage of another size',
    () => legacy(pickle(tensor()), { 0: floats(1, 2, 3, 4, 5) }),
    /expected 4 elements of storage "0", got 5$/,
  ],
  [
    'half a storage',
    () => refusal(legacyCheckpoint(content).subarray(0, -3)),
    /expected 16 bytes of storage "0", got 13: the file is cut short$/,
  ],
  [
    'a storage of a petabyte',
    () => legacy(pickle(tensor({ elements: long(2n ** 48n) }))),
    /expected 1125899906842624 bytes of storage "0", got 16/,
  ],
  [
    'a view past its storage',
    () => legacy(view(int(3), int(2))),
    /a view that lies in storage "0" of 4 elements/,
  ],
  ['a view before its storage', () => legacy(view(int(-1), int(2))), /a view that lies in storage "0"/],
  ['a tensor past its view', () => legacy(view(int(3), int(1))), /reaches to element 1 of a storage of 1/],
];
for (const [what, make, message] of legacies) test(`legacy: ${what}`, () => assert.match(make(), message));

test('files that are no checkpoints', () => {
  assert.match(
    refusal(Buffer.alloc(0)),
    /^expected a checkpoint of torch.save, got a file that begins with ""$/,
  );
  assert.match(refusal(Buffer.from('version https://git-lfs')), /begins with "version https:\/\/"$/);
  assert.match(
    refusal(bytes(Buffer.alloc(257, 0x61), 'ustar', Buffer.alloc(300))),
    /a tar file, as PyTorch wrote before 2017$/,
  );
  assert.throws(() => openCheckpoint(join(folder, 'absent.pt')), /absent.pt: no such file$/);
  assert.throws(() => openCheckpoint(folder), /expected a file$/);
});

for (const [name_, message] of [
  ['module-zip', /torch.nn.modules.linear.Linear is refused/],
  ['float8', /torch.float8_e4m3fn is refused/],
  ['array', /numpy._core.multiarray._reconstruct is refused/],
  ['conjugate', /conjugate or negative view/],
  ['storage', /"x" is a bare storage/],
  ['script', /TorchScript program/],
] as const) {
  test(`what PyTorch wrote, but is not data: ${name_}`, () => {
    const path = fileURLToPath(new URL(`../golden/pytorch-checkpoint/refused-${name_}.pt`, import.meta.url));
    assert.throws(() => openCheckpoint(path), message);
  });
}
