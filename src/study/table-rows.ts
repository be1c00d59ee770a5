/** What a study's table is made of: its rows, and differences between them. */
import type { ExtractorAbout } from '../evaluation/feature-extractors.ts';
import type { Estimate } from '../metrics/bootstrap.ts';
import type { PaperFigures } from './paper-table.ts';

export type ExtractorName = ExtractorAbout['name'];
export const tableViews = ['2CH', '4CH', 'both'] as const;
export type TableView = (typeof tableViews)[number];

export interface Distance {
  readonly value: number;
  readonly low: number;
  readonly high: number;
  /** Vectors of each set. */
  readonly n: number;
  /** Real against generated at half of the patients: what the floor is to be compared with. */
  readonly halves: number | null;
}

export interface TableRow {
  readonly name: string;
  readonly title: string;
  readonly letters: string;
  readonly view: TableView;
  /** Clips and patients. */
  readonly n: number;
  readonly patients: number;
  /** By extractor; null where there are too few patients. */
  readonly distances: Readonly<Partial<Record<ExtractorName, Distance | null>>>;
  readonly ssim: Estimate | null;
  readonly diceLv: Estimate | null;
  readonly paper: PaperFigures | null;
}

/** Real against real, halves by patient: what perfect clips would have. */
export interface FloorRow {
  readonly view: TableView;
  readonly n: number;
  readonly patients: number;
  readonly distances: Readonly<Partial<Record<ExtractorName, { readonly value: number; readonly std: number } | null>>>;
  /** The segmenter's own Dice on the real clips. */
  readonly diceLv: Estimate | null;
}

/** First less second, with its 95 % interval. */
export interface Difference {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

export type MeanFigure = 'ssim' | 'dice-lv' | 'dice-myo' | 'dice-la';

/** Differences between rows, paired over patients: of a distance, or of a mean over clips. */
export interface Differences {
  readonly distances: readonly {
    readonly extractor: ExtractorAbout;
    readonly of: (i: number, j: number) => Difference;
  }[];
  readonly mean: (figure: MeanFigure, i: number, j: number) => Difference | null;
}
