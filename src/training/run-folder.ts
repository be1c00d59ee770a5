import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** The trainings of a run in their order; each has a folder of its own below the run's. */
export const stageNames = ['vae', 'image-encoder', 'image', 'video', 'segmenter', 'echo-video'] as const;
export type StageName = (typeof stageNames)[number];
/** The trainings whose outcome only measures a HeartBeat. */
export type MeasuringStageName = 'segmenter' | 'echo-video';
/** The trainings whose outcome is a HeartBeat. */
export type ModelStageName = Exclude<StageName, MeasuringStageName>;

export function isMeasuring(name: StageName): name is MeasuringStageName {
  return name === 'segmenter' || name === 'echo-video';
}

const configKeys = {
  vae: 'vae', 'image-encoder': 'imageEncoder', image: 'image', video: 'video',
  segmenter: 'segmenter', 'echo-video': 'echoVideo',
} as const satisfies Record<StageName, string>;

/** Where a stage's recipe stands in the configuration. */
export function configKey<Name extends StageName>(name: Name): (typeof configKeys)[Name] {
  return configKeys[name];
}

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
