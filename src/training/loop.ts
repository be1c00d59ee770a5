import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { z } from 'zod';
import { writeAtomic } from '../frames/atomic.ts';
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

/**
 * One training: a step is a function of (weights, optimizer, step number) alone, so it resumes
 * exactly.
 */
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
  /** The resolved configuration, kept in `config.json` and in every checkpoint. */
  readonly resolved: unknown;
  /**
   * Its part that decides what the weights become, which a resumed run must share: how often a run
   * saves or looks at itself may change. All of it when absent.
   */
  readonly decisive?: (resolved: unknown) => unknown;
  readonly resumeFrom: string | null;
  /** What a look at itself costs this stage, in training steps; nothing when absent. */
  readonly costs?: LookCosts;
  readonly onProgress: (step: number, total: number, scalars: Record<string, number>) => void;
  readonly stopRequested: () => boolean;
}

/** Work beside the steps, counted in the time of a training step. */
export interface LookCosts { readonly validation: number; readonly preview: number }

/** Seconds of steps `first` to `last` with their validations and previews, when one step takes `perStep`. */
export function planSeconds(
  perStep: number, first: number, last: number, { validationSteps, previewSteps }: LoopConfig, costs: LookCosts,
): number {
  const looks = (every: number) => Math.floor(last / every) - Math.floor(first / every) + (last % every === 0 ? 0 : 1);
  return perStep * (last - first + looks(validationSteps) * costs.validation + looks(previewSteps) * costs.preview);
}

export interface LoopResult {
  readonly step: number;
  readonly finished: boolean;
  readonly seconds: number;
  /**
   * What this process was expected to take, from the second of its first two steps, and took; null where it
   * did not go from there to the last step.
   */
  readonly forecast: { readonly estimated: number; readonly taken: number } | null;
}

/** `estimated 120.0 s from its first two steps, took 126.3 s (error -5.0 %)` */
export function describeForecast({ estimated, taken }: NonNullable<LoopResult['forecast']>): string {
  const error = (100 * (estimated - taken)) / taken;
  return `estimated ${estimated.toFixed(1)} s from its first two steps, took ${taken.toFixed(1)} s ` +
    `(error ${error.toFixed(1)} %)`;
}

/**
 * Runs a stage to its last step, or until a stop is asked for; either way the last step is saved.
 * A step that throws saves nothing: the checkpoint before it is what the run goes on from.
 */
export async function runStage(stage: Stage, options: LoopOptions): Promise<LoopResult> {
  const { config, log, run } = options;
  const began = performance.now();
  const { step: first, seconds } = resume(stage, options);
  mkdirSync(run, { recursive: true });
  const resolved = `${JSON.stringify(options.resolved, null, 2)}\n`;
  writeAtomic(join(run, 'config.json'), new TextEncoder().encode(resolved));
  let step = first;
  const spent = () => seconds + (performance.now() - began) / 1000;
  const sums = new Map<string, { sum: number; count: number }>();
  let saved = step;
  const save = () => {
    if (saved === step) return;
    const record = { step, config: options.resolved, progress: { seconds: spent() } };
    scope(() => { writeCheckpoint(run, record, stage.state(), config.checkpointsTotalLimit); });
    saved = step;
  };
  let estimated: number | null = null;
  while (step < stage.maxTrainSteps && !options.stopRequested()) {
    const start = performance.now();
    const scalars = stage.step(step);
    if (step === first + 1) {
      const perStep = (performance.now() - start) / 1000;
      estimated = (start - began) / 1000 + planSeconds(
        perStep, step, stage.maxTrainSteps, config, options.costs ?? { validation: 0, preview: 0 });
    }
    step++;
    for (const [name, value] of Object.entries(scalars)) {
      const entry = sums.get(name) ?? { sum: 0, count: 0 };
      sums.set(name, { sum: entry.sum + value, count: entry.count + 1 });
    }
    const last = step === stage.maxTrainSteps;
    if (step % config.loggingSteps === 0 || last) {
      const means = [...sums].map(([name, { sum, count }]) => [name, sum / count] as const);
      sums.clear();
      for (const [name, value] of means) log.scalar(`train/${name}`, value, step);
      options.onProgress(step, stage.maxTrainSteps, Object.fromEntries(means));
    }
    if (step % config.validationSteps === 0 || last) {
      const figures = stage.validate();
      for (const [name, value] of Object.entries(figures)) {
        log.scalar(`validation/${name}`, value, step);
      }
      options.onProgress(step, stage.maxTrainSteps, figures);
    }
    if (step % config.previewSteps === 0 || last) {
      for (const [name, picture] of Object.entries(await stage.preview())) {
        log.image(name, encodePng(sideBySide(picture)), step);
      }
    }
    if (step % config.checkpointingSteps === 0 || last) save();
    await setImmediate(); // lets signals arrive; no scope is open here
  }
  save();
  const finished = step === stage.maxTrainSteps;
  const forecast = finished && estimated !== null
    ? { estimated, taken: (performance.now() - began) / 1000 } : null;
  if (forecast !== null) log.text('estimate', describeForecast(forecast), step);
  return { step, finished, seconds: spent(), forecast };
}

function resume(stage: Stage, options: LoopOptions): { step: number; seconds: number } {
  const path = options.resumeFrom === null ? null : findCheckpoint(options.run, options.resumeFrom);
  if (path === null) return { step: 0, seconds: 0 };
  const { record, tensors } = readCheckpoint(path);
  const { decisive = (whole: unknown) => whole } = options;
  const difference = firstDifference(decisive(options.resolved), decisive(record.config), '');
  if (difference !== null) {
    for (const group of Object.values(tensors)) for (const value of group.values()) value.dispose();
    throw new Error(`${path}: cannot resume, the configuration differs: ${difference}`);
  }
  stage.load(tensors);
  for (const group of Object.values(tensors)) for (const value of group.values()) value.dispose();
  return { step: record.step, seconds: Number(record.progress.seconds ?? 0) };
}

/** The frames of a clip in a row, as one picture. c f h w -> c 1 h (f w) */
function sideBySide({ channels, frames, height, width, data }: Frames): Frames {
  const row = new Float32Array(data.length);
  for (let line = 0; line < channels * frames * height; line++) {
    const [c, f, y] = [
      Math.floor(line / (frames * height)), Math.floor(line / height) % frames, line % height,
    ];
    const place = (c * height + y) * frames + f;
    row.set(data.subarray(line * width, (line + 1) * width), place * width);
  }
  return { channels, frames: 1, height, width: frames * width, data: row };
}

/** The first place where two JSON values differ, in words, or null. */
export function firstDifference(wanted: unknown, found: unknown, path: string): string | null {
  const plain = (value: unknown) => typeof value !== 'object' || value === null;
  if (plain(wanted) || plain(found)) {
    if (Object.is(wanted, found)) return null;
    const name = path || 'configuration';
    const [expected, got] = [JSON.stringify(wanted), JSON.stringify(found)];
    return `${name}: expected ${expected}, got ${got} in the checkpoint`;
  }
  const [a, b] = [wanted, found] as Record<string, unknown>[];
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
    const difference = firstDifference(a[key], b[key], path === '' ? key : `${path}.${key}`);
    if (difference !== null) return difference;
  }
  return null;
}
