/** Folders as diffusers and transformers write them, of small networks with reference weights. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { heartbeatConfig, type HeartBeatConfig } from '../../src/heartbeat/heartbeat.ts';
import { upstreamConfig } from '../../src/heartbeat/upstream.ts';
import { byteAlphabet, END_TOKEN, START_TOKEN, vocabularyFiles, WORD_END } from '../../src/models/clip-tokenizer.ts';
import type { DType } from '../../src/tensor/dtype.ts';
import { dispose, scope } from '../../src/tensor/memory.ts';
import { writeSafetensors } from '../../src/tensor/safetensors.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { parameter, type Summary } from '../support/reference-fill.ts';

type Json = Record<string, unknown>;
export interface Saved { readonly config: Json; readonly shapes: Record<string, number[]> }
interface Golden {
  readonly real: Record<string, Json>;
  readonly unet: Saved & { readonly output: Summary };
  readonly vae: Saved & { readonly mean: Summary; readonly decoded: Summary };
  readonly text_encoder: Saved & { readonly whole: Saved; readonly ids: number[]; readonly output: Summary };
  readonly sam: { readonly original: { readonly output: Summary };
    readonly transformers: { readonly config: Json; readonly output: Summary } };
}
const folder = new URL('../golden/', import.meta.url);
export const golden = JSON.parse(readFileSync(new URL('upstream.json', folder), 'utf8')) as Golden;

/** A file that PyTorch wrote, beside the golden. */
export function goldenFile(name: string): string {
  return fileURLToPath(new URL(`upstream/${name}`, folder));
}

export function writeJson(file: string, value: unknown): string {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, JSON.stringify(value, null, 2));
  return file;
}

/** Tensors of these names and shapes; values are a function of the key that `keyOf` makes of a name. */
export function tensorsOf(
  shapes: Record<string, readonly number[]>, keyOf = (name: string) => name, dtype: DType = 'float32',
): Map<string, Tensor> {
  return scope(() => new Map(Object.entries(shapes).map(([name, shape]) =>
    [name, parameter(keyOf(name), shape).to(dtype)])));
}

export function writeWeights(file: string, tensors: Map<string, Tensor>): string {
  mkdirSync(dirname(file), { recursive: true });
  writeSafetensors(file, tensors);
  dispose(tensors);
  return file;
}

export const textKey = (name: string): string => (/^(text|vision)_model\./.test(name) ? name : `text_model.${name}`);

/** A small Stable Diffusion folder and a MedSAM file, and how to name them. */
export function writeStableDiffusion(at: string): string {
  const weights = 'diffusion_pytorch_model.safetensors';
  writeJson(join(at, 'unet', 'config.json'), golden.unet.config);
  writeWeights(join(at, 'unet', weights), tensorsOf(golden.unet.shapes));
  writeJson(join(at, 'vae', 'config.json'), golden.vae.config);
  writeWeights(join(at, 'vae', weights), tensorsOf(golden.vae.shapes));
  writeJson(join(at, 'text_encoder', 'config.json'), golden.text_encoder.config);
  writeWeights(join(at, 'text_encoder', 'model.safetensors'), tensorsOf(golden.text_encoder.shapes, textKey));
  writeJson(join(at, 'scheduler', 'scheduler_config.json'), golden.real['scheduler/scheduler_config.json']);
  writeTokenizer(join(at, 'tokenizer'));
  return at;
}

/** As many letters as the small text encoder has rows for, and no merge but one. */
function writeTokenizer(at: string): void {
  const letters = byteAlphabet().slice(0, 18).map((letter, i) => [letter, i] as const);
  const tokens = new Map([...letters, ...letters.map(([letter, i]) => [letter + WORD_END, i + 18] as const),
    ['!"' + WORD_END, 36], [START_TOKEN, 38], [END_TOKEN, 39]]);
  mkdirSync(at, { recursive: true });
  for (const [name, text] of Object.entries(vocabularyFiles({ tokens, merges: [['!', `"${WORD_END}`]] }))) {
    writeFileSync(join(at, name), text);
  }
}

/** The configuration of a small HeartBeat that starts from these sources. */
export function configOf(stableDiffusion: string, medsam: string): HeartBeatConfig {
  const { unet, ...others } = upstreamConfig({ stableDiffusion, medsam });
  const { out_chans: channels } = others.image_encoder!;
  return heartbeatConfig.parse({
    resolution: 16, frames: 2, ...others,
    unet: { ...unet, localChannels: 8, imageQuery: 'own', temporal: true },
    global_adapter: { channels, grid: 5, tokenGrid: 5, contextWidth: unet!.cross_attention_dim },
  });
}
