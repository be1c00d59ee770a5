import { join } from 'node:path';
import { MNMS_LABELS, listMnmsVolumes, selectVolumes, type MnmsSource } from '../data/mnms.ts';
import { HeartBeat, type ComponentName, type HeartBeatConfig } from '../heartbeat/heartbeat.ts';
import {
  loadComponent, modelHash, readModelIndex, readModelTokenizer, saveModelFolder, weightsFile,
} from '../heartbeat/model-folder.ts';
import { noGrad, scope } from '../tensor/memory.ts';
import { readSafetensors } from '../tensor/safetensors.ts';
import { sha256 } from '../frames/file-hash.ts';
import type { ClipStoreOptions } from './clip-store.ts';
import type { TrainingConfig } from './config.ts';
import { runStage, type LoopOptions, type LoopResult } from './loop.ts';
import { prepareClips, prepareLatents } from './prepare.ts';
import { pictures, type PreparedClip } from './prepared-clip.ts';
import { withDefaults } from './runs.ts';
import { fewShotStage } from './stage-few-shot.ts';

/** Where a few-shot training of a run leaves its checkpoints and its model. */
export const fewShotFolder = (run: string) => join(run, 'few-shot');

/** Volumes trained on, and those of other patients that are only looked at. */
export interface FewShotVolumes {
  readonly train: readonly MnmsSource[];
  readonly held: readonly MnmsSource[];
}

/**
 * Chooses volumes of a data set in the M&Ms layout, even over the vendors (`selectVolumes`): those to
 * train on in the training split, held-out ones in the validation split or, where nobody is in it,
 * among the training split's other patients. A function of the seed and of who is there.
 *
 * @throws when there is no volume to train on
 */
export function chooseVolumes(
  { config, data, report }: Pick<ClipStoreOptions, 'config' | 'data' | 'report'>,
): FewShotVolumes {
  const { seed, fewShot: { volumes: count, heldVolumes } } = config;
  const all = listMnmsVolumes(data, { split: 'training', report });
  if (all.length === 0) {
    throw new Error(`${data}: expected volumes to train on in its training split, got none`);
  }
  const train = selectVolumes(all, { count, seed });
  if (train.length < count) {
    report?.(`the training split of ${data} has ${train.length} volumes, fewer than ${count}`);
  }
  const chosen = new Set(train.map(({ patient }) => patient));
  const validation = listMnmsVolumes(data, { split: 'validation', report });
  const others = validation.length > 0 ? validation : all.filter(({ patient }) => !chosen.has(patient));
  if (others.length === 0) report?.(`${data}: nobody is held out: no held-out figures`);
  const held = others.length === 0 || heldVolumes === 0 ? []
    : selectVolumes(others, { count: heldVolumes, seed });
  return { train, held };
}

/**
 * The configuration of the MRI model that starts from an ultrasound one: the same networks, slices in
 * place of the beat's frames, text and mask as its conditions.
 *
 * @throws when the model has no temporal layers, no mask, or masks of other labels than M&Ms
 */
export function sliceModelConfig(config: HeartBeatConfig, where: string): HeartBeatConfig {
  const refuse = (expected: string, got: string) => {
    throw new Error(`${where}: expected ${expected} to start from, got ${got}`);
  };
  if (!config.unet.temporal) refuse('a video model (<run>/video/model)', 'an image model');
  for (const name of ['text', 'mask'] as const) {
    if (!config.conditions.includes(name)) refuse(`a model that knows ${name}`, 'one that does not');
  }
  if (config.classes !== MNMS_LABELS.length) {
    refuse(`a model of ${MNMS_LABELS.length} labels`, `one of ${config.classes}`);
  }
  return { ...config, frameAxis: 'slice', conditions: ['text', 'mask'] };
}

export interface FewShotOptions
  extends Omit<LoopOptions, 'run' | 'config' | 'resolved' | 'decisive'> {
  readonly config: TrainingConfig;
  /** Root of a data set in the M&Ms layout. */
  readonly data: string;
  readonly cache: string;
  /** The run's folder; everything goes below `<run>/few-shot`. */
  readonly run: string;
  /** Folder of the ultrasound video model. */
  readonly checkpoint: string;
  readonly device?: string;
  readonly workers?: number;
  readonly onPrepare?: ClipStoreOptions['onProgress'];
  readonly onSkip?: ClipStoreOptions['onSkip'];
  readonly report?: ClipStoreOptions['report'];
}

/**
 * Trains an MRI model on few volumes from the weights of an ultrasound model (PAPER section 2), to its
 * end or until a stop is asked for, and then writes `<run>/few-shot/model`. Null when the stop came
 * while volumes were prepared; what is prepared stays in the cache.
 */
