/** A thread's file, for test/frames/worker.test.ts. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { serveTasks } from '../../src/frames/worker.ts';

serveTasks(async (task: string) => {
  if (task === 'defect') throw new TypeError('x is undefined');
  if (task === 'missing') readFileSync('/no/such/file');
  if (task === 'exit') process.exit(3);
  if (task === 'slow') await sleep(60_000);
  return { task, data: new Float32Array([1, 2, 3]) };
}, ({ data }) => [data.buffer]);
