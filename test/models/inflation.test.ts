import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rootPath, type Path } from '../../src/nn/path.ts';
import { cat, zeros } from '../../src/tensor/ops.ts';
import { noGrad, scope } from '../../src/tensor/memory.ts';
import { tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { UNet, type UNetConfig } from '../../src/models/unet.ts';
import { parameterGroup, parameterGroups, widenConvIn } from '../../src/models/unet-weights.ts';
import { expectNoLeaks } from '../support/leaks.ts';
import { data, fill, parameter } from '../support/reference-fill.ts';

expectNoLeaks();

const IMAGE: UNetConfig = {
  sample_size: 8,
  block_out_channels: [8, 16],
  layers_per_block: 1,
  down_block_types: ['CrossAttnDownBlock2D', 'DownBlock2D'],
  up_block_types: ['UpBlock2D', 'CrossAttnUpBlock2D'],
  attention_head_dim: 2,
  cross_attention_dim: 6,
  norm_num_groups: 4,
};
const VIDEO: UNetConfig = { ...IMAGE, temporal: true };
const FRAMES = 3;

/** Builds a network as it is born, runs `use` without gradients, and releases it. */
function withUNet(config: UNetConfig, use: (net: UNet, path: Path) => void): void {
  const path = rootPath();
  try {
    scope(() => noGrad(() => use(new UNet(path, config), path)));
  } finally {
    path.dispose();
  }
}

/** Fills all but the temporal layers with reference numbers: an image network's weights. */
function fillImage(path: Path): void {
  fill(new Map([...path.state()].filter(([key]) => !key.includes('temporal_attentions'))));
}

function fillTemporal(path: Path): void {
  fill(new Map([...path.state()].filter(([key]) => key.includes('temporal_attentions'))));
}

function clips(count: number) {
  return {
    z: data('z', count * FRAMES, 4, 8, 8),
    t: tensor(
      Array.from({ length: count }, (_, i) => 100 + 300 * i),
      [count],
      { dtype: 'int64' },
    ),
    local: data('local', count * FRAMES, 8, 8, 8),
    context: { text: data('text', count, 5, 6), image: data('image', count, 4, 6) },
  };
}

function difference(a: Tensor, b: Tensor): number {
  return a.sub(b).abs().amax().item();
}

test('inflation: with image weights each frame is denoised as by the image network', () => {
  withUNet(IMAGE, (imageNet, imagePath) => {
    fill(imagePath.state());
    withUNet(VIDEO, (videoNet, videoPath) => {
      const report = videoPath.load(imagePath.state(), { strict: false });
      assert.deepEqual(report.unexpected, []);
      assert.ok(report.missing.length > 0, 'expected temporal keys to be missing');
      assert.ok(
        report.missing.every((key) => parameterGroup(key) === 'temporal-attention'),
        `missing ${report.missing}`,
      );

      const { z, t, local, context } = clips(2);
      const video = videoNet.call(z, t, context, local);
      const frames = Array.from({ length: 2 * FRAMES }, (_, row) => {
        const clip = Math.floor(row / FRAMES);
        const ofClip = (x: Tensor) => x.narrow(0, clip, 1);
        const frameContext = { text: ofClip(context.text), image: ofClip(context.image) };
        return imageNet.call(z.narrow(0, row, 1), ofClip(t), frameContext, local.narrow(0, row, 1));
      });
      const apart = difference(video, cat(frames, 0));
      assert.ok(apart < 1e-5, `frames differ by ${apart}`);
    });
  });
});

test('a temporal attention in each layer that has attention, and in the middle', () => {
  withUNet(VIDEO, (_, path) => {
    const places = [...path.parameters().keys()]
      .filter((key) => key.endsWith('.norm.weight') && key.includes('temporal_attentions'))
      .map((key) => key.replace('.norm.weight', ''));
    assert.deepEqual(places.sort(), [
      'down_blocks.0.temporal_attentions.0',
      'mid_block.temporal_attentions.0',
      'up_blocks.1.temporal_attentions.0',
      'up_blocks.1.temporal_attentions.1',
    ]);
  });
});

test('temporal attention joins the frames of a clip, only those, once it is not zero', () => {
  withUNet(VIDEO, (net, path) => {
    fillImage(path);
    const { z, t, local, context } = clips(2);
    const changed = cat([data('another frame', 1, 4, 8, 8), z.narrow(0, 1, 2 * FRAMES - 1)], 0);
    const effect = () => {
      const [before, after] = [
        net.call(z, t, context, local),
        net.call(changed, t, context, local),
      ];
      const on = (start: number, length: number) =>
        difference(before.narrow(0, start, length), after.narrow(0, start, length));
      return { first: on(0, 1), siblings: on(1, FRAMES - 1), otherClip: on(FRAMES, FRAMES) };
    };
    const born = effect();
    assert.ok(
      born.first > 1e-2 && born.siblings < 1e-6 && born.otherClip < 1e-6,
      JSON.stringify(born),
    );
    fillTemporal(path);
    const grown = effect();
    assert.ok(grown.siblings > 1e-3 && grown.otherClip < 1e-6, JSON.stringify(grown));
  });
});

test('frames have an order: turning a clip round changes more than the order of its frames', () => {
  withUNet(VIDEO, (net, path) => {
    fill(path.state());
    const { z, t, local, context } = clips(1);
    const turn = (x: Tensor) =>
      cat(
        [2, 1, 0].map((row) => x.narrow(0, row, 1)),
        0,
      );
    const forwards = net.call(z, t, context, local);
    const backwards = net.call(turn(z), t, context, turn(local));
    const apart = difference(turn(forwards), backwards);
    assert.ok(apart > 1e-4, `differ by ${apart}`);
  });
});

test('permuting the clips of a batch permutes the outputs', () => {
  withUNet(VIDEO, (net, path) => {
    fill(path.state());
    const { z, t, local, context } = clips(3);
    const order = [2, 0, 1];
    const permuted = (x: Tensor, rows: number) =>
      cat(
        order.map((clip) => x.narrow(0, clip * rows, rows)),
        0,
      );
    const straight = net.call(z, t, context, local);
    const mixed = net.call(
      permuted(z, FRAMES),
      permuted(t, 1),
      { text: permuted(context.text, 1), image: permuted(context.image, 1) },
      permuted(local, FRAMES),
    );
    const apart = difference(permuted(straight, FRAMES), mixed);
    assert.ok(apart < 1e-5, `differ by ${apart}`);
  });
});

test('at birth image tokens and local features change nothing; no image is tokens of zeros', () => {
  withUNet(VIDEO, (net, path) => {
    const { z, t, local, context } = clips(2);
    const { text } = context;
    const plain = net.call(z, t, { text, image: null });
    const bornApart = difference(plain, net.call(z, t, context, local));
    assert.ok(bornApart < 1e-6, `at birth they differ by ${bornApart}`);
    fill(path.state());
    const without = net.call(z, t, { text, image: null }, local);
    const apart = {
      zeroImage: difference(without, net.call(z, t, { text, image: zeros([2, 4, 6]) }, local)),
      image: difference(without, net.call(z, t, context, local)),
      noLocal: difference(without, net.call(z, t, { text, image: null })),
    };
    const right = apart.zeroImage < 1e-6 && apart.image > 1e-3 && apart.noLocal > 1e-3;
    assert.ok(right, JSON.stringify(apart));
  });
});

test('the video network at birth has the image network’s own first weights', () => {
  withUNet(IMAGE, (_, imagePath) => {
    withUNet(VIDEO, (_, videoPath) => {
      const video = videoPath.parameters();
      for (const [key, value] of imagePath.parameters())
        assert.equal(difference(value, video.get(key)!), 0);
    });
  });
});

test('every parameter is in the group that the freezing table means', () => {
  const block = 'down_blocks.0.attentions.0.transformer_blocks.0';
  const expected = {
    'conv_in.weight': 'spatial-convolution',
    'time_embedding.linear_1.bias': 'spatial-convolution',
    'up_blocks.1.resnets.0.conv_shortcut.weight': 'spatial-convolution',
    'down_blocks.0.downsamplers.0.conv.weight': 'spatial-convolution',
    'down_blocks.0.attentions.0.proj_in.weight': 'spatial-self-attention',
    [`${block}.attn1.to_out.0.bias`]: 'spatial-self-attention',
    [`${block}.ff.net.2.weight`]: 'spatial-self-attention',
    [`${block}.norm2.weight`]: 'text-cross-attention',
    [`${block}.attn2.to_q.weight`]: 'text-cross-attention',
    [`${block}.attn2.to_out.0.weight`]: 'text-cross-attention',
    [`${block}.attn2.to_q_image.weight`]: 'image-cross-attention',
    [`${block}.attn2.to_v_image.weight`]: 'image-cross-attention',
    'mid_block.temporal_attentions.0.to_q.weight': 'temporal-attention',
    'mid_block.temporal_attentions.0.norm.bias': 'temporal-attention',
    'mid_block.temp_convs.0.conv1.0.weight': 'temporal-convolution',
  };
  withUNet({ ...VIDEO, temporalConvolution: true }, (_, path) => {
    const keys = [...path.parameters().keys()];
    for (const [key, group] of Object.entries(expected)) {
      assert.ok(keys.includes(key), key);
      assert.equal(parameterGroup(key), group, key);
    }
    assert.deepEqual(new Set(keys.map(parameterGroup)), new Set(parameterGroups));
  });
});

test('a widened conv_in does as before with the channels it had', () => {
  withUNet({ ...IMAGE, localChannels: 0, imageQuery: 'none' }, (narrow, narrowPath) => {
    fill(narrowPath.state());
    withUNet({ ...IMAGE, imageQuery: 'none' }, (wide, widePath) => {
      const state = narrowPath.state();
      state.set('conv_in.weight', widenConvIn(state.get('conv_in.weight')!, 12));
      widePath.load(state);
      const { z, t, local, context } = clips(2);
      const textOnly = { text: context.text, image: null };
      const apart = difference(narrow.call(z, t, textOnly), wide.call(z, t, textOnly, local));
      assert.ok(apart < 1e-6, `differ by ${apart}`);
    });
  });
  scope(() => {
    const weight = parameter('w', [8, 4, 3, 3]);
    assert.throws(() => widenConvIn(weight, 3), /at most 3 input channels, got 4/);
  });
});
