import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { NoiseSchedule, schedulerConfig } from '../../src/diffusion/schedule.ts';
import { HeartBeat } from '../../src/heartbeat/heartbeat.ts';
import {
  loadUpstream, startFromUpstream, upstreamConfig, upstreamTokenizer,
} from '../../src/heartbeat/upstream.ts';
import {
  readClipTextConfig, readSchedulerConfig, readUNetConfig, readVaeConfig,
} from '../../src/heartbeat/upstream/networks.ts';
import { ClipText, clipTextConfig } from '../../src/models/clip-text.ts';
import { ImageEncoder } from '../../src/models/medsam.ts';
import { UNetConfig } from '../../src/models/unet.ts';
import { Vae, vaeConfig } from '../../src/models/vae.ts';
import { rootPath } from '../../src/nn/path.ts';
import { dispose, noGrad, scope } from '../../src/tensor/memory.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { expectNoLeaks } from '../support/leaks.ts';
import { data, expectClose, type Summary } from '../support/reference-fill.ts';
import {
  configOf, golden, goldenFile, tensorsOf, textKey, writeJson, writeStableDiffusion, writeWeights,
} from './upstream-folders.ts';

expectNoLeaks();

const root = mkdtempSync(join(tmpdir(), 'heartbeat upstream '));
after(() => rmSync(root, { recursive: true, force: true }));
const stableDiffusion = writeStableDiffusion(join(root, 'sd'));
const medsam = goldenFile('medsam.pth');

describe("Stable Diffusion 1.5's own configuration files", () => {
  const place = (name: string) => writeJson(join(root, 'real', name), golden.real[name]);

  it('say what the defaults here are', () => {
    const {
      localChannels, imageQuery, temporal, temporalWithoutSpatial, temporalConvolution, ...spatial
    } = UNetConfig.parse({});
    assert.deepEqual(readUNetConfig(place('unet/config.json')), spatial);
    assert.deepEqual([localChannels, imageQuery, temporal, temporalWithoutSpatial, temporalConvolution],
      [8, 'own', false, false, false]);
    assert.deepEqual(readVaeConfig(place('vae/config.json')), vaeConfig.parse({}));
    assert.deepEqual(readClipTextConfig(place('text_encoder/config.json')), clipTextConfig.parse({}));
    assert.deepEqual(readSchedulerConfig(place('scheduler/scheduler_config.json')), schedulerConfig.parse({}));
  });

  it('mean a schedule of 1000 steps between the betas of the paper', () => {
    const schedule = new NoiseSchedule(readSchedulerConfig(place('scheduler/scheduler_config.json')));
    assert.equal(schedule.steps, 1000);
    assert.ok(Math.abs(schedule.at(0) - (1 - 0.00085)) < 1e-12);
    assert.ok(Math.abs(schedule.at(999) / schedule.at(998) - (1 - 0.012)) < 1e-12);
  });
});

