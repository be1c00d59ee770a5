/** Threads that run a file of ours, whether it is transpiled (dist/) or run by tsx. */
import { parentPort, Worker } from 'node:worker_threads';

/**
 * Starts `file` on a thread of its own. A thread does not inherit the loader that tsx set up in
 * this one, so a TypeScript file is imported after setting it up there.
 */
function startWorker(file: URL): Worker {
  if (!file.pathname.endsWith('.ts')) return new Worker(file);
  const loader = JSON.stringify(import.meta.resolve('tsx/esm/api'));
  const start = `import(${loader}).then(({ register }) => {
    register();
    return import(${JSON.stringify(file.href)});
  });`;
  return new Worker(start, { eval: true });
}

/** What a thread answers. Of an error only its message would cross by itself. */
type Answer<Result> = { readonly result: Result } | { readonly error: Crossing };

interface Crossing {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly path?: string;
  readonly syscall?: string;
  readonly stack?: string;
}

/** Defects are told from failures by their class. */
const classes: Record<string, ErrorConstructor> = { TypeError, ReferenceError, RangeError, EvalError };

function arrived({ name, message, ...about }: Crossing): Error {
  return Object.assign(new (classes[name] ?? Error)(message), about);
}

/**
 * Does the tasks of a `TaskThread`; called by its file, and without effect on the main thread.
 *
 * @param moved buffers of a result that are given away instead of copied
 */
export function serveTasks<Task, Result>(
  work: (task: Task) => Result | Promise<Result>,
  moved: (result: Result) => ArrayBuffer[] = () => [],
): void {
  const port = parentPort;
  port?.on('message', async (task: Task) => {
    try {
      const result = await work(task);
      port.postMessage({ result } satisfies Answer<Result>, moved(result));
    } catch (caught) {
      const { name, message, code, path, syscall, stack } = caught as NodeJS.ErrnoException;
      const error = { name, message, code, path, syscall, stack };
      port.postMessage({ error } satisfies Answer<Result>);
    }
  });
}

/** A thread that does tasks one after the other, by the file that serves them; starts with the first one. */
export class TaskThread<Task, Result> {
  private readonly file: URL;
  private worker: Worker | null = null;

  constructor(file: URL) {
    this.file = file;
  }

  /** One at a time. @throws what the thread threw, or that it ended */
  run(task: Task): Promise<Result> {
    const worker = (this.worker ??= startWorker(this.file));
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        worker.off('message', onMessage).off('error', onError).off('exit', onExit);
        act();
      };
      const onMessage = (answer: Answer<Result>) => settle(() =>
        'error' in answer ? reject(arrived(answer.error)) : resolve(answer.result));
      const onError = (error: Error) => settle(() => reject(error));
      const onExit = () => settle(() => reject(new Error('a thread ended before its task was done')));
      worker.on('message', onMessage).on('error', onError).on('exit', onExit);
      worker.postMessage(task);
    });
  }

  /** Ends the thread at once, in the middle of a task too. */
  async end(): Promise<void> {
    await this.worker?.terminate();
  }
}

/**
 * `work(index, lane)` for the indices 0 to `total`, at most one at a time in each lane. After a
 * failure, or when `stop` says so, no other is begun; those that are under way end.
 *
 * @throws the first failure
 */
export async function inLanes(
  total: number, lanes: number, work: (index: number, lane: number) => Promise<void>,
  stop: () => boolean = () => false,
): Promise<void> {
  const failures: unknown[] = [];
  let next = 0;
  const follow = async (lane: number) => {
    while (next < total && failures.length === 0 && !stop()) {
      try {
        await work(next++, lane);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(lanes, total) }, (_, lane) => follow(lane)));
  if (failures.length > 0) throw failures[0];
}
