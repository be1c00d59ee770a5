/** The shipped tiny study from nothing to its table: stopped, resumed, repeated; and what pairs are worth. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readCard } from '../../src/evaluation/card.ts';
import { readPng } from '../../src/frames/png.ts';
import { loadModelFolder } from '../../src/heartbeat/model-folder.ts';
import { cellsOf } from '../../src/study/cells.ts';
import { cellPart } from '../../src/study/parts.ts';
import { readStudy } from '../../src/study/study-config.ts';
import { runStudy, runStudyParts, studyParts, type StudyFiles } from '../../src/study/study.ts';
import type { TableRow } from '../../src/study/table-rows.ts';
import type { Table } from '../../src/study/table.ts';
import { studyUsefulness, type Usefulness, type UsefulnessOptions } from '../../src/study/usefulness.ts';
import { resolveConfig } from '../../src/training/config.ts';
import { modelOf } from '../../src/training/run-folder.ts';
import { claimFolder } from '../../src/training/stage-folder.ts';
import { expectNoLeaks } from '../support/leaks.ts';

expectNoLeaks();

const folder = mkdtempSync(join(tmpdir(), 'study-'));
const output = join(folder, 'out');
const shipped = fileURLToPath(new URL('../../studies/tiny.yaml', import.meta.url));
const study = readStudy(shipped);
after(() => rmSync(folder, { recursive: true, force: true }));

const hash = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');
const finished = (files: StudyFiles) => [files.markdown, files.csv, files.latex, files.figure!].map(hash);
let files: StudyFiles;

describe('the tiny study', () => {
  it('is all missing at first', () => {
    const parts = studyParts(study, output);
    assert.ok(parts.every(({ done, total }) => done === 0 && total > 0));
    assert.deepEqual([...new Set(parts.map(({ unit }) => unit))], ['steps', 'clips']);
    assert.ok(!existsSync(output), 'to look writes nothing');
  });

  it('stops in a training and in a cell when asked, and keeps what is finished', async () => {
    let [label, updates] = ['', 0];
    const stopIn = (pattern: RegExp, after: number) => runStudy({
      study, output,
      begin: (name) => { [label, updates] = [name, 0]; },
      update: () => { updates++; },
      stopRequested: () => pattern.test(label) && updates >= after,
    });
    assert.equal(await stopIn(/train heartbeat video/, 1), null);
    assert.ok(existsSync(modelOf(join(output, 'shared'), 'echo-video')));
    const image = modelOf(join(output, 'runs', 'heartbeat'), 'image');
    const before = statSync(image).mtimeMs;
    assert.equal(await stopIn(/HeartBeat-3D T M/, 2), null);
    assert.equal(statSync(image).mtimeMs, before, 'a finished training is not repeated');
    const cell = studyParts(study, output).find((part) => part.label === 'HeartBeat-3D T M')!;
    assert.deepEqual([cell.done > 0 && cell.done < cell.total, cell.total], [true, 8]);
  });

  it('does a part of itself: one cell, held by nobody else, and no table', async () => {
    await assert.rejects(runStudyParts({ study, output }, ['heartbeet']),
      /unknown part of the study "heartbeet": did you mean "heartbeat"\?/);
    const [cell] = cellsOf(study, output).filter(({ method }) => method.name === 'heartbeat');
    const part = cellPart(cell);
    const held = claimFolder(cell.folder, false);
    await assert.rejects(runStudyParts({ study, output }, [part]), /expected a folder that no other process writes to/);
    held();
    assert.equal(await runStudyParts({ study, output }, [part]), true);
    const done = studyParts(study, output).filter(({ unit, done: made, total }) => unit === 'clips' && made === total);
    assert.deepEqual(done.map(({ label }) => label), [`HeartBeat ${cell.letters}`]);
    assert.ok(existsSync(join(cell.folder, 'card.json')) && !existsSync(join(output, 'table.md')));
  });

  it('refuses a part that stands on what another process is making', async () => {
    const begun = join(folder, 'begun');
    const held = claimFolder(begun, false);
    await assert.rejects(runStudyParts({ study, output: begun }, ['heartbeat-3d']), /no other process writes to/);
    held();
    assert.ok(!existsSync(join(begun, 'data')));
  });

  it('goes on to its table, figure and cards', async () => {
    const made = await runStudy({ study, output });
    assert.ok(made !== null);
    files = made;
    const markdown = readFileSync(files.markdown, 'utf8');
    for (const words of ['| HeartBeat-3D | T M | A2C | 4 | 72 |', "paper's FID", 'another data set',
      'real against real (floor)', "## Where the order is not the paper's", 'the same for all methods']) {
      assert.ok(markdown.includes(words), words);
    }
    const { rows, rivals } = JSON.parse(readFileSync(join(output, 'table.json'), 'utf8')) as Table;
    assert.deepEqual([rivals!.subject, rivals!.rows.map(({ rival, view }) => `${rival} ${view}`)],
      ['HeartBeat T S I M MV O', ['2CH', '4CH', 'both'].map((view) => `HeartBeat-3D T M ${view}`)]);
    const last = (name: string) => rows.find((row) => row.name === name && row.view === 'both')!;
    const { distances, figures } = rivals!.rows[2];
    const [rival, subject] = [last('heartbeat-3d'), last('heartbeat')];
    const clips = (row: TableRow) => row.distances['echo-clips']!.value;
    assert.ok(Math.abs(distances['echo-clips']!.value - (clips(rival) - clips(subject))) < 1e-6);
    assert.ok(Math.abs(figures.ssim!.value - (rival.ssim!.mean - subject.ssim!.mean)) < 1e-9);
    assert.ok(markdown.includes('## HeartBeat T S I M MV O against the others') && figures['dice-la'] !== null);
    const latex = readFileSync(files.latex, 'utf8');
    assert.ok(latex.includes('\\multicolumn{3}{c}{the paper, CAMUS}'));
    const csv = readFileSync(files.csv, 'utf8').trimEnd().split('\n').map((line) => line.split(','));
    assert.deepEqual([csv.length, new Set(csv.map(({ length }) => length)).size], [1 + 2 * 3 + 3, 1]);
    assert.ok(!/NaN|undefined|null|Infinity/.test(markdown + latex + csv.join()));
    const all = csv.find((row) => row[0] === 'heartbeat' && row[1] === 'T S I M MV O' && row[2] === 'A4C')!;
    assert.deepEqual(all.slice(-3), ['31.99', '9.96', '0.65']);
    const figure = readPng(files.figure!);
    assert.ok(figure.channels === 3 && figure.height > 9 * 112);
    for (const row of 'abcdefghi') assert.ok(existsSync(join(output, 'figure', 'heartbeat', `4CH-${row}.png`)), row);
  });

  it('gives every cell the same clips and noise, and a card of its own', () => {
    const cards = cellsOf(study, output).map((cell) => readCard(cell.folder));
    assert.equal(new Set(cards.map(({ manifest }) => JSON.stringify(manifest))).size, 1);
    assert.equal(new Set(cards.map(({ made }) => made.model)).size, 2, 'two methods');
  });

  it('repeats to the last digit, and trains and generates nothing again', async () => {
    const first = finished(files);
    rmSync(files.figure!);
    rmSync(join(output, 'cells', 'heartbeat', 'T-S-I-M-MV-O', 'card.json')); // as if killed before its card
    const labels: string[] = [];
    const again = await runStudy({ study, output, begin: (label) => labels.push(label) });
    assert.deepEqual(finished(again!), first);
    assert.deepEqual(labels, []);
    assert.ok(studyParts(study, output).every(({ done, total }) => done === total));
  });

  it('refuses a folder of another study, and takes a further set of conditions', async () => {
    await assert.rejects(runStudy({ study: { ...study, seed: 3 }, output }),
      /begun otherwise \(seed: expected 3, got 0\)/);
    const [base, heartbeat] = study.methods;
    const more = { ...study, methods: [base, { ...heartbeat, subsets: [['text'] as const, ...heartbeat.subsets] }] };
    const missing = studyParts(more, output).filter(({ done, total }) => done < total);
    assert.deepEqual(missing.map(({ label }) => label), ['HeartBeat T']);
    const other = { ...study, methods: [{ ...base, set: ['video.conditionDropout=none'] }, heartbeat] };
    await assert.rejects(runStudy({ study: other, output }), /begun otherwise \(methods\.heartbeat-3d\.set/);
  });

  it('refuses shared networks of another size', async () => {
    const small = fileURLToPath(new URL('../../models/small', import.meta.url));
    const given = { ...study, shared: small, echoFeatures: join(output, 'shared'), data: join(output, 'data') };
    await assert.rejects(runStudy({ study: given, output: join(folder, 'given') }),
      /shared: expected networks of pictures of 32x32 and 4 latent channels .* got pictures of 128x128 and 8/);
  });
});

describe('usefulness', () => {
  const config = resolveConfig({ preset: 'tiny', overrides: ['segmenter.optimization.maxTrainSteps=16'] });
  const options = (stage: 'image' | 'video', to: string): UsefulnessOptions => ({
    model: loadModelFolder(modelOf(join(output, 'runs', 'heartbeat'), stage)), modelHash: 'abc', config,
    conditions: ['text', 'mask'], data: join(output, 'data'), output: join(folder, to), seed: 0,
    numInferenceSteps: 2, guidanceScale: 2, sampler: 'ddim',
  });

  async function run(given: UsefulnessOptions): Promise<Usefulness | null> {
    try {
      return await studyUsefulness(given);
    } finally {
      given.model.dispose();
    }
  }

  it('trains three segmenters and tests them on real frames; stopped and resumed, the same', async () => {
    const whole = await run(options('video', 'useful'));
    assert.deepEqual([whole!.trainingClips, whole!.testClips, whole!.patients], [4, 8, 4]);
    for (const arm of ['real', 'synthetic', 'both'] as const) {
      const { n, low, mean, high } = whole!.dice[arm].lv!;
      assert.ok(n === 8 && low <= mean && mean <= high && mean >= 0 && mean < 1, arm);
    }
    const { real, both } = whole!.dice;
    assert.ok(Math.abs(whole!.differences['both - real'].lv!.mean - (both.lv!.mean - real.lv!.mean)) < 1e-9);
    assert.notDeepEqual(real, whole!.dice.synthetic);
    const text = readFileSync(join(folder, 'useful', 'usefulness.md'), 'utf8');
    assert.ok(text.includes('| synthetic |') && !/NaN|undefined|null/.test(text));
    for (const pattern of [/synthetic pairs/, /segmenter on both/]) {
      let [label, updates] = ['', 0];
      assert.equal(await run({
        ...options('video', 'stopped'), begin: (name) => { [label, updates] = [name, 0]; },
        update: () => { updates++; }, stopRequested: () => pattern.test(label) && updates > 0,
      }), null);
    }
    assert.deepEqual(await run(options('video', 'stopped')), whole);
    assert.equal(hash(join(folder, 'stopped', 'usefulness.json')), hash(join(folder, 'useful', 'usefulness.json')));
    await assert.rejects(run({ ...options('video', 'stopped'), numInferenceSteps: 3 }),
      /made otherwise \(numInferenceSteps: expected 3, got 2\)/);
  });

  it('works frame by frame with an image model', async () => {
    const result = await run({ ...options('image', 'images'), clips: 2 });
    assert.deepEqual([result!.trainingClips, result!.trainingFrames], [2, 8]);
    assert.ok(result!.dice.synthetic.myo!.mean >= 0);
    const broken = join(folder, 'no-data');
    await assert.rejects(run({ ...options('image', 'broken'), data: broken }), /no-data/);
  });
});
