/** What trains in which stage (PAPER section 1, "What trains"), and that nothing else moves. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { componentNames, HeartBeat, type ComponentName } from '../../src/heartbeat/heartbeat.ts';
import { saveModelFolder } from '../../src/heartbeat/model-folder.ts';
import { parameterGroup } from '../../src/models/unet-weights.ts';
import { noGrad, scope } from '../../src/tensor/memory.ts';
import { denoisingLoss } from '../../src/training/denoising.ts';
import { trainingOf } from '../../src/training/methods.ts';
import { inflate, modelConfig } from '../../src/training/runs.ts';
import type { DenoisingStage } from '../../src/training/stage-denoising.ts';
import { imageStage } from '../../src/training/stage-image.ts';
import { videoStage } from '../../src/training/stage-video.ts';
import { expectNoLeaks } from '../support/leaks.ts';
import { changedKeys, drawnClips, tinyConfig, tinyModel, valuesOf, wake } from './drawn-clips.ts';

expectNoLeaks();

const clips = drawnClips(3, { latents: true });

/** `unet/<group>`, `local_encoders/<condition>` or the component. */
function part(component: string, key: string): string {
  if (component === 'unet') return `unet/${parameterGroup(key)}`;
  return component === 'local_encoders' ? `${component}/${key.split('.')[0]}` : component;
}

function partsOf(
  model: HeartBeat, chosen: (component: ComponentName, key: string) => boolean,
): string[] {
  const found = componentNames.flatMap((component) =>
    [...model.components[component].state().keys()]
      .filter((key) => chosen(component, key)).map((key) => part(component, key)));
  return [...new Set(found)].sort();
}

function allValues(model: HeartBeat): Map<string, Float32Array> {
  return new Map(componentNames.flatMap((component) =>
    [...valuesOf(model.components[component].state())]
      .map(([key, value]) => [`${component}:${key}`, value] as const)));
}

/** Takes two steps of a stage, and says which parts train and which have moved. */
function watch(temporal: boolean, ...overrides: string[]): { trains: string[]; moved: string[] } {
  const config = tinyConfig(
    4, 'image.conditionDropout=none', 'video.conditionDropout=none', ...overrides);
  const model = new HeartBeat(modelConfig(temporal ? 'video' : 'image', config, config.model.vae));
  wake(model);
  let stage: DenoisingStage | null = null;
  try {
    stage = temporal
      ? videoStage(model, clips, [], config.video, 0, trainingOf('video', config))
      : imageStage(model, clips, [], config.image, 0, trainingOf('image', config));
    const trains = partsOf(model, (component, key) =>
      model.components[component].trainable().has(key));
    const before = allValues(model);
    for (const step of [0, 1, 2]) stage.step(step);
    const changed = new Set(changedKeys(before, allValues(model)));
    const moved = partsOf(model, (component, key) => changed.has(`${component}:${key}`));
    return { trains, moved };
  } finally {
    stage?.dispose();
    model.dispose();
  }
}

const imageParts = [
  'global_adapter', 'local_encoders/mask', 'local_encoders/skeleton', 'local_encoders/sketch',
  'text_encoder', 'unet/image-cross-attention', 'unet/spatial-convolution',
  'unet/spatial-self-attention', 'unet/text-cross-attention',
];

