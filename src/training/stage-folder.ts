import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { listCheckpoints } from './checkpoint.ts';

/**
 * Takes a stage's folder for this process until the returned function is called, so that two trainings
 * never write one folder. A claim whose process is gone counts for nothing.
 *
 * @throws one sentence when another training holds the folder, or when a training that starts anew
 *   would mix with the checkpoints that lie there
 */
export function claimFolder(folder: string, startsAnew: boolean): () => void {
  const [present] = listCheckpoints(folder).slice(-1);
  if (startsAnew && present !== undefined) {
    throw new Error(`${folder}: expected an empty folder for a new training, got checkpoint-${present.step}: ` +
      '--resume-from-checkpoint latest goes on from it, and another --output keeps both');
  }
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'training.lock');
  const own = `${process.pid} on ${hostname()}`;
  for (let attempt = 0; ; attempt++) {
    try {
      writeFileSync(file, own, { flag: 'wx' });
      return () => rmSync(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const holder = readFileSync(file, 'utf8');
      if (attempt > 0 || isRunning(holder)) {
        throw new Error(`${folder}: expected a folder that no other process writes to, got process ${holder}; ` +
          `if it is gone, delete ${file}`);
      }
      rmSync(file, { force: true });
    }
  }
}

/** Whether the process that wrote this claim may still be there; on another machine nobody can tell. */
function isRunning(holder: string): boolean {
  const [, pid, host] = /^(\d+) on (.*)$/.exec(holder) ?? [];
  if (pid === undefined) return false;
  if (host !== hostname()) return true;
  if (Number(pid) === process.pid) return true;
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
