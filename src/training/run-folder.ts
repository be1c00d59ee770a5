import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** The trainings of a run in their order; each has a folder of its own below the run's. */
export const stageNames = ['vae', 'image-encoder', 'image', 'video', 'segmenter'] as const;
export type StageName = (typeof stageNames)[number];
/** The trainings whose outcome is a HeartBeat; the segmenter only measures one. */
export type ModelStageName = Exclude<StageName, 'segmenter'>;

/** Where a stage leaves its model folder. */
export function modelOf(run: string, stage: StageName): string {
  return join(run, stage, 'model');
}

/** The model folder of a stage that has finished. */
export function expectModel(run: string, stage: StageName): string {
  const folder = modelOf(run, stage);
  if (existsSync(folder)) return folder;
  throw new Error(`train: expected the finished ${stage} stage in ${folder}, got none: ` +
    `run \`train ${stage}\` first`);
}
