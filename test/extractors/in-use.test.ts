/** Where extractors are used: prepared clips and their cache, a user's files, the flags of sample. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as prepare from '../../src/cli/prepare.ts';
import * as sample from '../../src/cli/sample.ts';
import { listClips } from '../../src/data/clips.ts';
import { openExtractors, type Extractors } from '../../src/extractors/extractors.ts';
import { floatFrames, type Frames } from '../../src/frames/frames.ts';
import { readInputs } from '../../src/inputs/inputs.ts';
import { prepareClips } from '../../src/training/prepare.ts';
import { runVerb, writeTinyModel } from '../cli/sample-fixture.ts';
import { writeSequence } from '../data/camus-files.ts';
import { expectNoLeaks } from '../support/leaks.ts';
import { greyOf, cycle, writeGrey, writePatient } from '../support/patient-files.ts';

const folder = mkdtempSync(join(tmpdir(), 'heartbeat-extractors-'));
const at = (name: string) => join(folder, name);
after(() => rmSync(folder, { recursive: true, force: true }));
expectNoLeaks();

const weights = fileURLToPath(new URL('../../../shared/data/weights/', import.meta.url));
const absent = existsSync(weights) ? false : 'the published weights (../shared/data/weights) are not here';
const other = fileURLToPath(new URL('../golden/pytorch-checkpoint/network-zip.pt', import.meta.url));

/** Says that everything moves by (0.25, -0.5) sides and draws every frame in one grey. */
function plainExtractors(identity: Extractors['identity']): Extractors {
  return {
    flowEstimator: async () => (video) => {
      const flow = floatFrames({ ...video, channels: 2 });
      return { ...flow, data: flow.data.map((_, i) => (2 * i < flow.data.length ? 0.25 : -0.5)) };
    },
    extractSketch: (frame) => ({ ...frame, data: frame.data.map(() => 0.2) }),
    identity,
    dispose: () => {},
  };
}

describe('prepared clips', () => {
  it('hold what the extractors found; a network or its other weights are another file', async () => {
    writeSequence(at('data/database_nifti/patient0001'), 'patient0001', '4CH', 4);
    const cache = at('cache');
    const run = (extractors?: Extractors) =>
      prepareClips(listClips(at('data')), { cache, resolution: 32, frames: 3, extractors });
    const [builtIn] = await run();
    const names = () => readdirSync(cache).length;
    assert.equal(names(), 1);
    await run(openExtractors());
    assert.equal(names(), 1, 'the built-in ones by name are the same file');
    const [clip] = await run(plainExtractors({ flow: 'raft aa', sketch: 'pidinet bb' }));
    assert.equal(names(), 2);
    const { data: flow } = clip.planes.get('flow')!;
    assert.deepEqual([flow[0], flow[32 * 32]], [0.25, -0.5]);
    assert.ok(clip.planes.get('sketch')!.data.every((byte) => byte === 51));
    assert.notDeepEqual(builtIn.planes.get('sketch')!.data, clip.planes.get('sketch')!.data);
    await run(plainExtractors({ flow: 'raft cc', sketch: 'pidinet bb' }));
    await run(plainExtractors({ sketch: 'pidinet bb' }));
    await run(plainExtractors({ flow: 'pidinet bb' }));
    assert.equal(names(), 5);
    await run(plainExtractors({ flow: 'raft aa', sketch: 'pidinet bb' }));
    assert.equal(names(), 5, 'and the same ones the same file');
  });
});

describe("a user's files", () => {
  const model = { stage: 'video', frames: 4, height: 48, width: 48, classes: 4 } as const;
  const files = writePatient(at('patient'), 4);
  const video = at('video.nii.gz');
  before(() => writeGrey(video, greyOf(cycle(4))));

  it('are followed and drawn by the extractors, which the sources name', async () => {
    const given = await readInputs({ flow: video, sketchFrom: files.frame }, model,
      { extractors: plainExtractors({ flow: 'raft aa', sketch: 'pidinet bb' }) });
    const [flow, sketch] = [given.inputs.flow, given.inputs.sketch] as Frames[];
    assert.equal(flow.data[0], 0.25);
    assert.ok(sketch.data.every((value) => Math.abs(value - 0.2) < 1e-6));
    const named = Object.fromEntries(given.sources.map((each) => [each.condition, each.extractor]));
    assert.deepEqual(named, { flow: 'raft aa', sketch: 'pidinet bb' });
  });

  it('that need no extractor name none', async () => {
    const own = plainExtractors({ flow: 'raft aa', sketch: 'pidinet bb' });
    const given = await readInputs({ mask: [files.edMask, files.esMask], flow: 'mask' }, model, { extractors: own });
    assert.ok(given.sources.every((source) => !('extractor' in source)));
    const builtIn = await readInputs({ sketchFrom: files.frame }, model);
    assert.ok(builtIn.sources.every((source) => !('extractor' in source)));
  });
});

describe('flags of extractors', () => {
  before(() => writeTinyModel(at('model')));
  const refuse = async (args: readonly string[], code: number, message: RegExp) => {
    const output = at('never');
    const got = await runVerb(sample, ['--checkpoint', at('model'), '--output', output, ...args]);
    assert.match(got.message, message);
    assert.equal(got.code, code);
    assert.ok(!existsSync(output));
  };

  it('are refused in a sentence, and nothing is written', async () => {
    await refuse(['--flow-extractor', 'raft'], 2, /--flow-extractor raft: expected the file/);
    await refuse(['--sketch-weights', 'x.pth'], 2, /--sketch-weights x.pth: expected --sketch-extractor/);
    await refuse(['--flow-extractor', 'rafft'], 2, /Allowed choices are farneback, raft/);
    const none = at('none.pth');
    await refuse(['--flow-extractor', 'raft', '--flow-weights', none], 1, /none\.pth/);
    await refuse(['--flow-extractor', 'raft', '--flow-weights', folder], 1, /heartbeat-extractors-/);
    await refuse(['--sketch-extractor', 'pidinet', '--sketch-weights', other], 1,
      /network-zip\.pt: pidinet: expected the weights of PiDiNet/);
    mkdirSync(at('data/database_split'));
    writeFileSync(at('data/database_split/subgroup_training.txt'), 'patient0001\n');
    const run = ['--data', at('data'), '--output', at('run'), '--preset', 'tiny'];
    const got = await runVerb(prepare, [...run, '--flow-extractor', 'raft', '--flow-weights', other]);
    assert.match(got.message, /network-zip\.pt: load: expected fnet.conv1.weight/);
    assert.equal(got.code, 1);
  });

  it('of a network that nothing asks for are refused', { skip: absent }, async () => {
    const raft = ['--flow-extractor', 'raft', '--flow-weights', join(weights, 'raft-small.pth')];
    await refuse(raft, 2, /--flow-extractor: expected a video to follow \(--flow\), got none/);
    const pidinet = ['--sketch-extractor', 'pidinet', '--sketch-weights', join(weights, 'pidinet.pth')];
    await refuse(pidinet, 2, /--sketch-extractor: expected a frame to draw \(--sketch-from\), got none/);
  });
});
