import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fuzzCheckpoints } from './fuzz.ts';

test('400 changed checkpoints are read or refused in a sentence, quickly, in little memory', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fuzz-'));
  try {
    const summary = fuzzCheckpoints(join(folder, 'file.pt'), 400, 2024);
    assert.ok(summary.refused > 200 && summary.read > 10, JSON.stringify(summary));
    assert.ok(summary.reasons.size > 30, `${summary.reasons.size} reasons`);
    assert.ok(summary.slowestMs < 2000, `${summary.slowestMs} ms`);
    assert.ok(summary.memoryGrowth < 200e6, `${summary.memoryGrowth} bytes`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
