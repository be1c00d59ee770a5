/** The sizes that the presets promise, counted from the shapes a network asks of its path. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { UNet } from '../../src/models/unet.ts';
import type { Path } from '../../src/nn/path.ts';
import { resolveConfig } from '../../src/training/config.ts';
import type { PresetName } from '../../src/training/presets.ts';

/** Elements by key of the inflated U-Net, without a tensor. */
function unetSizes(preset: PresetName): [string, number][] {
  const sizes: [string, number][] = [];
  const at = (fullName: string): Path => ({
    fullName, sub: (name: string | number) => at(`${fullName}.${name}`), parameters: () => new Map(),
    parameter: (name: string, shape: readonly number[]) => {
      sizes.push([`${fullName}.${name}`, shape.reduce((a, b) => a * b, 1)]);
      return { shape };
    },
  } as unknown as Path);
  new UNet(at(''), { ...resolveConfig({ preset }).model.unet, temporal: true });
  return sizes;
}

const sum = (sizes: readonly [string, number][]) => sizes.reduce((total, [, size]) => total + size, 0);

it('preset paper inflates the 859,520,964 parameters of Stable Diffusion 1.5', () => {
  const sizes = unetSizes('paper');
  const own = sizes.filter(([key]) => !/temporal_attentions|_image\./.test(key));
  const local = 320 * 8 * 9; // conv_in's weights of the local features
  assert.equal(sum(own) - local, 859_520_964);
  // a block of c channels adds c² + 2 · 768 c for the image and 4 c² + 3 c for time
  const blocks: readonly (readonly [number, number])[] = [[5, 320], [5, 640], [6, 1280]];
  const added = blocks.reduce((total, [count, c]) => total + count * (5 * c * c + 1539 * c), 0);
  assert.equal(sum(sizes), 859_520_964 + local + added);
});

it('preset base has 25 to 60 million', () => {
  const size = sum(unetSizes('base')) / 1e6;
  assert.ok(size > 25 && size < 60, `${size} M`);
});

it('the recipe of preset paper is the paper’s', () => {
  const { image, video, model } = resolveConfig({ preset: 'paper' });
  assert.equal(model.scheduler.prediction_type, 'epsilon');
  assert.deepEqual([image, video].map(({ optimization: { trainBatchSize, learningRate, lrWarmupSteps } }) =>
    [trainBatchSize, learningRate, lrWarmupSteps]), [[64, 1e-4, 500], [16, 1e-4, 500]]);
  assert.equal(video.optimization.maxTrainSteps, Math.ceil((200 * 793) / 16));
  assert.equal(image.optimization.maxTrainSteps, Math.ceil((200 * 793 * 16) / 64));
});
