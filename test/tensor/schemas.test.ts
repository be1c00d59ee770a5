import assert from 'node:assert/strict';
import { test } from 'node:test';
import '../../src/tensor/ops.ts';
import { native } from '../../src/tensor/native.ts';
import { declarations } from '../../src/tensor/operator.ts';

/** Argument names of a schema like `mul.Tensor(Tensor self, Tensor other) -> Tensor`. */
function argumentsOf(schema: string): string[] {
  const inside = schema.slice(schema.indexOf('(') + 1, schema.lastIndexOf(') ->'));
  const flat = inside
    .replace(/\[[^\]]*\]/g, '')
    .replace(/\([^)]*\)/g, '')
    .replace(/="[^"]*"/g, '');
  return flat
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part && part !== '*')
    .map((part) => part.split(' ').at(-1)!.split('=')[0]);
}

test('every operator we name is in the loaded libtorch, with these arguments in order', () => {
  const loaded = new Map(
    native()
      .schemas()
      .map((schema) => [schema.slice(0, schema.indexOf('(')), schema]),
  );
  assert.ok(loaded.size > 2000);
  for (const { name, overload, parameters, optional } of declarations) {
    const schema = loaded.get(`aten::${name}${overload && `.${overload}`}`);
    if (schema === undefined) {
      assert.ok(optional, `libtorch has no aten::${name}.${overload}`);
      continue;
    }
    assert.deepEqual(parameters, argumentsOf(schema).slice(0, parameters.length), schema);
  }
});

test('no operator is declared twice, and a missing one says so', () => {
  const names = declarations.map(({ name, overload }) => `${name}.${overload}`);
  assert.deepEqual(
    names.filter((name, i) => names.indexOf(name) !== i),
    [],
  );
  assert.equal(native().operator('aten::no_such_operator', ''), -1);
  assert.equal(native().schema('aten::no_such_operator', ''), null);
});

test('the border refuses what is not a tensor', () => {
  const addon = native();
  assert.throws(() => addon.call(-1), /no such operator/);
  assert.throws(() => addon.call(1e9), /no such operator/);
  assert.throws(() => addon.shape({} as never), /expected a tensor/);
  assert.throws(() => addon.shape(addon.generator('cpu', 1)), /expected a tensor/);
  assert.throws(() => addon.dispose(undefined as never), /expected a tensor/);
  const zeros = addon.operator('aten::zeros', '');
  assert.throws(() => addon.call(zeros, [2], 6, null, null, null, 1), /at most 5 arguments, got 6/);
  const two = addon.call(zeros, [2], 6) as never;
  assert.throws(
    () => addon.readBytes(two, 1, new Uint8Array(8)),
    /bytes 1\.\.9 lie outside a tensor of 8 bytes/,
  );
  assert.throws(() => addon.writeBytes(two, -1, new Uint8Array(1)), /outside/);
  assert.throws(() => addon.readBytes(two, 0, {} as never), /typed array/);
  addon.dispose(two);
  assert.throws(() => addon.shape(two), /the tensor was disposed/);
});
