/** A study seen from the command line: a progress bar for each piece of work, and the signals. */
import type { Watch } from '../study/watch.ts';
import { startProgress, type Progress } from './console/progress.ts';
import { receivedSignal } from './console/signals.ts';

/** A progress bar for each piece of work. */
export function consoleWatch(): Watch {
  let bar: Progress | null = null;
  const say = (line: string) => process.stderr.write(`${line}\n`);
  return {
    begin: (label, total, unit, initial) => {
      bar = startProgress({ label, total, unit, initial });
      bar.update(initial);
    },
    update: (done, note) => bar?.update(done, note),
    end: () => {
      bar?.finish();
      bar = null;
    },
    report: (line) => (bar === null ? say(line) : bar.line(line)),
    stopRequested: () => receivedSignal() !== null,
  };
}
