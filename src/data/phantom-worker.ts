/** A thread that draws phantoms for `drawPhantoms`, a patient at a time. */
import { serveTasks } from '../frames/worker.ts';
import { writeMriPhantomPatient } from './mri-phantom/mri-phantom.ts';
import type { PhantomTask } from './phantom-drawing.ts';
import { writePhantomPatient } from './phantom/phantom.ts';

serveTasks((task: PhantomTask) => {
  const { directory, seed, number } = task;
  return task.modality === 'mri' ? writeMriPhantomPatient(directory, seed, number, task.frames)
    : writePhantomPatient(directory, seed, number, task.views);
});
