/** A loop with steps of 20 ms that saves at the edge, for test/cli/console.test.ts. */
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { catchSignals, installSignals, stopRequested } from '../../src/cli/console/signals.ts';
import { temporaryOutput } from '../../src/cli/console/temporary-output.ts';
import { exitCodeOf, Interrupted } from '../../src/cli/console/user-error.ts';

const [target, mode] = process.argv.slice(2);
installSignals();
if (mode !== 'at-once') catchSignals();
const output = temporaryOutput(target);
writeFileSync(output.path, 'half');
process.stdout.write('ready\n');
try {
  for (let step = 0; ; step++) {
    await sleep(20);
    const signal = mode === 'deaf' ? null : await stopRequested();
    if (signal !== null) {
      writeFileSync(output.path, 'whole');
      output.commit();
      throw new Interrupted(signal);
    }
  }
} catch (error) {
  process.exitCode = exitCodeOf(error);
}
