import type { ExtractorFlags } from './extractor-flags.ts';

/** The flags of `evaluate`, as commander gives them. */
export interface EvaluateFlags extends ExtractorFlags {
  checkpoint?: string; segmenter?: string; data?: string; output: string; clips: number;
  split: 'training' | 'validation' | 'testing'; view: 'both' | '2CH' | '4CH'; base: string;
  steps: number; guidanceScale: number; sampler: 'ddim' | 'dpm-solver++'; seed: number;
  sheets: number; dtype?: 'float32' | 'bf16'; device: string; threads?: number;
  reportOnly?: boolean; preset?: 'tiny'; memorisation: boolean; memorisationIndex?: string;
  echoFeatures?: string; inception?: string; i3d?: string; lpips?: string; lpipsTrunk?: string;
}
