/** Whether conditions fit a model: one sentence (which, expected, got) when they do not. */
import { checkFrames } from '../frames/frames.ts';
import type { Frames } from '../frames/frames.ts';
import { conditionNames, conditionOf } from './condition.ts';
import type { Condition, ConditionInputs, ConditionName } from './condition.ts';

export interface ModelSize {
  readonly stage: 'image' | 'video';
  readonly frames: number;
  /** What the frames follow; a heart beat when it is not said. */
  readonly frameAxis?: 'time' | 'slice';
  readonly height: number;
  readonly width: number;
  /** Labels of the data set, background included. */
  readonly classes: number;
}

/**
 * Throws unless every condition given is one the stage has, with the planes, frames, size and
 * values the table says: no NaN, one-hot planes that add up to 1. The image prior may have any
 * size; its encoder resizes it.
 */
export function validateConditions(inputs: ConditionInputs, model: ModelSize): void {
  for (const name of Object.keys(inputs) as ConditionName[]) {
    const input = inputs[name];
    if (input === undefined) continue;
    if (!conditionNames.includes(name)) {
      throw new Error(`condition: expected one of ${conditionNames.join(', ')}, got '${name}'`);
    }
    const condition = conditionOf(name);
    if (!condition.stages.includes(model.stage)) {
      throw new Error(
        `${name}: expected a condition of the ${model.stage} stage, ` +
          `got one of the ${condition.stages.join(' and ')} stage only`,
      );
    }
    if (condition.channels(model.classes) === 0) checkSentence(name, input);
    else checkPlanes(condition, input, model);
  }
}

function checkSentence(name: ConditionName, input: Frames | string): void {
  if (typeof input !== 'string') throw new Error(`${name}: expected a sentence, got a picture`);
}

function checkPlanes(condition: Condition, input: Frames | string, model: ModelSize): void {
  const { name, single, range, kind } = condition;
  if (typeof input === 'string') {
    throw new Error(`${name}: expected planes, got the text '${input}'`);
  }
  if (!(input.data instanceof Float32Array)) {
    throw new Error(`${name}: expected 32-bit float planes, got ${input.data}`);
  }
  checkFrames(input, name, {
    channels: condition.channels(model.classes),
    frames: single ? 1 : model.frames,
    ...(kind === 'local' ? { height: model.height, width: model.width } : {}),
    minimum: range[0],
    maximum: range[1],
  });
  if (condition.oneHot) checkShares(name, input);
}

function checkShares(name: ConditionName, planes: Frames): void {
  const { channels, frames, height, width, data } = planes;
  const size = frames * height * width;
  for (let i = 0; i < size; i++) {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += data[c * size + i];
    if (Math.abs(sum - 1) > 1e-3) {
      const [x, y] = [i % width, Math.floor(i / width) % height];
      throw new Error(
        `${name}: expected planes that add up to 1, got ${sum} at ` +
          `frame ${Math.floor(i / (width * height))}, x ${x}, y ${y}`,
      );
    }
  }
}
