import type { z } from 'zod';
import type { trainingConfig } from './config.ts';
import { base } from './presets/base.ts';
import { paper } from './presets/paper.ts';
import { small } from './presets/small.ts';
import { tiny } from './presets/tiny.ts';

export type Preset = Omit<z.input<typeof trainingConfig>, 'preset'>;

export const presets = { tiny, small, base, paper };
export type PresetName = keyof typeof presets;
export const presetNames = Object.keys(presets) as PresetName[];