describe('weights of the upstream layouts answer as the reference does', () => {
  /** Builds the small image encoder that the goldens are of, loads, and compares. */
  function checkImageEncoder(path: string, expected: Summary): void {
    scope(() => noGrad(() => {
      const config = upstreamConfig({ medsam: path }).image_encoder!;
      assert.deepEqual(config, {
        img_size: 20, patch_size: 4, in_chans: 3, embed_dim: 8, depth: 2, num_heads: 2, mlp_ratio: 2, out_chans: 8,
        qkv_bias: true, use_rel_pos: true, window_size: 3, global_attn_indexes: [1],
      });
      const at = rootPath({ blank: true });
      const net = new ImageEncoder(at, config);
      at.load(loadUpstream('image_encoder', path));
      expectClose(net.call(data('picture', 2, 3, 20, 20)), expected, 1e-4, path);
      at.dispose();
    }));
  }

  it('image_encoder.* of the original MedSAM file, half precision, configuration read off the shapes', () => {
    checkImageEncoder(medsam, golden.sam.original.output);
  });

  it("vision_encoder.* of transformers' SamModel, a .bin in a folder", () => {
    const folder = join(root, 'sam');
    writeJson(join(folder, 'config.json'), golden.sam.transformers.config);
    const state = loadUpstream('image_encoder', goldenFile('sam-transformers.bin'));
    assert.ok([...state.values()].every(({ dtype }) => dtype === 'float16'));
    writeWeights(join(folder, 'model.safetensors'), state);
    checkImageEncoder(folder, golden.sam.transformers.output);
  });

  it('an autoencoder with the names of before diffusers 0.18, in a .bin', () => {
    scope(() => noGrad(() => {
      const config = upstreamConfig({ stableDiffusion }).vae!;
      assert.equal(config.scaling_factor, 0.5);
      const at = rootPath({ blank: true });
      const net = new Vae(at, config);
      at.load(loadUpstream('vae', goldenFile('vae-old-names.bin')));
      const mean = net.encode(data('x', 1, 3, 8, 12)).mode();
      expectClose(mean, golden.vae.mean, 1e-4, 'mean');
      expectClose(net.decode(mean), golden.vae.decoded, 1e-4, 'decoded');
      at.dispose();
    }));
  });

  const { ids, output } = golden.text_encoder;
  const older = Object.fromEntries(Object.entries(golden.text_encoder.shapes)
    .map(([name, shape]) => [textKey(name), shape]));
  for (const [what, shapes, config] of [
    ["transformers 5's names", golden.text_encoder.shapes, golden.text_encoder.config],
    ['the names of the published files, with their buffer', {
      ...older, 'text_model.embeddings.position_ids': [1, 9],
    }, golden.text_encoder.config],
    ['a whole CLIPModel', golden.text_encoder.whole.shapes, golden.text_encoder.whole.config],
  ] as const) {
    it(`CLIP's text model: ${what}`, () => {
      const folder = join(root, `clip ${what}`);
      writeJson(join(folder, 'config.json'), config);
      writeWeights(join(folder, 'model.safetensors'), tensorsOf(shapes, textKey));
      scope(() => noGrad(() => {
        const at = rootPath({ blank: true });
        const net = new ClipText(at, upstreamConfig({ clip: folder }).text_encoder!);
        at.load(loadUpstream('text_encoder', folder));
        expectClose(net.call(tensor(ids, [1, 9], { dtype: 'int64' })), output, 1e-4, what);
        at.dispose();
      }));
    });
  }

  it('a U-Net in two shards, one of them half precision', () => {
    const folder = join(root, 'shards');
    const keys = Object.keys(golden.unet.shapes);
    const half = (from: number, to: number) =>
      Object.fromEntries(keys.slice(from, to).map((key) => [key, golden.unet.shapes[key]]));
    const name = (n: number) => `diffusion_pytorch_model-0000${n}-of-00002.safetensors`;
    writeWeights(join(folder, name(1)), tensorsOf(half(0, 40)));
    writeWeights(join(folder, name(2)), tensorsOf(half(40, keys.length), undefined, 'float16'));
    const map = Object.fromEntries(keys.map((key, i) => [key, name(i < 40 ? 1 : 2)]));
    const index = join(folder, 'diffusion_pytorch_model.safetensors.index.json');
    writeJson(index, { metadata: { total_size: 1 }, weight_map: map });
    const state = loadUpstream('unet', folder);
    assert.deepEqual([...state.keys()].sort(), keys.sort());
    dispose(state);
    writeJson(index, { weight_map: { ...map, 'conv_in.bias': '../elsewhere.safetensors' } });
    assert.throws(() => loadUpstream('unet', folder), /index\.json: expected a file beside it for conv_in\.bias, got/);
    writeJson(index, { weight_map: { ...map, other: name(1) } });
    assert.throws(() => loadUpstream('unet', folder), /expected other in diffusion\S+, got a file without it$/);
    const { 'conv_in.bias': _, ...fewer } = map;
    writeJson(index, { weight_map: fewer });
    assert.throws(() => loadUpstream('unet', folder), /expected every tensor of diff\S+, lacks conv_in\.bias$/);
  });
});

