/** The whole path at preset tiny with random weights: generate, measure, stop, go on, report. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { writePhantom } from '../../src/data/phantom/phantom.ts';
import { evaluate, type EvaluationOptions } from '../../src/evaluation/evaluation.ts';
import { textReport, writeReport } from '../../src/evaluation/report.ts';
import { Results } from '../../src/evaluation/results.ts';
import { summarize } from '../../src/evaluation/summary.ts';
import { readPng } from '../../src/frames/png.ts';
import { HeartBeat } from '../../src/heartbeat/heartbeat.ts';
import { dice } from '../../src/metrics/dice.ts';
import { Segmenter } from '../../src/metrics/segmenter.ts';
import { rootPath, type Path } from '../../src/nn/path.ts';
import { resolveConfig } from '../../src/training/config.ts';
import { expectNoLeaks } from '../support/leaks.ts';
import { fill } from '../support/reference-fill.ts';

expectNoLeaks();

const folder = mkdtempSync(join(tmpdir(), 'evaluation-'));
const output = join(folder, 'output');
const config = resolveConfig({ preset: 'tiny' });
let path: Path;
let model: HeartBeat;
let options: EvaluationOptions;

const runs = ['text+mask', 'text', 'all', 'text+mask+skeleton', 'text+mask+flow',
  'text+sketch+mask', 'text+image+mask'];

describe('evaluate', () => {
  before(() => {
    // patient 10 is the first of the testing split
    writePhantom(join(folder, 'data'), { patients: 1, seed: 2, firstPatient: 10 });
    const video = { ...config.model, unet: { ...config.model.unet, temporal: true } };
    model = new HeartBeat(video, { dtype: 'bfloat16', seed: 1 });
    // an untrained network is deaf: what carries conditions is zero at birth
    for (const name of ['unet', 'local_encoders'] as const) fill(model.components[name].state());
    path = rootPath({ seed: 1 });
    options = {
      model, modelHash: 'abc', segmenterHash: 'def', data: join(folder, 'data'), output, clips: 2,
      segmenter: new Segmenter(path, { ...config.segmenter.network, classes: 4 }),
      numInferenceSteps: 2, sheets: 1,
    };
  });

  after(() => {
    model.dispose();
    path.dispose();
    rmSync(folder, { recursive: true });
  });

  it('stops when asked and keeps the videos made so far', async () => {
    let made = 0;
    const { done, total } = await evaluate({
      ...options, onProgress: () => { made++; }, stopRequested: () => made >= 3,
    });
    assert.deepEqual([done, total, made], [0, 2, 3]);
    assert.deepEqual(new Results(output).all(), []);
  });

  it('goes on where it stopped, and measures every video', async () => {
    const kept = await stampOf();
    const notes: string[] = [];
    const { done, total } = await evaluate({
      ...options, onProgress: (at, of, note) => notes.push(`${at}/${of} ${note}`),
    });
    assert.deepEqual([done, total, notes.length], [2, 2, 14]);
    assert.equal(await stampOf(), kept, 'a kept video is not made again');
    const results = new Results(output).all();
    assert.deepEqual(results.map(({ id }) => id), ['patient0010_2CH', 'patient0010_4CH']);
    for (const { runs: measured } of results) {
      assert.deepEqual(Object.keys(measured), ['real', ...runs]);
      assert.equal(measured.real.figures.ssim, 1);
      assert.equal(measured.real.figures['grey-distance'], 0);
      assert.ok(measured.real.figures['edge-f1']! > 0.95);
      assert.ok(measured.real.figures['flow-error']! < measured.real.figures['flow-still']!);
      assert.ok(measured.real.figures['stroke-contrast']! > 10, 'the real valve is bright');
      assert.notEqual(measured.all.figures.ssim, measured.text.figures.ssim);
      assert.equal(measured.text.spectrum.length, 16);
      for (const { figures } of Object.values(measured)) {
        for (const [name, value] of Object.entries(figures)) {
          assert.ok(value === null || Number.isFinite(value), `${name} ${value}`);
        }
      }
    }
    const sheet = readPng(join(output, 'sheets', `${notes[0].slice(5, 20)}.png`));
    assert.ok(sheet.channels === 3 && sheet.height > 9 * 112);
  });

  it('measures again with another segmenter, without making videos', async () => {
    const kept = await stampOf();
    await evaluate({ ...options, segmenterHash: 'other', clips: 1 });
    assert.throws(() => new Results(output).all(), /was measured otherwise than patient0010_/);
    await evaluate({ ...options, segmenterHash: 'other' });
    assert.equal(await stampOf(), kept);
    assert.notEqual(new Results(output).result('patient0010_2CH', 'other'), null);
    assert.equal(new Results(output).result('patient0010_2CH', 'def'), null);
  });

  it('refuses to mix videos made in two ways, or of two data sets', async () => {
    await assert.rejects(evaluate({ ...options, numInferenceSteps: 3 }),
      /made otherwise \(numInferenceSteps: expected 3, got 2\)/);
    await assert.rejects(evaluate({ ...options, modelHash: 'xyz' }), /made otherwise \(model/);
    const file = join(output, 'clips', 'patient0010_4CH', 'clip.json'); // the first
    const content = readFileSync(file);
    writeFileSync(file, JSON.stringify({ hash: 'another' }));
    await assert.rejects(evaluate({ ...options, segmenterHash: 'third' }), /data set has changed/);
    writeFileSync(file, content);
    await assert.rejects(evaluate({ ...options, base: ['text', 'mask'], split: 'training',
      output: join(folder, 'empty') }), /no such file|got none/);
  });

  it('reports in text, Markdown and JSON', () => {
    const results = new Results(output);
    const summary = summarize(results.all(), results.settings(), (id) => results.masks(id));
    assert.equal(dice(results.masks('patient0010_2CH'), results.masks('patient0010_2CH'), 1), 1);
    assert.ok(new Set(results.masks('patient0010_4CH').data).size === 4);
    assert.deepEqual([summary.clips, summary.patients], [2, 1]);
    writeReport(output, summary);
    const markdown = readFileSync(join(output, 'report.md'), 'utf8');
    const text = textReport(summary);
    for (const words of ['LV Dice', 'skeleton', 'frame-difference energy', 'text+mask+flow']) {
      assert.ok(markdown.includes(words) && text.includes(words), words);
    }
    assert.ok(!/NaN|undefined|null/.test(markdown + text));
    const json = JSON.parse(readFileSync(join(output, 'report.json'), 'utf8')) as typeof summary;
    assert.deepEqual(json.runs.text, summary.runs.text);
    assert.equal(json.criteria.find(({ what }) => what.startsWith('mask given'))!.met, false);
    assert.ok(text.split('\n').every((line) => line === line.trimEnd()));
  });
});

async function stampOf(): Promise<number> {
  const clip = ['patient0010_2CH', 'patient0010_4CH']
    .map((id) => join(output, 'clips', id, 'text-mask.png')).filter((file) => existsSync(file));
  return Math.min(...clip.map((file) => statSync(file).mtimeMs));
}
