/** A tiny model with weights everywhere, and the sample verb run in this process. */
import { Command, CommanderError } from 'commander';
import { describeError, exitCodeOf } from '../../src/cli/console/user-error.ts';
import type { VerbModule } from '../../src/cli/console/verbs.ts';
import { HeartBeat } from '../../src/heartbeat/heartbeat.ts';
import { saveModelFolder } from '../../src/heartbeat/model-folder.ts';
import { resolveConfig } from '../../src/training/config.ts';
import { fill } from '../support/reference-fill.ts';

export const FRAMES = 4;

/** Layers that are born as zeros have numbers too: every condition then moves the picture. */
export function writeTinyModel(folder: string, overrides: readonly string[] = [], temporal = true): void {
  const { model: config } = resolveConfig({ preset: 'tiny', overrides });
  const conditions = config.conditions.filter((name) => temporal || name !== 'flow');
  const model = new HeartBeat({ ...config, conditions, unet: { ...config.unet, temporal } });
  try {
    for (const path of Object.values(model.components)) fill(path.state());
    saveModelFolder(model, folder);
  } finally {
    model.dispose();
  }
}

/** Exit code and sentence as main gives them. */
export async function runVerb(
  verb: VerbModule,
  args: readonly string[],
): Promise<{ code: number; message: string }> {
  const command = new Command('verb').exitOverride().configureOutput({ outputError: () => {} });
  await verb.register(command);
  try {
    await command.parseAsync([...args], { from: 'user' });
    return { code: 0, message: '' };
  } catch (error) {
    const code = error instanceof CommanderError ? 2 : exitCodeOf(error);
    return { code, message: describeError(error) };
  }
}
