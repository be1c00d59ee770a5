/**
 * The paper's results, by method and conditions (PAPER section 3: CAMUS, 91 test videos). They stand
 * beside ours to compare orders, never values: other data, other networks of features.
 */
import { lettersOf } from './letters.ts';
import type { ConditionName } from '../conditions/condition.ts';
import type { MethodName } from './methods.ts';

export interface PaperFigures {
  readonly fid: number;
  readonly fvd: number;
  readonly ssim: number;
}

type View = '2CH' | '4CH';

interface PaperRow {
  readonly method: MethodName;
  readonly conditions: string;
  readonly views: Readonly<Record<View, PaperFigures>>;
}

function row(
  method: MethodName, conditions: string,
  a2c: readonly [number, number, number], a4c: readonly [number, number, number],
): PaperRow {
  const figures = ([fid, fvd, ssim]: readonly [number, number, number]) => ({ fid, fvd, ssim });
  return { method, conditions, views: { '2CH': figures(a2c), '4CH': figures(a4c) } };
}

export const paperTable: readonly PaperRow[] = [
  row('moonshot', 'T I', [48.44, 12.65, 0.63], [61.57, 18.13, 0.62]),
  row('videocomposer', 'T S I M MV O', [37.68, 10.31, 0.60], [35.04, 11.27, 0.61]),
  row('heartbeat-3d', 'T M', [54.63, 13.64, 0.60], [41.07, 14.01, 0.60]),
  row('heartbeat-base', 'T M', [23.57, 6.97, 0.65], [31.08, 10.80, 0.64]),
  row('heartbeat', 'T', [107.66, 19.07, 0.53], [76.46, 23.83, 0.53]),
  row('heartbeat', 'T I', [36.34, 9.60, 0.61], [36.00, 12.58, 0.61]),
  row('heartbeat', 'T S I', [27.38, 7.04, 0.66], [35.42, 13.48, 0.64]),
  row('heartbeat', 'T S I M', [26.30, 6.74, 0.66], [33.77, 12.59, 0.64]),
  row('heartbeat', 'T S I M MV', [25.98, 6.94, 0.66], [33.98, 12.00, 0.64]),
  row('heartbeat', 'T S I M MV O', [25.23, 6.08, 0.66], [31.99, 9.96, 0.65]),
];

/** What the paper prints of a row; null where it has no such row, or no such view. */
export function paperFigures(
  method: MethodName, conditions: readonly ConditionName[], view: string,
): PaperFigures | null {
  const letters = lettersOf(conditions);
  const found = paperTable.find((row) => row.method === method && row.conditions === letters);
  return found?.views[view as View] ?? null;
}
