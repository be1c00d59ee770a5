/** Flags of a training's recipe in diffusers' words, shared by every verb that trains or estimates. */
import type { Command } from 'commander';
import { configKey, type StageName } from '../training/run-folder.ts';

/** Each flag, and the key of a stage's optimizer that it sets. */
const recipeFlags = [
  ['--train-batch-size <n>', 'trainBatchSize', 'samples of one forward pass'],
  ['--gradient-accumulation-steps <n>', 'gradientAccumulationSteps', 'forward passes of one step'],
  ['--max-train-steps <n>', 'maxTrainSteps', 'optimizer steps in all'],
  ['--learning-rate <x>', 'learningRate', 'peak learning rate'],
  ['--lr-warmup-steps <n>', 'lrWarmupSteps', 'steps until the peak'],
  ['--lr-scheduler <name>', 'lrScheduler', 'cosine or constant'],
  ['--max-grad-norm <x>', 'maxGradNorm', 'gradient clipping'],
  ['--mixed-precision <type>', 'mixedPrecision', 'no, bf16, or auto: bf16 where the device computes it'],
] as const;

export interface RecipeFlags extends Partial<Record<(typeof recipeFlags)[number][1], string>> {
  readonly gradientCheckpointing?: boolean;
}

export function addRecipeFlags(command: Command): Command {
  for (const [flag, , help] of recipeFlags) command.option(flag, help);
  return command.option('--gradient-checkpointing', 'less memory, more time (image, video and few-shot)');
}

/** The flags that were given, as overrides of the stage. */
export function recipeOverrides(name: StageName | 'few-shot', flags: RecipeFlags): string[] {
  const key = name === 'few-shot' ? 'fewShot' : configKey(name);
  const optimizers = name === 'vae' ? ['generator', 'discriminator'] : ['optimization'];
  const recipe = recipeFlags.flatMap(([, option]) => {
    const value = flags[option];
    return value === undefined ? [] : optimizers.map((of) => `${key}.${of}.${option}=${value}`);
  });
  return flags.gradientCheckpointing ? [...recipe, `${key}.gradientCheckpointing=true`] : recipe;
}
