import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { collectGarbage, liveTensors, scope } from '../../src/tensor/memory.ts';

/**
 * Call once at the top of a test file: it then ends with as many live tensors as it began with, or
 * fails. Tensors made at the top level of the file, before its tests run, are not counted.
 */
export function expectNoLeaks(): void {
  let first = 0;
  before(() => {
    first = liveTensors();
  });
  after(() => {
    // Dropped handles are released by the collector: what remains after it is held by somebody.
    collectGarbage();
    const left = liveTensors() - first;
    assert.equal(left, 0, `the tests of this file left ${left} live tensors`);
  });
}

/** A test whose body runs in a scope, and must itself leave the count of live tensors as it was. */
export function scopedTest(name: string, body: () => void): void {
  test(name, () => {
    const first = liveTensors();
    scope(body);
    assert.equal(liveTensors(), first, 'the test left live tensors');
  });
}
