import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { exportPipeline, importPipeline } from '../../src/heartbeat/export.ts';
import { componentNames, HeartBeat } from '../../src/heartbeat/heartbeat.ts';
import { upstreamTokenizer } from '../../src/heartbeat/upstream.ts';
import { UNet } from '../../src/models/unet.ts';
import { rootPath } from '../../src/nn/path.ts';
import { dispose, noGrad, scope } from '../../src/tensor/memory.ts';
import { readSafetensors, readSafetensorsHeader, writeSafetensors } from '../../src/tensor/safetensors.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { expectNoLeaks } from '../support/leaks.ts';
import { data, expectClose, fill, type Summary } from '../support/reference-fill.ts';
import { exportedConfig, exportedModel } from './exported-model.ts';
import { writeJson, writeStableDiffusion } from './upstream-folders.ts';

interface Golden {
  readonly files: Record<string, string>;
  readonly unetParameters: number;
  readonly prompts: string[];
  readonly ids: number[][];
  readonly epsilon: Summary; readonly context: Summary; readonly mean: Summary; readonly decoded: Summary;
  readonly scalingFactor: number;
  readonly prediction: string;
  readonly alphas: [number, number, number];
  readonly resaved: Record<string, object>;
}
const golden = JSON.parse(readFileSync(new URL('../golden/export.json', import.meta.url), 'utf8')) as Golden;

expectNoLeaks();