export async function trainFewShot(options: FewShotOptions): Promise<LoopResult | null> {
  const { run, checkpoint, device, cache, workers, report, stopRequested } = options;
  const shape = sliceModelConfig(readModelIndex(checkpoint).config, checkpoint);
  const start = modelHash(checkpoint);
  const config = { ...options.config, fewShot: { ...options.config.fewShot, start } };
  const { seed, preset, views, fewShot } = config;
  const { resolution, frames } = shape;
  const volumes = chooseVolumes({ ...options, config });
  const preparing = { cache, workers, stopRequested, onProgress: options.onPrepare, onSkip: options.onSkip };
  const train = await prepareClips(volumes.train, { ...preparing, resolution, frames });
  const held = await prepareClips(volumes.held, { ...preparing, resolution, frames });
  const model = startModel(checkpoint, shape, fewShot.fromScratch, { seed, device });
  try {
    const hash = (name: ComponentName) => sha256(join(checkpoint, weightsFile(name)));
    const hashes = { vae: hash('vae'), imageEncoder: hash('image_encoder') };
    await prepareLatents([...train, ...held], model, hashes, preparing);
    if (stopRequested()) return null;
    const stage = fewShotStage(model, train, held, fewShot, seed);
    try {
      const fidelity = reconstructionPsnr(model, held.length > 0 ? held : train);
      report?.(`the autoencoder gives ${held.length > 0 ? 'held-out' : 'these'} slices back at ` +
        `${fidelity.toFixed(1)} dB`);
      const folder = fewShotFolder(run);
      const resolved: unknown = plainCopy({ preset, seed, views, model: shape, fewShot });
      const result = await runStage(
        stage, { ...options, run: folder, config: fewShot.loop, resolved, decisive });
      if (result.finished) {
        const card = {
          preset, stage: 'few-shot', start, fromScratch: fewShot.fromScratch, steps: result.step,
          seconds: Math.round(result.seconds), seed, volumes: train.map(({ id }) => id),
          reconstructionPsnr: Number(fidelity.toFixed(2)),
        };
        stage.optimization.ema.withAverage(() =>
          saveModelFolder(model, join(folder, 'model'), 'float32', card));
      }
      return result;
    } finally {
      stage.dispose();
    }
  } finally {
    model.dispose();
  }
}

function plainCopy(value: object): unknown {
  return JSON.parse(JSON.stringify(value));
}

/** What of the resolved configuration decides the weights: all but how often the loop looks and saves. */
function decisive(resolved: unknown): unknown {
  const { preset, seed, model, fewShot } = resolved as Record<string, unknown>;
  const { loop: _, gradientCheckpointing: __, ...recipe } = fewShot as Record<string, unknown>;
  return { preset, seed, model: withDefaults(model), fewShot: recipe };
}

/**
 * The MRI model before its first step. U-Net and mask encoder are the ultrasound model's or, from
 * scratch, newborn; all else is the ultrasound model's. The mask's third plane, the left atrium
 * there, becomes the right ventricle.
 */
function startModel(
  checkpoint: string, shape: HeartBeatConfig, fromScratch: boolean,
  options: { readonly seed: number; readonly device?: string },
): HeartBeat {
  const model = new HeartBeat(shape, { ...options, tokenizer: readModelTokenizer(checkpoint) });
  try {
    const shared: ComponentName[] = ['vae', 'text_encoder', 'image_encoder', 'global_adapter'];
    for (const name of fromScratch ? shared : [...shared, 'unet' as const]) {
      loadComponent(model, name, join(checkpoint, weightsFile(name)));
    }
    if (!fromScratch) loadMaskEncoder(model, join(checkpoint, weightsFile('local_encoders')));
    return model;
  } catch (error) {
    model.dispose();
    throw error;
  }
}

/** The file holds the encoders of conditions, too, that an MRI model does not have. */
function loadMaskEncoder(model: HeartBeat, file: string): void {
  const { tensors } = readSafetensors(file);
  try {
    const own = new Map([...tensors].filter(([key]) => key.startsWith('mask.')));
    model.components.local_encoders.load(own, { strict: true });
  } catch (error) {
    throw new Error(`${file}: ${(error as Error).message}`);
  } finally {
    for (const value of tensors.values()) value.dispose();
  }
}

/** How well the autoencoder, trained on ultrasound, gives the middle slices of volumes back, dB. */
function reconstructionPsnr(model: HeartBeat, clips: readonly PreparedClip[]): number {
  const picks = clips.slice(0, 8).map((clip) => ({ clip, frame: Math.floor(clip.frames / 2) }));
  return noGrad(() => scope(() => {
    const target = pictures(picks).to(model.components.vae.device);
    const decoded = model.decode(model.vae.scaleLatents(model.encode(target).mode()));
    const errors = decoded.sub(target).square().mean([1, 2, 3]).toFloat32();
    return errors.reduce((sum, error) => sum - 10 * Math.log10(error), 0) / picks.length;
  }));
}
