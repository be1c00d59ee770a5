/** Flags of a stage's recipe, which `train` and `estimate` share. */
import type { Command } from 'commander';
import type { StageName } from '../training/run-folder.ts';

/** Flags in diffusers' words, and the key of a stage's optimizer that each sets. */
const recipeFlags = [
  ['--train-batch-size <n>', 'trainBatchSize', 'samples of one forward pass'],
  ['--gradient-accumulation-steps <n>', 'gradientAccumulationSteps', 'forward passes of one step'],
  ['--max-train-steps <n>', 'maxTrainSteps', 'optimizer steps in all'],
  ['--learning-rate <x>', 'learningRate', 'peak learning rate'],
  ['--lr-warmup-steps <n>', 'lrWarmupSteps', 'steps until the peak'],
  ['--lr-scheduler <name>', 'lrScheduler', 'cosine or constant'],
  ['--max-grad-norm <x>', 'maxGradNorm', 'gradient clipping'],
  ['--mixed-precision <type>', 'mixedPrecision', 'no or bf16'],
] as const;

type RecipeFlag = (typeof recipeFlags)[number][1];
export type RecipeFlags = Partial<Record<RecipeFlag, string>> & { readonly gradientCheckpointing?: boolean };

export function addRecipeFlags(command: Command): Command {
  for (const [flag, , help] of recipeFlags) command.option(flag, help);
  return command.option('--gradient-checkpointing', 'less memory, more time (image and video)');
}

/** The flags of the recipe as overrides of the stage's optimizers. */
export function recipeOf(name: StageName, flags: RecipeFlags): string[] {
  const key = name === 'image-encoder' ? 'imageEncoder' : name;
  const optimizers = name === 'vae' ? ['generator', 'discriminator'] : ['optimization'];
  const recipe = recipeFlags.flatMap(([, option]) => {
    const value = flags[option];
    return value === undefined ? [] : optimizers.map((of) => `${key}.${of}.${option}=${value}`);
  });
  return flags.gradientCheckpointing ? [...recipe, `${key}.gradientCheckpointing=true`] : recipe;
}
