/** Who follows a study: told of each piece of work, its progress, and asked whether to stop. */
export interface Watch {
  /** A piece of work begins; `initial` of `total` were done before. */
  readonly begin?: (label: string, total: number, unit: string, initial: number) => void;
  readonly update?: (done: number, note: string) => void;
  /** The piece of work is over, done or not. */
  readonly end?: () => void;
  readonly report?: (line: string) => void;
  readonly stopRequested?: () => boolean;
}

/** Thrown where a stop was asked for; everything finished until then is kept. */
export class Stopped extends Error {
  constructor() {
    super('study: stopped on request');
    this.name = 'AbortError';
  }
}

/** Tells the watch of one piece of work, whatever its end. */
export async function watched<T>(
  watch: Watch, label: string, total: number, unit: string, initial: number, work: () => Promise<T>,
): Promise<T> {
  watch.begin?.(label, total, unit, initial);
  try {
    return await work();
  } finally {
    watch.end?.();
  }
}