describe('what trains', () => {
  it('in stage 1: all of the U-Net, local encoders, adapter and the small text encoder', () => {
    assert.deepEqual(watch(false), { trains: imageParts, moved: imageParts });
  });

  it('in stage 1 with a text encoder that is given: not the text encoder', () => {
    const parts = imageParts.filter((name) => name !== 'text_encoder');
    assert.deepEqual(watch(false, 'image.trainTextEncoder=false'), { trains: parts, moved: parts });
  });

  it('in stage 2: temporal attention and the flow encoder, bit for bit nothing else', () => {
    const parts = ['local_encoders/flow', 'unet/temporal-attention'];
    assert.deepEqual(watch(true), { trains: parts, moved: parts });
  });

  it('in stage 2 by the figure: cross-attention as well', () => {
    const parts = ['local_encoders/flow', 'unet/image-cross-attention', 'unet/temporal-attention',
      'unet/text-cross-attention'];
    const found = watch(true, 'video.trainCrossAttention=true');
    assert.deepEqual(found, { trains: parts, moved: parts });
  });

  const spatial = ['unet/spatial-convolution', 'unet/spatial-self-attention', 'unet/text-cross-attention'];
  const baselines: [method: string, temporal: boolean, parts: string[], ...overrides: string[]][] = [
    ['heartbeat-base', false, ['local_encoders/mask', 'text_encoder', ...spatial]],
    ['heartbeat-base', true, ['unet/temporal-attention']],
    ['heartbeat-3d', true, ['local_encoders/mask', 'text_encoder', 'unet/temporal-attention', ...spatial]],
    ['heartbeat-3d', true, ['local_encoders/mask', 'unet/temporal-attention', ...spatial],
      'image.trainTextEncoder=false'],
    ['videocomposer', true, [
      'global_adapter', 'local_encoders/flow', 'local_encoders/mask', 'local_encoders/skeleton',
      'local_encoders/sketch', 'text_encoder', 'unet/temporal-attention', 'unet/temporal-convolution', ...spatial,
    ]],
    ['moonshot', false, ['global_adapter', 'text_encoder', 'unet/image-cross-attention', ...spatial]],
    ['moonshot', false, ['global_adapter', 'text_encoder', 'unet/image-cross-attention'], 'pretrained.unet=given'],
    ['moonshot', true, ['unet/temporal-attention']],
  ];
  for (const [method, temporal, parts, ...overrides] of baselines) {
    const name = [`in the ${temporal ? 'video' : 'image'} stage of ${method}`, ...overrides].join(', ');
    it(`${name}: ${parts.length} parts and nothing else`, () => {
      const sorted = [...parts].sort();
      assert.deepEqual(watch(temporal, `method=${method}`, ...overrides), { trains: sorted, moved: sorted });
    });
  }

  it('in stage 2 needs whole clips, in one sentence', () => {
    const model = tinyModel();
    try {
      const stills = clips.map((clip) => ({ ...clip, stills: true }));
      assert.throws(() => videoStage(model, stills, [], tinyConfig(1).video, 0, trainingOf('video', tinyConfig(1))),
        /^Error: stage video: expected clips of 4 frames, got 3 clips without one$/);
    } finally {
      model.dispose();
    }
  });
});

describe('inflation', () => {
  it('starts stage 2 as the image network: the same loss and noise, frame by frame', () => {
    const folder = mkdtempSync(join(tmpdir(), 'heartbeat inflate '));
    const image = tinyModel({ temporal: false, seed: 1 });
    const video = tinyModel({ temporal: true, seed: 2 });
    try {
      wake(image);
      saveModelFolder(image, join(folder, 'model'));
      inflate(video, join(folder, 'model'));
      for (const component of ['text_encoder', 'global_adapter'] as const) {
        video.components[component].load(image.components[component].state());
      }
      const sample = { clip: clips[0], frames: [0, 1, 2, 3], prior: 0, key: ['inflated'] };
      // the image network has never heard of flow
      const clip = { ...clips[0], planes: new Map(clips[0].planes) };
      clip.planes.delete('flow');
      const losses = [image, video].map((model) => noGrad(() => scope(() =>
        denoisingLoss(model, [{ ...sample, clip }], {
          seed: 0, dtype: 'float32', dropout: 'none', training: false,
        }).item())));
      assert.equal(losses[1], losses[0]);
      noGrad(() => scope(() => {
        for (const [key, value] of video.components.unet.parameters()) {
          if (/temporal_attentions.*to_out\.0\.weight$/.test(key)) value.add_(0.1);
        }
        const woken = denoisingLoss(video, [{ ...sample, clip }], {
          seed: 0, dtype: 'float32', dropout: 'none', training: false,
        }).item();
        assert.notEqual(woken, losses[0], 'temporal attention must matter once it is not zero');
      }));
    } finally {
      image.dispose();
      video.dispose();
      rmSync(folder, { recursive: true });
    }
  });

  it('refuses a network that is not this one, naming the file and the key', () => {
    const folder = mkdtempSync(join(tmpdir(), 'heartbeat inflate '));
    const video = tinyModel();
    const unet = { ...video.config.unet, temporal: false, layers_per_block: 2 };
    const others = [
      tinyModel({ temporal: false, change: { unet } }),
      tinyModel({ temporal: false, change: { conditions: ['text', 'image', 'mask', 'skeleton'] } }),
    ];
    try {
      const sentences = [
        /unet.*safetensors: load: up_blocks\.\S+ expected shape \S+, got \S+$/,
        /local_encoders.*: expected the image network of this model, got no match for sketch\./,
      ];
      for (const [i, other] of others.entries()) {
        saveModelFolder(other, join(folder, 'model'));
        assert.throws(() => inflate(video, join(folder, 'model')), sentences[i]);
      }
    } finally {
      for (const model of [...others, video]) model.dispose();
      rmSync(folder, { recursive: true });
    }
  });
});
