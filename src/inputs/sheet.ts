/** The contact sheet of a generated clip: the conditions under its frames, by the table. */
import { conditions } from '../conditions/condition.ts';
import type { ConditionInputs } from '../conditions/condition.ts';
import type { Frames } from '../frames/frames.ts';
import type { Sheet, SheetRow } from '../frames/sheet.ts';
import type { BeatKind } from './beat.ts';

export interface SheetOptions {
  readonly title: string;
  readonly notes: readonly string[];
  /** By condition; 1 where it is not named. */
  readonly strength: Readonly<Record<string, number>>;
  readonly kind: BeatKind | null;
  /** ES frame, 0-based, where it is known. */
  readonly es: number | null;
  /** Names of frames instead of those of the beat. */
  readonly frameNames?: Readonly<Record<number, string>>;
}

/** `video` is 1 f h w in [0,1]; rows follow the table's order, words last. */
export function makeSheet(video: Frames, inputs: ConditionInputs, options: SheetOptions): Sheet {
  const rows: SheetRow[] = [{ label: 'generated', picture: video }];
  for (const { name, label, paint } of conditions) {
    const input = inputs[name];
    if (input === undefined || paint === null || typeof input === 'string') continue;
    rows.push({ label: withStrength(label, options.strength[name]), picture: paint(input) });
  }
  if (typeof inputs.text === 'string' && inputs.text !== '') {
    rows.push({ label: withStrength('text', options.strength.text), text: inputs.text });
  }
  const { title, notes, kind, es } = options;
  const named = kind !== null && es !== null;
  const frameNames = options.frameNames ?? (named ? { 0: 'ED', [es]: 'ES' } : null);
  return { title, notes, rows, ...(frameNames ? { frameNames } : {}) };
}

function withStrength(label: string, strength = 1): string {
  return strength === 1 ? label : `${label} x ${strength}`;
}
