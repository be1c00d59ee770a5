/** Whether a data set knows how large its pixels are. */
import { recordingFile } from './camus-folder.ts';
import type { ClipSource } from './clips.ts';
import { readNiftiSpacing } from './nifti.ts';

/**
 * False where the recording says 1 x 1 mm, which is what files say when nobody knows (the 224 x 224 copy
 * of CAMUS): no pixel of an echo machine is that large. Distances in mm would then be numbers of nothing.
 */
export function statesSpacing({ folder, view, kind }: ClipSource): boolean {
  const file = recordingFile(folder, view, kind === 'stills' ? 'ED' : kind);
  if (file === null) throw new Error(`${folder}: expected a ${view} recording, got none`);
  const [x, y] = readNiftiSpacing(file);
  return x !== 1 || y !== 1;
}
