import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadRaftSmall, RaftSmall } from '../../src/models/raft.ts';
import { rootPath, type Path } from '../../src/nn/path.ts';
import { noGrad, scope } from '../../src/tensor/memory.ts';
import { upsampleBilinear2d, zeros } from '../../src/tensor/ops.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { readCheckpoint } from '../../src/weights/tensors.ts';
import { expectNoLeaks } from '../support/leaks.ts';
import { data, expectClose, fill, type Summary } from '../support/reference-fill.ts';

// Printed by test/golden/raft.py.
const golden = JSON.parse(
  readFileSync(new URL('../golden/raft.json', import.meta.url), 'utf8'),
) as {
  keys: Record<string, number[]>; torchvision: Record<string, string>; features: Summary;
  context: Summary; flow: Record<string, Summary>; published: Summary;
};

const file = fileURLToPath(new URL('../../../shared/data/weights/raft-small.pth', import.meta.url));
const absent = existsSync(file) ? false : 'the published weights (../shared/data/weights) are not here';

expectNoLeaks();

/** Numbers in [-1, 1]. */
const noise = (key: string, ...shape: number[]) => data(key, ...shape).mul(1 / Math.sqrt(3));

/** raft.py's texture, and itself displaced by whole pixels. */
function moving(height: number, width: number, dx: number, dy: number): [Tensor, Tensor] {
  const [rows, columns] = [height / 8 + 4, width / 8 + 4];
  const coarse = noise('texture', 1, 1, rows, columns);
  const fine = upsampleBilinear2d(coarse, [8 * rows, 8 * columns], false);
  const cut = (x: number, y: number) =>
    fine.narrow(2, y, height).narrow(3, x, width).expand([1, 3, height, width]);
  return [cut(16, 16), cut(16 - dx, 16 - dy)];
}

function withNetwork(load: (path: Path) => RaftSmall, work: (network: RaftSmall) => void): void {
  const path = rootPath();
  try {
    scope(() => noGrad(() => work(load(path))));
  } finally {
    path.dispose();
  }
}

describe('RAFT-small', () => {
  it("has upstream's keys, and torchvision's features and flow after 1, 4 and 12 updates", () => {
    withNetwork((path) => {
      const network = new RaftSmall(path);
      const shapes = [...path.state()].map(([key, value]) => [key, [...value.shape]]);
      assert.deepEqual(Object.fromEntries(shapes), golden.keys);
      assert.equal(path.trainable().size, 0);
      fill(path.state());
      return network;
    }, (network) => {
      const [before, after] = ['before', 'after'].map((key) => noise(key, 2, 3, 128, 136));
      expectClose(network.features(before), golden.features, 1e-4, 'features');
      expectClose(network.context(before), golden.context, 1e-4, 'context');
      for (const [updates, flow] of Object.entries(golden.flow)) {
        expectClose(network.call(before, after, Number(updates)), flow, 1e-4, `${updates} updates`);
      }
    });
  });

  it('refuses pictures that it cannot match', () => {
    withNetwork((path) => new RaftSmall(path), (network) => {
      const x = zeros([1, 3, 128, 128]);
      assert.throws(() => network.call(x, zeros([1, 3, 128, 136])), /one shape, got 1x3x128x128 and/);
      for (const shape of [[1, 1, 128, 128], [1, 3, 120, 128], [1, 3, 128, 132], [3, 128, 128]]) {
        assert.throws(() => network.features(zeros(shape)), /multiples of 8 of at least 128, got/);
      }
      assert.throws(() => network.call(x, x, 0), /at least 1 update, got 0/);
      assert.throws(() => network.call(x, x, 1.5), /at least 1 update, got 1.5/);
    });
  });

  it('loads strictly, by the names of either publisher', () => {
    scope(() => {
      const named = (rename: (key: string) => string) => new Map(
        Object.entries(golden.keys).map(([key, shape]) => [rename(key), zeros(shape)]));
      const theirs = new Map(Object.entries(golden.torchvision).map(([a, b]) => [b, a]));
      assert.equal(theirs.size, 106);
      for (const rename of [(key: string) => `module.${key}`, (key: string) => theirs.get(key)!]) {
        const tensors = named(rename);
        tensors.get(rename('update_block.gru.convq.bias'))!.fill_(3);
        withNetwork((path) => {
          const network = loadRaftSmall(path, tensors);
          assert.equal(path.state().get('update_block.gru.convq.bias')!.amin().item(), 3);
          return network;
        }, () => {});
        tensors.delete(rename('fnet.conv1.weight'));
        assert.throws(() => withNetwork((path) => loadRaftSmall(path, tensors), () => {}),
          /expected fnet.conv1.weight of shape 32x3x7x7, got no such key/);
      }
      const large = new Map([['module.update_block.mask.0.weight', zeros([1])]]);
      assert.throws(() => withNetwork((path) => loadRaftSmall(path, large), () => {}),
        /expected the weights of RAFT-small, got those of the large RAFT/);
    });
  });

  it('with the published weights finds a motion, as torchvision does', { skip: absent }, () => {
    withNetwork((path) => loadRaftSmall(path, readCheckpoint(file).tensors), (network) => {
      const flow = network.call(...moving(128, 160, 3, -2));
      expectClose(flow, golden.published, 1e-4, 'flow');
      const middle = flow.narrow(2, 16, 96).narrow(3, 16, 128).mean([0, 2, 3]).toFloat32();
      assert.ok(Math.abs(middle[0] - 3) < 0.1 && Math.abs(middle[1] + 2) < 0.1, `${middle}`);
    });
  });
});