describe('a HeartBeat that starts from upstream', () => {
  const sources = { stableDiffusion, medsam };
  const config = configOf(stableDiffusion, medsam);
  const tokenizer = upstreamTokenizer(sources);

  it('answers as Stable Diffusion does, whatever its new inputs are', () => {
    const model = new HeartBeat(config, { tokenizer, seed: 5 });
    try {
      assert.deepEqual(startFromUpstream(model, sources), ['unet', 'vae', 'text_encoder', 'image_encoder']);
      scope(() => noGrad(() => {
        const z = data('z', 2, 4, 6, 5);
        const t = tensor([3, 640], [2], { dtype: 'int64' });
        const told = { text: data('text', 2, 7, 12), image: data('image', 2, 25, 12) };
        const answer = model.unet.call(z, t, told, data('local', 2, 8, 6, 5));
        expectClose(answer, golden.unet.output, 1e-4, 'U-Net');
        const state = model.components.unet.state();
        const queries = [...state.keys()].filter((key) => key.includes('.to_q_image.'));
        assert.equal(queries.length, 4);
        for (const key of queries) {
          const text = state.get(key.replace('_image', ''))!;
          assert.deepEqual(state.get(key)!.toFloat32(), text.toFloat32(), key);
        }
        assert.deepEqual([...model.tokenizer.encode('!"')].slice(0, 3), [38, 36, 39]);
      }));
    } finally {
      model.dispose();
    }
  });

  it('keeps the born query of the image branch on request', () => {
    const [model, born] = [0, 1].map(() => new HeartBeat(config, { tokenizer, seed: 5 }));
    try {
      startFromUpstream(model, { stableDiffusion }, { imageQuery: 'fresh' });
      const key = 'mid_block.attentions.0.transformer_blocks.0.attn2.to_q_image.weight';
      const [a, b] = [model, born].map((one) => one.components.unet.state().get(key)!.toFloat32());
      assert.deepEqual(a, b);
    } finally {
      model.dispose();
      born.dispose();
    }
  });

  it('names every missing, extra and misshapen key, and changes nothing', () => {
    const bad = writeStableDiffusion(join(root, 'bad'));
    const { 'conv_out.bias': gone, 'conv_in.bias': wrong, ...others } = golden.unet.shapes;
    const shapes = { ...others, 'conv_in.bias': [...wrong, 1], 'added.weight': gone };
    writeWeights(join(bad, 'unet', 'diffusion_pytorch_model.safetensors'), tensorsOf(shapes));
    const model = new HeartBeat(config, { tokenizer, seed: 5 });
    try {
      const before = model.components.vae.state().get('quant_conv.bias')!.toFloat32();
      assert.throws(() => startFromUpstream(model, { stableDiffusion: bad }), (error: Error) => {
        assert.match(error.message, new RegExp('unet.*safetensors: expected the \\d+ keys of this unet, ' +
          'got 1 missing: conv_out\\.bias; 1 extra: added\\.weight; ' +
          '1 misshapen: conv_in\\.bias \\(expected 16, got 16x1\\)$'));
        return true;
      });
      assert.deepEqual(model.components.vae.state().get('quant_conv.bias')!.toFloat32(), before);
      writeStableDiffusion(bad);
      const lessHeads = { ...golden.unet.config, attention_head_dim: 4 };
      writeJson(join(bad, 'unet', 'config.json'), lessHeads);
      assert.throws(() => startFromUpstream(model, { stableDiffusion: bad }),
        /expected the configuration of the model's unet, got attention_head_dim 4 \(the model has 2\)$/);
    } finally {
      model.dispose();
    }
  });
});

describe('an upstream file that does not fit is named', () => {
  const unet = (change: object) =>
    writeJson(join(root, 'refused', 'config.json'), { ...golden.unet.config, ...change });

  for (const [change, sentence] of [
    [{ class_embed_type: 'timestep', freq_shift: 1, flip_sin_to_cos: false },
      /got flip_sin_to_cos false where only true is implemented, freq_shift 1 where only 0 .*, class_embed_type "timest/],
    [{ center_input_sample: true }, /center_input_sample true where only false is implemented$/],
    [{ rotary: 1 }, /expected a UNet2DConditionModel as implemented here, got rotary, which is not known$/],
    [{ only_cross_attention: [true, false] }, /only_cross_attention \[true,false\] where only false/],
    [{ transformer_layers_per_block: [1, 2] }, /transformer_layers_per_block \[1,2\] where only 1/],
    [{ act_fn: 'gelu' }, /act_fn "gelu" where only "silu" or "swish"/],
    [{ down_block_types: ['AttnDownBlock2D', 'DownBlock2D'] }, /config\.json: down_block_types\.0: Invalid option/],
    [{ _class_name: 'UNet3DConditionModel' }, /expected _class_name UNet2DConditionModel, got "UNet3DCond/],
  ] as const) {
    it(`option ${Object.keys(change)[0]}`, () => {
      assert.throws(() => readUNetConfig(unet(change)), sentence);
    });
  }

  it('of the autoencoder, the schedule, the text model and SAM', () => {
    const at = (value: object) => writeJson(join(root, 'refused', 'other.json'), value);
    assert.throws(() => readVaeConfig(at({ ...golden.vae.config, shift_factor: 0.1159 })), /shift_factor 0\.1159 where/);
    assert.throws(() => readVaeConfig(at({ ...golden.vae.config, use_quant_conv: false })), /use_quant_conv false/);
    assert.throws(() => readSchedulerConfig(at({ _class_name: 'DDIMScheduler' })), /clip_sample true where only false/);
    assert.throws(() => readSchedulerConfig(at({ beta_schedule: 'squaredcos_cap_v2' })), /beta_schedule: Invalid option/);
    assert.throws(() => readClipTextConfig(at({ model_type: 'bert' })), /model_type clip_text_model or clip, got "bert"/);
    assert.throws(() => readClipTextConfig(at({ hidden_act: 'relu' })), /hidden_act: Invalid option.*got "relu"$/);
    assert.throws(() => readClipTextConfig(at({ rope_theta: 1e4 })), /rope_theta, which is not known/);
  });

  it('a file that is another network, or lies nowhere', () => {
    const model = new HeartBeat(configOf(stableDiffusion, medsam), { tokenizer: upstreamTokenizer({ stableDiffusion }) });
    assert.throws(() => startFromUpstream(model, { clip: medsam }),
      /medsam\.pth: expected the 36 keys of this text_encoder, got 36 missing: text_model\S+, .* and 32 more; 122 extra: image_encoder\.pos_embed, /);
    model.dispose();
    assert.throws(() => loadUpstream('unet', join(root, 'nowhere')), /nowhere: expected weights, got no such file or folder$/);
    assert.throws(() => loadUpstream('unet', root), /expected weights \(diffusion_pytorch_model, model, .*got bad, .* more$/);
    assert.throws(() => upstreamConfig({ medsam: goldenFile('vae-old-names.bin') }),
      /expected patch_embed\.proj\.weight of 4 axes, as SAM's image encoder has it, got no such key$/);
    const folder = join(root, 'strangers');
    writeWeights(join(folder, 'model.safetensors'), tensorsOf({ ...golden.text_encoder.whole.shapes, lm_head: [3] }));
    assert.throws(() => loadUpstream('text_encoder', folder),
      /expected the weights of text_encoder below text_model\., got 1 more: lm_head$/);
  });
});
