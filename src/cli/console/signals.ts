/**
 * Ctrl+C and SIGTERM. A verb with a loop calls `catchSignals`: the signal then sets a flag, the
 * loop reads it at a step's edge, saves, and throws `Interrupted`. A second signal, or the first
 * one in any other verb, ends the process at once. Temporary outputs are removed either way.
 */
import { removeTemporaryOutputs } from './temporary-output.ts';
import { Interrupted } from './user-error.ts';

type StopSignal = 'SIGINT' | 'SIGTERM';

let received: StopSignal | null = null;
let graceful = false;

function onSignal(signal: StopSignal): void {
  if (!graceful || received !== null) {
    removeTemporaryOutputs();
    process.exit(signal === 'SIGINT' ? 130 : 143);
  }
  received = signal;
  const hint = signal === 'SIGINT' ? ' (Ctrl+C again ends at once)' : '';
  process.stderr.write(`\nheartbeat: stopping at the end of this step${hint}\n`);
}

/**
 * Which signal has come, if any. Signals arrive only when the event loop turns: see
 * `stopRequested`.
 */
export function receivedSignal(): StopSignal | null {
  return received;
}

/** Called once, by main. */
export function installSignals(): void {
  process.on('SIGINT', () => onSignal('SIGINT'));
  process.on('SIGTERM', () => onSignal('SIGTERM'));
}

/** From here on the first signal only sets the flag; called by verbs whose loop reads it. */
export function catchSignals(): void {
  graceful = true;
}

/**
 * The step's edge: lets pending signals arrive (steps are synchronous, and a signal is delivered
 * only when the event loop turns), then says which one asks the loop to stop.
 */
export async function stopRequested(): Promise<StopSignal | null> {
  await new Promise((resolve) => setImmediate(resolve));
  return received;
}

/** `stopRequested` for loops with nothing to save: throws `Interrupted` when a signal has come. */
export async function throwIfStopped(): Promise<void> {
  const signal = await stopRequested();
  if (signal !== null) throw new Interrupted(signal);
}
