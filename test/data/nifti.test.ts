import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import {
  decodeNifti,
  encodeNifti,
  readNifti,
  readNiftiShape,
  VECTOR_INTENT,
  writeNifti,
} from '../../src/data/nifti.ts';
import { randomStream } from '../../src/frames/random.ts';

const folder = mkdtempSync(join(tmpdir(), 'heartbeat-nifti-'));
after(() => rmSync(folder, { recursive: true }));

interface GoldenFile {
  name: string;
  bytes: string;
  shape: number[];
  values: number[];
  zoom: number[];
  seconds: number | null;
}
const golden = JSON.parse(
  readFileSync(new URL('../golden/nifti.json', import.meta.url), 'utf8'),
) as GoldenFile[];

for (const file of golden) {
  test(`nibabel's ${file.name} is read, gzipped and not`, () => {
    const zipped = Buffer.from(file.bytes, 'base64');
    for (const bytes of [zipped, gunzipSync(zipped)]) {
      const read = decodeNifti(bytes, file.name);
      assert.deepEqual(read.shape, file.shape);
      assert.deepEqual([...read.data], file.values);
      file.zoom.forEach((size, axis) => assert.ok(Math.abs(read.spacing[axis] - size) < 1e-6));
      if (file.seconds === null) assert.equal(read.frameTime, null);
      else assert.ok(Math.abs((read.frameTime ?? 0) - file.seconds) < 1e-8);
    }
  });
}

const small = { shape: [3, 2, 1, 4], spacing: [0.3, 0.5], frameTime: 0.02 };

test('what is written is read back', () => {
  const path = join(folder, 'a.nii.gz');
  for (const data of [
    Uint8Array.from({ length: 24 }, (_, i) => i * 10),
    Int16Array.from({ length: 24 }, (_, i) => i * 1000 - 12000),
    Float32Array.from({ length: 24 }, (_, i) => Math.sin(i)),
  ]) {
    writeNifti(path, { ...small, data, description: 'a test' });
    const read = readNifti(path);
    assert.deepEqual(read.data, data);
    assert.deepEqual(read.shape, [3, 2, 1, 4]);
    assert.deepEqual(readNiftiShape(path), [3, 2, 1, 4]);
    assert.deepEqual(
      read.spacing.map((v) => Math.round(v * 1e6) / 1e6),
      [0.3, 0.5, 1],
    );
    assert.ok(Math.abs((read.frameTime ?? 0) - 0.02) < 1e-9);
    assert.equal(read.description, 'a test');
  }
});

test('flow is a vector of five axes and may be stored in steps', () => {
  const path = join(folder, 'flow.nii');
  const data = Int16Array.from({ length: 3 * 2 * 4 * 2 }, (_, i) => i - 20);
  writeNifti(path, {
    ...small,
    shape: [3, 2, 1, 4, 2],
    data,
    slope: 1 / 64,
    intent: VECTOR_INTENT,
  });
  const read = readNifti(path);
  assert.equal(read.intent, 1007);
  assert.deepEqual(
    [...read.data],
    [...data].map((v) => v / 64),
  );
});

test('equal content gives equal bytes, without time or system in them', () => {
  const content = { ...small, data: new Uint8Array(24) };
  const first = encodeNifti(content, 'a.nii.gz');
  assert.deepEqual(encodeNifti(content, 'b.nii.gz'), first);
  assert.deepEqual([...first.subarray(4, 8)], [0, 0, 0, 0]);
  assert.equal(first[9], 255);
});

function refusal(bytes: Uint8Array, name = 'x.nii'): string {
  try {
    decodeNifti(bytes, name);
  } catch (error) {
    return (error as Error).message;
  }
  return 'read without complaint';
}

function changed(bytes: Uint8Array, change: (view: DataView) => void): Uint8Array {
  const copy = Uint8Array.from(bytes);
  change(new DataView(copy.buffer));
  return copy;
}

