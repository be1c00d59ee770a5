import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { decode, encode } from 'fast-png';
import { floatFrames, byteFrames } from '../../src/frames/frames.ts';
import { encodeGif } from '../../src/frames/gif.ts';
import { encodeMp4 } from '../../src/frames/mp4.ts';
import {
  listPngs,
  readPng,
  readPngIndices,
  readPngSequence,
  writePng,
  writePngSequence,
} from '../../src/frames/png.ts';

const folder = mkdtempSync(join(tmpdir(), 'heartbeat-files-'));
after(() => rmSync(folder, { recursive: true }));

const video = floatFrames(
  { channels: 1, frames: 12, height: 18, width: 21 },
  Float32Array.from({ length: 12 * 18 * 21 }, (_, i) => ((i * 7) % 256) / 255),
);

test('grey and colour come back from PNG exactly', () => {
  const path = join(folder, 'grey.png');
  writePng(path, video, 3);
  const grey = readPng(path);
  assert.deepEqual(grey.data, video.data.subarray(3 * 378, 4 * 378));
  const colour = byteFrames({ channels: 3, frames: 1, height: 2, width: 2 });
  colour.data.forEach((_, i) => (colour.data[i] = 20 * i));
  writePng(path, colour);
  assert.deepEqual(
    [...readPng(path).data],
    [...colour.data].map((v) => Math.fround(v / 255)),
  );
});

test('16 bits, alpha, palette and 1, 2, 4 bits are read', () => {
  const path = join(folder, 'kinds.png');
  const at = (data: Uint8Array | Uint16Array, channels: number, depth: 8 | 16) =>
    writeFileSync(path, encode({ width: 2, height: 1, data, channels, depth }));
  at(Uint16Array.of(65535, 13107), 1, 16);
  assert.deepEqual([...readPng(path).data], [1, Math.fround(0.2)]);
  at(Uint8Array.of(255, 128, 51, 255), 2, 8);
  assert.deepEqual([...readPng(path).data], [Math.fround(128 / 255), Math.fround(0.2)]);
  at(Uint8Array.of(255, 0, 0, 255, 0, 255, 0, 0), 4, 8);
  assert.deepEqual([...readPng(path).data], [1, 0, 0, 0, 0, 0]);
  const palette = [
    [0, 0, 0],
    [255, 0, 0],
    [0, 0, 255],
    [1, 1, 1],
  ];
  writeFileSync(
    path,
    encode({ width: 2, height: 1, data: Uint8Array.of(2, 1), channels: 1, depth: 8, palette }),
  );
  assert.deepEqual([...readPng(path).data], [0, 1, 0, 0, 1, 0]);
  assert.deepEqual([...readPngIndices(path).data], [2, 1]);
  // 5 pixels of 2 bits, rows padded to whole bytes: 0 1 2 3 | 1 . . .
  const packed = Uint8Array.of(0b00011011, 0b01000000);
  writeFileSync(
    path,
    encode({ width: 5, height: 1, data: packed, channels: 1, depth: 2, palette }),
  );
  assert.deepEqual([...readPngIndices(path).data], [0, 1, 2, 3, 1]);
});

test('a sequence is ordered by number, not by text', () => {
  const many = join(folder, 'many');
  mkdirSync(many);
  for (const number of [10, 9, 1, 100]) {
    const picture = floatFrames(
      { channels: 1, frames: 1, height: 1, width: 1 },
      Float32Array.of(number / 255),
    );
    writePng(join(many, `f${number}.png`), picture);
  }
  writeFileSync(join(many, 'notes.txt'), 'no picture');
  const levels = (from: string) => [...readPngSequence(from).data].map((v) => Math.round(v * 255));
  assert.deepEqual(levels(many), [1, 9, 10, 100]);
  assert.deepEqual(levels(join(many, 'f1*.png')), [1, 10, 100]);
  assert.deepEqual(levels(join(many, 'f?.png')), [1, 9]);
  assert.throws(() => listPngs(join(many, 'x*.png')), /x\*\.png: expected PNG files, got none/);
  writePng(join(many, 'f2.png'), video, 0);
  assert.throws(() => readPngSequence(many), /expected every picture like the first \(1x1x1x1\)/);
});

test('a written sequence is read back', () => {
  const there = join(folder, 'sequence');
  mkdirSync(there);
  const paths = writePngSequence(there, video);
  assert.equal(paths[9], join(there, 'frame-10.png'));
  assert.deepEqual(readPngSequence(there).data, video.data);
});

