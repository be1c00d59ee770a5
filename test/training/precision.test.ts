/** Which number type `mixedPrecision: auto` becomes, and what is said of it. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { trainingTasks } from '../../src/study/trainings.ts';
import { readStudy } from '../../src/study/study-config.ts';
import { hasBf16Instructions } from '../../src/tensor/bf16.ts';
import { checkpointConfig } from '../../src/training/checkpoint.ts';
import { resolveConfig } from '../../src/training/config.ts';
import { precisionOn, recipePrecision, resolveFor } from '../../src/training/precision.ts';
import { presetNames, type PresetName } from '../../src/training/presets.ts';
import { configKey, modelOf, stageNames } from '../../src/training/run-folder.ts';

const folder = mkdtempSync(join(tmpdir(), 'heartbeat precision '));
after(() => rmSync(folder, { recursive: true, force: true }));

interface Wish {
  readonly native: boolean; readonly device?: string; readonly checkpoint?: unknown;
  readonly preset?: PresetName; readonly key?: string; readonly asked?: string; readonly file?: string;
}

/** The number type of a resolved recipe, and the lines that were said. */
function resolved({ key = 'image', preset = 'small', asked, file, ...options }: Wish) {
  const lines: string[] = [];
  const of = key === 'vae' ? ['generator', 'discriminator'] : ['optimization'];
  const overrides = asked === undefined ? [] : of.map((name) => `${key}.${name}.mixedPrecision=${asked}`);
  const config = resolveFor(key, { preset, overrides, file }, { ...options, report: (line) => lines.push(line) });
  assert.ok(!JSON.stringify(config).includes('"auto"'));
  return { type: recipePrecision(key, config), lines, config };
}

const chosen = 'float32: this processor has no bfloat16 instructions (--mixed-precision bf16 forces it)';
const forced = /^warning: this processor has no bfloat16 instructions; .* slower .* \(auto takes float32\)$/;

describe('mixedPrecision', () => {
  it('knows a processor by its flags, and trains in bf16 on every other device', () => {
    assert.equal(hasBf16Instructions('flags : avx512f avx512_bf16'), true);
    assert.equal(hasBf16Instructions('flags : amx_bf16 amx_tile'), true);
    assert.equal(hasBf16Instructions('flags : avx2 avx512f'), false);
    assert.deepEqual([precisionOn('cpu', true), precisionOn('cpu', false)], ['bf16', 'no']);
    for (const device of ['cuda', 'cuda:1', 'mps']) assert.equal(precisionOn(device, false), 'bf16');
  });

  for (const key of ['image', 'video', 'fewShot', 'vae', 'imageEncoder', 'segmenter', 'echoVideo']) {
    it(`${key}: auto, no and bf16, with instructions for it and without`, () => {
      assert.deepEqual(pick(resolved({ key, asked: 'auto', native: true })), ['bf16', []]);
      assert.deepEqual(pick(resolved({ key, asked: 'auto', native: false })), ['no', [chosen]]);
      assert.deepEqual(pick(resolved({ key, asked: 'auto', native: false, device: 'cuda' })), ['bf16', []]);
      for (const native of [true, false]) assert.deepEqual(pick(resolved({ key, asked: 'no', native })), ['no', []]);
      assert.deepEqual(pick(resolved({ key, asked: 'bf16', native: true })), ['bf16', []]);
      assert.deepEqual(pick(resolved({ key, asked: 'bf16', native: false, device: 'cuda' })), ['bf16', []]);
      const { type, lines } = resolved({ key, asked: 'bf16', native: false });
      assert.equal(type, 'bf16');
      assert.equal(lines.length, 1);
      assert.match(lines[0], forced);
    });
  }

  it('is auto in the diffusion recipes of small, base and paper, and no elsewhere', () => {
    for (const preset of presetNames) {
      const [bf16, no] = [true, false].map((native) => resolved({ preset, native }).config);
      for (const key of ['image', 'video', 'fewShot'] as const) {
        assert.equal(bf16[key].optimization.mixedPrecision, preset === 'tiny' ? 'no' : 'bf16', `${preset} ${key}`);
        assert.equal(no[key].optimization.mixedPrecision, 'no', `${preset} ${key}`);
      }
      for (const key of ['vae', 'imageEncoder', 'segmenter', 'echoVideo']) {
        assert.deepEqual(pick(resolved({ preset, key, native: true })), ['no', []], `${preset} ${key}`);
        assert.deepEqual(pick(resolved({ preset, key, native: false })), ['no', []], `${preset} ${key}`);
      }
    }
  });

  it('is what a YAML file says, over the preset and under the flag; other words are refused', () => {
    const file = join(folder, 'recipe.yaml');
    writeFileSync(file, 'image:\n  optimization:\n    mixed_precision: no\n');
    assert.deepEqual(pick(resolved({ file, native: true })), ['no', []]);
    assert.deepEqual(pick(resolved({ file, native: true, asked: 'auto' })), ['bf16', []]);
    assert.throws(() => resolved({ native: true, asked: 'fp16' }),
      /^Error: config: image\.optimization\.mixedPrecision: .*"no"\|"bf16"\|"auto"/);
    assert.throws(() => resolveConfig({ preset: 'small', overrides: ['seed=auto'] }), /^Error: config: seed: /);
  });

  it('resolves a saved copy to itself on any machine', () => {
    const { config } = resolved({ native: true });
    const file = join(folder, 'config.json');
    writeFileSync(file, JSON.stringify(config));
    assert.deepEqual(resolved({ file, native: false }).config, config);
  });
});

