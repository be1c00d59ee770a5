/** An evaluation of slices: small drawn volumes, a tiny model and a tiny segmenter. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { listMnmsVolumes, readMnmsClip } from '../../src/data/mnms.ts';
import { evaluateSlices, type SliceEvaluationOptions } from '../../src/evaluation/slices.ts';
import { holdsSlices, sliceReport, SliceResults } from '../../src/evaluation/slice-results.ts';
import { selectFrames } from '../../src/frames/frames.ts';
import { dice } from '../../src/metrics/dice.ts';
import { Segmenter, segmenterConfig } from '../../src/metrics/segmenter.ts';
import { rootPath } from '../../src/nn/path.ts';
import { expectNoLeaks } from '../support/leaks.ts';
import { writePatient, writeTable } from '../data/mnms-files.ts';
import { tinyModel, wake } from '../training/drawn-clips.ts';

const folder = mkdtempSync(join(tmpdir(), 'heartbeat slices '));
after(() => {
  rmSync(folder, { recursive: true, force: true });
  path.dispose();
  slices.dispose();
});
expectNoLeaks();

const path = rootPath({ seed: 1 });
const segmenter = new Segmenter(path, segmenterConfig.parse({ widths: [8, 12], groups: 4 }));
const slices = tinyModel({ change: { frameAxis: 'slice', conditions: ['text', 'mask'] } });
wake(slices);

const data = join(folder, 'mri');
writeTable(data, ['A1', 'A2', 'B1'].map((id, i) => `${i},${id},,${id[0]},1,0,2,,,,,`));
for (const id of ['A1', 'A2', 'B1']) writePatient(data, id, { split: 'testing' });

function options(output: string, change: Partial<SliceEvaluationOptions> = {}): SliceEvaluationOptions {
  return {
    model: slices, modelHash: 'model', segmenter, segmenterHash: 'segmenter', trainedOn: [], data,
    output: join(folder, output), volumes: 2, split: 'testing', seed: 0, numInferenceSteps: 2,
    guidanceScale: 1, sampler: 'ddim', sheets: 1, ...change,
  };
}

describe('an evaluation of slices', () => {
  it('measures the asked mask against the found one, each slice once', async () => {
    const { results, done, total } = await evaluateSlices(options('whole', { volumes: 3 }));
    assert.deepEqual([done, total], [3, 3]);
    const summary = results.summarize();
    const ids = JSON.parse(readFileSync(join(folder, 'whole', 'volumes.json'), 'utf8')) as string[];
    const expected = ids.map((id) => {
      const source = listMnmsVolumes(data).find((volume) => volume.id === id)!;
      const { video, masks, slices: shown } = readMnmsClip(source, { size: 32, frames: 4 });
      assert.deepEqual(shown, [1, 2, 3, 4]);
      const real = selectFrames(video, [0, 1, 2, 3]);
      const bytes = { ...real, data: real.data.map((value) => Math.round(255 * value) / 255) };
      return dice(masks!, segmenter.segment(bytes), 2);
    });
    const mean = expected.reduce((a, b) => a + b, 0) / 3;
    assert.ok(Math.abs(summary.runs.real['dice-myo']!.mean - mean) < 1e-9);
    assert.equal(summary.runs.real.ssim, undefined);
    assert.ok(Math.abs(summary.runs.mask.ssim!.mean) < 1);
    assert.notEqual(summary.runs.mask.psnr!.mean, summary.runs['no mask'].psnr!.mean);
    assert.equal(summary.patients, 2);
    assert.match(sliceReport(summary), /^3 volumes of 2 patients \(testing split\)[^]*generated, mask +\d\.\d{3} \[/);
    assert.ok(existsSync(join(folder, 'whole', 'sheets', `${ids[0]}.png`)));
    assert.ok(holdsSlices(join(folder, 'whole')) && !holdsSlices(folder));
  });

  it('that was stopped goes on, with the same figures, and makes nothing twice', async () => {
    let made = 0;
    const stopped = await evaluateSlices(options('parts', {
      onProgress: () => { made++; }, stopRequested: () => made >= 1,
    }));
    assert.equal(stopped.done, 0);
    const strip = join(folder, 'parts', 'volumes');
    assert.ok(existsSync(strip));
    await evaluateSlices(options('parts'));
    await evaluateSlices(options('again'));
    const of = (output: string) => new SliceResults(join(folder, output)).summarize();
    assert.deepEqual(of('parts'), of('again'));
    const failing = { ...options('parts'), model: { ...slices, config: slices.config, components: slices.components } };
    await evaluateSlices(failing as unknown as SliceEvaluationOptions); // cannot synthesize, and need not
    await assert.rejects(evaluateSlices(options('parts', { seed: 1 })),
      /slices.json: these volumes were made otherwise \(seed: expected 1, got 0\)/);
  });

  it('leaves out the patients that the model was trained on', async () => {
    const lines: string[] = [];
    const { total } = await evaluateSlices(options('held', {
      trainedOn: ['A1_ED', 'B1_ES'], volumes: 9, report: (line) => lines.push(line),
    }));
    assert.equal(total, 2);
    assert.deepEqual(lines, ['left out 2 patients that the model was trained on',
      `the testing split of ${data} has 2 volumes, fewer than 9`]);
    await assert.rejects(evaluateSlices(options('none', { trainedOn: ['A1_ED', 'A2_ED', 'B1_ED'] })),
      /expected volumes in the testing split that the model was not trained on, got none$/);
  });

  it('refuses a model of a heart beat, and measures anew with another segmenter', async () => {
    const beat = tinyModel();
    await assert.rejects(evaluateSlices(options('no', { model: beat })), /got one of a heart beat$/);
    beat.dispose();
    await evaluateSlices(options('again', { segmenterHash: 'another', volumes: 1 }));
    const kept = JSON.parse(readFileSync(join(folder, 'again', 'volumes.json'), 'utf8')) as string[];
    assert.equal(kept.length, 1);
    writeFileSync(join(folder, 'again', 'volumes.json'), JSON.stringify(
      listMnmsVolumes(data).map(({ id }) => id)));
    assert.throws(() => new SliceResults(join(folder, 'again')).summarize(), /measured by another segmenter/);
  });
});
