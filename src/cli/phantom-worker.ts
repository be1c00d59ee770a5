/** The thread that draws phantoms for `./heartbeat phantom`. */
import { parentPort, workerData } from 'node:worker_threads';
import { writePhantom, type View } from '../data/phantom/phantom.ts';

export interface PhantomTask {
  readonly directory: string;
  readonly patients: number;
  readonly seed: number;
  readonly views: readonly View[];
}

/**
 * A patient is on disk, or the work failed: the code and path of a system error do not cross
 * threads by themselves.
 */
export type PhantomMessage =
  | { readonly done: number; readonly id: string }
  | {
      readonly error: {
        message: string;
        code?: string;
        path?: string;
        syscall?: string;
        stack?: string;
      };
    };

const { directory, ...options } = workerData as PhantomTask;

function post(message: PhantomMessage): void {
  parentPort?.postMessage(message);
}

try {
  writePhantom(directory, { ...options, onProgress: (done, _, id) => post({ done, id }) });
} catch (caught) {
  const { message, code, path, syscall, stack } = caught as NodeJS.ErrnoException;
  post({ error: { message, code, path, syscall, stack } });
}
