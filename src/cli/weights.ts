/** `./heartbeat weights list | pull | verify`: the public pretrained weights. */
import type { Command } from 'commander';
import { attachVerbs, remainingArguments, type Verb } from './console/verbs.ts';

const verbs: readonly Verb[] = [
  {
    name: 'list',
    summary: 'what there is: purpose, repository, licence, size, whether it is here',
    tensors: false,
    load: () => import('./weights-list.ts'),
  },
  {
    name: 'pull',
    summary: 'fetch from the Hugging Face Hub what is not here yet',
    tensors: false,
    load: () => import('./weights-pull.ts'),
  },
  {
    name: 'verify',
    summary: 'recompute the hashes of what is here',
    tensors: false,
    load: () => import('./weights-verify.ts'),
  },
];

const examples = `
Examples:
  ./heartbeat weights list
  ./heartbeat weights pull sd15-vae medsam
  ./heartbeat weights verify

Everything lies in the cache of the Hugging Face Hub (HF_HUB_CACHE, else HF_HOME/hub, else
~/.cache/huggingface/hub), where Python finds it and where what Python has fetched is found.`;

export async function register(command: Command): Promise<void> {
  command
    .description('The public pretrained weights that the paper starts from.')
    .addHelpText('after', examples);
  await attachVerbs(command, verbs, remainingArguments(command));
}
