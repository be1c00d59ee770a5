import { createHash } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { HeartBeat, HeartBeatConfig } from '../heartbeat/heartbeat.ts';
import { loadComponent, readModelIndex, readModelTokenizer, weightsFile } from '../heartbeat/model-folder.ts';
import { expectUpstreamOptions, startNetworksFromUpstream, upstreamTokenizer } from '../heartbeat/upstream.ts';
import type { TokenizerSource } from '../models/tokenizer-folder.ts';
import { sha256 } from '../frames/file-hash.ts';
import { expectStage, firstStage, type MethodName } from './methods.ts';
import { expectModel, modelOf, type StageName } from './run-folder.ts';

const source = z.string().min(1);
const first = source.refine((value) => value !== 'run', { error: 'expected random or a path, got run' });

/**
 * Where the networks that the first denoising stage does not make itself come from: `run`, an earlier stage of the run;
 * `random`, their initial values; anything else is the path of upstream's weights, and `upstream` stands for
 * a path that is still to be given.
 */
export const pretrainedConfig = z.strictObject({
  vae: source.default('run'),
  image_encoder: source.default('run'),
  unet: first.default('random'),
  text_encoder: first.default('random'),
});
export type PretrainedConfig = z.infer<typeof pretrainedConfig>;
export type PretrainedName = keyof PretrainedConfig;

/** What the sources of a run's networks are looked up in. */
export interface Origin {
  readonly preset: string;
  readonly method: MethodName;
  readonly seed: number;
  readonly model: HeartBeatConfig;
  readonly pretrained: PretrainedConfig;
}

/** The stage that trains a network which stage 1 takes as it is. */
const trainedBy = { vae: 'vae', image_encoder: 'image-encoder' } as const satisfies Record<string, StageName>;

/** What the path of each holds, for the sentence that asks for it. */
const contents: Record<PretrainedName, string> = {
  unet: 'the folder unet of Stable Diffusion 1.5 (weights pull sd15-unet)',
  vae: 'the folder vae of Stable Diffusion 1.5 (weights pull sd15-vae)',
  text_encoder: 'the folder text_encoder of Stable Diffusion 1.5 (weights pull clip-text)',
  image_encoder: "MedSAM's checkpoint (weights pull medsam)",
};

/** Whether the run already has, or was given, both networks that make latents and embeddings. */
export function hasEncoders({ pretrained }: Pick<Origin, 'pretrained'>, run: string): boolean {
  return (['vae', 'image_encoder'] as const).every((name) => {
    const source = pretrained[name];
    return source === 'run' ? existsSync(modelOf(run, trainedBy[name])) : source !== 'upstream';
  });
}

/** The VAE's configuration, with the statistics of its latents where a stage of the run has measured them. */
export function vaeConfigOf({ model, pretrained }: Origin, run: string): HeartBeatConfig['vae'] {
  return pretrained.vae === 'run' ? readModelIndex(expectModel(run, 'vae')).config.vae : model.vae;
}

/** Puts a network's first weights into `model`; one sentence when they are not there. */
export function startComponent(model: HeartBeat, name: PretrainedName, origin: Origin, run: string): void {
  const source = origin.pretrained[name];
  if (source === 'random') return;
  if (source === 'run') {
    return loadComponent(model, name, fileOfRun(name, run));
  }
  startNetworksFromUpstream(model, { [name]: expectGiven(name, source, origin.preset) });
}

/** The tokenizer that a stage's text encoder was pretrained with; null for the one that ships here. */
export function startTokenizer(stage: StageName, origin: Origin, run: string): TokenizerSource | null {
  const first = firstStage(origin.method);
  if (stage === 'video' && first !== stage) return readModelTokenizer(expectModel(run, first));
  const { text_encoder: source } = origin.pretrained;
  if (stage !== first || source === 'random' || source === 'upstream') return null;
  return upstreamTokenizer({ clip: expectGiven('text_encoder', source, origin.preset) });
}

/** sha256 that names a network's first weights exactly, for the keys of what is computed with them. */
export function sourceHash(name: PretrainedName, origin: Origin, run: string): string {
  const source = origin.pretrained[name];
  if (source === 'random') {
    const born = { born: origin.seed, name, config: origin.model[name] };
    return createHash('sha256').update(JSON.stringify(born)).digest('hex');
  }
  if (source === 'run') {
    return sha256(fileOfRun(name, run));
  }
  const path = expectGiven(name, source, origin.preset);
  if (!statSync(path).isDirectory()) return sha256(path);
  const files = readdirSync(path).filter((file) => /\.(safetensors|bin|pth|pt)$/.test(file)).sort();
  if (files.length === 0) {
    throw new Error(`pretrained.${name}: expected weights (.safetensors, .bin, .pth) in ${path}, got none`);
  }
  const hash = createHash('sha256');
  for (const file of files) hash.update(file).update(sha256(join(path, file)));
  return hash.digest('hex');
}

/** Throws, before anything is prepared, when a network that `stage` starts with is not there. */
export function expectSources(stage: StageName, origin: Origin, run: string): void {
  refuseGiven(stage, origin);
  const encoders = ['vae', 'image_encoder'] as const;
  const names: readonly PretrainedName[] = stage === firstStage(origin.method) ? [...encoders, 'text_encoder', 'unet']
    : stage === 'video' ? encoders : [];
  for (const name of names) {
    const source = origin.pretrained[name];
    if (source === 'run') expectModel(run, trainedBy[name as keyof typeof trainedBy]);
    else if (source !== 'random') expectGiven(name, source, origin.preset);
  }
  expectGivenOptions(origin, names);
}

/**
 * Refuses given networks that are built otherwise than the preset's; what is not given yet is no mistake here.
 *
 * @throws one sentence that names the file and the options that differ
 */
export function expectGivenOptions(
  { pretrained, model, preset }: Origin, names = Object.keys(pretrained) as readonly PretrainedName[],
): void {
  const given = names.filter((name) => !['run', 'random', 'upstream'].includes(pretrained[name]));
  expectUpstreamOptions(model, Object.fromEntries(given.map((name) =>
    [name, expectGiven(name, pretrained[name], preset)])));
}

/**
 * Refuses a stage that the method does not have, or that would train a network which this configuration takes
 * from somewhere else.
 */
export function refuseGiven(
  stage: StageName, { preset, method, pretrained }: Pick<Origin, 'preset' | 'method' | 'pretrained'>,
): void {
  expectStage(stage, method);
  for (const [name, trainer] of Object.entries(trainedBy) as [keyof typeof trainedBy, StageName][]) {
    if (trainer !== stage || pretrained[name] === 'run') continue;
    throw new Error(`train ${stage}: expected a network that this run trains, got pretrained.${name}=` +
      `${pretrained[name]} (preset ${preset}): stage 1 takes it as it is, and needs no \`train ${stage}\``);
  }
}

/** The weights that an earlier stage of the run left. */
function fileOfRun(name: PretrainedName, run: string): string {
  return join(expectModel(run, trainedBy[name as keyof typeof trainedBy]), weightsFile(name));
}

function expectGiven(name: PretrainedName, source: string, preset: string): string {
  if (source !== 'upstream' && existsSync(source)) return source;
  throw new Error(`preset ${preset} expects pretrained.${name} to be the path of ${contents[name]}, ` +
    `got ${source === 'upstream' ? 'none' : `no such path: ${source}`}; --pretrained none starts from random weights`);
}
