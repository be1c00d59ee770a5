import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { conditionNames } from '../../src/conditions/condition.ts';
import { figures, type FigureName } from '../../src/evaluation/figures.ts';
import type { ClipResult, Settings } from '../../src/evaluation/results.ts';
import { planRuns } from '../../src/evaluation/runs.ts';
import { summarize } from '../../src/evaluation/summary.ts';
import { labelFrames } from '../../src/frames/frames.ts';

const plan = planRuns(conditionNames);
const settings: Settings = {
  model: 'abc', seed: 0, numInferenceSteps: 50, guidanceScale: 2, sampler: 'ddim',
  precision: 'bfloat16', base: ['text', 'mask'], split: 'testing', resolution: 128, frames: 16,
  plan,
};

/** A clip whose runs have these figures; others are 1. */
function clip(
  id: string, of: (run: string, name: FigureName) => number | null,
  power: (run: string) => number = () => 1,
): ClipResult {
  const measured = (run: string) => ({
    figures: Object.fromEntries(figures.map(({ name }) =>
      [name, of(run, name)])) as Record<FigureName, number | null>,
    spectrum: Array.from({ length: 64 }, () => power(run)),
    histogram: Array.from({ length: 64 }, (_, bin) => (bin === (run === 'real' ? 10 : 14) ? 1 : 0)),
  });
  const names = ['real', ...plan.runs.map(({ name }) => name)];
  const runs = Object.fromEntries(names.map((run) => [run, measured(run)]));
  return { id, patient: id.slice(0, 2), view: '4CH', pixel: 1, hash: id, files: {}, runs };
}

const good = (shift = 0) => (run: string, name: FigureName): number => {
  if (name === 'dice-lv') return run === 'real' ? 0.95 : run === 'text' ? 0.4 : 0.9 + shift;
  if (name === 'stroke-offset') return run.includes('skeleton') ? 1 : 3 + shift;
  if (name === 'flow-error') return run.includes('flow') ? 0.2 : 0.5 + shift;
  if (name === 'edge-f1') return run.includes('sketch') ? 0.8 : 0.5 + shift;
  if (name === 'prior-histogram') return run.includes('image') ? 2 : 9 + shift;
  return 1;
};
/** Every second patient's cavity covers half of the others'. */
const masksOf = (id: string) => labelFrames(1, 2, 2,
  Uint8Array.from(Number(id[1]) % 2 === 0 ? [1, 1, 0, 0] : [1, 0, 0, 0]));
const ids = ['p1_4CH', 'p2_4CH', 'p3_4CH', 'p4_4CH'];

describe('plan', () => {
  it('makes each set of conditions once', () => {
    assert.deepEqual(plan.runs.map(({ name }) => name), ['text+mask', 'text', 'all',
      'text+mask+skeleton', 'text+mask+flow', 'text+sketch+mask', 'text+image+mask']);
    assert.deepEqual(plan.contrasts[1],
      { condition: 'flow', on: 'text+mask+flow', off: 'text+mask' });
  });

  it('switches a condition of the base off', () => {
    const other = planRuns(conditionNames, ['text', 'mask', 'image']);
    const image = other.contrasts.find(({ condition }) => condition === 'image')!;
    assert.deepEqual([image.on, image.off], ['text+image+mask', 'text+mask']);
  });

  it('knows what the model does not', () => {
    const few = planRuns(['text', 'mask', 'sketch']);
    assert.deepEqual(few.contrasts, [{ condition: 'sketch', on: 'all', off: 'text+mask' }]);
    assert.throws(() => planRuns(['text'], ['text', 'flow']), /this model \(text\), got flow/);
  });
});

describe('summary', () => {
  it('meets every criterion with good figures', () => {
    const results = ids.map((id, i) => clip(id, good(i / 100)));
    const summary = summarize(results, settings, masksOf);
    assert.deepEqual(summary.criteria.filter(({ met }) => !met), []);
    assert.equal(summary.criteria.length, 3 + 4 + 2 * 5);
    assert.ok(Math.abs(summary.runs.text['dice-lv']!.mean - 0.4) < 1e-12);
    const effect = summary.effects.find(({ figure }) => figure === 'flow-error')!;
    assert.ok(Math.abs(effect.difference.mean - (0.2 - 0.515)) < 1e-9);
    assert.ok(effect.difference.low < effect.difference.mean);
    assert.equal(summary.realism.all.greyDistance.mean, (255 * 4) / 64);
    assert.ok(Math.abs(summary.runs['another patient']['dice-lv']!.mean - 2 / 3) < 1e-12);
  });

  it('fails what fails: no effect, blurred speckle, flicker, text as good as the mask', () => {
    const bad = (run: string, name: FigureName): number => {
      if (name === 'dice-lv') return 0.85;
      return name === 'frame-difference' && run !== 'real' ? 1.5 : 1;
    };
    const blurred = (run: string) => (run === 'real' ? 1 : 0.1);
    const { criteria } = summarize(ids.map((id) => clip(id, bad, blurred)), settings, masksOf);
    const met = criteria.filter((row) => row.met).map(({ what }) => what);
    assert.deepEqual(met, ['mask given (text+mask), LV Dice']);
    const power = criteria.find(({ what }) => what.includes('0.5..0.75'))!;
    assert.ok(Math.abs(power.value + 10) < 1e-9, `${power.value} dB`);
    const motion = criteria.find(({ what }) => what.includes('frame-difference'))!;
    assert.equal(motion.value, 1.5);
  });

  it('compares only clips that have both figures', () => {
    const some = (run: string, name: FigureName) =>
      (name === 'flow-error' && run.startsWith('text+mask') ? null : 1);
    const results = [...ids.slice(1).map((id) => clip(id, good())), clip(ids[0], some)];
    const summary = summarize(results, settings, masksOf);
    assert.equal(summary.effects.find(({ figure }) => figure === 'flow-error')!.on.n, 3);
    const none = summarize(ids.map((id) => clip(id, some)), settings, masksOf);
    assert.ok(!none.effects.some(({ figure }) => figure === 'flow-error'));
    assert.ok(!none.criteria.some(({ what }) => what.startsWith('flow')));
  });

  it('needs a measured clip; one clip has no other patient', () => {
    assert.throws(() => summarize([], settings, masksOf), /at least 1 measured clip/);
    const half = { ...clip(ids[0], good()), runs: {} };
    assert.throws(() => summarize([half], settings, masksOf), /at least 1/);
    assert.ok(!('another patient' in summarize([clip(ids[0], good())], settings, masksOf).realism));
  });
});
