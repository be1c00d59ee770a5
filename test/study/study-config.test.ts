/** A study's file: what it declares, and what it is told when it is wrong. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { planSubsets, wantedRuns } from '../../src/evaluation/runs.ts';
import { methodConfig } from '../../src/study/budget.ts';
import { lettersOf, parseConditions } from '../../src/study/letters.ts';
import { compareOrders } from '../../src/study/order.ts';
import { paperFigures, paperTable } from '../../src/study/paper-table.ts';
import { readStudy } from '../../src/study/study-config.ts';
import type { TableRow } from '../../src/study/table-rows.ts';
import { orderText } from '../../src/study/table-text.ts';

const folder = mkdtempSync(join(tmpdir(), 'study-config-'));
const file = join(folder, 'study.yaml');
after(() => rmSync(folder, { recursive: true }));

const plain = 'data: ../camus\nmethods:\n  - {method: heartbeat, subsets: [T, "T M", text mask, all]}\n';

function read(text: string) {
  writeFileSync(file, text);
  return readStudy(file);
}

describe('a study file', () => {
  it('has defaults, and paths beside itself', () => {
    const study = read(plain);
    assert.equal(study.data, join(tmpdir(), 'camus'));
    assert.deepEqual([study.preset, study.seed, study.test.clips, study.sampling.steps], ['small', 0, 40, 50]);
    assert.deepEqual(study.methods[0].subsets.map(lettersOf), ['T', 'T M', 'T S I M MV O']);
  });

  it('names the key, what was expected and what stands there', () => {
    const wrong: [string, RegExp][] = [
      [`${plain}sampling: {stesp: 3}\n`, /sampling\.stesp: unknown key, did you mean sampling\.steps\?/],
      [`${plain}seed: -1\n`, /seed: expected number to be >=0, got -1/],
      [`${plain}preset: tny\n`, /preset: unknown name "tny": did you mean "tiny"\?/],
      [plain.replace('heartbeat', 'hartbeat'), /methods\.0\.method: .*did you mean "heartbeat"\?/],
      [plain.replace('subsets', 'subset'), /methods\.0\.subset: unknown key, did you mean methods\.0\.subsets\?/],
      [plain.replace('"T M"', 'T N'), /methods\.0\.subsets\.1: unknown condition "N"/],
      [plain.replace('../camus', '{phantom: {training: 3, tsting: 2}}'),
        /data\.phantom\.tsting: unknown key, did you mean data\.phantom\.testing\?/],
      [plain.replace('../camus', '7'), /data: expected a folder, or phantom: .* got 7/],
      [`${plain}figure: foo\n`, /figure: expected one of this study's methods \(heartbeat\) or null, got foo/],
      [`${plain}  - {method: heartbeat, subsets: [T]}\n`, /methods: expected each name once, got heartbeat twice/],
      [`${plain}  - {method: heartbeat-base, subsets: [T S]}\n`,
        /heartbeat-base is trained with \(text, mask\), got sketch/],
      ['[1]', /expected a mapping, got a list/], [': :\n -', /expected YAML, got an error/],
    ];
    for (const [text, pattern] of wrong) assert.throws(() => read(text), pattern);
    assert.throws(() => readStudy(join(folder, 'none.yaml')), /got no such file/);
  });

  it('that ships holds every row of the paper, method by method', () => {
    const table = readStudy(fileURLToPath(new URL('../../studies/table.yaml', import.meta.url)));
    const rows = table.methods.flatMap(({ method, subsets }) =>
      subsets.map((subset) => `${method} ${lettersOf(subset)}`));
    assert.deepEqual(rows, paperTable.map(({ method, conditions }) => `${method} ${conditions}`));
  });

  it('gives every method as many frames', () => {
    const study = read(`${plain.replace('../camus', 'x')}  - {method: heartbeat-base, subsets: [T M]}\n` +
      '  - {method: heartbeat-3d, subsets: [T M]}\n  - {method: moonshot, subsets: [T I]}\n' +
      '  - {method: videocomposer, subsets: [all]}\npreset: tiny\nsteps: {image: 10, video: 7}\n');
    const budgets = study.methods.map((method) => methodConfig(study, method));
    // tiny: 4 pictures a step, 2 clips of 4 frames a step
    for (const { budget } of budgets) assert.equal(budget.frames, 10 * 4 + 7 * 2 * 4);
    assert.deepEqual(budgets.map(({ budget }) => budget.steps.image), [10, 10, undefined, 10, undefined]);
    assert.deepEqual(budgets.map(({ config }) => config.method),
      ['heartbeat', 'heartbeat-base', 'heartbeat-3d', 'moonshot', 'videocomposer']);
    assert.deepEqual(budgets[1].config.model.conditions, ['text', 'mask']);
    assert.equal(budgets[1].config.video.optimization.maxTrainSteps, 7);
  });
});

describe('sets of conditions', () => {
  it('are read and written as the paper writes them', () => {
    for (const { conditions } of paperTable) assert.equal(lettersOf(parseConditions(conditions)), conditions);
    assert.throws(() => parseConditions(' '), /got an empty text/);
  });

  it('are planned as they are given', () => {
    const plan = planSubsets(['text', 'image', 'mask'],
      [['mask', 'text'], ['image', 'text', 'mask'], ['text', 'mask']]);
    assert.deepEqual(plan.runs.map(({ name }) => name), ['text+mask', 'all']);
    assert.deepEqual([plan.mask, plan.text, plan.all], ['text+mask', null, 'all']);
    assert.deepEqual(wantedRuns(plan, ['mask', 'text', 'all']), ['text+mask', 'all']);
    assert.throws(() => planSubsets(['text'], [['flow']]), /conditions of this model \(text\), got flow/);
  });
});

describe("the paper's order", () => {
  const row = (letters: string): TableRow => ({
    name: 'heartbeat', title: 'HeartBeat', letters, view: '2CH', n: 4, patients: 4, distances: {}, ssim: null,
    diceLv: null, paper: paperFigures('heartbeat', parseConditions(letters), '2CH'),
  });
  const echo = {
    name: 'echo-frames', of: 'frames', network: '', sha256: '', dimension: 1, input: '',
    frechet: 'Frechet echo distance, frames', kernel: '',
  } as const;

  it('is contradicted where a difference has the other sign, and said so', () => {
    const rows = [row('T'), row('T I'), row('T S I')]; // FID 107.66, 36.34, 27.38
    const values = [9, 2, 5];
    const pairs = compareOrders('2CH', rows, {
      distances: [{ extractor: echo, of: (i, j) => ((value) =>
        ({ value, low: value - 1, high: value + 1 }))(values[i] - values[j]) }],
      mean: () => null,
    });
    assert.deepEqual(pairs.map(({ contradicts }) => contradicts), [false, false, true]);
    const text = orderText(pairs);
    assert.match(text, /Of 3 comparisons .* 1 goes against .* 1 of them with an interval that leaves out 0/);
    assert.ok(text.includes('- A2C, Frechet echo distance, frames: HeartBeat T I is better than HeartBeat T S I ' +
      "by 3.00 (difference -3.00 [-4.00, -2.00]); the paper's FID is 36.34 against 27.38."), text);
    assert.ok(orderText([]).startsWith('No two rows'));
  });

  it('is not asked where the paper prints no such row, or equal figures', () => {
    assert.equal(paperFigures('heartbeat', ['mask'], '2CH'), null);
    assert.equal(paperFigures('heartbeat', ['text'], 'both'), null);
    const equal = compareOrders('2CH', [row('T S I'), row('T S I M')], {
      distances: [], mean: () => ({ value: 1, low: 1, high: 1 }),
    });
    assert.deepEqual(equal, []);
  });
});
