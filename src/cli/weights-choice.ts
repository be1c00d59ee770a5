/** What the verbs of `weights` share: names, the variant, words for bytes, the signal that Ctrl+C gives. */
import { Option, type Command } from 'commander';
import { unknownName } from '../training/nearest-name.ts';
import { weights, type Variant, type Weight } from '../hub/catalogue.ts';
import { catchSignals, receivedSignal } from './console/signals.ts';
import { Interrupted, UserError } from './console/user-error.ts';

export interface VariantFlags {
  readonly variant: Variant;
}

export function addVariantFlag(command: Command): Command {
  const help = 'which of the two, where a weight has both';
  return command.addOption(new Option('--variant <name>', help).choices(['fp32', 'fp16']).default('fp32'));
}

/** The weights of these names, each once; an unknown one is bad usage. */
export function chosenWeights(names: readonly string[]): Weight[] {
  return [...new Set(names)].map((name) => {
    const found = weights.find((weight) => weight.name === name);
    if (found !== undefined) return found;
    const message = unknownName('weight', name, weights.map((weight) => weight.name));
    throw new UserError(`${message} (see ./heartbeat weights list)`, { exitCode: 2 });
  });
}

/** `308 bytes`, `524 KB`, `3.44 GB`: powers of 1000, as the Hub shows sizes. */
export function formatSize(bytes: number): string {
  if (bytes < 1000) return `${bytes} bytes`;
  if (bytes < 1e6) return `${Math.round(bytes / 1e3)} KB`;
  if (bytes < 1e9) return `${Math.round(bytes / 1e6)} MB`;
  return `${(bytes / 1e9).toFixed(2)} GB`;
}

/** What progress counts: MB, or KB where there is little, and how many bytes one is. */
export function unitFor(bytes: number): { unit: string; size: number } {
  return bytes >= 20e6 ? { unit: 'MB', size: 1e6 } : { unit: 'KB', size: 1e3 };
}

/**
 * Runs `work` with a signal that Ctrl+C and SIGTERM abort; then throws `Interrupted` with `kept`,
 * what the user has of the work so far.
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>, kept: string): Promise<T> {
  catchSignals();
  const controller = new AbortController();
  const poll = setInterval(() => {
    if (receivedSignal() !== null) controller.abort();
  }, 50);
  try {
    return await work(controller.signal);
  } catch (error) {
    const signal = receivedSignal();
    if (signal === null || !controller.signal.aborted) throw error;
    throw new Interrupted(signal, kept);
  } finally {
    clearInterval(poll);
  }
}
