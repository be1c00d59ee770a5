/** One row of a table against the rows of all other methods, paired over patients. */
import { rowName } from './order.ts';
import type { Difference, Differences, ExtractorName, MeanFigure, TableRow, TableView } from './table-rows.ts';

export const rivalFigures = ['ssim', 'dice-lv', 'dice-myo', 'dice-la'] as const satisfies readonly MeanFigure[];

/** A rival's figures less the subject's, on the same clips. */
export interface RivalRow {
  readonly view: TableView;
  readonly rival: string;
  readonly distances: Readonly<Partial<Record<ExtractorName, Difference>>>;
  readonly figures: Readonly<Record<(typeof rivalFigures)[number], Difference | null>>;
}

export interface Rivals {
  /** The row that the others are held against. */
  readonly subject: string;
  readonly rows: readonly RivalRow[];
}

/** The row of `method` with the most conditions; -1 where there is none. */
export function subjectRow(rows: readonly Pick<TableRow, 'name' | 'letters'>[], method: string | null): number {
  const size = ({ letters }: Pick<TableRow, 'letters'>) => letters.split(' ').length;
  return rows.reduce((best, row, i) =>
    (row.name === method && (best < 0 || size(row) > size(rows[best])) ? i : best), -1);
}

export function compareRivals(
  view: TableView, rows: readonly TableRow[], subject: number, differences: Differences,
): RivalRow[] {
  return rows.flatMap((row, i): RivalRow[] => (row.name === rows[subject].name ? [] : [{
    view, rival: rowName(row),
    distances: Object.fromEntries(differences.distances.map(({ extractor, of }) => [extractor.name, of(i, subject)])),
    figures: Object.fromEntries(rivalFigures.map((name) => [name, differences.mean(name, i, subject)])) as RivalRow['figures'],
  }]));
}
