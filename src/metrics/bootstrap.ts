import { randomStream } from '../frames/random.ts';

export interface Estimate {
  /** Clips behind the figure. */
  readonly n: number;
  readonly mean: number;
  /** Ends of the 95 % interval. */
  readonly low: number;
  readonly high: number;
}

export interface BootstrapOptions {
  readonly samples?: number;
  readonly seed?: number;
}

/**
 * A statistic of clips with its 95 % bootstrap interval (Efron 1979, percentile form). What is
 * drawn anew is whole groups (patients): two views of one heart are not two independent clips.
 *
 * @param groups the group of each clip
 * @param statistic of clips by number, some of which occur several times
 * @returns null where there is no clip
 */
export function bootstrap(
  groups: readonly string[], statistic: (clips: readonly number[]) => number,
  { samples = 2000, seed = 0 }: BootstrapOptions = {},
): Estimate | null {
  if (groups.length === 0) return null;
  const lists = groupMembers(groups);
  const stream = randomStream('bootstrap', seed);
  const drawn = Float64Array.from({ length: samples }, () => {
    const clips: number[] = [];
    for (let k = 0; k < lists.length; k++) clips.push(...lists[stream.integer(lists.length)]);
    return statistic(clips);
  }).sort();
  return {
    n: groups.length,
    mean: statistic(groups.map((_, clip) => clip)),
    low: quantile(drawn, 0.025),
    high: quantile(drawn, 0.975),
  };
}

/** Numbers of the clips of each group, groups in the order of their first clip. */
export function groupMembers(groups: readonly string[]): number[][] {
  const members = new Map<string, number[]>();
  groups.forEach((group, clip) => {
    const list = members.get(group);
    if (list === undefined) members.set(group, [clip]);
    else list.push(clip);
  });
  return [...members.values()];
}

/** `bootstrap` of the mean over the clips that have a value; null where none has. */
export function bootstrapMean(
  values: readonly (number | null)[], groups: readonly string[], options: BootstrapOptions = {},
): Estimate | null {
  const known = values.flatMap((value, i) => (value === null ? [] : [{ value, group: groups[i] }]));
  const mean = (clips: readonly number[]) =>
    clips.reduce((sum, clip) => sum + known[clip].value, 0) / clips.length;
  return bootstrap(known.map(({ group }) => group), mean, options);
}

/** Quantile of sorted values, linear between neighbours (numpy's default). */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  if (sorted.length === 0) throw new Error('quantile: expected values, got none');
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
}