test('what is wrong with a file is one sentence', () => {
  const whole = encodeNifti(
    { ...small, data: Float32Array.from({ length: 24 }, (_, i) => i) },
    'x.nii',
  );
  const zipped = gzipSync(whole);
  assert.equal(
    refusal(whole.subarray(0, 400)),
    'x.nii: expected 448 bytes for 3 x 2 x 1 x 4 voxels of 4 bytes, got 400: the file is truncated',
  );
  assert.match(
    refusal(zipped.subarray(0, zipped.length - 12)),
    /expected 448 bytes .* the file is truncated/,
  );
  assert.match(refusal(gzipSync(whole.subarray(0, 400))), /got 400: the file is truncated/);
  assert.match(
    refusal(gzipSync(Buffer.concat([whole, Buffer.alloc(5000)]))),
    /expected 448 bytes after unzipping, got more/,
  );
  assert.match(refusal(whole.subarray(0, 100)), /expected a header of 348 bytes, got 100/);
  assert.match(refusal(new Uint8Array(0)), /got an empty file/);
  assert.match(
    refusal(Buffer.from('not a NIfTI file at all')),
    /magic n\+1 or n\+2\), got one that begins with 6e 6f 74 20/,
  );
  assert.match(
    refusal(changed(whole, (v) => v.setUint8(344, 0x78))),
    /expected a NIfTI file .*begins with 5c 01 00 00/,
  );
  assert.match(
    refusal(changed(whole, (v) => v.setInt16(42, -3, true))),
    /positive sizes, got 4 axes with sizes -3 x 2/,
  );
  assert.match(
    refusal(changed(whole, (v) => v.setInt16(40, 9, true))),
    /expected 1 to 7 axes .*got 9 axes/,
  );
  assert.match(
    refusal(changed(whole, (v) => v.setInt16(42, 32000, true))),
    /expected 1024352 bytes .*got 448/,
  );
  assert.match(
    refusal(changed(whole, (v) => v.setInt16(70, 32, true))),
    /expected whole or real voxels .*got type 32/,
  );
  assert.match(
    refusal(changed(whole, (v) => v.setFloat32(108, 12, true))),
    /expected the voxels to start at byte 352 or later, got 12/,
  );
  assert.equal(
    refusal(changed(whole, (v) => v.setFloat32(352 + 4 * 10, NaN, true))),
    'x.nii: expected finite voxels, got NaN at voxel (1, 1, 0, 1)',
  );
  const claim = changed(whole, (v) => [42, 44, 46].forEach((at) => v.setInt16(at, 900, true)));
  assert.match(refusal(claim), /expected at most \d+ bytes, got sizes for 11664000352/);
  const bomb = changed(whole, (v) => [42, 44].forEach((at) => v.setInt16(at, 9000, true)));
  assert.match(
    refusal(gzipSync(bomb)),
    /expected 1296000352 bytes .*got a gzip file of \d+ bytes, which cannot hold them/,
  );
  assert.throws(
    () => readNifti(join(folder, 'none.nii')),
    /none\.nii: expected a NIfTI file, got no such file/,
  );
  assert.throws(() => readNifti(folder), /expected a file below 2 GiB, got .* no plain file/);
});

test('what cannot be written is refused and leaves nothing', () => {
  const path = join(folder, 'never.nii.gz');
  const data = new Float32Array(24);
  const refuse = (content: object, said: RegExp) =>
    assert.throws(() => writeNifti(path, { ...small, data, ...content }), said);
  refuse({ shape: [3, 2] }, /expected 1 to 7 sizes of 1..32767 for 24 voxels, got 3 x 2/);
  refuse({ spacing: [0, 1] }, /expected positive spacings in mm, got 0, 1/);
  refuse(
    { data: data.with(7, Infinity) },
    /expected finite voxels, got Infinity at voxel \(1, 0, 0, 1\)/,
  );
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.includes('never')),
    [],
  );
});

test('a few hundred damaged files are each read or refused in one sentence', () => {
  const stream = randomStream('nifti', 'damage');
  const extensions = [{ code: 6, content: Buffer.from('x'.repeat(40)) }];
  const data = Float32Array.from({ length: 24 }, (_, i) => i);
  const seeds = [
    encodeNifti({ ...small, data, extensions }, 'a.nii'),
    encodeNifti({ ...small, data, extensions }, 'a.nii.gz'),
    ...golden
      .filter(({ name }) => /nifti-2|scaled/.test(name))
      .map(({ bytes }) => gunzipSync(Buffer.from(bytes, 'base64'))),
  ];
  const memory = process.memoryUsage.rss();
  let refused = 0;
  for (let round = 0; round < 800; round++) {
    const file = Uint8Array.from(seeds[round % seeds.length]);
    const zipped = round % 3 === 0;
    const header = stream.integer(2) === 0 ? Math.min(file.length, 352) : file.length;
    for (let k = 0; k <= stream.integer(4); k++) {
      const at = stream.integer(header);
      file[at] = [0, 0xff, 0x7f, 0x80, stream.integer(256)][stream.integer(5)];
    }
    const cut = stream.integer(4) === 0 ? file.subarray(0, stream.integer(file.length)) : file;
    const path = join(folder, 'damaged.nii');
    writeFileSync(path, zipped ? gzipSync(cut) : cut);
    try {
      const { shape, data: voxels } = readNifti(path);
      assert.equal(
        voxels.length,
        shape.reduce((a, b) => a * b, 1),
      );
      assert.ok(voxels.length < 1e6);
    } catch (error) {
      refused += 1;
      const { message } = error as Error;
      assert.match(
        message,
        /^.*damaged\.nii: expected [^\n]*, got [^\n]*$/,
        `round ${round}: ${message}`,
      );
    }
  }
  assert.ok(refused > 200 && refused < 800, `${refused} refused`);
  assert.ok(process.memoryUsage.rss() - memory < 300e6, 'memory grew');
});
