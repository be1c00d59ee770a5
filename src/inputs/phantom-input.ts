/** Every condition of a phantom patient, as training takes them from one. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { extractConditions } from '../conditions/extraction.ts';
import type { ConditionInputs, ConditionName } from '../conditions/condition.ts';
import { validateConditions } from '../conditions/validation.ts';
import type { ModelSize } from '../conditions/validation.ts';
import { readPatient } from '../data/camus-folder.ts';
import { readClip } from '../data/clips.ts';
import { writePhantom } from '../data/phantom/phantom.ts';
import type { UserInputs } from './inputs.ts';

export interface PhantomChoice {
  readonly seed: number;
  /** Number of the patient, 1..9999. */
  readonly index: number;
  readonly view: '2CH' | '4CH';
}

/** Draws the patient (a second or two) and takes what the model `knows` of ED frame and beat. */
export function readPhantom(
  { seed, index, view }: PhantomChoice,
  model: ModelSize,
  knows: readonly ConditionName[],
): UserInputs {
  const { height: size, frames, classes } = model;
  const clip = withFolder((folder) => {
    writePhantom(folder, { patients: 1, seed, firstPatient: index, views: [view] });
    const id = `patient${String(index).padStart(4, '0')}`;
    const patient = readPatient(join(folder, 'database_nifti', id));
    if (!patient) throw new Error(`phantom: expected patient ${id} in ${folder}, got none`);
    return readClip(patient.folder, view, { size, frames });
  });
  const found = extractConditions(clip, { classes });
  const inputs = Object.fromEntries(
    Object.entries(found).filter(([name]) => knows.includes(name as ConditionName)),
  ) as ConditionInputs;
  validateConditions(inputs, model);
  return {
    inputs,
    sources: (Object.keys(inputs) as ConditionName[]).map((condition) => ({
      condition,
      given: `phantom patient ${index} of seed ${seed}, ${view}`,
      files: [],
    })),
    masks: clip.masks,
    kind: 'sequence',
    es: clip.es,
    spacing: clip.spacing,
    slices: null,
    frameRate: clip.frameRate,
    notes: [],
  };
}

/** A folder for `use` alone; it goes afterwards, also where the process ends in between. */
function withFolder<T>(use: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'heartbeat-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove);
  try {
    return use(folder);
  } finally {
    remove();
    process.off('exit', remove);
  }
}
