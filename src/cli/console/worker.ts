/** Threads that run a file of ours, whether it is transpiled (dist/) or run by tsx. */
import { Worker } from 'node:worker_threads';

/**
 * Starts `file` on a thread of its own. A thread does not inherit the loader that tsx set up in
 * this one, so a TypeScript file is imported after setting it up there.
 */
export function startWorker(file: URL, workerData: unknown): Worker {
  if (!file.pathname.endsWith('.ts')) return new Worker(file, { workerData });
  const loader = JSON.stringify(import.meta.resolve('tsx/esm/api'));
  const start = `import(${loader}).then(({ register }) => {
    register();
    return import(${JSON.stringify(file.href)});
  });`;
  return new Worker(start, { eval: true, workerData });
}
