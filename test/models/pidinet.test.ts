import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadPidinet, pidinetVariant } from '../../src/models/pidinet-weights.ts';
import { pidinetInput, type Pidinet } from '../../src/models/pidinet.ts';
import { plainKernel, unusedWeight } from '../../src/models/pixel-difference.ts';
import type { PixelDifference } from '../../src/models/pixel-difference.ts';
import { rootPath } from '../../src/nn/path.ts';
import { noGrad, scope } from '../../src/tensor/memory.ts';
import { upsampleBilinear2d, zeros } from '../../src/tensor/ops.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { readCheckpoint } from '../../src/weights/tensors.ts';
import { expectNoLeaks } from '../support/leaks.ts';
import { data, expectClose, parameter, type Summary } from '../support/reference-fill.ts';

interface Variant {
  width: number; dilation: number | null; attention: boolean; keys: Record<string, number[]>;
  logits: Summary;
}
// Printed by test/golden/pidinet.py.
const golden = JSON.parse(
  readFileSync(new URL('../golden/pidinet.json', import.meta.url), 'utf8'),
) as {
  kernels: Record<PixelDifference, number[][]>; variants: Record<string, Variant>; published: Summary;
};
const kinds = Object.keys(golden.kernels) as PixelDifference[];

const file = fileURLToPath(new URL('../../../shared/data/weights/pidinet.pth', import.meta.url));
const absent = existsSync(file) ? false : 'the published weights (../shared/data/weights) are not here';

expectNoLeaks();

/** Keys of the layers whose weights may multiply differences, with the kind of each. */
function differences({ keys }: Variant): [string, PixelDifference][] {
  const layers = Object.keys(keys).filter((key) => /^init_block\.weight|\.conv1\.weight$/.test(key)
    && !/^(dilations|attentions)/.test(key));
  return layers.map((key, layer) => [key, kinds[layer % 4]]);
}

/** The goldens' weights as a training leaves them: those that no difference uses are zero. */
function trained(variant: Variant): Map<string, Tensor> {
  const tensors = new Map(Object.entries(variant.keys).map(([key, shape]) => [key, parameter(key, shape)]));
  for (const [key, kind] of differences(variant)) {
    const place = unusedWeight(kind);
    const weight = tensors.get(key)!;
    if (place !== null) weight.reshape([-1, 9]).select(1, place).zero_();
  }
  return tensors;
}

function converted(variant: Variant): Map<string, Tensor> {
  const tensors = trained(variant);
  for (const [key, kind] of differences(variant)) {
    tensors.set(key, plainKernel(kind, tensors.get(key)!));
  }
  return tensors;
}

function withPidinet(tensors: ReadonlyMap<string, Tensor>, work: (network: Pidinet) => void): void {
  const path = rootPath();
  try {
    scope(() => noGrad(() => work(loadPidinet(path, tensors))));
  } finally {
    path.dispose();
  }
}

const refuses = (tensors: ReadonlyMap<string, Tensor>, message: RegExp) =>
  assert.throws(() => withPidinet(tensors, () => {}), message);

describe('PiDiNet', () => {
  it('makes of each pixel difference the plain kernel that does the same', () => {
    scope(() => {
      for (const kind of kinds) {
        const kernel = plainKernel(kind, data('kernel', 1, 1, 3, 3));
        const side = kernel.shape[2];
        assert.equal(side, kind === 'radial' ? 5 : 3);
        const cut = (5 - side) / 2;
        const wanted = golden.kernels[kind].slice(cut, 5 - cut).flatMap((row) => row.slice(cut, 5 - cut));
        kernel.toFloat32().forEach((value, i) => assert.ok(Math.abs(value - wanted[i]) < 1e-6, kind));
      }
    });
  });

  for (const [name, variant] of Object.entries(golden.variants)) {
    it(`${name} is the reference, as trained and converted, and is known from its tensors`, () => {
      scope(() => {
        const x = data('picture', 1, 3, 45, 61);
        for (const tensors of [trained(variant), converted(variant)]) {
          const found = pidinetVariant(tensors);
          const { width, dilation, attention } = variant;
          assert.deepEqual({ ...found, converted: null },
            { name: `PiDiNet-${name.split('-')[0]}`, width, dilation, attention, converted: null });
          assert.equal(found.converted, tensors.get('block1_2.conv1.weight')!.shape[2] === 5);
          withPidinet(tensors, (network) => {
            const logits = network.logits(x);
            expectClose(logits, variant.logits, 1e-4, name);
            const edges = network.call(x).sub(logits.narrow(1, 4, 1).sigmoid()).abs();
            assert.equal(edges.amax().item(), 0);
          });
        }
      });
    });
  }

  it('reads a training with its wrapping, and loads strictly', () => {
    scope(() => {
      const tensors = trained(golden.variants.tiny);
      const wrapped = new Map([...tensors].map(([key, value]) => [`state_dict.module.${key}`, value]));
      wrapped.set('optimizer.state.0.exp_avg', zeros([2]));
      withPidinet(wrapped, (network) => assert.equal(network.config.width, 20));
      wrapped.delete('state_dict.module.classifier.bias');
      refuses(wrapped, /expected classifier.bias of shape 1, got no such key/);
      tensors.set('classifier.scale', zeros([1]));
      refuses(tensors, /got classifier.scale of shape 1, expected no such key/);
    });
  });

  it('refuses other networks, those with the same keys too', () => {
    scope(() => {
      refuses(new Map(), /expected the weights of PiDiNet .* got no tensor/);
      refuses(new Map([['fnet.conv1.weight', zeros([1])]]), /init_block.weight.* got fnet.conv1.weight/);
      const { tiny } = golden.variants;
      const plain = new Map(Object.entries(tiny.keys).map(([key, shape]) => [key, parameter(key, shape)]));
      refuses(plain, /in the order carv4 .* got block1_1.conv1.weight of another network/);
      const wide = trained(tiny).set('init_block.weight', zeros([24, 3, 3, 3]));
      refuses(wide, /published size .*60 and 24, 30 and 12, 20 and 8\), got 24 and 8/);
      const odd = trained(tiny).set('block2_1.conv1.weight', zeros([20, 1, 7, 7]));
      refuses(odd, /expected block2_1.conv1.weight of shape nx1x3x3, got 20x1x7x7/);
      const half = converted(tiny);
      half.set('block1_2.conv1.weight', trained(tiny).get('block1_2.conv1.weight')!);
      refuses(half, /pidinet: expected/);
      withPidinet(trained(tiny), (network) => {
        assert.throws(() => network.call(zeros([1, 1, 9, 9])), /\(n, 3, h, w\).* got 1x1x9x9/);
        assert.throws(() => network.call(zeros([1, 3, 7, 9])), /at least 8, got 1x3x7x9/);
        assert.throws(() => pidinetInput(zeros([1, 2, 9, 9])), /1 or 3, h, w\), got 1x2x9x9/);
      });
    });
  });

  it('with the published weights draws what the reference draws', { skip: absent }, () => {
    scope(() => {
      const { tensors } = readCheckpoint(file);
      withPidinet(tensors, (network) => {
        assert.deepEqual(network.config,
          { name: 'PiDiNet', width: 60, dilation: 24, attention: true, converted: false });
        const grey = data('grey', 1, 1, 12, 15).mul(1 / Math.sqrt(3)).add(1).mul(0.5);
        const edges = network.call(pidinetInput(upsampleBilinear2d(grey, [96, 120], false)));
        expectClose(edges, golden.published, 1e-4, 'edges');
      });
    });
  });
});
