/** `estimate`: parameters, memory, time and disk of a training on this machine, from two trial steps. */
import { Option, type Command } from 'commander';
import type { TrainingConfig } from '../training/config.ts';
import type { Estimate } from '../training/estimate.ts';
import type { Held } from '../training/look-costs.ts';
import { configKey, stageNames, type StageName } from '../training/run-folder.ts';
import { addConfigFlags, addMethodFlag, type RunFlags } from './clip-loading.ts';
import { integer } from './console/flags.ts';
import { formatDuration } from './console/progress.ts';
import { formatBytes, gpuMemoryUsed, memory, processor } from './machine.ts';
import { addRecipeFlags, type RecipeFlags } from './recipe-flags.ts';
import { resolveTraining } from './training-config.ts';

const examples = `
Examples:
  ./heartbeat estimate --preset small --stage image
  ./heartbeat estimate --preset paper --stage video --train-batch-size 1 --sampling
  ./heartbeat estimate --preset paper --stage video --device cuda --trial-steps 6 --sampling 50
  ./heartbeat estimate --preset small --method videocomposer --stage video

Takes two training steps with random weights on made-up clips of the preset's sizes: no data and no
pretrained weights are needed. With --sampling also a guided denoising step of a clip. The time is the
second step's (of more steps the median), times the stage's steps, with its validations and previews;
writing checkpoints and preparing clips come on top. \`train STAGE --dry-run\` does the same, and a training says at its end what
it expected after its first two steps and what it took.`;

export function register(command: Command): void {
  command.description('Say what a training takes on this machine: parameters, memory, time, disk.');
  addMethodFlag(addConfigFlags(command))
    .addOption(new Option('--stage <name>', 'which training').choices(stageNames).default('video'))
    .option('--sampling [steps]', 'also guided denoising of a clip, in the stage\'s number type: one step, or so many',
      integer({ min: 1, max: 999 }))
    .option('--trial-steps <n>', 'training steps taken; the time is the median of all but the first',
      integer({ min: 2, max: 1000 }), 2)
    .option('--json', 'print one JSON object');
  addRecipeFlags(command).addHelpText('after', examples).action(estimate);
}

export interface EstimateFlags extends Omit<RunFlags, 'data' | 'output' | 'cache'>, RecipeFlags {
  readonly stage: StageName;
  readonly sampling?: boolean | number;
  readonly trialSteps?: number;
  readonly json?: boolean;
}

async function estimate(flags: EstimateFlags): Promise<void> {
  const { setThreads } = await import('../tensor/device.ts');
  if (flags.threads !== undefined) setThreads(flags.threads);
  await printEstimate(flags.stage, await resolveTraining(flags.stage, flags), flags);
}

