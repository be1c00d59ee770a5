/** Phantom patients drawn on several threads, echo and MRI alike. */
import { availableParallelism } from 'node:os';
import { inLanes, TaskThread } from '../frames/worker.ts';
import type { View, WrittenPatient } from './phantom/phantom.ts';

/** What is drawn of each patient. */
export type PhantomContent =
  | { readonly modality: 'echo'; readonly views: readonly View[] }
  | { readonly modality: 'mri'; readonly frames: number };

export type PhantomTask = PhantomContent & {
  readonly directory: string;
  readonly seed: number;
  readonly number: number;
};

export interface DrawingOptions {
  readonly seed: number;
  /** Threads, one for each hardware thread by default; the files are the same with any number. */
  readonly workers?: number;
  readonly onProgress?: (done: number, id: string) => void;
  /** Asked before each patient; the answer then lacks those that were not begun. */
  readonly stopRequested?: () => boolean;
}

/**
 * Draws patients into `directory`, one thread included, so that signals and progress are not held up by a patient
 * being drawn. Their lists are the caller's to write, when all are there. The first that fails ends all.
 *
 * @param numbers of the patients
 * @returns what was written of each, in the order of `numbers`
 */
export async function drawPhantoms<Written extends WrittenPatient>(
  directory: string, content: PhantomContent, numbers: readonly number[],
  { seed, workers = availableParallelism(), onProgress, stopRequested }: DrawingOptions,
): Promise<Written[]> {
  const written: Written[] = [];
  let done = 0;
  const file = new URL('./phantom-worker.ts', import.meta.url);
  const threads = Array.from({ length: Math.min(workers, numbers.length) },
    () => new TaskThread<PhantomTask, Written>(file));
  const end = () => Promise.all(threads.map((thread) => thread.end()));
  try {
    await inLanes(numbers.length, threads.length, async (index, lane) => {
      const task = { directory, seed, number: numbers[index], ...content };
      try {
        written[index] = await threads[lane].run(task);
      } catch (error) {
        await end();
        throw error;
      }
      onProgress?.(++done, written[index].id);
    }, stopRequested);
  } finally {
    await end();
  }
  return written;
}