test('what is no PNG is one sentence', () => {
  const path = join(folder, 'bad.png');
  assert.throws(() => readPng(path), /bad\.png: expected a PNG file, got no such file/);
  writeFileSync(path, 'GIF89a and so on, long enough to be something');
  assert.throws(() => readPng(path), /bad\.png: expected a PNG file, got one that does not begin/);
  writePng(path, video);
  const whole = readFileSync(path);
  writeFileSync(path, whole.subarray(0, 60));
  assert.throws(() => readPng(path), /bad\.png: expected a whole PNG file, got /);
  const huge = Uint8Array.from(whole);
  new DataView(huge.buffer).setUint32(16, 2 ** 30);
  writeFileSync(path, huge);
  assert.throws(() => readPng(path), /expected a picture of 1 to \d+ pixels, got 1073741824 x 18/);
  writePng(path, byteFrames({ channels: 3, frames: 1, height: 1, width: 1 }));
  assert.throws(
    () => readPngIndices(path),
    /expected a grey or palette PNG.*got 3 channels of 8 bits/,
  );
});

test('pictures with NaN, wrong channels or wild values are not written', () => {
  const path = join(folder, 'never.png');
  const holed = floatFrames(
    { channels: 1, frames: 1, height: 1, width: 2 },
    Float32Array.of(0, NaN),
  );
  assert.throws(() => writePng(path, holed), /expected pixels in .*, got NaN at frame 0, x 1, y 0/);
  const two = floatFrames({ channels: 2, frames: 1, height: 1, width: 1 });
  assert.throws(() => writePng(path, two), /expected 1 \(grey\) or 3 \(RGB\) channels, got 2/);
  const wild = floatFrames({ channels: 1, frames: 1, height: 1, width: 1 }, Float32Array.of(1.5));
  assert.throws(() => encodeGif(wild, 10), /GIF: expected pixels in .*, got 1.5/);
  assert.deepEqual(
    listPngs(folder).filter((name) => name.includes('never')),
    [],
  );
});

test('a GIF holds size, frames, loop and the whole length', () => {
  const gif = encodeGif(video, 30);
  assert.equal(String.fromCharCode(...gif.subarray(0, 6)), 'GIF89a');
  assert.deepEqual([gif[6], gif[8]], [21, 18]);
  const text = Buffer.from(gif).toString('latin1');
  assert.ok(text.includes('NETSCAPE2.0'));
  const delays: number[] = [];
  for (let at = text.indexOf('\x21\xf9\x04'); at >= 0; at = text.indexOf('\x21\xf9\x04', at + 1)) {
    delays.push(gif[at + 4] + 256 * gif[at + 5]);
  }
  assert.equal(delays.length, 12);
  assert.equal(
    delays.reduce((a, b) => a + b),
    40,
  );
  assert.throws(() => encodeGif(video, 0), /expected a frame rate above 0/);
});

test('an MP4 holds even sides, loops, and the same bytes for the same frames', async () => {
  const before = process.listenerCount('uncaughtException');
  const mp4 = await encodeMp4(video, 16, { loops: 2 });
  assert.equal(process.listenerCount('uncaughtException'), before);
  const text = Buffer.from(mp4).toString('latin1');
  assert.equal(text.slice(4, 8), 'ftyp');
  const view = new DataView(mp4.buffer, mp4.byteOffset, mp4.byteLength);
  const header = text.indexOf('tkhd');
  assert.equal(view.getUint32(header + 80) / 65536, 22);
  assert.equal(view.getUint32(header + 84) / 65536, 18);
  const sizes = text.indexOf('stsz');
  assert.equal(view.getUint32(sizes + 12), 24);
  assert.deepEqual(await encodeMp4(video, 16, { loops: 2 }), mp4);
  await assert.rejects(encodeMp4(video, NaN), /expected a frame rate above 0/);
});

test('colour GIF frames keep their colours', () => {
  const rgb = byteFrames({ channels: 3, frames: 1, height: 8, width: 8 });
  rgb.data.fill(200, 0, 64);
  rgb.data.fill(40, 64, 192);
  const gif = Buffer.from(encodeGif(rgb, 5));
  // The palette right after the 13-byte header holds the one colour, to gifenc's 5-6-5 bits.
  assert.ok(Math.abs(gif[13] - 200) <= 8 && Math.abs(gif[14] - 40) <= 4, `${gif[13]} ${gif[14]}`);
});

test('the decoder used here agrees with the pixels written', () => {
  const path = join(folder, 'again.png');
  writePng(path, video, 1);
  assert.deepEqual([...decode(readFileSync(path)).data.subarray(0, 3)], [86, 93, 100]);
});