/** Measures and prints one stage; `held` is what validations will see. */
export async function printEstimate(
  name: StageName, config: TrainingConfig,
  { device, sampling = false, trialSteps, json = false }:
    { device: string; sampling?: boolean | number; trialSteps?: number; json?: boolean },
  held?: Held,
): Promise<void> {
  const { estimateSampling, estimateStage } = await import('../training/estimate.ts');
  const { getThreads } = await import('../tensor/device.ts');
  const { measureSpeed } = await import('./speed.ts');
  const bf16 = usesBf16(name, config);
  const dtype = bf16 ? 'bfloat16' : 'float32';
  const unused = gpuMemoryUsed(device);
  const training = estimateStage(name, { config, device, held, trialSteps });
  const gpu = [unused, gpuMemoryUsed(device)];
  const onGpu = gpu[0] === null || gpu[1] === null ? null : Math.max(0, gpu[1] - gpu[0]);
  const sampled = sampling === false ? null
    : await estimateSampling(config, dtype, device, sampling === true ? 1 : sampling);
  const rate = measureSpeed(dtype, device).matmul * 1e9;
  const machine = { processor: processor().name, threads: getThreads(), device };
  const resident = process.resourceUsage().maxRSS * 1024;
  if (json) {
    const whole = { stage: name, preset: config.preset, method: config.method, dtype, machine, training, sampling: sampled,
      residentBytes: resident, gpuBytes: onGpu, matrixRate: rate };
    process.stdout.write(`${JSON.stringify(whole, null, 2)}\n`);
    return;
  }
  const row = (label: string, text: string) => process.stdout.write(`${label.padEnd(12)}${text}\n`);
  const counted = (flops: number) =>
    (flops >= 1e11 ? `${(flops / 1e12).toFixed(2)} TFLOP` : `${(flops / 1e9).toFixed(2)} GFLOP`);
  const share = (flops: number, seconds: number) => `${counted(flops)}, ` +
    `${(flops / seconds / 1e9).toFixed(0)} GFLOP/s, ${((100 * flops) / seconds / rate).toFixed(0)} % of the ` +
    `${dtype} matrix product's ${(rate / 1e9).toFixed(0)}`;
  const method = config.method === 'heartbeat' ? '' : `, method ${config.method}`;
  row('stage', `${name} of preset ${config.preset}${method}, ${describeRecipe(name, config)}`);
  row('machine', `${machine.processor}, ${machine.threads} threads, device ${device}`);
  row('parameters', describeParameters(training));
  row('memory', describeMemory(training, resident, onGpu));
  row('a step', `${training.perStep.toFixed(training.perStep < 1 ? 4 : 2)} s, the first ` +
    `${training.firstStep.toFixed(2)} s; ` +
    share(training.flops, training.perStep));
  row('the stage', `${training.steps} steps, validations and previews: ${formatDuration(training.total)}`);
  const { checkpoint, extractedClip, encodedClip } = training.bytes;
  row('disk', `${formatBytes(checkpoint)} a checkpoint; a prepared clip ${formatBytes(extractedClip)}` +
    `, encoded ${formatBytes(encodedClip)} more`);
  if (sampled === null) return;
  const { control, perStep, decode, steps, walked } = sampled;
  const whole = steps === 1 ? `${formatDuration(control + 50 * perStep + decode)} a clip of 50 steps`
    : `${(control + walked + decode).toFixed(2)} s a clip, its ${steps} steps ${walked.toFixed(2)} s`;
  row('sampling', `conditions ${control.toFixed(1)} s, a guided step ${perStep.toFixed(perStep < 1 ? 4 : 2)} s, ` +
    `decoder ${decode.toFixed(1)} s: ${whole}`);
  row('', `${share(sampled.flops, sampled.perStep)}` +
    (sampled.peak === null ? '' : `; tensors at most ${formatBytes(sampled.peak)}`));
}

function usesBf16(name: StageName, config: TrainingConfig): boolean {
  return optimizationOf(name, config).mixedPrecision === 'bf16';
}

function optimizationOf(name: StageName, config: TrainingConfig) {
  if (name === 'vae') return config.vae.generator;
  return config[configKey(name)].optimization;
}

function describeRecipe(name: StageName, config: TrainingConfig): string {
  const { trainBatchSize, gradientAccumulationSteps: micros, mixedPrecision } = optimizationOf(name, config);
  const checkpointed = (name === 'image' || name === 'video') && config[name].gradientCheckpointing;
  return `batch ${trainBatchSize}${micros === 1 ? '' : ` x ${micros}`}, ` +
    `${mixedPrecision === 'bf16' ? 'bf16 with float32 masters' : 'float32'}` +
    (checkpointed ? ', gradient checkpointing' : '');
}

function describeParameters({ parameters }: Estimate): string {
  const million = (count: number) => `${(count / 1e6).toFixed(count < 1e7 ? 2 : 1)} M`;
  const all = Object.values(parameters);
  const total = all.reduce((sum, { total }) => sum + total, 0);
  const trained = all.reduce((sum, { trained }) => sum + trained, 0);
  const parts = Object.entries(parameters).map(([network, { total }]) => `${network} ${million(total)}`);
  return `${million(total)}, of which ${million(trained)} train (${parts.join(', ')})`;
}

function describeMemory({ bytes }: Estimate, resident: number, onGpu: number | null): string {
  const parts = [
    `weights ${formatBytes(bytes.weights)}`,
    `gradients, moments and average ${formatBytes(bytes.optimizer)}`,
  ];
  if (bytes.peak !== null) {
    parts.push(`tensors at most ${formatBytes(bytes.peak)}`,
      `the process ${formatBytes(resident)} of ${formatBytes(memory().total)}`);
  } else {
    parts.push(onGpu === null ? 'on the device: not known' : `on the device ${formatBytes(onGpu)}`);
  }
  return parts.join(', ');
}
