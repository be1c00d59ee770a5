/** Sets of conditions as the paper's table writes them: `T S I M MV O` (PAPER section 3). */
import { conditionNames, type ConditionName } from '../conditions/condition.ts';
import { unknownName } from '../training/nearest-name.ts';

/** In the paper's order, which is the order in which it adds them. */
const letters: readonly (readonly [string, ConditionName])[] = [
  ['T', 'text'], ['S', 'sketch'], ['I', 'image'], ['M', 'mask'], ['MV', 'skeleton'], ['O', 'flow'],
];

/** `text`, `mask` -> `T M` */
export function lettersOf(names: readonly ConditionName[]): string {
  return letters.filter(([, name]) => names.includes(name)).map(([letter]) => letter).join(' ');
}

/**
 * The conditions of `T M`, of `text mask`, or of the word `all`, in the table's order.
 *
 * @throws naming the nearest known one
 */
export function parseConditions(text: string): ConditionName[] {
  const words = text.trim().split(/[\s,+]+/).filter((word) => word !== '');
  if (words.length === 0) throw new Error('expected conditions such as "T M", got an empty text');
  if (words.length === 1 && words[0] === 'all') return [...conditionNames];
  const found = words.map((word) => {
    const name = letters.find(([letter]) => letter === word)?.[1]
      ?? conditionNames.find((known) => known === word);
    if (name !== undefined) return name;
    const known = ['all', ...letters.map(([letter]) => letter), ...conditionNames];
    throw new Error(unknownName('condition', word, known));
  });
  return conditionNames.filter((name) => found.includes(name));
}
