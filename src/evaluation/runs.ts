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
  /** The runs that the acceptance table looks at; null where the plan has none of that kind. */
  readonly mask: string | null;
  readonly text: string | null;
  readonly all: string | null;
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
  refuseStrangers(known, base, 'base conditions');
  const runs = new Map<string, Run>();
  const add = (wanted: readonly ConditionName[]): string => {
    const run = runOf(known, wanted);
    if (!runs.has(run.name)) runs.set(run.name, run);
    return run.name;
  };
  const mask = add(['text', 'mask']);
  const text = add(['text']);
  const all = add(known);
  const contrasts = switched.filter((name) => known.includes(name)).map((condition) => ({
    condition, on: add([...base, condition]), off: add(base.filter((name) => name !== condition)),
  }));
  return { runs: [...runs.values()], contrasts, mask, text, all };
}

/**
 * One run of each set of conditions, in the order given; a set that is named twice is one run.
 *
 * @throws when a set holds a condition that the model does not know
 */
export function planSubsets(
  known: readonly ConditionName[], subsets: readonly (readonly ConditionName[])[],
): Plan {
  for (const subset of subsets) refuseStrangers(known, subset, 'conditions');
  const runs = new Map(subsets.map((subset) => {
    const run = runOf(known, subset);
    return [run.name, run] as const;
  }));
  const one = (wanted: readonly ConditionName[]): string | null => {
    const { name } = runOf(known, wanted);
    return runs.has(name) ? name : null;
  };
  return {
    runs: [...runs.values()], contrasts: [],
    mask: known.includes('mask') ? one(['text', 'mask']) : null, text: one(['text']), all: one(known),
  };
}

/** Names of the runs that the acceptance table asks for, each once. */
export function wantedRuns(plan: Plan, kinds: readonly ('mask' | 'text' | 'all')[]): string[] {
  return [...new Set(kinds.flatMap((kind) => plan[kind] ?? []))];
}

function runOf(known: readonly ConditionName[], wanted: readonly ConditionName[]): Run {
  const given = conditionNames.filter((name) => wanted.includes(name) && known.includes(name));
  return { name: given.length === known.length ? 'all' : given.join('+') || 'nothing', given };
}

function refuseStrangers(
  known: readonly ConditionName[], wanted: readonly ConditionName[], what: string,
): void {
  const stranger = wanted.find((name) => !known.includes(name));
  if (stranger === undefined) return;
  throw new Error(
    `evaluate: expected ${what} of this model (${known.join(', ')}), got ${stranger}`);
}
