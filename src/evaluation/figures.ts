/** The table of figures: what is measured of every video or frame, and how it is written. */
import type { ConditionName } from '../conditions/condition.ts';

export interface Figure {
  readonly name: FigureName;
  readonly title: string;
  /** Behind the number; '' for shares. */
  readonly unit: string;
  readonly digits: number;
  /** Whether obeying makes it larger or smaller. */
  readonly better: 'more' | 'less';
}

export const figures = [
  figure('dice-lv', 'LV Dice', '', 3, 'more'),
  figure('dice-myo', 'MYO Dice', '', 3, 'more'),
  figure('dice-la', 'LA Dice', '', 3, 'more'),
  figure('hausdorff-lv', 'LV Hausdorff distance', 'mm', 2, 'less'),
  figure('hausdorff-myo', 'MYO Hausdorff distance', 'mm', 2, 'less'),
  figure('hausdorff-la', 'LA Hausdorff distance', 'mm', 2, 'less'),
  figure('hausdorff95-lv', 'LV Hausdorff distance, 95 %', 'mm', 2, 'less'),
  figure('hausdorff95-myo', 'MYO Hausdorff distance, 95 %', 'mm', 2, 'less'),
  figure('hausdorff95-la', 'LA Hausdorff distance, 95 %', 'mm', 2, 'less'),
  figure('hausdorff-lv-px', 'LV Hausdorff distance', 'px', 2, 'less'),
  figure('hausdorff-myo-px', 'MYO Hausdorff distance', 'px', 2, 'less'),
  figure('hausdorff-la-px', 'LA Hausdorff distance', 'px', 2, 'less'),
  figure('hausdorff95-lv-px', 'LV Hausdorff distance, 95 %', 'px', 2, 'less'),
  figure('hausdorff95-myo-px', 'MYO Hausdorff distance, 95 %', 'px', 2, 'less'),
  figure('hausdorff95-la-px', 'LA Hausdorff distance, 95 %', 'px', 2, 'less'),
  figure('ssim', 'SSIM to the real pictures', '', 3, 'more'),
  figure('psnr', 'PSNR to the real pictures', 'dB', 2, 'more'),
  figure('lpips', 'LPIPS to the real pictures', '', 3, 'less'),
  figure('stroke-contrast', 'valve stroke brighter than around', 'grey', 1, 'more'),
  figure('stroke-offset', 'valve stroke off its place', 'px', 2, 'less'),
  figure('stroke-offset-mm', 'valve stroke off its place', 'mm', 2, 'less'),
  figure('ridge-distance', 'shut valve to its ridge', 'px', 2, 'less'),
  figure('ridge-distance-mm', 'shut valve to its ridge', 'mm', 2, 'less'),
  figure('ridge-found', 'shut frames with an LV/LA interface', '', 3, 'more'),
  figure('flow-error', 'flow end-point error in the muscle', 'px', 3, 'less'),
  figure('flow-error-mm', 'flow end-point error in the muscle', 'mm', 3, 'less'),
  figure('flow-still', 'end-point error of no motion', 'px', 3, 'less'),
  figure('flow-following', 'share of the asked motion', '', 3, 'more'),
  figure('flow-error-heart', 'flow end-point error in the whole heart', 'px', 3, 'less'),
  figure('edge-f1', 'sketch edge F1', '', 3, 'more'),
  figure('edge-precision', 'sketch edge precision', '', 3, 'more'),
  figure('edge-recall', 'sketch edge recall', '', 3, 'more'),
  figure('prior-ssim', 'SSIM of frame 1 to the prior', '', 3, 'more'),
  figure('prior-histogram', 'histogram distance to the prior', 'grey', 2, 'less'),
  figure('prior-mean', 'tissue mean off the prior', 'grey', 2, 'less'),
  figure('prior-deviation', 'tissue deviation off the prior', 'grey', 2, 'less'),
  figure('ef-discs', 'EF found, discs', '%', 1, 'more'),
  figure('ef-discs-asked', 'EF asked for, discs', '%', 1, 'more'),
  figure('ef-discs-error', 'EF error, discs', '%', 1, 'less'),
  figure('ef-area-length', 'EF found, area-length', '%', 1, 'more'),
  figure('ef-area-length-asked', 'EF asked for, area-length', '%', 1, 'more'),
  figure('ef-area-length-error', 'EF error, area-length', '%', 1, 'less'),
  figure('view-accuracy', 'view as the text says', '', 3, 'more'),
  figure('roughness', 'temporal roughness of grey', '', 3, 'less'),
  figure('area-roughness', 'temporal roughness of the LV area', '', 3, 'less'),
  figure('grey-distance', 'histogram distance to the real pictures', 'grey', 2, 'less'),
  figure('frame-difference', 'frame-difference energy', 'grey²', 1, 'more'),
] as const satisfies readonly Figure[];

