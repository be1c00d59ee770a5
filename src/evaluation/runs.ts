/** Which videos an evaluation generates of each clip. */
import { conditionNames, type ConditionName } from '../conditions/condition.ts';

/** One video: the clip's conditions that the model is given, all at the same seed. */
export interface Run {
  /** `text+mask`; `all` when nothing that the model knows is missing. */
  readonly name: string;
  readonly given: readonly ConditionName[];
}

/** Two runs of one seed that differ by one condition. */
export interface Contrast {
  readonly condition: ConditionName;
  readonly on: string;
  readonly off: string;
}

export interface Plan {
  readonly runs: readonly Run[];
  readonly contrasts: readonly Contrast[];
  /** The runs that the acceptance table looks at. */
  readonly mask: string;
  readonly text: string;
  readonly all: string;
}

/** Of videos: local and appearance conditions that are each switched on and off. */
const ofVideos: readonly ConditionName[] = ['skeleton', 'flow', 'sketch', 'image'];

/**
 * (a) text and mask, (b) text alone, (c) everything; then each of skeleton, flow, sketch and image
 * (or what else is `switched`) on and off beside `base`. Equal sets are generated once.
 *
 * @param known the model's conditions
 */
export function planRuns(
  known: readonly ConditionName[], base: readonly ConditionName[] = ['text', 'mask'],
  switched: readonly ConditionName[] = ofVideos,
): Plan {
  const stranger = base.find((name) => !known.includes(name));
  if (stranger !== undefined) {
    throw new Error(
      `evaluate: expected base conditions of this model (${known.join(', ')}), got ${stranger}`);
  }
  const runs = new Map<string, Run>();
  const add = (wanted: readonly ConditionName[]): string => {
    const given = conditionNames.filter((name) => wanted.includes(name) && known.includes(name));
    const name = given.length === known.length ? 'all' : given.join('+') || 'nothing';
    if (!runs.has(name)) runs.set(name, { name, given });
    return name;
  };
  const mask = add(['text', 'mask']);
  const text = add(['text']);
  const all = add(known);
  const contrasts = switched.filter((name) => known.includes(name)).map((condition) => ({
    condition, on: add([...base, condition]), off: add(base.filter((name) => name !== condition)),
  }));
  return { runs: [...runs.values()], contrasts, mask, text, all };
}
