import { setImmediate } from 'node:timers/promises';
import { z } from 'zod';
import type { Frames } from '../frames/frames.ts';
import { encodePng } from '../frames/png.ts';
import { scope } from '../tensor/memory.ts';
import type { Tensor } from '../tensor/tensor.ts';
import {
  findCheckpoint, readCheckpoint, writeCheckpoint, type CheckpointTensors,
} from './checkpoint.ts';
import type { RunLog } from './run-log.ts';

/** When a run looks at itself and saves itself, in diffusers' words. */
export const loopConfig = z.strictObject({
  checkpointingSteps: z.int().positive().default(500),
  checkpointsTotalLimit: z.int().positive().default(2),
  validationSteps: z.int().positive().default(250),
  previewSteps: z.int().positive().default(500),
  loggingSteps: z.int().positive().default(10),
});
export type LoopConfig = z.infer<typeof loopConfig>;

/** One training: a step is a function of (weights, optimizer, step number) alone, so it resumes exactly. */
export interface Stage {
  readonly name: string;
  readonly maxTrainSteps: number;
  /** One optimizer step; returns scalars to log. */
  step(step: number): Record<string, number>;
  /** Scalars on held-out patients, with the EMA weights. */
  validate(): Record<string, number>;
  /** RGB or grey pictures of what the network makes now. */
  preview(): Promise<Record<string, Frames>>;
  state(): CheckpointTensors;
  load(tensors: Record<string, Map<string, Tensor>>): void;
}

export interface LoopOptions {
  readonly run: string;
  readonly log: RunLog;
  readonly config: LoopConfig;
  /** The resolved configuration, kept in every checkpoint and compared on resuming. */
  readonly resolved: unknown;
  readonly resumeFrom: string | null;
  readonly onProgress: (step: number, total: number, scalars: Record<string, number>) => void;
  readonly stopRequested: () => boolean;
}

export interface LoopResult { readonly step: number; readonly finished: boolean; readonly seconds: number }

/** Runs a stage to its last step, or until a stop is asked for; either way the last step is saved. */
export async function runStage(stage: Stage, options: LoopOptions): Promise<LoopResult> {
  const { config, log, run } = options;
  const began = performance.now();
  let { step, seconds } = resume(stage, options);
  const spent = () => seconds + (performance.now() - began) / 1000;
  const sums = new Map<string, { sum: number; count: number }>();
  let saved = step;
  const save = () => {
    if (saved === step) return;
    const record = { step, config: options.resolved, progress: { seconds: spent() } };
    scope(() => { writeCheckpoint(run, record, stage.state(), config.checkpointsTotalLimit); });
    saved = step;
  };
  try {
    while (step < stage.maxTrainSteps && !options.stopRequested()) {
      const scalars = stage.step(step);
      step++;
      for (const [name, value] of Object.entries(scalars)) {
        const entry = sums.get(name) ?? { sum: 0, count: 0 };
        sums.set(name, { sum: entry.sum + value, count: entry.count + 1 });
      }
      const last = step === stage.maxTrainSteps;
      if (step % config.loggingSteps === 0 || last) {
        const means = Object.fromEntries([...sums].map(([name, { sum, count }]) => [name, sum / count]));
        sums.clear();
        for (const [name, value] of Object.entries(means)) log.scalar(`train/${name}`, value, step);
        options.onProgress(step, stage.maxTrainSteps, means);
      }
      if (step % config.validationSteps === 0 || last) {
        const figures = stage.validate();
        for (const [name, value] of Object.entries(figures)) log.scalar(`validation/${name}`, value, step);
        options.onProgress(step, stage.maxTrainSteps, figures);
      }
      if (step % config.previewSteps === 0 || last) {
        for (const [name, picture] of Object.entries(await stage.preview())) log.image(name, encodePng(picture), step);
      }
      if (step % config.checkpointingSteps === 0 || last) save();
      await setImmediate(); // lets signals arrive; no scope is open here
    }
  } finally {
    // an error inside a step leaves the weights of the step before it, unless they are no longer finite
    if (step < stage.maxTrainSteps && options.stopRequested()) save();
  }
  return { step, finished: step === stage.maxTrainSteps, seconds: spent() };
}

function resume(stage: Stage, options: LoopOptions): { step: number; seconds: number } {
  const path = options.resumeFrom === null ? null : findCheckpoint(options.run, options.resumeFrom);
  if (path === null) return { step: 0, seconds: 0 };
  const { record, tensors } = readCheckpoint(path);
  const difference = firstDifference(options.resolved, record.config, '');
  if (difference !== null) {
    for (const group of Object.values(tensors)) for (const value of group.values()) value.dispose();
    throw new Error(`${path}: cannot resume, the configuration differs: ${difference}`);
  }
  stage.load(tensors);
  for (const group of Object.values(tensors)) for (const value of group.values()) value.dispose();
  return { step: record.step, seconds: Number(record.progress.seconds ?? 0) };
}

/** The first place where two JSON values differ, in words, or null. */
export function firstDifference(wanted: unknown, found: unknown, path: string): string | null {
  const plain = (value: unknown) => typeof value !== 'object' || value === null;
  if (plain(wanted) || plain(found)) {
    if (Object.is(wanted, found)) return null;
    const name = path || 'configuration';
    return `${name}: expected ${JSON.stringify(wanted)}, got ${JSON.stringify(found)} in the checkpoint`;
  }
  const [a, b] = [wanted, found] as Record<string, unknown>[];
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
    const difference = firstDifference(a[key], b[key], path === '' ? key : `${path}.${key}`);
    if (difference !== null) return difference;
  }
  return null;
}
