/** `./heartbeat compare A B`: two evaluation cards beside each other. */
import type { Command } from 'commander';

const examples = `
Examples:
  ./heartbeat compare runs/a/evaluation runs/b/evaluation
  ./heartbeat compare a/card.json b/card.json

Cards are compared only where they were measured alike: the same clips (by the hashes of their
files), decoding and resizing, seed, extractors and segmenter. Otherwise it says which field differs.`;

export function register(command: Command): void {
  command
    .description('Compare two evaluation cards, metric by metric.')
    .argument('<A>', 'card.json, or the folder of an evaluation')
    .argument('<B>', 'the other')
    .addHelpText('after', examples)
    .action(async (first: string, second: string) => {
      const { readCard } = await import('../evaluation/card.ts');
      const { compareCards, comparisonText } = await import('../evaluation/compare.ts');
      const [a, b] = [readCard(first), readCard(second)];
      process.stdout.write(comparisonText(a, b, compareCards(a, b)));
    });
}
