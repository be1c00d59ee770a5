import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hashFile } from '../frames/file-hash.ts';
import { noGrad, scope } from '../tensor/memory.ts';
import { readTokenizerFolder, writeTokenizerFolder, type TokenizerSource } from '../models/tokenizer-folder.ts';
import type { DType } from '../tensor/dtype.ts';
import { readSafetensors, writeSafetensors } from '../tensor/safetensors.ts';
import type { Tensor } from '../tensor/tensor.ts';
import {
  componentNames, HeartBeat, heartbeatConfig, type ComponentName, type HeartBeatConfig,
  type HeartBeatOptions,
} from './heartbeat.ts';
import { meanFrameFile, readMeanFrame, writeMeanFrame } from './mean-frame.ts';

const indexFile = 'model_index.json';
const schedulerFile = 'scheduler/scheduler_config.json';
const tokenizerFolder = 'tokenizer';

/** transformers' networks call their weights `model`, diffusers' own `diffusion_pytorch_model`. */
export function weightsFile(component: ComponentName): string {
  const fromTransformers = component === 'text_encoder' || component === 'image_encoder';
  return join(component, `${fromTransformers ? 'model' : 'diffusion_pytorch_model'}.safetensors`);
}

/**
 * Writes a model folder as diffusers lays it out: `model_index.json`, a folder a network with
 * `config.json` and safetensors, the scheduler's, and the tokenizer where it is not the one that ships
 * here. All or nothing: a temporary folder beside it, then a rename; on failure a folder that was there stays as it was.
 *
 * @param dtype of the stored weights
 * @param card plain JSON about the training, kept in the index
 */
export function saveModelFolder(
  model: HeartBeat, path: string, dtype: DType = 'float32', card: Record<string, unknown> = {},
): void {
  const temporary = `${path}.tmp-${process.pid}`;
  const aside = `${path}.old-${process.pid}`;
  rmSync(temporary, { recursive: true, force: true });
  const {
    vae, unet, text_encoder, image_encoder, local_encoders, global_adapter, scheduler, ...shape
  } = model.config;
  const configs: Record<ComponentName, object> = {
    vae, unet, text_encoder, image_encoder, global_adapter,
    local_encoders: { classes: shape.classes, conditions: [...model.localEncoders.keys()], ...local_encoders },
  };
  try {
    for (const component of componentNames) {
      mkdirSync(join(temporary, component), { recursive: true });
      writeJson(join(temporary, component, 'config.json'), configs[component]);
      scope(() => noGrad(() => {
        const state = model.components[component].state();
        const stored = new Map([...state].map(([key, value]) => [key, value.to(dtype)]));
        writeSafetensors(join(temporary, weightsFile(component)), stored, {});
      }));
    }
    mkdirSync(join(temporary, 'scheduler'));
    writeJson(join(temporary, schedulerFile), scheduler);
    writeMeanFrame(temporary, model.meanFrame);
    if (model.tokenizerSource !== null) {
      writeTokenizerFolder(join(temporary, tokenizerFolder), model.tokenizerSource, model.tokenizer.maxLength);
    }
    writeJson(join(temporary, indexFile), { _class_name: 'HeartBeat', ...shape, card });
    if (existsSync(path)) renameSync(path, aside);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    if (existsSync(aside) && !existsSync(path)) renameSync(aside, path);
    const reason = (error as Error).message.replaceAll(temporary, path);
    throw new Error(`model: could not write ${path}: ${reason}`, { cause: error });
  }
  rmSync(aside, { recursive: true, force: true });
}

export interface ModelIndex { readonly config: HeartBeatConfig; readonly card: Record<string, unknown> }

/** The configuration of a model folder, without its weights. */
export function readModelIndex(path: string): ModelIndex {
  if (!existsSync(join(path, indexFile))) {
    throw new Error(`model: expected a model folder with ${indexFile} at ${path}, got none`);
  }
  const { _class_name: kind, card = {}, ...shape } = readJson(join(path, indexFile));
  if (kind !== 'HeartBeat') {
    throw new Error(`model: expected _class_name HeartBeat in ${join(path, indexFile)}, got ${kind}`);
  }
  const part = (name: string) => readJson(join(path, name, 'config.json'));
  const { classes: _, conditions: __, ...encoder } = part('local_encoders');
  const parsed = heartbeatConfig.safeParse({
    ...shape,
    ...Object.fromEntries(componentNames
      .filter((name) => name !== 'local_encoders').map((name) => [name, part(name)])),
    local_encoders: encoder,
    scheduler: readJson(join(path, schedulerFile)),
  });
  if (!parsed.success) {
    const { path: where, message } = parsed.error.issues[0];
    throw new Error(`model: ${path}: ${where.join('.')}: ${message}`);
  }
  return { config: parsed.data, card: card as Record<string, unknown> };
}

/** The tokenizer of a model folder, for `HeartBeatOptions.tokenizer`; null where it is the one that ships here. */
export function readModelTokenizer(path: string): TokenizerSource | null {
  const folder = join(path, tokenizerFolder);
  return existsSync(folder) ? readTokenizerFolder(folder) : null;
}

/** A HeartBeat with the weights and the tokenizer of a model folder; every key must fit. */
export function loadModelFolder(path: string, options: HeartBeatOptions = {}): HeartBeat {
  const { config } = readModelIndex(path);
  const model = new HeartBeat(config, { tokenizer: readModelTokenizer(path), ...options, blank: true });
  try {
    for (const component of componentNames) {
      loadComponent(model, component, join(path, weightsFile(component)));
    }
    model.meanFrame = readMeanFrame(path, model.config.resolution);
  } catch (error) {
    model.dispose();
    throw error;
  }
  return model;
}

/** One network's weights from a safetensors file, strictly. */
export function loadComponent(model: HeartBeat, component: ComponentName, file: string): void {
  const { tensors } = readSafetensors(file);
  try {
    model.components[component].load(tensors, { strict: true });
  } catch (error) {
    throw new Error(`${file}: ${(error as Error).message}`);
  } finally {
    for (const value of tensors.values()) (value as Tensor).dispose();
  }
}

/** A short name for exactly this model: sha256 over the weight files and the mean frame of its folder. */
export function modelHash(path: string): string {
  const hash = createHash('sha256');
  for (const component of componentNames) hashFile(hash, join(path, weightsFile(component)));
  if (existsSync(join(path, meanFrameFile))) hashFile(hash, join(path, meanFrameFile));
  return hash.digest('hex');
}

function writeJson(file: string, value: unknown): void {
  writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`);
}

function readJson(file: string): Record<string, unknown> {
  if (!existsSync(file)) throw new Error(`model: expected ${file}, got no such file`);
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    throw new Error(`model: expected JSON in ${file}, got something else`);
  }
}
