/** A thread that extracts clips for `prepareClips`, with the built-in extractors. */
import { serveTasks } from '../frames/worker.ts';
import { extractSource, type ExtractionTask } from './extract-clip.ts';
import type { PreparedClip } from './prepared-clip.ts';

/** The large arrays of a clip, each of which fills a buffer of its own. */
function buffersOf({ video, planes }: PreparedClip): ArrayBuffer[] {
  const arrays = [video, ...[...planes.values()].map(({ data }) => data)];
  const whole = arrays.filter((array) => array.byteLength === array.buffer.byteLength);
  return [...new Set(whole.map((array) => array.buffer as ArrayBuffer))];
}

serveTasks((task: ExtractionTask) => extractSource(task), buffersOf);
