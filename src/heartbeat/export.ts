/**
 * A model as the folder of a diffusers pipeline, and back. The networks that the references know lie
 * where they look for them, under their names; what they have no place for (the image branch,
 * temporal attention, local encoders, Global Adapter, image encoder) lies in `heartbeat/`.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { writeFolderAtomic } from '../frames/atomic.ts';
import { echoVocabulary, END_TOKEN } from '../models/clip-tokenizer.ts';
import { readTokenizerFolder, writeTokenizerFolder } from '../models/tokenizer-folder.ts';
import { isAddedToUNet } from '../models/unet-weights.ts';
import type { DType } from '../tensor/dtype.ts';
import { dispose, noGrad, scope } from '../tensor/memory.ts';
import { readSafetensors, writeSafetensors } from '../tensor/safetensors.ts';
import type { Tensor } from '../tensor/tensor.ts';
import {
  componentNames, HeartBeat, heartbeatConfig, type ComponentName, type HeartBeatConfig, type HeartBeatOptions,
} from './heartbeat.ts';
import { readMeanFrame, writeMeanFrame } from './mean-frame.ts';
import { weightsFile } from './model-folder.ts';
import { loadUpstream } from './upstream.ts';
import { expectSameOptions, readJsonFile } from './upstream/config-files.ts';
import { readClipTextConfig, readUNetConfig, readVaeConfig } from './upstream/networks.ts';

const ownFolder = 'heartbeat';
const ownConfig = join(ownFolder, 'config.json');
const ownConfigSchema = z.strictObject({
  model: heartbeatConfig,
  /** Whether the prompts' tokenizer is the one that ships here. */
  tokenizer: z.enum(['shipped', 'own']),
  card: z.record(z.string(), z.unknown()),
});
type Known = 'unet' | 'vae' | 'text_encoder';

/** Which networks of a model the references can hold: all that have a class there, in their own words. */
function knownNetworks({ vae }: HeartBeatConfig): Known[] {
  return vae.linearShortcut ? ['unet', 'text_encoder'] : ['unet', 'vae', 'text_encoder'];
}

/**
 * Writes the folder: new or empty, all or nothing.
 *
 * @param card plain JSON about the training, kept for the way back
 * @param dtype of the stored weights; float32 loses nothing
 * @returns what a reader should know, a sentence each
 */
export async function exportPipeline(
  model: HeartBeat, folder: string, dtype: DType = 'float32', card: Record<string, unknown> = {},
): Promise<string[]> {
  const { config } = model;
  const known = knownNetworks(config);
  await writeFolderAtomic(folder, (temporary) => {
    const at = (...names: string[]) => join(temporary, ...names);
    const configs: Record<Known, object> = {
      unet: unetFile(config), vae: vaeFile(config), text_encoder: textEncoderFile(model),
    };
    for (const folderName of [...known, 'scheduler', ownFolder]) mkdirSync(at(folderName));
    for (const network of known) {
      writeJson(at(network, 'config.json'), configs[network]);
      writeState(at(weightsFile(network)), theirState(model, network), dtype);
    }
    for (const component of componentNames) {
      const own = ownState(model, component, known);
      if (own.size > 0) writeState(at(ownWeights(component)), own, dtype);
    }
    const tokenizer = model.tokenizerSource ?? { vocabulary: echoVocabulary(), padToken: END_TOKEN };
    writeTokenizerFolder(at('tokenizer'), tokenizer, model.tokenizer.maxLength);
    writeJson(at('scheduler', 'scheduler_config.json'), schedulerFile(config));
    writeMeanFrame(at(ownFolder), model.meanFrame);
    writeJson(at(ownConfig), { model: config, tokenizer: model.tokenizerSource === null ? 'shipped' : 'own', card });
    writeJson(at('model_index.json'), pipelineIndex(known));
  });
  return [
    ...(config.unet.temporal ? ['unet/ is the spatial part: every frame alone, as before the temporal layers.'] : []),
    ...(known.includes('vae') ? []
      : ['vae/ is left out: AutoencoderKL has no linear shortcut, which this autoencoder needs.']),
  ];
}

/**
 * The model of an exported folder, with what the references may have changed in `unet/`, `vae/` and
 * `text_encoder/`.
 *
 * @throws one sentence when it is no such folder, or its parts do not fit each other
 */
