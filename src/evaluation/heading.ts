/** What stands above a card's tables, whatever it is written as. */
import type { Summary } from './summary.ts';
import { unitName } from './written.ts';

/** Of single frames: what is not there, and why. */
export const leftOutNote = 'Left out, since a single frame has no time: optical flow, ejection fraction, ' +
  'temporal roughness, frame-difference energy, and the view as the video network reads it.';

/** What a card is of, in a few sentences. */
export function heading({ settings, clips, patients }: Summary): string {
  const { sampler, numInferenceSteps, guidanceScale, seed, precision, split } = settings;
  return `${clips} ${unitName(settings.frames)} of ${patients} patients (${split} split), ${sampler}, ` +
    `${numInferenceSteps} steps, guidance ${guidanceScale}, ${precision}, seed ${seed}, ` +
    `model ${settings.model.slice(0, 12)}. Means with 95 % bootstrap intervals over patients.`;
}
