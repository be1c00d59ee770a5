/** What a data set is called in the card of a network that was trained on it. */
import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { listPatients } from './camus-folder.ts';
import { isMnms } from './mnms-folder.ts';

/** `phantom` where its first patient was drawn by this project's echo phantom, else the folder's own name. */
export function dataSetName(root: string): string {
  const name = basename(resolve(root));
  if (isMnms(root)) return name;
  const [{ id, folder }] = listPatients(root);
  return existsSync(join(folder, `${id}_phantom.json`)) ? 'phantom' : name;
}
