/** The configuration of one training, for its device and for the checkpoint that it goes on from. */
import type { TrainingConfig } from '../training/config.ts';
import { configKey, type StageName } from '../training/run-folder.ts';
import { configSources } from './clip-loading.ts';
import { recipeOverrides, type RecipeFlags } from './recipe-flags.ts';
import type { ResumeFlags } from './watch-training.ts';

type Flags = Parameters<typeof configSources>[0] & RecipeFlags & ResumeFlags & { readonly device: string };

/** @param folder where the training's checkpoints are; nothing is gone on from when absent */
export async function resolveTraining(
  name: StageName | 'few-shot', flags: Flags, more: readonly string[] = [], folder?: string,
): Promise<TrainingConfig> {
  const { checkpointConfig, findCheckpoint } = await import('../training/checkpoint.ts');
  const { resolveFor } = await import('../training/precision.ts');
  const { device, resumeFromCheckpoint: resume } = flags;
  const from = folder === undefined || resume === undefined ? null : findCheckpoint(folder, resume);
  const sources = configSources(flags, [...recipeOverrides(name, flags), ...more]);
  return resolveFor(name === 'few-shot' ? 'fewShot' : configKey(name), sources, {
    device, checkpoint: from === null ? null : checkpointConfig(from),
    report: (line) => process.stderr.write(`${line}\n`),
  });
}
