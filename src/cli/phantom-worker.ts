/** A thread that draws phantoms for `./heartbeat phantom`, a patient at a time. */
import { writeMriPhantomPatient } from '../data/mri-phantom/mri-phantom.ts';
import { writePhantomPatient, type View } from '../data/phantom/phantom.ts';
import { serveTasks } from '../frames/worker.ts';

/** What is drawn of each patient. */
export type PhantomContent =
  | { readonly modality: 'echo'; readonly views: readonly View[] }
  | { readonly modality: 'mri'; readonly frames: number };

export type PhantomTask = PhantomContent & {
  readonly directory: string;
  readonly seed: number;
  readonly number: number;
};

serveTasks((task: PhantomTask) => {
  const { directory, seed, number } = task;
  return task.modality === 'mri' ? writeMriPhantomPatient(directory, seed, number, task.frames)
    : writePhantomPatient(directory, seed, number, task.views);
});
