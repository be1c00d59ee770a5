/** Which model folder sampling takes its weights from. */
import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ConditionName } from '../conditions/condition.ts';
import type { ModelSize } from '../conditions/validation.ts';
import { readModelIndex } from '../heartbeat/model-folder.ts';
import { UserError } from './console/user-error.ts';

const released = fileURLToPath(new URL('../../models/small', import.meta.url));
const index = 'model_index.json';

/**
 * The folder with `model_index.json`: the one given (or the model below it, where it is a run or a
 * stage of one), else the released model. `flag` is the one that gave it. Throws (exit 2) when there
 * is none.
 */
export function findCheckpoint(
  given?: string,
  releasedModel: string = released,
  flag = '--checkpoint',
): string {
  if (given === undefined) {
    if (existsSync(join(releasedModel, index))) return releasedModel;
    throw new UserError(
      `expected the released model in ${relative(process.cwd(), releasedModel)}, got none: ` +
        `name another model folder with ${flag}, or train one (./heartbeat help train)`,
      { exitCode: 2 },
    );
  }
  const below = ['model', join('video', 'model'), join('few-shot', 'model')];
  const places = [given, ...below.map((folder) => join(given, folder))];
  const found = places.find((place) => existsSync(join(place, index)));
  if (found !== undefined) return found;
  throw new UserError(
    `${flag} ${given}: expected a model folder (with ${index}), ` +
      `got ${existsSync(given) ? 'a folder or file without one' : 'no such folder'}`,
    { exitCode: 2 },
  );
}

/** A model folder by its configuration: what inputs must fit, before any weight is read. */
export interface OpenedModel {
  readonly folder: string;
  readonly size: ModelSize;
  readonly conditions: readonly ConditionName[];
}

/** As `findCheckpoint`, with what its configuration says. */
export function openModel(given?: string): OpenedModel {
  const folder = findCheckpoint(given);
  const { resolution, frames, frameAxis, classes, conditions, unet } = readModelIndex(folder).config;
  const side = { height: resolution, width: resolution };
  const stage = unet.temporal ? 'video' : 'image';
  return { folder, conditions, size: { stage, frames, frameAxis, classes, ...side } };
}

/**
 * The size of what is sampled: a video model makes all of its frames, one of stage 1 a single picture, unless two
 * masks or more ask for a sequence, whose frames it makes each for itself.
 */
export function sampledSize({ size }: OpenedModel, masks: readonly string[] = []): ModelSize {
  return size.stage === 'image' && masks.length < 2 ? { ...size, frames: 1 } : size;
}
