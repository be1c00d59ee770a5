import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { resolveConfig, type ConfigSources } from '../../src/training/config.ts';
import { firstDifference } from '../../src/training/loop.ts';
import { presetNames, type PresetName } from '../../src/training/presets.ts';

const folder = mkdtempSync(join(tmpdir(), 'heartbeat config '));
after(() => rmSync(folder, { recursive: true, force: true }));

function yaml(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function tiny(sources: Omit<ConfigSources, 'preset'> = {}) {
  return resolveConfig({ preset: 'tiny', ...sources });
}

describe('configuration', () => {
  it('resolves every preset whole, without a value that JSON would lose', () => {
    for (const preset of presetNames) {
      const config = resolveConfig({ preset });
      assert.deepEqual(JSON.parse(JSON.stringify(config)), config);
      assert.equal(config.preset, preset);
    }
  });

  it('takes the preset, then the file, then the seed flag, then overrides', () => {
    const file = yaml('change.yaml',
      'seed: 3\nimage:\n  optimization:\n    learning_rate: 5.0e-4\n    maxTrainSteps: 7\n');
    const config = tiny({ file });
    assert.equal(config.seed, 3);
    assert.equal(config.image.optimization.learningRate, 5e-4);
    assert.equal(config.image.optimization.maxTrainSteps, 7);
    assert.equal(config.image.optimization.trainBatchSize, 4, 'what the file does not name stays');
    const flagged = tiny({
      file, seed: 5, overrides: ['image.optimization.max-train-steps=9', 'views=["4CH"]'],
    });
    assert.equal(flagged.seed, 5, 'a flag beats the file');
    assert.equal(flagged.image.optimization.maxTrainSteps, 9);
    assert.equal(flagged.image.optimization.learningRate, 5e-4);
    assert.deepEqual(flagged.views, ['4CH']);
    assert.equal(tiny({ seed: 5, overrides: ['seed=6'] }).seed, 6);
  });

  it('leaves the preset as it is for the next caller', () => {
    const before = tiny();
    tiny({ overrides: ['vae.generator.learningRate=1', 'model.frames=8'] });
    assert.deepEqual(tiny(), before);
  });

  it('reads its own saved copy back to the same configuration', () => {
    const config = tiny({ seed: 9, overrides: ['video.trainCrossAttention=true'] });
    const file = yaml('config.json', JSON.stringify(config));
    assert.deepEqual(tiny({ file }), config);
  });

  const refusals: [string, () => unknown, RegExp][] = [
    ['an unknown key', () => tiny({ overrides: ['image.optimization.learninRate=1'] }),
      /no key image\.optimization\.learninRate \(from .*\), did you mean \S+\.learningRate\?/],
    ['an unknown key in a file', () => tiny({ file: yaml('a.yaml', 'vdeo:\n  loop: {}\n') }),
      /no key vdeo \(from .*a\.yaml\), did you mean video\?/],
    ['a value of another type', () => tiny({ overrides: ['image.optimization.learningRate=fast'] }),
      /image\.optimization\.learningRate: .*expected number/],
    ['a value out of range', () => tiny({ overrides: ['seed=-1'] }), /config: seed: /],
    ['no value', () => tiny({ overrides: ['seed'] }), /expected key=value, got seed/],
    ['a file that is not there', () => tiny({ file: join(folder, 'none.yaml') }),
      /expected a YAML file at .*none\.yaml, got none/],
    ['a file that is no YAML', () => tiny({ file: yaml('b.yaml', 'a: [1\nb: }') }),
      /expected YAML in .*b\.yaml/],
    ['a file that is no mapping', () => tiny({ file: yaml('c.yaml', '- 1\n') }),
      /expected a mapping in .*c\.yaml/],
    ['a file of another preset', () => tiny({ file: yaml('d.yaml', 'preset: small\n') }),
      /expected a configuration of preset tiny, got small/],
    ['an unknown preset', () => resolveConfig({ preset: 'tinny' as PresetName }),
      /unknown preset "tinny": did you mean "tiny"\?/],
  ];
  for (const [what, attempt, sentence] of refusals) {
    it(`refuses ${what} in one sentence`, () => {
      assert.throws(attempt, (error: Error) => {
        assert.match(error.message, sentence);
        assert.match(error.message, /^config: [^\n]+$/);
        return true;
      });
    });
  }

  it('names the first key in which two configurations differ', () => {
    const [a, b] = [tiny(), tiny({ overrides: ['image.optimization.learningRate=0.5'] })];
    assert.equal(firstDifference(a, a, ''), null);
    assert.equal(firstDifference(a, b, ''),
      'image.optimization.learningRate: expected 0.002, got 0.5 in the checkpoint');
    assert.match(firstDifference(a, { ...a, views: ['2CH'] }, '')!, /^views\.1: expected "4CH"/);
  });
});