/** What stands in its place where nobody knows how large a pixel is. */
export function inPixels(name: FigureName): string {
  return name.endsWith('-mm') ? name.slice(0, -3) : `${name}-px`;
}

type Named<N extends string> = Omit<Figure, 'name'> & { readonly name: N };

function figure<N extends string>(
  name: N, title: string, unit: string, digits: number, better: 'more' | 'less',
): Named<N> {
  return { name, title, unit, digits, better };
}

export type FigureName =
  | `${'dice' | 'hausdorff' | 'hausdorff95'}-${'lv' | 'myo' | 'la'}` | 'ssim' | 'psnr' | 'lpips'
  | `${'hausdorff' | 'hausdorff95'}-${'lv' | 'myo' | 'la'}-px`
  | `stroke-${'contrast' | 'offset' | 'offset-mm'}`
  | `ridge-${'distance' | 'distance-mm' | 'found'}`
  | `flow-${'error' | 'error-mm' | 'still' | 'following' | 'error-heart'}`
  | `edge-${'f1' | 'precision' | 'recall'}`
  | `prior-${'ssim' | 'histogram' | 'mean' | 'deviation'}`
  | `ef-${'discs' | 'area-length'}${'' | '-asked' | '-error'}`
  | 'view-accuracy' | 'roughness' | 'area-roughness'
  | 'grey-distance' | 'frame-difference';

export function figureOf(name: FigureName): Figure {
  return figures.find((entry) => entry.name === name)!;
}

/** Figures that need time: a single frame has none of them. */
export const overTime: ReadonlySet<FigureName> = new Set<FigureName>([
  'flow-error', 'flow-error-mm', 'flow-still', 'flow-following', 'flow-error-heart',
  'ef-discs', 'ef-discs-asked', 'ef-discs-error',
  'ef-area-length', 'ef-area-length-asked', 'ef-area-length-error',
  'view-accuracy', 'roughness', 'area-roughness', 'frame-difference',
]);

type Evidence = Readonly<Partial<Record<ConditionName, readonly FigureName[]>>>;

/** What shows that a condition is obeyed; the first of each is the one the acceptance looks at. */
export const evidence: Evidence = {
  skeleton: ['stroke-offset', 'stroke-offset-mm', 'stroke-contrast', 'ridge-distance',
    'ridge-distance-mm'],
  flow: ['flow-error', 'flow-error-mm', 'flow-following', 'flow-error-heart'],
  sketch: ['edge-f1', 'edge-precision', 'edge-recall'],
  image: ['prior-histogram', 'prior-mean', 'prior-deviation', 'prior-ssim'],
};

/** Of single frames also what each condition does to the mask and to the likeness to the real frame. */
export function evidenceOf(condition: ConditionName, singleFrames: boolean): readonly FigureName[] {
  const own = evidence[condition] ?? [];
  return singleFrames ? [...own, 'dice-lv', 'dice-myo', 'dice-la', 'ssim'] : own;
}
