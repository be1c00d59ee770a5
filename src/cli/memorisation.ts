/** `./heartbeat memorisation build | check`: which training clip is a clip nearest to? */
import type { Command } from 'commander';
import { attachVerbs, remainingArguments, type Verb } from './console/verbs.ts';

const verbs: readonly Verb[] = [
  {
    name: 'build',
    summary: 'index the training clips of a data set and calibrate on its held-out patients',
    tensors: true,
    load: () => import('./memorisation-build.ts'),
  },
  {
    name: 'check',
    summary: 'compare clips with an index: a table, and each over its nearest training clip',
    tensors: true,
    load: () => import('./memorisation-check.ts'),
  },
];

const examples = `
Examples:
  ./heartbeat memorisation build --data data/phantom --output runs/small/memorisation
  ./heartbeat memorisation check out/ --index runs/small/memorisation --output checked
  ./heartbeat sample --text 4CH --memorisation-index runs/small/memorisation --on-memorised block --output out

An index holds pictures of training clips: keep it as you keep the data. docs/memorisation.md says what
the gate can show and what it cannot.`;

export async function register(command: Command): Promise<void> {
  command
    .description('Say whether clips are copies of training clips.')
    .addHelpText('after', examples);
  await attachVerbs(command, verbs, remainingArguments(command));
}
