/** Whether the rows of our table stand in the paper's order, pair by pair (PAPER section 3). */
import type { PaperFigures } from './paper-table.ts';
import type { Differences, ExtractorName, TableRow, TableView } from './table-rows.ts';

export interface OrderPair {
  readonly view: TableView;
  /** What was measured here, and what of the paper it is held against. */
  readonly measure: string;
  readonly paperMeasure: 'FID' | 'FVD' | 'SSIM';
  readonly first: string;
  readonly second: string;
  /** First less second, with its 95 % interval, paired over patients. */
  readonly difference: number;
  readonly low: number;
  readonly high: number;
  readonly paperFirst: number;
  readonly paperSecond: number;
  /** Whether ours differ in the other direction than the paper's. */
  readonly contradicts: boolean;
}

/** What of the paper each of our distances stands beside: pictures with pictures, clips with clips. */
const beside: Readonly<Record<ExtractorName, 'fid' | 'fvd'>> = {
  'echo-frames': 'fid', inception: 'fid', 'echo-clips': 'fvd', i3d: 'fvd',
};

/** Every pair of rows of which the paper has both, where its two figures differ. */
export function compareOrders(
  view: TableView, rows: readonly TableRow[], differences: Differences,
): OrderPair[] {
  const measures = [
    ...differences.distances.map(({ extractor, of }) => ({
      name: extractor.frechet, paper: beside[extractor.name] as keyof PaperFigures, of,
    })),
    { name: 'SSIM', paper: 'ssim' as const, of: (i: number, j: number) => differences.mean('ssim', i, j) },
  ];
  return measures.flatMap(({ name, paper, of }) => rows.flatMap((first, i) =>
    rows.slice(i + 1).flatMap((second, k): OrderPair[] => {
      if (first.paper === null || second.paper === null) return [];
      const [paperFirst, paperSecond] = [first.paper[paper], second.paper[paper]];
      if (paperFirst === paperSecond) return [];
      const found = of(i, i + 1 + k);
      if (found === null) return [];
      const { value: difference, low, high } = found;
      return [{
        view, measure: name, paperMeasure: paper.toUpperCase() as OrderPair['paperMeasure'],
        first: rowName(first), second: rowName(second), difference, low, high, paperFirst, paperSecond,
        contradicts: difference !== 0 && (difference > 0) !== (paperFirst > paperSecond),
      }];
    })));
}

export function rowName({ title, letters }: Pick<TableRow, 'title' | 'letters'>): string {
  return `${title} ${letters}`;
}
