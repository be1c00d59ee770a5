/** An image model of preset tiny with random weights on stills: generate, measure, stop, go on, report. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { extractSketch } from '../../src/conditions/sketch.ts';
import type { Split } from '../../src/data/camus-folder.ts';
import { dataSetName } from '../../src/data/naming.ts';
import { writePhantom } from '../../src/data/phantom/phantom.ts';
import { readCard } from '../../src/evaluation/card.ts';
import { compareCards, comparisonText } from '../../src/evaluation/compare.ts';
import { evaluate, type EvaluationOptions } from '../../src/evaluation/evaluation.ts';
import { overTime, type FigureName } from '../../src/evaluation/figures.ts';
import { loadFrameInstruments, type FrameInstruments } from '../../src/evaluation/frame-features.ts';
import { buildIndex, indexSources } from '../../src/evaluation/memorisation/build.ts';
import { openGate } from '../../src/evaluation/memorisation/gate.ts';
import { indexItems } from '../../src/evaluation/memorisation/items.ts';
import { measureVideo } from '../../src/evaluation/measure.ts';
import { collectCard, textReport, writeCard } from '../../src/evaluation/report.ts';
import { Results } from '../../src/evaluation/results.ts';
import { subjectsOf } from '../../src/evaluation/subjects.ts';
import { floatFrames, frameAt, joinFrames, type Frames } from '../../src/frames/frames.ts';
import { readPng } from '../../src/frames/png.ts';
import { randomStream } from '../../src/frames/random.ts';
import { HeartBeat } from '../../src/heartbeat/heartbeat.ts';
import { synthesize } from '../../src/heartbeat/synthesis.ts';
import { loadSplit } from '../../src/training/clip-store.ts';
import { resolveConfig } from '../../src/training/config.ts';
import { modelConfig, trainStage } from '../../src/training/runs.ts';
import { expectNoLeaks } from '../support/leaks.ts';
import { writeStillsOf } from '../support/phantom-stills.ts';
import { fill } from '../support/reference-fill.ts';

expectNoLeaks();

const folder = mkdtempSync(join(tmpdir(), 'evaluation-frames-'));
const [sequences, data, unscaled, run, output] =
  ['sequences', 'stills', 'unscaled', 'run', 'output'].map((name) => join(folder, name));
const overrides = ['segmenter.optimization.maxTrainSteps=2', 'segmenter.optimization.trainBatchSize=2'];
const config = resolveConfig({ preset: 'tiny', overrides });
const patients = ['patient0010', 'patient0011'];
const runs = ['text+mask', 'text', 'all', 'mask', 'text+image+mask', 'text+sketch+mask', 'text+mask+skeleton'];
let model: HeartBeat;
let instruments: FrameInstruments;
let options: EvaluationOptions;

describe('evaluate an image model', () => {
  before(() => {
    writePhantom(sequences, { patients: 2, seed: 2, firstPatient: 10, views: ['4CH'] });
    writeStillsOf(sequences, data, { testing: patients, training: ['patient0011'] });
    writeStillsOf(sequences, unscaled, { testing: patients }, [1, 1]);
    model = new HeartBeat(modelConfig('image', config, config.model.vae), { dtype: 'bfloat16', seed: 1 });
    // an untrained network is deaf: what carries conditions is zero at birth
    for (const name of ['unet', 'local_encoders'] as const) fill(model.components[name].state());
  });

  after(() => {
    model.dispose();
    instruments?.dispose();
    rmSync(folder, { recursive: true });
  });

  it('is measured by a segmenter that was trained on stills', async () => {
    const train = await loadSplit('training', { config, data, cache: join(folder, 'cache') });
    assert.deepEqual(train.map(({ frames, stills }) => [frames, stills]), [[2, true]]);
    const log = { scalar: () => {}, image: () => {}, text: () => {}, close: () => {} };
    const result = await trainStage('segmenter', {
      config, run, train, validation: train, data: dataSetName(data), log, resumeFrom: null,
      onProgress: () => {}, stopRequested: () => false,
    });
    assert.ok(result.finished);
    const released = join(folder, 'nothing');
    const network = join(run, 'segmenter', 'model');
    instruments = loadFrameInstruments({ segmenter: network, released });
    assert.equal(instruments.trainedOn, 'the training split of stills');
    assert.match(instruments.extractors[0].about.network, /segmenter, trained on the training split of stills$/);
    const others = [{ echoFeatures: run, released }, { segmenter: join(run, 'segmenter'), released },
      { released: run }];
    for (const given of others) {
      const same = loadFrameInstruments(given);
      assert.equal(same.segmenterHash, instruments.segmenterHash);
      assert.equal(same.trainedOn, given.released === run ? 'a phantom' : instruments.trainedOn);
      same.dispose();
    }
    assert.throws(() => loadFrameInstruments({ released }), /segmenter: expected config\.json .*nothing/);
    assert.equal(dataSetName(sequences), 'phantom');
    const { segmenter, segmenterHash, extractors } = instruments;
    options = {
      model, modelHash: 'abc', segmenter, segmenterHash, featureExtractors: extractors, data, output,
      clips: 2, numInferenceSteps: 2, sheets: 1,
    };
  });

  it('takes ED and ES of stills and of sequences, each with the other as its image prior', async () => {
    const subjects = subjectsOf(model);
    for (const root of [data, sequences]) {
      const [source] = subjects.list(root, {});
      assert.deepEqual(subjects.idsOf(source), ['patient0010_4CH_ED', 'patient0010_4CH_ES']);
      const [ed, es] = await subjects.read(source);
      for (const [own, other] of [[ed, es], [es, ed]]) {
        assert.deepEqual([own.real.frames, own.masks.frames], [1, 1]);
        const same = (a: ArrayLike<number>, b: ArrayLike<number>) => Array.from(a).every((value, i) => value === b[i]);
        assert.ok(same((own.inputs.image as Frames).data, other.real.data));
        assert.ok(same(own.prior.picture.data, other.real.data) && same(own.prior.mask.data, other.masks.data));
        const sketch = extractSketch(own.real).data;
        const asked = (own.inputs.sketch as Frames).data;
        const far = asked.filter((value, i) => Math.abs(value - sketch[i]) > 0.1).length;
        assert.ok(far < 0.02 * asked.length, `${far} pixels: the sketch is of 8-bit pictures`);
        const cavity = frameAt(own.inputs.mask as Frames, 0).data.subarray(32 * 32, 2 * 32 * 32);
        assert.ok(same(cavity, [...own.masks.data].map((label) => (label === 1 ? 1 : 0))));
        assert.deepEqual(Object.keys(own.inputs).sort(), ['image', 'mask', 'skeleton', 'sketch', 'text']);
      }
      assert.ok(ed.real.data.some((value, i) => value !== es.real.data[i]));
      assert.deepEqual([ed.phase, ed.ed, ed.es, es.phase, es.ed, es.es], ['ED', 0, -1, 'ES', -1, 0]);
    }
  });

  it('stops when asked, goes on, and makes no frame twice', async () => {
    let made = 0;
    const stopped = await evaluate({ ...options, onProgress: () => { made++; }, stopRequested: () => made >= 9 });
    assert.deepEqual([stopped.done, stopped.total, made], [0, 2, 9]);
    const kept = stamp();
    const notes: string[] = [];
    const { done, total } = await evaluate({ ...options, onProgress: (at, of, note) => notes.push(`${at}/${of} ${note}`) });
    assert.deepEqual([done, total, notes.length, notes.at(-1)!.slice(0, 6)], [2, 2, 28, '28/28 ']);
    assert.equal(stamp(), kept);
    const results = new Results(output).all();
    assert.deepEqual(results.map(({ id, phase }) => [id, phase]), patients.flatMap((id) =>
      [[`${id}_4CH_ED`, 'ED'], [`${id}_4CH_ES`, 'ES']]));
    // at 32 pixels a short valve may leave no stroke
    for (const name of ['stroke-offset', 'stroke-contrast', 'stroke-offset-mm'] as const) {
      assert.ok(results.some(({ runs: { real } }) => real.figures[name] !== null), name);
    }
    for (const { runs: measured } of results) {
      assert.deepEqual(Object.keys(measured), ['real', ...runs]);
      const { figures } = measured.real;
      assert.deepEqual([figures.ssim, figures['grey-distance']], [1, 0]);
      assert.ok(figures['edge-f1']! > 0.95 && figures['prior-ssim']! < 0.99);
      assert.ok(figures['hausdorff95-lv'] !== null && figures['hausdorff95-lv-px'] === null);
      for (const run of Object.values(measured)) {
        for (const name of overTime) assert.equal(run.figures[name], null, name);
        assert.ok(Object.values(run.figures).every((value) => value === null || Number.isFinite(value)));
      }
      assert.notEqual(measured.text.figures.psnr, measured.mask.figures.psnr);
    }
  });

  it('gives every run of a frame the same noise, and a frame its own', async () => {
    const [id] = patients;
    const made = (phase: string, name: string) =>
      readPng(join(output, 'clips', `${id}_4CH_${phase}`, `${name}.png`)).data;
    const [source] = subjectsOf(model).list(data, {});
    for (const { id: name, inputs, phase } of await subjectsOf(model).read(source)) {
      const seed = randomStream('evaluation', 0, name).integer(2 ** 31);
      const { text, mask } = inputs;
      for (const [file, given] of [['text', { text }], ['text-mask', { text, mask }]] as const) {
        const alone = await synthesize(model, given, { seed, numInferenceSteps: 2, frames: 1 });
        const off = made(phase!, file).reduce((most, value, i) => Math.max(most, Math.abs(value - alone.data[i])), 0);
        assert.ok(off < 0.51 / 255, `${name} ${file}: ${off}`);
      }
    }
    const [ed, es] = ['ED', 'ES'].map((phase) => made(phase, 'text'));
    assert.ok(ed.some((value, i) => Math.abs(value - es[i]) > 2 / 255));
  });

  it('writes a card of frames that says what it leaves out', () => {
    const results = new Results(output);
    const content = collectCard(results);
    writeCard(results, content);
    const card = readCard(output);
    const { manifest, metrics, leftOut } = card;
    assert.deepEqual([manifest.frames, manifest.viewReader, manifest.data.n, manifest.data.patients], [1, null, 4, 2]);
    assert.deepEqual(leftOut, [...overTime]);
    assert.ok(!metrics.some(({ name }) => overTime.has(name as FigureName)));
    assert.deepEqual(manifest.extractors.map(({ name }) => name), ['echo-frames']);
    const distances = metrics.filter(({ name }) => name === 'frechet-echo-frames');
    assert.deepEqual(distances.map(({ run: name, n }) => [name, n]), runs.map((name) => [name, 4]));
    assert.ok(distances.every(({ value, low, high }) => value! >= 0 && low! <= high!));
    assert.ok(Object.keys(manifest.data.clips.patient0010_4CH_ED.files).includes('patient0010_4CH_ES.nii.gz'));
    const { summary } = content;
    const shown = new Set(summary.effects.map(({ condition, figure }) => `${condition} ${figure}`));
    for (const wanted of ['text dice-lv', 'mask dice-lv', 'image prior-histogram', 'sketch edge-f1', 'skeleton ssim']) {
      assert.ok(shown.has(wanted), wanted);
    }
    // a clip's ED and ES are of one patient: the stranger of a frame is another patient's
    assert.ok(summary.runs['another patient']['dice-lv']!.mean < 1);
    assert.equal(summary.realism.text.frameDifferenceRatio, null);
    assert.ok(!summary.criteria.some(({ what }) => /flow|frame-difference/.test(what)));
    const [markdown, html] = ['report.md', 'card.html'].map((name) => readFileSync(join(output, name), 'utf8'));
    const text = textReport(content);
    for (const page of [markdown, html, text]) {
      assert.match(page, /4 frames of 2 patients/);
      assert.match(page, /Left out, since a single frame has no time/);
      assert.match(page, /Frechet echo distance, frames \(less is better\)/);
      assert.match(page, /trained on the training split of stills/);
    }
    const pages = markdown + text + html.replace(/base64,[^"]*/g, '');
    assert.equal(/.{20}(NaN|undefined|null|Infinity|real clip|frame difference, ratio)/.exec(pages)?.[0], undefined);
    const sheet = readPng(results.sheets()[0]);
    assert.equal(results.sheets().length, 1);
    assert.ok(sheet.width > 8 * 112 && sheet.height > 4 * 112, `${sheet.width}x${sheet.height}`);
    const rows = compareCards(card, card);
    assert.ok(rows.length > 100 && rows.every(({ difference }) => difference === 0));
    assert.match(comparisonText(card, card, rows), /4 frames of 2 patients/);
  });

  it('agrees to the last digit when the same folder is measured again', async () => {
    const hashes = () => ['card.json', 'card.html', 'card.png', 'report.md'].map((name) =>
      createHash('sha256').update(readFileSync(join(output, name))).digest('hex'));
    const first = hashes();
    for (const { id } of new Results(output).all()) {
      for (const name of ['result.json', 'features-echo-frames.safetensors']) {
        rmSync(join(output, 'clips', id, name));
      }
    }
    const kept = stamp();
    await evaluate(options);
    const results = new Results(output);
    writeCard(results, collectCard(results));
    assert.deepEqual(hashes(), first);
    assert.equal(stamp(), kept);
  });

  it('measures in pixels where nobody knows how large they are', async () => {
    const subjects = subjectsOf(model);
    const measured = await Promise.all([data, unscaled].map(async (root) => {
      const [source] = subjects.list(root, {});
      const [subject] = await subjects.read(source);
      const { figures } = measureVideo(subject, subject.real,
        { segmenter: instruments.segmenter, overTime: null, lpips: null });
      return { figures, pixel: subject.pixel };
    }));
    const [known, unknown] = measured;
    assert.equal(unknown.pixel, null);
    for (const name of ['hausdorff-lv', 'hausdorff95-myo', 'stroke-offset-mm', 'ridge-distance-mm'] as const) {
      assert.equal(unknown.figures[name], null, name);
    }
    const ratio = known.figures['hausdorff-lv']! / unknown.figures['hausdorff-lv-px']!;
    assert.ok(Math.abs(ratio - known.pixel!) < 1e-3 * ratio, `${ratio} mm a pixel, ${known.pixel}`);
  });

  it('judges each frame against the pictures of the training split', async () => {
    const wanted = { data, resolution: config.model.resolution, frames: 1 };
    const index = (await buildIndex({ ...wanted, output: join(folder, 'index'), extractors: instruments.extractors }))!;
    assert.deepEqual(index.about.clips.map(({ id, whole }) => [id, whole]),
      [['patient0011_4CH_ED', false], ['patient0011_4CH_ES', false]]);
    const gate = openGate(index, instruments.extractors, indexSources(wanted), 'index');
    try {
      const [, source] = subjectsOf(model).list(data, {});
      const [ed, es] = await subjectsOf(model).read(source);
      for (const [subject, id] of [[ed, 'patient0011_4CH_ED'], [es, 'patient0011_4CH_ES']] as const) {
        const same = { nearest: id, distance: 0 };
        assert.deepEqual(gate.check(subject.real), { pixel: same, feature: same, marked: null });
      }
      const both = joinFrames([floatFrames({ ...ed.real }), es.real]);
      assert.deepEqual(gate.check(both)!.pixel, { nearest: 'patient0011_4CH_ES', distance: 0 }, 'the nearest frame counts');
      assert.equal(gate.check(ed.real, 'patient0011'), null);
      await evaluate({ ...options, memorisation: gate });
      const content = collectCard(new Results(output));
      const { frames, training, clips, runs: judged } = content.card.memorisation!;
      assert.deepEqual([frames, training, clips.length], [1, { clips: 2, patients: 1 }, 4 * runs.length + 2]);
      assert.deepEqual(judged.map(({ run: name }) => name), ['real', ...runs]);
      assert.deepEqual(clips.filter(({ run: name }) => name === 'real').map(({ id }) => id),
        ['patient0010_4CH_ED', 'patient0010_4CH_ES'], 'the other patient has no stranger to be like');
      assert.ok(existsSync(join(output, 'memorisation', 'nearest.png')));
      assert.match(textReport(content), /The nearest of 2 training pictures of 1 patients/);
    } finally {
      gate.dispose();
    }
  });

  it('indexes of recordings what training takes, and holds out ED and ES', async () => {
    const items = (split: Split) => indexItems({ data: sequences, frames: 1 }, split);
    const training = items('training');
    assert.deepEqual([training.length, training[0].id, training[15].id], [16, 'patient0011_4CH_01', 'patient0011_4CH_16']);
    const subjects = subjectsOf(model);
    const [source] = subjects.list(sequences, { split: 'testing' });
    const heldOut = items('testing');
    for (const [i, subject] of (await subjects.read(source)).entries()) {
      assert.equal(heldOut[i].id, subject.id);
      const read = heldOut[i].read(config.model.resolution).data;
      assert.ok(read.every((value, at) => Math.abs(value - subject.real.data[at]) < 0.51 / 255), 'to 8 bits');
    }
    const pictures = training.map((item) => item.read(32));
    assert.ok(pictures.every(({ frames, height }) => frames === 1 && height === 32));
    assert.notDeepEqual(pictures[0], pictures[8]);
  });

  it('refuses what cannot be', async () => {
    const empty = join(folder, 'empty');
    const temporal = { ...model.config, unet: { ...model.config.unet, temporal: true } };
    const video = new HeartBeat(temporal, { seed: 1 });
    try {
      await assert.rejects(evaluate({ ...options, model: video, output: empty }),
        /stills: expected sequences of at least \d+ frames for a video model, got ED and ES stills alone/);
      await assert.rejects(evaluate({ ...options, model: video, data: sequences, output: empty }),
        /expected a network that reads the view of clips/);
      await assert.rejects(synthesize(video, {}, { frames: 1 }), /expected the \d+ frames of this video model, got 1/);
    } finally {
      video.dispose();
    }
    await assert.rejects(evaluate({ ...options, base: ['text', 'flow'] }), /of this model \(text, .*\), got flow/);
    await assert.rejects(evaluate({ ...options, split: 'validation', output: empty }),
      /expected clips with ED and ES in the validation split, got none/);
    await assert.rejects(evaluate({ ...options, data: sequences, segmenterHash: 'x' }), /data set has changed/);
  });
});

/** When the first frames were made. */
function stamp(): number {
  const files = patients.flatMap((id) => ['text', 'mask'].map((name) =>
    join(output, 'clips', `${id}_4CH_ED`, `${name}.png`))).filter((file) => existsSync(file));
  return Math.min(...files.map((file) => statSync(file).mtimeMs));
}