export function importPipeline(
  folder: string, options: Omit<HeartBeatOptions, 'tokenizer'> = {},
): { model: HeartBeat; card: Record<string, unknown> } {
  const file = join(folder, ownConfig);
  if (!existsSync(file)) {
    throw new Error(`${folder}: expected a folder that \`heartbeat export\` wrote, got one without ${ownConfig}`);
  }
  const parsed = ownConfigSchema.safeParse(readJsonFile(file));
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0];
    throw new Error(`${file}: ${path.join('.')}: ${message}`);
  }
  const { model: config, tokenizer, card } = parsed.data;
  const known = knownNetworks(config);
  const source = tokenizer === 'own' ? readTokenizerFolder(join(folder, 'tokenizer')) : null;
  for (const network of known) expectSameConfig(network, join(folder, network, 'config.json'), config);
  const model = new HeartBeat(config, { ...options, tokenizer: source, blank: true });
  try {
    for (const component of componentNames) {
      const own = join(folder, ownWeights(component));
      scope(() => {
        const state = new Map([
          ...(isKnown(component, known) ? loadUpstream(component, join(folder, component)) : []),
          ...(ownState(model, component, known).size > 0 ? readSafetensors(own).tensors : []),
        ]);
        try {
          model.components[component].load(state);
        } catch (error) {
          throw new Error(`${join(folder, component)}: ${(error as Error).message}`, { cause: error });
        } finally {
          dispose(state);
        }
      });
    }
    model.meanFrame = readMeanFrame(join(folder, ownFolder), config.resolution);
  } catch (error) {
    model.dispose();
    throw error;
  }
  return { model, card };
}

function isKnown(component: ComponentName, known: readonly Known[]): component is Known {
  return (known as readonly string[]).includes(component);
}

function ownWeights(component: ComponentName): string {
  return join(ownFolder, `${component}.safetensors`);
}

function theirState(model: HeartBeat, network: Known): Map<string, Tensor> {
  const state = [...model.components[network].state()];
  return new Map(state.filter(([key]) => network !== 'unet' || !isAddedToUNet(key)));
}

/** What of a component the references have no place for. */
function ownState(model: HeartBeat, component: ComponentName, known: readonly Known[]): Map<string, Tensor> {
  const state = [...model.components[component].state()];
  return new Map(state.filter(([key]) => !isKnown(component, known) || (component === 'unet' && isAddedToUNet(key))));
}

function writeState(file: string, state: ReadonlyMap<string, Tensor>, dtype: DType): void {
  scope(() => noGrad(() => {
    const stored = new Map([...state].map(([key, value]) => [key, value.to(dtype)]));
    // transformers refuses a file that does not say which library's tensors it holds.
    writeSafetensors(file, stored, { format: 'pt' });
  }));
}

function expectSameConfig(network: Known, file: string, { unet, vae, text_encoder }: HeartBeatConfig): void {
  if (network === 'unet') expectSameOptions(file, network, theirUNet(unet), readUNetConfig(file));
  else if (network === 'vae') expectSameOptions(file, network, vae, readVaeConfig(file));
  else expectSameOptions(file, network, text_encoder, readClipTextConfig(file));
}

/** diffusers' options of our U-Net: conv_in sees the local features as well. */
function theirUNet(unet: HeartBeatConfig['unet']) {
  const { localChannels, imageQuery, temporal, temporalWithoutSpatial, temporalConvolution, ...spatial } = unet;
  return { ...spatial, in_channels: spatial.in_channels + localChannels };
}

function unetFile({ unet }: HeartBeatConfig): object {
  return {
    _class_name: 'UNet2DConditionModel', ...theirUNet(unet), act_fn: 'silu', center_input_sample: false,
    flip_sin_to_cos: true, freq_shift: 0, mid_block_scale_factor: 1, mid_block_type: 'UNetMidBlock2DCrossAttn',
  };
}

function vaeFile({ vae: { linearShortcut, ...vae } }: HeartBeatConfig): object {
  const blocks = vae.block_out_channels.length;
  return {
    _class_name: 'AutoencoderKL', ...vae, act_fn: 'silu',
    down_block_types: Array(blocks).fill('DownEncoderBlock2D'), up_block_types: Array(blocks).fill('UpDecoderBlock2D'),
  };
}

function textEncoderFile({ config: { text_encoder: text }, tokenizer }: HeartBeat): object {
  return {
    architectures: ['CLIPTextModel'], model_type: 'clip_text_model', ...text, projection_dim: text.hidden_size,
    bos_token_id: tokenizer.start, eos_token_id: tokenizer.end, pad_token_id: tokenizer.pad,
  };
}

function schedulerFile({ scheduler: { timestep_spacing: spacing, ...schedule } }: HeartBeatConfig): object {
  return {
    _class_name: 'DDIMScheduler', ...schedule, clip_sample: false, thresholding: false, trained_betas: null,
    // diffusers has no quadratic spacing; trailing too begins at the noisiest step
    timestep_spacing: spacing === 'leading' ? 'leading' : 'trailing', rescale_betas_zero_snr: false,
  };
}

function pipelineIndex(known: readonly Known[]): object {
  const none = [null, null];
  return {
    _class_name: 'StableDiffusionPipeline',
    unet: ['diffusers', 'UNet2DConditionModel'],
    vae: known.includes('vae') ? ['diffusers', 'AutoencoderKL'] : none,
    text_encoder: ['transformers', 'CLIPTextModel'], tokenizer: ['transformers', 'CLIPTokenizer'],
    scheduler: ['diffusers', 'DDIMScheduler'],
    feature_extractor: none, image_encoder: none, safety_checker: none, requires_safety_checker: false,
  };
}

function writeJson(file: string, value: unknown): void {
  writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`);
}
