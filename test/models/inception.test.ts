import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import {
  distanceName, featureNetworks, loadI3d, loadInception,
} from '../../src/metrics/feature-networks.ts';
import { I3d, i3dInput } from '../../src/models/i3d.ts';
import { InceptionV3, inceptionInput, inceptionLayers } from '../../src/models/inception.ts';
import { rootPath, type Path } from '../../src/nn/path.ts';
import { noGrad, scope } from '../../src/tensor/memory.ts';
import { zeros } from '../../src/tensor/ops.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { expectNoLeaks } from '../support/leaks.ts';
import { data, expectClose, fill, type Summary } from '../support/reference-fill.ts';

// Printed by test/golden/inception.py and i3d.py.
function readGolden<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../golden/${name}.json`, import.meta.url), 'utf8')) as T;
}
type Keys = Record<string, number[]>;
const inception = readGolden<{
  keys: Keys; layers: Record<string, Summary>; logits: Summary; input: Summary;
}>('inception');
const i3d = readGolden<{
  keys: Keys; trunk: Summary; head: Summary; whole: Summary; input: Summary;
}>('i3d');

expectNoLeaks();

/** The goldens' weights: those of convolutions that a batch norm follows are sqrt 2 times wider. */
function fillDeep(path: Path): void {
  fill(path.state());
  scope(() => noGrad(() => {
    for (const [key, value] of path.parameters()) {
      if (/\.conv(3d)?\.weight$/.test(key) && !key.startsWith('logits')) value.mul_(Math.SQRT2);
    }
  }));
}

function shapes(path: Path): Keys {
  return Object.fromEntries([...path.state()].map(([key, value]) => [key, [...value.shape]]));
}

/** Numbers in [-1, 1]. */
const noise = (key: string, ...shape: number[]) => data(key, ...shape).mul(1 / Math.sqrt(3));
const inUnit = (key: string, ...shape: number[]) => noise(key, ...shape).add(1).mul(0.5);

describe("pytorch-fid's Inception", () => {
  it('has its keys, and its features at every layer', () => {
    const path = rootPath();
    const network = new InceptionV3(path);
    assert.deepEqual(shapes(path), inception.keys);
    assert.equal(path.trainable().size, 0);
    fillDeep(path);
    scope(() => noGrad(() => {
      const x = noise('picture', 1, 3, 107, 75);
      for (const layer of inceptionLayers) {
        const y = network.call(x, layer);
        expectClose(y, inception.layers[layer], 1e-4, `layer ${layer}`);
        if (layer === 2048) expectClose(network.logits(y), inception.logits, 1e-4, 'logits');
      }
      assert.throws(() => network.call(noise('x', 1, 1, 99, 99)), /\(n, 3, h, w\).*1x1x99x99/);
      assert.throws(() => network.call(noise('x', 1, 3, 99, 74)), /at least 75, got 1x3x99x74/);
      assert.throws(() => network.call(x, 1000 as 768), /64, 192, 768, 2048, got 1000/);
    }));
    path.dispose();
  });

  it('sees pictures as pytorch-fid prepares them', () => {
    scope(() => {
      expectClose(inceptionInput(inUnit('small', 2, 1, 40, 33)), inception.input, 1e-5, 'input');
      const x = inUnit('whole', 1, 3, 299, 299);
      assert.ok(inceptionInput(x).sub(x.mul(2).sub(1)).abs().amax().item() < 1e-6);
      assert.throws(() => inceptionInput(inUnit('x', 1, 2, 9, 9)), /1 or 3, h, w\), got 1x2x9x9/);
    });
  });
});

describe('I3D', () => {
  it('has the keys of i3d_pretrained_400.pt; its trunk and head are the reference', () => {
    const path = rootPath();
    const network = new I3d(path);
    assert.deepEqual(shapes(path), i3d.keys);
    assert.equal(path.trainable().size, 0);
    fillDeep(path);
    scope(() => noGrad(() => {
      expectClose(network.trunk(noise('clip', 1, 3, 11, 70, 37)), i3d.trunk, 1e-4, 'trunk');
      expectClose(network.head(data('features', 2, 1024, 3, 7, 7)), i3d.head, 1e-4, 'head');
      assert.throws(() => network.call(noise('x', 1, 3, 8, 193, 193)), /9 frames .*got 1x3x8x193x193/);
      assert.throws(() => network.call(noise('x', 1, 1, 9, 4, 4)), /\(n, 3, f, h, w\)/);
    }));
    path.dispose();
  });

  it('is the reference on a whole clip', () => {
    const path = rootPath();
    const network = new I3d(path);
    fillDeep(path);
    scope(() => noGrad(() =>
      expectClose(network.call(noise('whole', 1, 3, 9, 193, 193)), i3d.whole, 1e-4, 'whole')));
    path.dispose();
  });

  it('sees clips frame by frame', () => {
    scope(() => {
      expectClose(i3dInput(inUnit('small', 1, 1, 2, 30, 41)), i3d.input, 1e-5, 'input');
      assert.throws(() => i3dInput(inUnit('x', 1, 1, 9, 9)), /1 or 3, f, h, w\), got 1x1x9x9/);
    });
  });
});

/** Zeros of the given shapes, with PyTorch's counters, as a checkpoint has them. */
function checkpoint(keys: Keys, rename = (key: string) => key): Map<string, Tensor> {
  const tensors = new Map(Object.entries(keys).map(([key, shape]) => [rename(key), zeros(shape)]));
  for (const key of Object.keys(keys)) {
    if (!key.endsWith('.running_mean')) continue;
    const counter = rename(key).replace(/running_mean$/, 'num_batches_tracked');
    tensors.set(counter, zeros([], { dtype: 'int64' }));
  }
  return tensors;
}

/** A key of ours as kinetics_i3d_pytorch has it. */
function hassonKey(key: string): string {
  const branches: Record<string, string> = {
    b0: 'branch_0', b1a: 'branch_1.0', b1b: 'branch_1.1', b2a: 'branch_2.0', b2b: 'branch_2.1',
    b3b: 'branch_3.1',
  };
  return key
    .replace(/^logits/, 'conv3d_0c_1x1')
    .replace(/^(Conv3d|Mixed)/, (name) => name.toLowerCase())
    .replace(/\.(b\d[ab]?)\./, (_, name: string) => `.${branches[name]}.`)
    .replace('.bn.', '.batch3d.');
}

describe('weights of feature networks', () => {
  it('load strictly by upstream keys, counters left aside', () => {
    scope(() => {
      const tensors = checkpoint(inception.keys);
      tensors.get('Mixed_7c.branch_pool.bn.bias')!.fill_(3);
      assert.equal(tensors.size, 566); // entries of the published file
      const path = rootPath();
      loadInception(path, tensors);
      assert.equal(path.state().get('Mixed_7c.branch_pool.bn.bias')!.amin().item(), 3);
      path.dispose();
      tensors.delete('Mixed_6a.branch3x3.conv.weight');
      const other = rootPath();
      assert.throws(() => loadInception(other, tensors),
        /expected Mixed_6a.branch3x3.conv.weight of shape/);
      other.dispose();
    });
  });

  it('of I3D load under the names of either port', () => {
    for (const rename of [(key: string) => key, hassonKey]) {
      scope(() => {
        const tensors = checkpoint(i3d.keys, rename);
        tensors.get(rename('Mixed_4e.b2b.bn.weight'))!.fill_(5);
        const path = rootPath();
        loadI3d(path, tensors);
        assert.equal(path.state().get('Mixed_4e.b2b.bn.weight')!.amin().item(), 5);
        path.dispose();
        const other = rootPath();
        tensors.set('Mixed_9z.b0.conv3d.weight', zeros([1]));
        assert.throws(() => loadI3d(other, tensors), /expected no such key/);
        other.dispose();
      });
    }
  });

  it('decide what a distance is called', () => {
    const [{ sha256 }] = featureNetworks.inception.files;
    assert.equal(distanceName('frechet', 'inception', sha256), 'FID');
    assert.equal(distanceName('kernel', 'inception', sha256.toUpperCase()), 'KID');
    assert.equal(distanceName('frechet', 'i3d', featureNetworks.i3d.files[0].sha256), 'FVD');
    const name = 'Inception v3 (TensorFlow 2015-12-05) features';
    assert.equal(distanceName('frechet', 'inception', null),
      `Frechet distance on ${name}, unknown weights`);
    const other = 'ab'.repeat(32);
    assert.equal(distanceName('frechet', 'inception', other),
      `Frechet distance on ${name}, weights abababababab`);
    assert.match(distanceName('frechet', 'i3d', sha256), /^Frechet distance on I3D .* 6726825d0af5$/);
    assert.match(distanceName('kernel', 'i3d', featureNetworks.i3d.files[0].sha256), /^Kernel/);
    assert.match(distanceName('frechet', 'i3d', ''), /^Frechet/);
  });
});
