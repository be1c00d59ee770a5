/** A CAMUS patient's ED and ES as the flags that a user would give for them. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readPatient, recordingFile } from '../data/camus-folder.ts';
import type { View } from '../data/camus-folder.ts';
import type { ConditionFlags } from './inputs.ts';

export interface PatientOptions {
  /** The 4-chamber view where there is one, else the other. */
  readonly view?: View;
  /** The sketch of the ED frame, the flow that carries the masks. */
  readonly extra?: readonly ('sketch' | 'flow')[];
}

/**
 * ED frame as image prior, ED and ES masks, the valve between their structures, the view's prompt.
 * Throws one sentence naming the folder or the first file that is absent.
 */
export function patientFlags(folder: string, options: PatientOptions = {}): ConditionFlags {
  const patient = readPatient(folder);
  if (!patient) {
    const got = existsSync(folder) ? 'a folder without them' : 'no such folder';
    throw new Error(
      `--patient ${folder}: expected a CAMUS patient (patient0001_4CH_ED.nii.gz, ...), got ${got}`,
    );
  }
  const { views, id } = patient;
  const view = options.view ?? (views.includes('4CH') ? '4CH' : views[0]);
  if (!views.includes(view)) {
    throw new Error(`--view ${view}: expected one of ${folder} (${views.join(', ')}), got ${view}`);
  }
  const [frame, ed, es] = ['ED', 'ED_gt', 'ES_gt'].map((part) => {
    const file = recordingFile(folder, view, part);
    if (file !== null) return file;
    const name = join(folder, `${id}_${view}_${part}.nii.gz`);
    throw new Error(`${name}: expected the patient's ${part}, got no such file`);
  });
  const { extra = [] } = options;
  return {
    mask: [ed, es],
    image: frame,
    skeleton: 'mask',
    text: view,
    ...(extra.includes('sketch') ? { sketchFrom: frame } : {}),
    ...(extra.includes('flow') ? { flow: 'mask' } : {}),
  };
}