describe('an exported folder', () => {
  const root = mkdtempSync(join(tmpdir(), 'heartbeat export '));
  const folder = join(root, 'exported');
  let model: HeartBeat;
  let notes: string[];
  before(async () => {
    model = exportedModel();
    notes = await exportPipeline(model, folder, 'float32', { seconds: 3 });
  });
  after(() => {
    model.dispose();
    rmSync(root, { recursive: true, force: true });
  });

  async function fresh(name: string, of = model): Promise<string> {
    const other = join(root, name);
    rmSync(other, { recursive: true, force: true });
    await exportPipeline(of, other);
    return other;
  }

  it('is, byte for byte, the one that the reference libraries loaded', () => {
    const seen = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1).replaceAll('\\', '/'));
    const theirs = seen.filter((name) => !name.startsWith('heartbeat/')).sort();
    assert.deepEqual(theirs, Object.keys(golden.files).sort());
    for (const name of theirs) {
      const hash = createHash('sha256').update(readFileSync(join(folder, name))).digest('hex');
      assert.equal(hash, golden.files[name], `${name}: expected the file of the golden`);
    }
    assert.deepEqual(notes, ['unet/ is the spatial part: every frame alone, as before the temporal layers.']);
  });

  it('answers in UNet2DConditionModel as our U-Net without its additions does', () => {
    const { unet } = exportedConfig();
    const path = rootPath({ blank: true });
    scope(() => noGrad(() => {
      const net = new UNet(path, { ...unet, temporal: false, imageQuery: 'none' });
      fill(path.state());
      const steps = tensor([7, 801], [2], { dtype: 'int64' });
      const context = { text: data('text', 2, 5, 12), image: null };
      const answer = net.call(data('z', 6, 4, 8, 8), steps, context, data('local', 6, 8, 8, 8));
      expectClose(answer, golden.epsilon, 1e-4, 'epsilon');
      const count = [...path.parameters().values()].reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
      assert.equal(count, golden.unetParameters);
    }));
    path.dispose();
  });

  it('answers in the other networks of the pipeline as ours do', () => {
    scope(() => noGrad(() => {
      assert.deepEqual(golden.prompts.map((prompt) => [...model.tokenizer.encode(prompt)]), golden.ids);
      expectClose(model.embedText(golden.prompts, [1, 1, 1]), golden.context, 1e-4, 'context');
      const { mean } = model.vae.encode(data('x', 2, 1, 16, 16));
      expectClose(mean, golden.mean, 1e-4, 'mean');
      expectClose(model.vae.decode(mean), golden.decoded, 1e-4, 'decoded');
      assert.equal(model.config.vae.scaling_factor, golden.scalingFactor);
      assert.equal(model.config.scheduler.prediction_type, golden.prediction);
      [0, 500, 999].forEach((t, i) => {
        const off = Math.abs(model.schedule.at(t) / golden.alphas[i] - 1);
        assert.ok(off < 1e-5, `alpha ${t} is off by ${off}`);
      });
    }));
  });

  /** The model of a folder equals this one, bit by bit, or to half precision. */
  function expectBack(other: string, of: HeartBeat, tolerance = 0): void {
    const back = importPipeline(other, { seed: 77 });
    try {
      assert.deepEqual(back.model.config, of.config);
      assert.deepEqual(back.model.tokenizerSource, of.tokenizerSource);
      for (const name of componentNames) {
        const [ours, theirs] = [of, back.model].map((one) => one.components[name].state());
        assert.deepEqual([...theirs.keys()], [...ours.keys()]);
        for (const [key, value] of ours) {
          const got = theirs.get(key)!.toFloat32();
          const worst = value.toFloat32().reduce((most, x, i) => Math.max(most, Math.abs(x - got[i])), 0);
          assert.ok(worst <= tolerance, `${name} ${key}: off by ${worst}`);
        }
      }
    } finally {
      back.model.dispose();
    }
  }

  it('comes back with every weight, and with what was noted of the training', () => {
    expectBack(folder, model);
    const { model: back, card } = importPipeline(folder);
    back.dispose();
    assert.deepEqual(card, { seconds: 3 });
  });

  it('carries the mean training frame', async () => {
    const other = join(root, 'with mean frame');
    const side = model.config.resolution;
    const data = Float32Array.from({ length: side * side }, (_, i) => (i % 256) / 255);
    model.meanFrame = { channels: 1, frames: 1, height: side, width: side, data };
    try {
      await exportPipeline(model, other);
    } finally {
      model.meanFrame = null;
    }
    const { model: back } = importPipeline(other);
    assert.deepEqual(back.meanFrame?.data, data);
    back.dispose();
  });

  it('comes back after diffusers and transformers saved their parts anew', async () => {
    const other = await fresh('resaved');
    for (const [network, config] of Object.entries(golden.resaved)) writeJson(join(other, network, 'config.json'), config);
    const file = join(other, 'text_encoder', 'model.safetensors');
    const { tensors } = readSafetensors(file);
    // transformers 5 leaves the prefix out.
    writeSafetensors(file, new Map([...tensors].map(([name, value]) => [name.replace(/^text_model\./, ''), value])));
    dispose(tensors);
    expectBack(other, model);
  });

  it('in float16 has half the bytes, and comes back to its precision', async () => {
    const half = join(root, 'half');
    await exportPipeline(model, half, 'float16');
    const { tensors } = readSafetensorsHeader(join(half, 'unet', 'diffusion_pytorch_model.safetensors'));
    assert.ok([...tensors.values()].every(({ dtype }) => dtype === 'float16'));
    expectBack(half, model, 2e-3);
  });

  it('leaves out an autoencoder that AutoencoderKL cannot be, and says so', async () => {
    const config = exportedConfig();
    const other = exportedModel({ ...config, vae: { ...config.vae, linearShortcut: true } });
    try {
      const target = join(root, 'shortcut');
      const told = await exportPipeline(other, target);
      assert.match(told.join(' '), /vae\/ is left out: AutoencoderKL has no linear shortcut/);
      assert.ok(!existsSync(join(target, 'vae')));
      assert.deepEqual(JSON.parse(readFileSync(join(target, 'model_index.json'), 'utf8')).vae, [null, null]);
      expectBack(target, other);
    } finally {
      other.dispose();
    }
  });

  it("keeps a tokenizer that is the model's own", async () => {
    const tokenizer = upstreamTokenizer({ stableDiffusion: writeStableDiffusion(join(root, 'sd')) });
    const other = new HeartBeat(exportedConfig(), { tokenizer });
    try {
      expectBack(await fresh('tokenizer', other), other);
    } finally {
      other.dispose();
    }
  });

  it('is not written into a folder that holds something, nor by halves', async () => {
    await assert.rejects(exportPipeline(model, folder), /exported: expected a new or empty folder, got one that holds/);
    const file = join(root, 'a file');
    writeFileSync(file, '');
    await assert.rejects(exportPipeline(model, join(file, 'inside')), /ENOTDIR/);
    const broken = { ...model, vae: null, components: { ...model.components, vae: null } } as unknown as HeartBeat;
    const target = join(root, 'half way');
    await assert.rejects(exportPipeline(broken, target));
    assert.ok(!existsSync(target));
    assert.deepEqual(readdirSync(root).filter((name) => name.startsWith('.')), []);
  });

  const damages: [string, (other: string) => void, RegExp][] = [
    ['a folder of another program', (other) => rmSync(join(other, 'heartbeat'), { recursive: true }),
      /expected a folder that `heartbeat export` wrote, got one without heartbeat.config\.json$/],
    ['another number of heads', (other) => {
      const file = join(other, 'unet', 'config.json');
      writeJson(file, { ...JSON.parse(readFileSync(file, 'utf8')), attention_head_dim: 4 });
    }, /unet.config\.json: expected the configuration of the model's unet, got attention_head_dim 4 \(the model has 2\)$/],
    ['weights without a key', (other) => {
      const file = join(other, 'unet', 'diffusion_pytorch_model.safetensors');
      const { tensors } = readSafetensors(file);
      writeSafetensors(file, new Map([...tensors].filter(([name]) => name !== 'conv_in.weight')));
      dispose(tensors);
    }, /unet: load: expected conv_in\.weight of shape 16x12x3x3, got no such key$/],
    ['without its own part', (other) => rmSync(join(other, 'heartbeat', 'unet.safetensors')),
      /heartbeat.unet\.safetensors: no such file$/],
    ['a configuration that is none', (other) => writeFileSync(join(other, 'heartbeat', 'config.json'), '[]'),
      /heartbeat.config\.json: expected a JSON object, got a list$/],
  ];
  for (const [what, damage, sentence] of damages) {
    it(`does not come back from ${what}`, async () => {
      const other = await fresh('damaged');
      damage(other);
      assert.throws(() => importPipeline(other), (error: Error) => {
        assert.match(error.message, sentence);
        assert.ok(!error.message.includes('\n'));
        return true;
      });
    });
  }
});
