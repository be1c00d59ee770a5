/** The whole path at preset tiny with random weights: generate, measure, stop, go on, report. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { writePhantom } from '../../src/data/phantom/phantom.ts';
import { readCard } from '../../src/evaluation/card.ts';
import { compareCards, comparisonText } from '../../src/evaluation/compare.ts';
import { evaluate, type EvaluationOptions } from '../../src/evaluation/evaluation.ts';
import { loadEchoFeatures, type EchoFeatures } from '../../src/evaluation/feature-extractors.ts';
import { collectCard, textReport, writeCard } from '../../src/evaluation/report.ts';
import { Results } from '../../src/evaluation/results.ts';
import type { Frames } from '../../src/frames/frames.ts';
import { readPng } from '../../src/frames/png.ts';
import { saveNetwork } from '../../src/metrics/network-folder.ts';
import { EchoVideo } from '../../src/models/echo-video.ts';
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
let echo: EchoFeatures;

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
    echo = echoFeatures(join(folder, 'echo-features'));
    options = {
      echoVideo: echo.echoVideo, echoVideoHash: 'ghi', featureExtractors: echo.extractors,
      model, modelHash: 'abc', segmenterHash: 'def', data: join(folder, 'data'), output, clips: 2,
      segmenter: new Segmenter(path, { ...config.segmenter.network, classes: 4 }),
      numInferenceSteps: 2, sheets: 1,
    };
  });

  after(() => {
    model.dispose();
    path.dispose();
    echo.dispose();
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
    assert.notEqual(new Results(output).result('patient0010_2CH', { segmenter: 'other', echoVideo: 'ghi' }), null);
    assert.equal(new Results(output).result('patient0010_2CH', { segmenter: 'def', echoVideo: 'ghi' }), null);
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

  it('writes a card: JSON, HTML, PNG and Markdown', () => {
    const results = new Results(output);
    const content = collectCard(results);
    const { summary, card } = content;
    assert.equal(dice(results.masks('patient0010_2CH'), results.masks('patient0010_2CH'), 1), 1);
    assert.ok(new Set(results.masks('patient0010_4CH').data).size === 4);
    assert.deepEqual([summary.clips, summary.patients], [2, 1]);
    writeCard(results, content);
    const markdown = readFileSync(join(output, 'report.md'), 'utf8');
    const text = textReport(content);
    for (const words of ['LV Dice', 'skeleton', 'frame-difference energy', 'text+mask+flow',
      'LV Hausdorff distance', 'EF error, discs', 'view as the text says']) {
      assert.ok(markdown.includes(words) && text.includes(words), words);
    }
    const html = readFileSync(join(output, 'card.html'), 'utf8');
    for (const words of ['<svg', 'data:image/png;base64,', 'LV Dice']) {
      assert.ok(html.includes(words), words);
    }
    assert.ok(!/NaN|undefined|null|Infinity/.test(markdown + text + html.replace(/base64,[^"]*/g, '')));
    assert.ok(!/<script|src="http|FID \(|FVD \(/.test(html));
    const picture = readPng(join(output, 'card.png'));
    assert.ok(picture.channels === 3 && picture.width >= 1056);
    assert.deepEqual(readCard(output), JSON.parse(JSON.stringify(card)));
    assert.equal(summary.criteria.find(({ what }) => what.startsWith('mask given'))!.met, false);
    assert.ok(text.split('\n').every((line) => line === line.trimEnd()));
    const { clips } = card.manifest.data;
    assert.deepEqual(Object.keys(clips), ['patient0010_2CH', 'patient0010_4CH']);
    const files = Object.keys(clips.patient0010_4CH.files);
    assert.ok(files.includes('patient0010_4CH_sequence.nii.gz'), files.join());
  });

  it('agrees to the last digit when the same folder is measured again', async () => {
    const names = ['card.json', 'card.html', 'card.png', 'report.md'];
    const hashes = () => names.map((name) =>
      createHash('sha256').update(readFileSync(join(output, name))).digest('hex'));
    const first = hashes();
    for (const id of ['patient0010_2CH', 'patient0010_4CH']) {
      for (const name of ['result.json', 'features-echo-frames.safetensors',
        'features-echo-clips.safetensors']) rmSync(join(output, 'clips', id, name));
    }
    await evaluate({ ...options, segmenterHash: 'other' });
    const results = new Results(output);
    writeCard(results, collectCard(results));
    assert.deepEqual(hashes(), first);
  });

  it('measures again with LPIPS where its weights are given, and names them', async () => {
    const about = { title: 'perceptual distance on AlexNet', network: 'n', sha256: `${'a'.repeat(64)}+b`, input: 'i' };
    const lpips = {
      about, dispose: () => {},
      between: (a: Frames, b: Frames) => a.data.reduce((sum, grey, i) => sum + Math.abs(grey - b.data[i]), 0),
    };
    const before = readFileSync(join(output, 'card.json'), 'utf8');
    assert.ok(!before.includes('"name": "lpips"'));
    const other = join(folder, 'with-lpips');
    cpSync(output, other, { recursive: true });
    await evaluate({ ...options, output: other, segmenterHash: 'other', lpips });
    const content = collectCard(new Results(other));
    writeCard(new Results(other), content);
    const html = readFileSync(join(other, 'card.html'), 'utf8');
    assert.ok(html.includes(about.sha256) && !html.includes('[object'));
    const { card } = content;
    assert.deepEqual(card.manifest.lpips, about);
    const own = card.metrics.filter(({ name }) => name === 'lpips');
    assert.deepEqual(own.map(({ run }) => run), ['real', ...runs]);
    for (const { run, title, sha256, value } of own) {
      assert.equal(title, 'perceptual distance on AlexNet to the real pictures');
      assert.equal(sha256, about.sha256);
      assert.ok(run === 'real' ? value === 0 : value! > 0);
    }
    assert.throws(() => compareCards(readCard(output), card), /manifest\.lpips: nothing and something/);
  });

  it('compares a card with itself, and refuses one that was measured otherwise', () => {
    const card = readCard(output);
    const rows = compareCards(card, card);
    assert.ok(rows.length > 100);
    assert.ok(rows.every(({ difference, low, high }) => difference === 0 && low <= 0 && high >= 0));
    assert.ok(comparisonText(card, card, rows).includes('LV Dice'));
    const other = structuredClone(card);
    other.manifest.seed = 7;
    other.manifest.data.clips.patient0010_4CH.files['Info_4CH.cfg'] = 'f'.repeat(64);
    assert.throws(() => compareCards(card, other),
      /manifest\.data\.clips\.patient0010_4CH\.files\.Info_4CH\.cfg.*manifest\.seed: 0 and 7/);
    const file = join(folder, 'broken.json');
    writeFileSync(file, '{"kind": "heartbeat evaluation card", "version": 2}');
    assert.throws(() => readCard(file), /version 1; version: /);
    assert.throws(() => readCard(join(folder, 'nothing')), /got no such file/);
  });
});

/** Small networks with filled weights, as the released ones lie. */
function echoFeatures(root: string): EchoFeatures {
  const own = rootPath({ seed: 2 });
  const widths = config.segmenter.network.widths;
  const encoder = { ...config.segmenter.network, widths, classes: 4 };
  new Segmenter(own, encoder);
  saveNetwork(join(root, 'segmenter'), 'Segmenter', own, encoder, { resolution: 32 });
  own.dispose();
  const second = rootPath({ seed: 3 });
  const { network } = config.echoVideo;
  new EchoVideo(second, network);
  saveNetwork(join(root, 'echo-video'), 'EchoVideo', second, network);
  second.dispose();
  return loadEchoFeatures(root);
}

async function stampOf(): Promise<number> {
  const clip = ['patient0010_2CH', 'patient0010_4CH']
    .map((id) => join(output, 'clips', id, 'text-mask.png')).filter((file) => existsSync(file));
  return Math.min(...clip.map((file) => statSync(file).mtimeMs));
}
