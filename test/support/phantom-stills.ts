/** The phantom as CAMUS's stills: the ED and ES frames of its sequences, and nothing over time. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readRecording, recordingMasks, recordingVideo } from '../../src/data/camus.ts';
import { listClips } from '../../src/data/clips.ts';
import { writeNifti } from '../../src/data/nifti.ts';

/**
 * Writes the stills of every recording of `from` to `to`; each split names the patients given.
 *
 * @param spacing mm of a pixel in the files, in place of the true one
 */
export function writeStillsOf(
  from: string, to: string, splits: Readonly<Record<string, readonly string[]>>, spacing?: readonly number[],
): void {
  for (const { folder, view, patient } of listClips(from)) {
    const recording = readRecording(folder, view);
    const { ed, es, image: { height, width } } = recording;
    const home = join(to, 'database_nifti', patient);
    mkdirSync(home, { recursive: true });
    for (const [phase, frame] of [['ED', ed], ['ES', es]] as const) {
      const grey = recordingVideo(recording, [frame]).data.map((value) => Math.round(255 * value));
      const common = { shape: [width, height], spacing: spacing ?? recording.spacing };
      const stem = join(home, `${patient}_${view}_${phase}`);
      writeNifti(`${stem}.nii.gz`, { ...common, data: Uint8Array.from(grey) });
      writeNifti(`${stem}_gt.nii.gz`, { ...common, data: recordingMasks(recording, [frame])!.data });
    }
  }
  mkdirSync(join(to, 'database_split'), { recursive: true });
  for (const split of ['training', 'validation', 'testing']) {
    const names = (splits[split] ?? []).map((name) => `${name}\n`).join('');
    writeFileSync(join(to, 'database_split', `subgroup_${split}.txt`), names);
  }
}
