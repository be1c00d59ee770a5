/** The thread that draws phantoms for `./heartbeat phantom`. */
import { parentPort, workerData } from 'node:worker_threads';
import { writeMriPhantom } from '../data/mri-phantom/mri-phantom.ts';
import { writePhantom, type View } from '../data/phantom/phantom.ts';

/** What is drawn of each patient. */
export type PhantomContent =
  | { readonly modality: 'echo'; readonly views: readonly View[] }
  | { readonly modality: 'mri'; readonly frames: number };

export type PhantomTask = PhantomContent & {
  readonly directory: string;
  readonly patients: number;
  readonly seed: number;
};

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

const task = workerData as PhantomTask;

function post(message: PhantomMessage): void {
  parentPort?.postMessage(message);
}

try {
  const { directory, patients, seed } = task;
  const common = {
    patients,
    seed,
    onProgress: (done: number, _: number, id: string) => post({ done, id }),
  };
  if (task.modality === 'mri') writeMriPhantom(directory, { ...common, frames: task.frames });
  else writePhantom(directory, { ...common, views: task.views });
} catch (caught) {
  const { message, code, path, syscall, stack } = caught as NodeJS.ErrnoException;
  post({ error: { message, code, path, syscall, stack } });
}