const pick = ({ type, lines }: ReturnType<typeof resolved>) => [type, lines];

/** A checkpoint of which only the configuration can be read. */
function leaveCheckpoint(at: string, config: unknown): string {
  const path = join(at, 'checkpoint-3');
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, 'manifest.json'), JSON.stringify({ config }));
  return path;
}

describe('a training that goes on on another machine', () => {
  it('keeps the number type of its checkpoint where the device may choose, and says so', () => {
    const there = resolved({ native: true });
    const checkpoint = checkpointConfig(leaveCheckpoint(join(folder, 'image'), there.config));
    const { type, lines, config } = resolved({ native: false, checkpoint });
    assert.equal(type, 'bf16');
    assert.match(lines.join('\n'), /^bf16, as in the checkpoint; a new training would take float32 here: this [^\n]+$/);
    assert.deepEqual(config.image, there.config.image);
    assert.deepEqual(pick(resolved({ native: true, checkpoint: resolved({ native: false }).config })),
      ['no', ['float32, as in the checkpoint; a new training would take bf16 here']]);
    assert.deepEqual(pick(resolved({ native: true, checkpoint })), ['bf16', []]);
  });

  it('takes what is asked for over the checkpoint, and chooses where there is none to read', () => {
    const { config: checkpoint } = resolved({ native: true });
    assert.deepEqual(pick(resolved({ native: false, checkpoint, asked: 'no' })), ['no', []]);
    assert.equal(checkpointConfig(join(folder, 'nowhere')), null);
    assert.deepEqual(pick(resolved({ native: false, checkpoint: null })), ['no', [chosen]]);
    assert.deepEqual(pick(resolved({ native: false, checkpoint: { image: 3 } })), ['no', [chosen]]);
  });
});

describe('the trainings of a study', () => {
  const file = fileURLToPath(new URL('../../studies/tiny.yaml', import.meta.url));
  const study = { ...readStudy(file), preset: 'small' as const };
  const types = (output: string, native: boolean, set: string[] = []) => {
    const lines: string[] = [];
    const tasks = trainingTasks({ ...study, set: [...study.set, ...set] }, output,
      { native, report: (line) => lines.push(line) });
    return { lines, types: Object.fromEntries(tasks.map(({ stage, of, config }) =>
      [`${of} ${stage}`, recipePrecision(configKey(stage), config)])) };
  };

  it('choose by the device, and say it once', () => {
    const [bf16, no] = [true, false].map((native) => types(join(folder, 'none'), native));
    assert.deepEqual([bf16.lines, no.lines], [[], [chosen]]);
    for (const [name, type] of Object.entries(bf16.types)) {
      assert.equal(type, / (image|video)$/.test(name) ? 'bf16' : 'no', name);
      assert.equal(no.types[name], 'no', name);
    }
    assert.ok(stageNames.every((stage) => Object.keys(no.types).some((name) => name.endsWith(` ${stage}`))));
    const { lines } = types(join(folder, 'none'), false,
      ['image.optimization.mixedPrecision=bf16', 'video.optimization.mixedPrecision=bf16']);
    assert.equal(lines.length, 1);
    assert.match(lines[0], forced);
  });

  it('go on as they began; of finished ones nothing is said', () => {
    const output = join(folder, 'begun');
    const run = join(output, 'runs', 'heartbeat');
    leaveCheckpoint(join(run, 'video'), { video: { optimization: { mixedPrecision: 'bf16' } } });
    leaveCheckpoint(join(run, 'image'), { image: { optimization: { mixedPrecision: 'bf16' } } });
    mkdirSync(modelOf(run, 'image'), { recursive: true });
    const { lines, types: found } = types(output, false);
    assert.deepEqual([found['heartbeat image'], found['heartbeat video'], found['heartbeat-3d video']],
      ['bf16', 'bf16', 'no']);
    assert.equal(lines.length, 2);
    assert.deepEqual(lines.filter((line) => line !== chosen).length, 1);
  });
});
