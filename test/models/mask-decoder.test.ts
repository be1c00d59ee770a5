import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { MaskDecoder, maskDecoderConfig } from '../../src/models/mask-decoder.ts';
import { rootPath } from '../../src/nn/path.ts';
import { scope } from '../../src/tensor/memory.ts';
import { expectNoLeaks } from '../support/leaks.ts';
import { data, deviation, fill, type Summary } from '../support/reference-fill.ts';

const { decoder: golden } = JSON.parse(
  readFileSync(new URL('../golden/segmenter.json', import.meta.url), 'utf8'),
) as { decoder: { keys: Record<string, number[]>; logits: Summary } };

expectNoLeaks();

test('the mask decoder is the reference, and doubles the embedding to the picture', () => {
  const path = rootPath();
  const decoder = new MaskDecoder(path, maskDecoderConfig.parse({
    in_channels: 5, block_out_channels: [8, 4], norm_num_groups: 2,
  }));
  const keys = [...path.state()].map(([key, value]) => [key, value.shape]);
  assert.deepEqual(Object.fromEntries(keys), golden.keys);
  fill(path.state());
  scope(() => {
    const logits = decoder.call(data('embedding', 2, 5, 3, 3));
    assert.deepEqual(logits.shape, [2, 4, 12, 12]);
    assert.ok(deviation(logits, golden.logits) < 1e-4);
  });
  path.dispose();
});
