import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { openLpips } from '../../src/evaluation/lpips.ts';
import { floatFrames } from '../../src/frames/frames.ts';
import { loadLpips, lpipsFiles, lpipsTitle } from '../../src/metrics/lpips.ts';
import { Lpips, lpipsInput, type LpipsTrunk } from '../../src/models/lpips.ts';
import { rootPath, type Path } from '../../src/nn/path.ts';
import { noGrad, scope } from '../../src/tensor/memory.ts';
import { writeSafetensors } from '../../src/tensor/safetensors.ts';
import { zeros } from '../../src/tensor/ops.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { expectNoLeaks } from '../support/leaks.ts';
import { data, expectClose, fill, type Summary } from '../support/reference-fill.ts';

// Printed by test/golden/lpips.py.
interface Golden {
  keys: Record<string, number[]>; classifier: string[]; size: [number, number];
  far: Summary; near: Summary; same: Summary; grey: Summary;
}
const golden = JSON.parse(
  readFileSync(new URL('../golden/lpips.json', import.meta.url), 'utf8')) as Record<LpipsTrunk, Golden>;

expectNoLeaks();
const folder = mkdtempSync(join(tmpdir(), 'lpips-'));
after(() => rmSync(folder, { recursive: true }));

/** As the golden's: linear layers are positive. */
function fillPositive(path: Path): void {
  fill(path.state());
  scope(() => noGrad(() => {
    for (const [key, value] of path.parameters()) if (key.startsWith('lin')) value.copy_(value.abs());
  }));
}

const noise = (key: string, ...shape: number[]) => data(key, ...shape).mul(1 / Math.sqrt(3));

/** A trunk's file and the linear layers', as they are published. */
function published(trunk: LpipsTrunk): [Map<string, Tensor>, Map<string, Tensor>] {
  const all = Object.entries(golden[trunk].keys).map(([key, shape]) => [key, zeros(shape)] as const);
  const [features, linear] = [true, false].map((own) =>
    new Map(all.filter(([key]) => key.startsWith('features.') === own)));
  for (const key of golden[trunk].classifier) features.set(key, zeros([1]));
  return [features, linear];
}

describe('LPIPS', () => {
  for (const trunk of ['alex', 'vgg'] as const) {
    it(`on ${trunk} has the keys of the published files and the package's distances`, () => {
      const path = rootPath();
      const network = new Lpips(path, trunk);
      const shapes = Object.fromEntries([...path.state()].map(([key, value]) => [key, [...value.shape]]));
      assert.deepEqual(shapes, golden[trunk].keys);
      assert.equal(path.trainable().size, 0);
      fillPositive(path);
      const [height, width] = golden[trunk].size;
      scope(() => noGrad(() => {
        const [a, b] = ['a', 'b'].map((key) => noise(key, 2, 3, height, width));
        const { far, near, same, grey } = golden[trunk];
        expectClose(network.call(a, b), far, 1e-5, 'far');
        expectClose(network.call(a, a.add(b.mul(0.1))), near, 1e-4, 'near');
        assert.equal(network.call(a, a).abs().amax().item(), same.sum);
        const [x, y] = [a, b].map((whole) => lpipsInput(whole.narrow(1, 0, 1).add(1).mul(0.5)));
        expectClose(network.call(x, y), grey, 1e-5, 'grey');
        assert.throws(() => network.call(a.narrow(2, 0, height - 1).narrow(3, 0, 15), b), /at least (31|16) for/);
        assert.throws(() => network.call(a, b.narrow(0, 0, 1)), /of one shape, got 2x3x.* and 1x3x/);
      }));
      path.dispose();
    });
  }

  it('loads the two files strictly, the classifier left aside', () => {
    for (const trunk of ['alex', 'vgg'] as const) {
      scope(() => {
        const [features, linear] = published(trunk);
        linear.get('lin3.model.1.weight')!.fill_(3);
        const path = rootPath();
        assert.equal(loadLpips(path, features, linear).trunk, trunk);
        assert.equal(path.state().get('lin3.model.1.weight')!.amin().item(), 3);
        path.dispose();
        const refuse = (a: Map<string, Tensor>, b: Map<string, Tensor>, pattern: RegExp) => {
          const other = rootPath();
          assert.throws(() => loadLpips(other, a, b), pattern);
          other.dispose();
        };
        refuse(linear, features, /AlexNet \(64x3x11x11\) or VGG-16 \(64x3x3x3\), got no such tensor/);
        linear.delete('lin2.model.1.weight');
        refuse(features, linear, /expected lin2.model.1.weight of shape/);
        refuse(features, published(trunk === 'alex' ? 'vgg' : 'alex')[1], /lin\d.model.1.weight/);
      });
    }
  });

  it('is the mean over frames, by files, and says what it is', () => {
    const [trunkFile, linearFile] = ['trunk', 'linear'].map((name) => join(folder, `${name}.safetensors`));
    const path = rootPath();
    const network = new Lpips(path);
    fillPositive(path);
    const own = [...path.state()];
    writeSafetensors(trunkFile, new Map(own.filter(([key]) => key.startsWith('features.'))));
    writeSafetensors(linearFile, new Map(own.filter(([key]) => key.startsWith('lin'))));
    const side = 33;
    const frames = 11;
    const video = (key: string) => scope(() => floatFrames({ channels: 1, frames, height: side, width: side },
      noise(key, frames * side * side).add(1).mul(0.5).toFloat32()));
    const [a, b] = [video('first'), video('second')];
    const metric = openLpips({ trunk: trunkFile, linear: linearFile });
    const each = Array.from({ length: frames }, (_, t) => scope(() => noGrad(() => {
      const [x, y] = ['first', 'second'].map((key) => lpipsInput(noise(key, frames, 1, side, side)
        .narrow(0, t, 1).add(1).mul(0.5)));
      return network.call(x, y).item();
    })));
    const mean = each.reduce((sum, value) => sum + value, 0) / frames;
    assert.ok(Math.abs(metric.between(a, b) / mean - 1) < 1e-5, `${metric.between(a, b)} ${mean}`);
    assert.equal(metric.between(a, a), 0);
    const shorter = { ...a, frames: 10, data: a.data.subarray(0, 10 * side * side) };
    assert.throws(() => metric.between(a, shorter), /one shape, got/);
    assert.match(metric.about.title, /^perceptual distance on AlexNet, weights [0-9a-f]{12} and [0-9a-f]{12}$/);
    assert.match(metric.about.sha256, /^[0-9a-f]{64}\+[0-9a-f]{64}$/);
    metric.dispose();
    path.dispose();
    assert.throws(() => openLpips({ trunk: linearFile, linear: trunkFile }),
      /linear.safetensors with .*trunk.safetensors: expected features.0.weight/);
    assert.throws(() => openLpips({ trunk: join(folder, 'none.pth'), linear: linearFile }), /none.pth/);
  });

  it('is called LPIPS with the published files alone', () => {
    const other = 'ab'.repeat(32);
    const trunkHash = `7be5be79${other.slice(8)}`;
    const [linear] = lpipsFiles.alex.linear;
    assert.equal(lpipsTitle('alex', trunkHash, linear), 'LPIPS (AlexNet, 0.1)');
    assert.match(lpipsTitle('alex', trunkHash, other), /^perceptual distance on AlexNet/);
    assert.match(lpipsTitle('alex', other, linear), /^perceptual distance/);
    assert.match(lpipsTitle('vgg', trunkHash, linear), /^perceptual distance on VGG-16/);
  });
});
