/** Parts of a study that processes of their own can do beside each other: `shared`, a method, one of its cells. */
import { basename } from 'node:path';
import { unknownName } from '../training/nearest-name.ts';
import type { Cell } from './cells.ts';
import type { TrainingTask } from './trainings.ts';

export const sharedPart = 'shared';

/** A cell as `--only` names it: `heartbeat/T-S-I`. */
export function cellPart({ method, folder }: Cell): string {
  return `${method.name}/${basename(folder)}`;
}

export interface ChosenParts {
  readonly tasks: readonly TrainingTask[];
  readonly cells: readonly Cell[];
}

/** @throws one sentence for a name that is none of this study's */
export function expectParts(names: readonly string[], cells: readonly Cell[]): void {
  const methods = [...new Set(cells.map(({ method }) => method.name))];
  const known = [sharedPart, ...methods, ...cells.map(cellPart)];
  const stranger = names.find((name) => !known.includes(name));
  if (stranger !== undefined) throw new Error(unknownName('part of the study', stranger, known));
}

/**
 * What the named parts are made of. A method is its trainings and all of its cells, a cell is that and its
 * method's trainings; every part stands on the trainings that are `shared`.
 *
 * @throws one sentence for a name that is none of this study's
 */
export function chooseParts(
  names: readonly string[], tasks: readonly TrainingTask[], cells: readonly Cell[],
): ChosenParts {
  expectParts(names, cells);
  const wanted = new Set(names);
  const chosen = cells.filter((cell) => wanted.has(cell.method.name) || wanted.has(cellPart(cell)));
  const trained = new Set([sharedPart, ...chosen.map(({ method }) => method.name)]);
  return { tasks: tasks.filter(({ of }) => trained.has(of)), cells: chosen };
}
