/** The table, dropout, validation, extraction and painting. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  conditionNames, conditionOf, conditions, conditionsOfStage, dropConditions, DROPOUT_RATES,
} from '../../src/conditions/condition.ts';
import type { ConditionInputs, ConditionName } from '../../src/conditions/condition.ts';
import { extractConditions } from '../../src/conditions/extraction.ts';
import type { ClipLike } from '../../src/conditions/extraction.ts';
import { validateConditions } from '../../src/conditions/validation.ts';
import { drawSkeleton } from '../../src/conditions/skeleton.ts';
import { floatFrames, plane } from '../../src/frames/frames.ts';
import type { Frames } from '../../src/frames/frames.ts';
import { randomStream } from '../../src/frames/random.ts';
import { drawHeart, ED, ES, everywhere, joinLabels, paintVideo } from './shapes.ts';

const side = ED.side;
const clip: ClipLike = {
  view: '4CH',
  video: paintVideo(3, side, side, (x, y, t) => 0.5 + 0.4 * Math.sin(x / 5 + t) * Math.cos(y / 7)),
  masks: joinLabels(drawHeart(ED), drawHeart(ES), drawHeart(ED)),
  leaflets: null,
  flow: null,
  sector: everywhere(side, side),
};
const size = { stage: 'video', frames: 3, height: side, width: side, classes: 4 } as const;

describe('the table', () => {
  it('has the stages of the paper', () => {
    const names = (stage: 'image' | 'video') => conditionsOfStage(stage).map(({ name }) => name);
    assert.deepEqual(names('image'), ['text', 'image', 'sketch', 'mask', 'skeleton']);
    assert.deepEqual(names('video'), ['text', 'image', 'sketch', 'mask', 'skeleton', 'flow']);
    assert.throws(
      () => conditionOf('valve' as ConditionName),
      /expected one of text, image.*got 'valve'/,
    );
  });

  it('gives every condition a flag of its own and the planes of its data set', () => {
    const flags = conditions.flatMap((condition) => {
      return condition.flags.map(({ flag }) => flag.split(' ')[0]);
    });
    assert.deepEqual([...new Set(flags)].sort(), [
      '--arrow', '--flow', '--image', '--mask', '--skeleton', '--sketch', '--sketch-from', '--text',
    ]);
    assert.equal(flags.length, 8);
    assert.deepEqual(conditions.map(({ channels }) => channels(4)), [0, 1, 1, 4, 1, 2]);
  });
});

describe('dropout', () => {
  const draws = 20000;
  const kept = Array.from({ length: draws }, (_, i) => dropConditions(randomStream('dropout', i)));

  it('drops all, keeps all, or drops each by half', () => {
    const { dropAll, keepAll, dropEach } = DROPOUT_RATES;
    assert.deepEqual([dropAll, keepAll, dropEach], [0.1, 0.1, 0.5]);
    const share = (of: (flags: Record<ConditionName, boolean>) => boolean) => {
      return kept.filter(of).length / draws;
    };
    const byChance = 0.8 * 0.5 ** conditionNames.length;
    const every = share((flags) => conditionNames.every((name) => flags[name]));
    const none = share((flags) => conditionNames.every((name) => !flags[name]));
    assert.ok(Math.abs(every - 0.1 - byChance) < 0.008, `${every}`);
    assert.ok(Math.abs(none - 0.1 - byChance) < 0.008, `${none}`);
    for (const name of conditionNames) {
      assert.ok(Math.abs(share((flags) => flags[name]) - 0.5) < 0.015, name);
    }
    const pair = share(({ mask, flow }) => mask && flow);
    assert.ok(Math.abs(pair - (0.1 + 0.8 * 0.25)) < 0.012, `mask and flow together: ${pair}`);
  });

  it('is a function of the stream, draws evenly, and can be turned off', () => {
    assert.deepEqual(dropConditions(randomStream('a', 1)), dropConditions(randomStream('a', 1)));
    const after = new Set<number>();
    for (const dropout of ['heartbeat', 'none'] as const) {
      const stream = randomStream('b');
      const flags = dropConditions(stream, dropout);
      if (dropout === 'none') assert.ok(conditionNames.every((name) => flags[name]));
      after.add(stream.uniform());
    }
    assert.equal(after.size, 1);
  });
});

describe('extraction', () => {
  it('gives every condition of a clip, fit for the model', () => {
    const inputs = extractConditions(clip);
    assert.deepEqual(Object.keys(inputs), [...conditionNames]);
    validateConditions(inputs, size);
    assert.equal(inputs.text, 'An ECHO with 4-chamber view.');
  });

  it('gives one frame of each in the image stage', () => {
    const inputs = extractConditions(clip, { stage: 'image', frame: 1, priorFrame: 2 });
    validateConditions(inputs, { ...size, stage: 'image', frames: 1 });
    const sequence = extractConditions(clip).mask as Frames;
    const mask = inputs.mask as Frames;
    assert.deepEqual(plane(mask, 0, 0), plane(sequence, 0, 1));
    assert.throws(() => extractConditions(clip, { frame: 3 }), /expected a frame in 0\.\.2, got 3/);
  });

  it('prefers what is known to be true, and leaves out what the clip cannot give', () => {
    const leaflets = [0, 1, 2].map((t) => [[{ x: 10, y: 20 + t }, { x: 30, y: 20 + t }]]);
    const flow = floatFrames({ channels: 2, frames: 3, height: side, width: side });
    flow.data.fill(0.01);
    const truth = extractConditions({ ...clip, leaflets, flow });
    assert.deepEqual(truth.skeleton, drawSkeleton(leaflets, side, side));
    assert.equal(truth.flow, flow);
    const bare = extractConditions({ ...clip, masks: null });
    assert.deepEqual(Object.keys(bare), ['text', 'image', 'sketch']);
    const estimated = extractConditions({ ...clip, masks: null }, { estimateFlow: () => flow });
    assert.equal(estimated.flow, flow);
  });
});

describe('validation', () => {
  const inputs = extractConditions(clip);
  const change = (name: ConditionName, with_: Partial<Frames>): ConditionInputs => {
    return { [name]: { ...(inputs[name] as Frames), ...with_ } };
  };
  const refuse = (given: ConditionInputs, message: RegExp, model = {}) => {
    assert.throws(() => validateConditions(given, { ...size, ...model }), message);
  };

  it('names the condition, what was expected and what was given', () => {
    const { mask, flow, sketch } = inputs as Record<string, Frames>;
    refuse({ mask }, /mask: expected channels 3, got 4/, { classes: 3 });
    refuse({ mask }, /mask: expected frames 16, got 3/, { frames: 16 });
    refuse({ sketch }, /sketch: expected height 64, got 96/, { height: 64 });
    refuse({ sketch: mask }, /sketch: expected channels 1, got 4/);
    const early = { stage: 'image' };
    refuse({ flow }, /flow: expected a condition of the image stage, got one of the video/, early);
    refuse({ mask: 'mask.nii.gz' }, /mask: expected planes, got the text 'mask.nii.gz'/);
    refuse({ text: sketch }, /text: expected a sentence, got a picture/);
    refuse({ valve: sketch } as ConditionInputs, /got 'valve'/);
  });

  it('finds NaN, values out of range and planes that are not one-hot', () => {
    const spoil = (name: ConditionName, value: number) => {
      const data = (inputs[name] as Frames).data.slice();
      data[7] = value;
      return change(name, { data });
    };
    refuse(spoil('sketch', Number.NaN), /sketch: expected pixels in 0\.\.1, got NaN .* x 7, y 0/);
    refuse(spoil('flow', 40), /flow: expected pixels in -1\.\.1, got 40/);
    refuse(spoil('mask', 0), /mask: expected planes that add up to 1, got 0 at frame 0, x 7, y 0/);
    validateConditions({ mask: undefined, text: '' }, size);
  });
});

it('paints every condition that has planes, in RGB of its size', () => {
  const inputs = extractConditions(clip);
  for (const { name, paint, single } of conditions) {
    const planes = inputs[name];
    if (typeof planes === 'string' || planes === undefined) {
      assert.equal(paint, null);
      continue;
    }
    const painting = paint!(planes);
    assert.deepEqual(
      [painting.channels, painting.frames, painting.height, painting.width],
      [3, single ? 1 : 3, side, side],
    );
    assert.ok(new Set(painting.data).size > 1, name);
  }
});
